"""How the benchmarks take time: both sides in turns, in one process, after one warm-up."""

from __future__ import annotations

from collections.abc import Callable
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
