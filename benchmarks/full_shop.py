"""The shop in files: seconds and peak memory from 200,000 to 5,000,000 users.

    PYTHONPATH=. python benchmarks/full_shop.py [users ...]

Each size is written by a process of its own into a folder that is removed afterwards. Printed
beside the times: seconds for a million users, and the size of the files. Linear means that the
second column does not grow.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

MAKE = """
import resource, sys, time
from causalbook.case_study import write_shop
start = time.perf_counter()
truth = write_shop(sys.argv[1], int(sys.argv[2]), seed=1)
spent = time.perf_counter() - start
print(spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, truth["conversion"])
"""


def main() -> None:
    sizes = [int(n) for n in sys.argv[1:]] or [200_000, 1_000_000, 5_000_000]
    heads = ["users", "seconds", "s/million", "peak MB", "files MB", "effect"]
    print("".join(f"{head:>11}" for head in heads))
    for n in sizes:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-c", MAKE, folder, str(n)]
            shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            seconds, peak, effect = map(float, shown.split())
            size = sum(f.stat().st_size for f in Path(folder).rglob("*.parquet")) / 2**20
        million = 1e6 * seconds / n
        row = [f"{n:,}", f"{seconds:.1f}", f"{million:.1f}", f"{peak:.0f}", f"{size:.0f}"]
        print("".join(f"{cell:>11}" for cell in [*row, f"{effect:.4f}"]))


if __name__ == "__main__":
    main()
