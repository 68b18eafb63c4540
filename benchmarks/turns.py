"""How the benchmarks take time: both sides in turns, in one process, after one warm-up."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any


def seconds(
    *functions: Callable[[], Any], repeats: int = 7, clock: Callable[[], float] = process_time
) -> list[float]:
    """Median time of each function, run in turns; by default the processor's time."""
    times: list[list[float]] = [[] for _ in functions]
    for turn in range(repeats + 1):
        for function, own in zip(functions, times, strict=True):
            start = clock()
            function()
            if turn:
                own.append(clock() - start)
    return [median(own) for own in times]


def keep(
    work: str, times: dict[str, float], *, peers: list[str], clock: str, unit: str = "s"
) -> None:
    """Write down the times of all sides, ours first, where scripts/speed.py asks for them."""
    asked = os.environ.get("SPEED_RECORD")
    if asked:
        ours, *others = times
        told = {
            "work": work,
            "clock": clock,
            "unit": unit,
            "ours": times[ours],
            "sides": {name: times[name] for name in others},
            "versions": {name: version(name) for name in peers},
        }
        Path(asked).write_text(json.dumps(told), encoding="utf-8")
