"""Coverage ledger: how often nominal 95% intervals hold the truth, in every world of the tests.

    python scripts/coverage_ledger.py [REPLICATIONS]

Worlds, sizes and seeds are those of tests/test_coverage.py, fixed before anything was run. Prints
one row a world and keeps them in evidence/coverage.json; a row that leaves the band (the central
99.9% of a binomial count) makes the run fail.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from time import perf_counter

import pandas as pd
import records
from scipy.stats import binom
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import test_coverage as ledger  # noqa: E402


def count(index: int, replications: int) -> int:
    """Count the replications of one world whose interval holds the truth."""
    return ledger.hits(ledger.WORLDS[index], replications)


def main(replications: int) -> None:
    """Run all worlds side by side, print and save the ledger."""
    start = perf_counter()
    low, high = binom.interval(0.999, replications, 0.95)
    worlds = range(len(ledger.WORLDS))
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        runs = pool.map(count, worlds, [replications] * len(worlds))
        hits = list(tqdm(runs, total=len(worlds), unit="world", disable=None))
    table = pd.DataFrame(
        {
            "covered": hits,
            "of": replications,
            "low": int(low),
            "high": int(high),
            "inside": [low <= h <= high for h in hits],
        },
        index=pd.Index([world.__name__ for world in ledger.WORLDS], name="world"),
    )
    print(table.to_string())
    rows = table.reset_index()[["world", "covered", "inside"]].to_dict("records")
    band = [int(low), int(high)]
    took = perf_counter() - start
    records.save("coverage", rows, seconds=took, replications=replications, band=band)
    if not table["inside"].all():
        raise SystemExit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ledger.REPLICATIONS)
