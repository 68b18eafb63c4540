"""A sample of the mutants of `make evidence`: a test fails for each, or a reason is on record."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "scripts" / "mutation.py"
SHARE = 120  # every so many-th mutant; all of them take half an hour


def test_every_survivor_has_a_reason():
    known = tomllib.loads((ROOT / "scripts" / "survivors.toml").read_text(encoding="utf-8"))
    for survivor in known.get("survivor", []):
        assert set(survivor) >= {"module", "function", "line", "change", "why"}
        assert len(survivor["why"].split()) > 4, survivor


def test_a_sample_of_the_mutants_is_caught_or_explained():
    command = [sys.executable, str(SCRIPT), "--share", str(SHARE), "--jobs", "1"]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=900)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "mutants" in run.stdout
