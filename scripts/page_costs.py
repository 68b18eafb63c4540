"""What each page costs from a fresh kernel: seconds, processor time, peak of memory.

    python scripts/page_costs.py [PAGE.ipynb ...]

Pages run one after the other, each started by a process of its own, so that the kernel's processor
time and peak can be read off the children of that process. Starting the kernel counts. Seconds
stretch where another task runs on the machine, processor time hardly does. A run of all pages is
kept in evidence/pages.json.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import nbformat
import records
from nbclient import NotebookClient
from records import CORE_MINUTES, PEAK_MB, SECONDS, WITH_TORCH
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
ASK = "import sys; print('torch' in sys.modules)"


def run(path: Path) -> dict[str, Any]:
    """Run a page in this process's only child, and say what it cost."""
    page = nbformat.read(path, as_version=4)
    page.cells.append(nbformat.v4.new_code_cell(ASK))
    start = perf_counter()
    NotebookClient(page, timeout=300, resources={"metadata": {"path": path.parent}}).execute()
    took, used = perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return {
        "page": path.relative_to(ROOT).with_suffix("").as_posix(),
        "seconds": round(took, 1),
        "cpu": round(used.ru_utime + used.ru_stime, 1),
        "peak_mb": round(used.ru_maxrss / unit),
        "torch": page.cells[-1].outputs[0].text.strip() == "True",
    }


def too_dear(row: dict[str, Any]) -> bool:
    """Whether a page costs more than it may; of time the processor's counts."""
    limit = WITH_TORCH if row["torch"] else SECONDS
    return row["cpu"] > limit or row["peak_mb"] > PEAK_MB


def main(pages: list[Path], *, keep: bool) -> None:
    """Run the pages, print and keep what they cost; exit with 1 if one costs too much."""
    rows, start = [], perf_counter()
    bar = tqdm(pages, unit="page", disable=None)
    for path in bar:
        this = [sys.executable, __file__, "--one", str(path)]
        told = subprocess.run(this, check=True, stdout=subprocess.PIPE, text=True).stdout
        rows.append(json.loads(told.splitlines()[-1]))
        shown = "{page} {seconds:.1f} s, processor {cpu:.1f} s, {peak_mb} MB".format(**rows[-1])
        tqdm.write(shown)
    if keep:
        records.save("pages", rows, seconds=perf_counter() - start)
    minutes = sum(row["cpu"] for row in rows) / 60
    dear = [row["page"] for row in rows if too_dear(row)]
    print(f"{len(rows)} pages, {minutes:.1f} core-minutes; over their limits: {dear or 'none'}")
    if dear or minutes > CORE_MINUTES:
        raise SystemExit(1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(run(Path(sys.argv[2]))))
    else:
        named = [Path(name).resolve() for name in sys.argv[1:]]
        main(named or sorted(ROOT.glob("chapters/*/*.ipynb")), keep=not named)
