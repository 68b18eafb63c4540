"""Times of the benchmarks beside their peers', kept in evidence/speed.json.

    python scripts/speed.py [--python INTERPRETER ...] [BENCHMARK ...]

Each script of benchmarks/ runs by itself, one after the other, in the first environment that has
its peer: this one, then those named by --python (see benchmarks/requirements.txt). A benchmark
whose peer is in none of them is kept as not measured. Both sides of a benchmark take turns in one
process, so that their ratio says more than their seconds. Only a run of all is kept.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import records
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
PEERS = {  # benchmark: module of its peer, and the distribution that one installs for it
    "off_policy": ("numpy", "numpy"),
    "obp_peer": ("obp", "sb-obp"),
    "doubly_robust": ("doubleml", "DoubleML"),
    "two_stage": ("linearmodels", "linearmodels"),
    "two_way": ("pyfixest", "pyfixest"),
    "group_time": ("csdid", "csdid"),
    "matching": ("sklearn", "scikit-learn"),
    "factorization": ("surprise", "scikit-surprise"),
    "encoding": ("sentence_transformers", "sentence-transformers"),
    "service": ("fastapi", "fastapi"),
}


def environment(benchmark: str, pythons: list[str]) -> str | None:
    """Return the first interpreter that finds the peer's module."""
    find = f"import importlib.util as u; raise SystemExit(not u.find_spec({PEERS[benchmark][0]!r}))"
    ask = (python for python in pythons if subprocess.run([python, "-c", find]).returncode == 0)
    return next(ask, None)


def measure(benchmark: str, pythons: list[str]) -> dict[str, Any]:
    """Run a benchmark where its peer is; return what it keeps."""
    python = environment(benchmark, pythons)
    if python is None:
        return {"benchmark": benchmark, "missing": PEERS[benchmark][1]}
    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder) / "times.json"
        where = {**os.environ, "PYTHONPATH": str(ROOT), "SPEED_RECORD": str(asked)}
        script = str(ROOT / "benchmarks" / f"{benchmark}.py")
        subprocess.run([python, script], check=True, env=where, stdout=subprocess.DEVNULL)
        return {"benchmark": benchmark, **json.loads(asked.read_text(encoding="utf-8"))}


def main() -> None:
    """Run the benchmarks, print their ratios, keep a run of all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("benchmarks", nargs="*", default=list(PEERS))
    parser.add_argument("--python", action="append", default=[])
    chosen = parser.parse_args()
    rows, start = [], perf_counter()
    for benchmark in tqdm(chosen.benchmarks, unit="benchmark", disable=None):
        rows.append(measure(benchmark, [sys.executable, *chosen.python]))
        for side, time in rows[-1].get("sides", {"": 0.0}).items():
            told = f"{side}: {time / rows[-1]['ours']:.2f} times ours" if side else "not measured"
            tqdm.write(f"{benchmark} {told}")
    if chosen.benchmarks == list(PEERS):
        said = " ".join(["python scripts/speed.py", *["--python PYTHON"] * len(chosen.python)])
        records.save("speed", rows, seconds=perf_counter() - start, said=said)


if __name__ == "__main__":
    main()
