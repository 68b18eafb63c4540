"""README says what is true: its commands, files, parts and names are there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:`|^)make ([a-z]+)\b", README, re.M))))
def test_each_make_command_exists_and_says_what_it_does(target):
    assert target in TARGETS
    (line,) = re.findall(rf"^{target}:.*$", (ROOT / "Makefile").read_text(), re.M)
    assert "##" in line or target == "env"


def test_the_two_commands_and_three_ways_are_there():
    assert {"book", "test", "serve", "lab", "course"} <= TARGETS
    assert README.index("make book     #") < README.index("make test     #")
    for way in ("**Read**", "**Run**", "**Teach**"):
        assert way in README


def test_each_file_that_is_named_exists():
    linked = re.findall(r"\]\(([^)#]+)\)", README)
    linked += re.findall(r'(?:src|srcset)="([^"]+)"', README)
    linked += re.findall(r"`([\w./-]+/[\w./-]+|[A-Z]+\.\w+)`", README)
    made = {"_build/html", ".venv/bin/causalbook"}
    missing = [name for name in linked if name not in made and not (ROOT / name).exists()]
    assert linked
    assert not missing


def test_each_part_of_the_book_has_a_row():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    rows = re.findall(r"^\| \[([^]]+)\]\((\S+)\)", README, re.M)
    parts = [(part["caption"], f"{part['chapters'][0]['file']}.md") for part in toc["parts"]]
    assert rows == parts


@pytest.mark.parametrize("command", sorted(set(re.findall(r"^causalbook (\w+)", README, re.M))))
def test_each_command_explains_itself(command):
    code = "from causalbook.project.console import main; main()"
    run = subprocess.run(
        [sys.executable, "-c", code, command, "--help"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert command in run.stdout


def test_the_example_runs():
    import numpy as np
    import pandas as pd

    (example,) = re.findall(r"```python\n(.*?)```", README, re.S)
    table = pd.DataFrame(
        {"item": [0, 1, 0, 1] * 50, "click": [1, 0, 0, 1] * 50, "probability": [0.5] * 200}
    )
    names = {"table": table, "new_policy": np.full((200, 2), 0.5)}
    exec(example, names)
    assert names["log"].n == 200
