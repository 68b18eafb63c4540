"""Run every page with five other seeds: its checks must hold for each of them.

    python scripts/evidence.py [PAGE.ipynb ...]

A page has one SEED. If its statements held for that one alone, they would be anecdotes. Prints
one line a page and seed, and exits with 1 if a check fails. A run of all pages is kept in
evidence/seeds.json; one of some pages takes the place of theirs.
"""

from __future__ import annotations

import os
import re
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any

import nbformat
import records
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
SEEDS = (101, 102, 103, 104, 105)  # fixed before any page was run with them


def run(path: Path, seed: int) -> str | None:
    """Run a page with another seed; return the cell that failed, if one did."""
    page = nbformat.read(path, as_version=4)
    for cell in page.cells:
        cell.source = re.sub(r"^SEED = \d+$", f"SEED = {seed}", cell.source, flags=re.M)
    try:
        NotebookClient(page, timeout=300, resources={"metadata": {"path": path.parent}}).execute()
    except CellExecutionError as error:
        return str(error)
    return None


def by_page(told: list[tuple[str, int, bool]]) -> list[dict[str, Any]]:
    """One row a page: the seeds for which all its checks hold, and those for which one fails."""
    return [
        {
            "page": page,
            "held": [seed for name, seed, held in told if held and name == page],
            "failed": [seed for name, seed, held in told if not held and name == page],
        }
        for page in dict.fromkeys(name for name, _, _ in told)
    ]


def main(pages: list[Path], *, keep: bool) -> None:
    """Run the pages that have a seed with each of the five others, side by side."""
    start, told = perf_counter(), []
    seeded = [path for path in pages if "SEED = " in path.read_text(encoding="utf-8")]
    runs = [(path, seed) for path in seeded for seed in SEEDS]
    failed = 0
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        problems = pool.map(run, *zip(*runs, strict=True))
        bar = tqdm(zip(runs, problems, strict=True), total=len(runs), unit="run", disable=None)
        for (path, seed), problem in bar:
            failed += problem is not None
            page = path.relative_to(ROOT).as_posix()
            told.append((page.removesuffix(".ipynb"), seed, problem is None))
            tqdm.write(f"{page} seed {seed}: {problem or 'holds'}")
    rows = by_page(told)
    if keep:
        records.save("seeds", rows, seconds=perf_counter() - start)
    else:
        records.replace("seeds", rows, [f"{row['page']}.ipynb" for row in rows])
    if failed:
        raise SystemExit(1)


if __name__ == "__main__":
    named = [Path(name).resolve() for name in sys.argv[1:]]
    found = sorted(ROOT.glob("chapters/*/*.ipynb"))
    main(named or found, keep=not named)
