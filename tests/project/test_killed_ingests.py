"""An ingest that is killed at any moment and run again leaves what one in peace leaves."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from small_logs import PlainWarehouse, dirty

HERE = Path(__file__).parent
FINE = ["True", "True", "True"]  # nothing wrong, nothing twice, made whole by the next run


def trials(*tasks: str) -> dict[str, list[list[str]]]:
    """Run the trials of each task, and hold that all of them end well."""
    done = subprocess.run(
        [sys.executable, HERE / "killed_ingests.py", *tasks],
        capture_output=True, text=True, cwd=HERE,
    )  # fmt: skip
    assert not done.returncode, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    found = {mode: [x[1:] for x in lines if x[0] == mode] for mode in ("steps", "moments", "whole")}
    plain = PlainWarehouse()
    for name, frame in dirty(24).items():
        plain.ingest(name, frame)
    right = [*map(len, plain.tables.values()), len(plain.aside)]
    assert [int(n) for n in found["whole"][0]] == right
    assert len({tuple(x) for x in found["whole"]}) == 1  # the same, whatever the engine
    assert all(line[2:] == FINE for line in found["steps"] + found["moments"])
    assert all(line[0] == "True" for line in found["steps"])
    stored = [int(line[1]) for line in found["steps"]]
    assert min(stored) == 0
    assert max(stored) > 24  # some died in the first table, some in a later one
    return found


def test_duckdb_and_the_folder_for_spark(tmp_path: Path) -> None:
    files = [f"{tmp_path}/{k}.duckdb" for k in range(8)]
    folders = [f"spark+local://1{tmp_path}/{k}" for k in range(5)]
    found = trials(
        f"steps {' '.join(files[:6])}",
        f"moments {' '.join(files[:2] + files[6:])}",
        f"steps {' '.join(folders)}",
    )
    assert (len(found["steps"]), len(found["moments"])) == (7, 2)


@pytest.mark.xdist_group("servers")
def test_postgresql(postgres_databases: Callable[[int], list[str]]) -> None:
    urls = postgres_databases(6)
    found = trials(f"steps {' '.join(urls[:5])}", f"moments {' '.join(urls[:2] + urls[5:])}")
    assert (len(found["steps"]), len(found["moments"])) == (3, 1)
