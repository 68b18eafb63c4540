"""How a row of the parity table is written down: a function that returns ours and the peer's."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

Pair = tuple[Any, Any]
DISTRIBUTIONS = {"sklearn": "scikit-learn", "sensemakr": "PySensemakr"}


@dataclass(frozen=True)
class Row:
    """One method of the package beside a peer, or beside a number in print."""

    part: str
    method: str  # the public name
    what: str  # what is compared
    data: str
    peer: str  # module.function of a library; "" for a number in print
    tolerance: float  # relative to the peer's largest number; in print, half of the last digit
    note: str  # why the two differ by design, or what brings them to one convention
    source: str  # key in references.bib
    place: str  # where in the source
    run: Callable[[], Pair]

    def compare(self) -> dict[str, Any]:
        """Both sides and the largest difference between them, in units of the tolerance's."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a peer deprecates is not what is compared
            ours, theirs = (np.atleast_1d(np.asarray(x, dtype=float)) for x in self.run())
        if ours.shape != theirs.shape:
            raise ValueError(f"{self.method}: shapes {ours.shape} and {theirs.shape}")
        scale = 1.0 if self.source else np.abs(theirs).max() or 1.0
        return {
            "ours": ours.ravel().tolist(),
            "theirs": theirs.ravel().tolist(),
            "difference": float(np.abs(ours - theirs).max() / scale),
        }

    @property
    def library(self) -> str:
        """Name and version of the peer's distribution."""
        module = self.peer.split(".")[0]
        name = DISTRIBUTIONS.get(module, module.replace("_", "-"))
        return f"{name} {version(name)}"


ROWS: list[Row] = []


def against(
    part: str,
    method: str,
    peer: str,
    *,
    what: str,
    data: str,
    tolerance: float = 1e-10,
    note: str = "",
) -> Callable[[Callable[[], Pair]], Callable[[], Pair]]:
    """Enter a comparison with a library: the function returns ours and theirs."""

    def enter(run: Callable[[], Pair]) -> Callable[[], Pair]:
        ROWS.append(Row(part, method, what, data, peer, tolerance, note, "", "", run))
        return run

    return enter


def in_print(
    part: str,
    method: str,
    source: str,
    place: str,
    *,
    what: str,
    data: str,
    digits: int,
    note: str = "",
) -> Callable[[Callable[[], Pair]], Callable[[], Pair]]:
    """Enter a comparison with numbers in print, which have so many digits after the point."""

    def enter(run: Callable[[], Pair]) -> Callable[[], Pair]:
        half = 0.5 * 10.0**-digits * (1 + 1e-9)
        ROWS.append(Row(part, method, what, data, "", half, note, source, place, run))
        return run

    return enter
