"""Parity: each method beside a library that computes the same, and beside numbers in print.

    python scripts/parity.py

The rows stand in the files parity_*.py: short functions that share no code with what they check.
Prints the rows, keeps them in evidence/parity.json, and exits with 1 if a difference is above its
tolerance.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

import parity_designs
import parity_estimators
import parity_learning
import parity_parts
import parity_print
import records
from parity_rows import ROWS, Row
from tqdm import tqdm

# Each enters its rows when imported.
MODULES = (parity_estimators, parity_designs, parity_parts, parity_learning, parity_print)


def told(row: Row) -> dict[str, Any]:
    """Compare one row and say all that the page shows of it."""
    shown = ("part", "method", "what", "data", "peer", "tolerance", "note", "source", "place")
    found = {name: getattr(row, name) for name in shown} | row.compare()
    numbers = len(found["ours"])
    if numbers > 2:  # of long answers the first two; the difference is that of all
        found |= {side: found[side][:2] for side in ("ours", "theirs")}
    library = {"library": row.library} if row.peer else {}
    within = found["difference"] <= row.tolerance
    return found | library | {"numbers": numbers, "within": within}


def main() -> None:
    """Compare all rows, keep and print them."""
    start, rows = perf_counter(), []
    for row in tqdm(ROWS, unit="row", disable=None):
        rows.append(told(row))
        peer = rows[-1].get("library") or row.source
        mark = "" if rows[-1]["within"] else "  OVER"
        tqdm.write(
            f"{row.method}: {peer}: {rows[-1]['difference']:.1e} of {row.tolerance:.0e}{mark}"
        )
    records.save("parity", rows, seconds=perf_counter() - start)
    if not all(row["within"] for row in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
