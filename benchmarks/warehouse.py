"""Estimates added up in DuckDB from a million to a hundred million rows, against a bare sum.

    PYTHONPATH=. python benchmarks/warehouse.py FOLDER [MILLIONS ...]

Writes the log of `write_big_log` into FOLDER (270 MB for a hundred million rows; parts that are
there already are kept), makes a DuckDB file of the first millions (by default 1, 3, 10, 30, 100),
and reads it in a process of its own with one thread and 256 MB for DuckDB's buffers. In turns,
three times: a bare `sum` over the same columns (of the text its `max`, since it has no sum), the
same with the text's length in its place, the scan for IPS, SNIPS and DR together, and that for the
difference in means beside its own bare sum. Printed are medians of the processor's seconds and of
the clock's, the peak of the process' memory, and the estimates; a run of the default sizes is kept
in warehouse.json. Another task on the machine stretches the clock, not the processor's seconds.
"""

from __future__ import annotations

import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

from causalbook.project import (
    TablePolicy,
    Warehouse,
    big_log_part,
    big_log_policy,
    bucket_difference,
    bucket_dr,
    bucket_ips,
    bucket_snips,
    watched_rates,
)

SEED, TURNS, SIZES = 1, 3, [1, 3, 10, 30, 100]  # in millions
RECORD = Path(__file__).with_suffix(".json")
BARE = "SELECT sum(bucket), max(context), sum(action), sum(reward), sum(pscore) FROM log"
BARE_LENGTH = BARE.replace("max(context)", "sum(strlen(context))")
BARE_ARMS = "SELECT sum(bucket), sum(arm), sum(reward) FROM log"


def write(folder: Path, millions: int) -> None:
    """Write the parts that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in range(millions):
        path = folder / f"part-{part:05d}.parquet"
        if not path.exists():
            big_log_part(part, seed=SEED).to_parquet(path, index=False)


def load(folder: Path, millions: int, file: str) -> None:
    """Make a DuckDB file of the first parts."""
    import duckdb

    paths = [str(folder / f"part-{part:05d}.parquet") for part in range(millions)]
    with duckdb.connect(file) as con:
        con.execute("SET memory_limit = '2GB'")
        con.execute("CREATE TABLE log AS SELECT * FROM read_parquet($paths)", {"paths": paths})


def goal() -> Any:
    """The best action of each context, and a reward model that is a little off."""
    rates = watched_rates()
    best = np.eye(rates.shape[1])[rates.argmax(axis=1)]
    policy = TablePolicy(dict(zip(big_log_policy().contexts, best, strict=True)))
    return policy.frame(rates + 0.02)


def measure(file: str) -> dict[str, Any]:
    """Run the scans in turns on a file, and say what they cost."""
    target = goal()
    with Warehouse(file) as w:
        engine: Any = w._engine  # the file holds a sixth table
        for setting in ("threads = 1", "memory_limit = '256MB'"):
            engine.con.execute(f"SET {setting}")
        log, run = engine.ibis.table("log"), engine.con.execute
        work: dict[str, Callable[[], Any]] = {
            "bare": lambda: run(BARE).fetchall(),
            "bare_length": lambda: run(BARE_LENGTH).fetchall(),
            "policies": lambda: w.policy_sums(log, target),
            "bare_arms": lambda: run(BARE_ARMS).fetchall(),
            "arms": lambda: w.arm_sums(log, y="reward", a="arm"),
        }
        cpu: dict[str, list[float]] = {name: [] for name in work}
        clock: dict[str, list[float]] = {name: [] for name in work}
        found = {}
        for _ in range(TURNS):
            for name, what in work.items():
                begun, spent = perf_counter(), process_time()
                found[name] = what()
                cpu[name].append(process_time() - spent)
                clock[name].append(perf_counter() - begun)
    sums = found["policies"]
    said = {"IPS": bucket_ips(sums), "SNIPS": bucket_snips(sums), "DR": bucket_dr(sums)}
    said["difference"] = bucket_difference(found["arms"])
    return {
        "rows": int(sums["n"].sum()),
        "cpu": {name: statistics.median(times) for name, times in cpu.items()},
        "clock": {name: statistics.median(times) for name, times in clock.items()},
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "estimates": {name: [e.value, e.se] for name, e in said.items()},
    }


def main() -> None:
    """Measure all sizes, each in a process of its own, and keep the record."""
    if sys.argv[1] == "--measure":
        print(json.dumps(measure(sys.argv[2])))
        return
    if sys.argv[1] == "--load":
        load(Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
        return
    folder, sizes = Path(sys.argv[1]), [int(m) for m in sys.argv[2:]] or SIZES
    write(folder, max(sizes))
    runs = []
    for millions in sizes:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            file = f"{place}/log.duckdb"
            this = [sys.executable, __file__]
            # A process inherits the peak of the one that starts it: so this one stays small.
            subprocess.run([*this, "--load", str(folder), str(millions), file], check=True)
            size = Path(file).stat().st_size / 1e6
            done = subprocess.run(
                [*this, "--measure", file], check=True, capture_output=True, text=True
            )
        runs.append({**json.loads(done.stdout), "file_mb": size})
        print(json.dumps(runs[-1]))
    libraries = {name: version(name) for name in ("duckdb", "ibis-framework")}
    machine = {"python": platform.python_version(), "system": platform.platform(), "threads": 1}
    told = {"date": date.today().isoformat(), "machine": machine, "versions": libraries}
    if sizes == SIZES:
        RECORD.write_text(json.dumps(told | {"runs": runs}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
