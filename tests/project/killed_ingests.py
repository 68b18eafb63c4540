"""Ingest a dirty log in a child that dies, again and again: run by test_killed_ingests.py.

Usage: killed_ingests.py "steps URL URL URL..." "moments URL URL URL..." ...: two that are left in
peace, and one a trial, killed at a step or after a time. Prints for each trial: did the child die,
how many rows were there, were they among the right ones, each once, and was the next run whole?
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
from small_logs import dirty

from causalbook.project import Warehouse
from causalbook.project.engines import SqlEngine
from causalbook.project.spark_folder import SparkFolder

ROWS, CHUNK = 24, 15
TABLES = ("users", "impressions", "outcomes")


def ingest(url: str) -> None:
    with Warehouse(url) as w:
        for name, frame in dirty(ROWS).items():
            w.ingest(name, frame, chunk=CHUNK)


def contents(url: str) -> dict[str, Any]:
    """All rows, by a way of reading that the warehouse does not use for Spark's folder."""
    if url.startswith("spark"):
        folder = Path(url.partition("://")[2].partition("/")[2])
        parts = {t: sorted(Path("/", folder, t).glob("*.parquet")) for t in (*TABLES, "quarantine")}
        frames = {
            t: pd.concat([pd.read_parquet(p) for p in ps]) if ps else pd.DataFrame()
            for t, ps in parts.items()
        }
    else:
        with Warehouse(url) as w:
            frames = {t: w.read(w.table(t)) for t in TABLES} | {"quarantine": w.quarantine()}
    return {t: sorted(map(str, f[sorted(f.columns)].to_dict("records"))) for t, f in frames.items()}


LEFT = [10**9]  # steps until this process dies


def step() -> None:
    LEFT[0] -= 1
    if LEFT[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)


class Dying:
    """Stands before a connection and counts its statements."""

    def __init__(self, real: Any) -> None:
        self.real = real

    def __getattr__(self, name: str) -> Any:
        if name in ("execute", "register", "cursor"):
            step()
        return getattr(self.real, name)


def count_steps() -> None:
    """A step is a statement of an SQL engine, or a file of Spark's folder."""
    begin, move = SqlEngine.transaction, SparkFolder._file

    def transaction(self: Any) -> Any:
        if not isinstance(self.con, Dying):
            self.con = Dying(self.con)
        return begin(self)

    def file(self: Any, *args: Any) -> None:
        step()
        move(self, *args)

    SqlEngine.transaction = transaction  # type: ignore[method-assign]
    SparkFolder._file = file  # type: ignore[method-assign]


def killed(url: str, *, at: int = 10**9, after: float | None = None) -> bool:
    """Run an ingest in a child and kill it at a step or after a time; tell whether it died."""
    child = os.fork()
    if not child:
        LEFT[0] = at
        ingest(url)
        os._exit(0)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def main(mode: str, urls: list[str]) -> None:
    ingest(urls[0])  # imports what is imported once
    start, before = time.perf_counter(), LEFT[0]
    ingest(urls[1])
    length, steps = time.perf_counter() - start, before - LEFT[0]
    whole, trials = contents(urls[1]), urls[2:]
    assert contents(urls[0]) == whole
    for k, one in enumerate(trials):
        if mode == "steps":
            died = killed(one, at=k * steps // len(trials))
        else:
            died = killed(one, after=length * (k + 1) / (len(trials) + 1))
        torn = contents(one)
        inside = all(set(torn[t]) <= set(whole[t]) for t in TABLES)
        once = all(len(set(rows)) == len(rows) for rows in torn.values())
        ingest(one)
        stored = sum(len(torn[t]) for t in TABLES)
        print(mode, died, stored, inside, once, contents(one) == whole)
    print("whole", *(len(rows) for rows in whole.values()))


if __name__ == "__main__":
    count_steps()
    for task in sys.argv[1:]:
        main(task.split()[0], task.split()[1:])
