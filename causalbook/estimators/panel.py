"""Panels: the same units at several times, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import (
    Array,
    Ints,
    Labels,
    as_array,
    as_frame,
    fingerprint,
    label,
    missing,
    numbers,
    rows,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Panel:
    """The rows of a panel in the order of the frame, units and times as numbers.

    Parameters: `y` (N,) outcomes; `unit` and `time` (N,) numbers 0, 1, ... in the order of their
    labels `units` (n,) and `times` (T,).
    """

    y: Array
    unit: Ints
    time: Ints
    units: Labels
    times: Labels

    @property
    def n(self) -> int:
        """Number of units."""
        return len(self.units)

    @cached_property
    def sample(self) -> str:
        """Name of the rows: a hash of the outcome by unit and time, whatever their order."""
        if self.balanced:
            return fingerprint(self.matrix())
        return fingerprint(self.y[np.lexsort((self.time, self.unit))])

    @property
    def balanced(self) -> bool:
        """Whether every unit is there at every time."""
        return len(self.y) == self.n * len(self.times)

    def matrix(self, values: Array | None = None) -> Array:
        """Return the outcome (or another column) as a table: (n, T), a row for each unit.

        Raises ValueError if a unit is absent at some time.
        """
        if not self.balanced:
            absent = self.n * len(self.times) - len(self.y)
            few = np.bincount(self.unit) < len(self.times)
            raise ValueError(
                f"frame lacks {absent:,} rows: {few.sum():,} of {self.n:,} units are not there at "
                f"all {len(self.times)} times (first: {some(self.units[few])}); keep the units, or "
                "the times, that are complete"
            )
        table = np.empty((self.n, len(self.times)))
        table[self.unit, self.time] = self.y if values is None else values
        return table

    def of_unit(self, name: str, values: Labels) -> Labels:
        """Return one value for each unit, from a column (N,) that stays the same within units."""
        own = np.empty(self.n, dtype=values.dtype)
        own[self.unit[::-1]] = values[::-1]  # the first row of a unit is written last
        gone, first = missing(values), own[self.unit]
        bad = (values != first) & ~(gone & missing(first))
        if bad.any():
            raise ValueError(
                f"{name} changes within {len(np.unique(self.unit[bad])):,} of {self.n:,} units "
                f"(first: {some(self.units[np.unique(self.unit[bad])])}): give each unit one value"
            )
        return own


def panel(frame: Any, outcome: str, unit: str, time: str, *others: str) -> Panel:
    """Check a table with one row for each unit and time, and number its units and times.

    Parameters: names of columns; `others` only have to be there. Units and times may have labels
    of any kind that can be sorted.
    Raises ValueError for a column that is not there, an outcome that is NaN, infinite or text, a
    missing unit or time, two rows of one unit at one time, a unit with a single row, fewer than
    two units or times.
    """
    as_frame("frame", frame)
    wanted = [outcome, unit, time, *others]
    absent = [name for name in wanted if not isinstance(name, str) or name not in frame.columns]
    if absent:
        raise ValueError(
            f"frame has no column {', '.join(map(repr, absent))}: its columns are "
            f"{', '.join(map(repr, frame.columns))}"
        )
    y = numbers("outcome", frame[outcome])
    i, units = _numbered("unit", frame[unit])
    t, times = _numbered("time", frame[time])
    for name, labels in (("unit", units), ("time", times)):
        if len(labels) < 2:
            raise ValueError(f"{name} has one value, {labels[0]!r}: a comparison needs two")
    _refuse_repeats(i, t, units, times)
    once = np.bincount(i) == 1
    if once.any():
        raise ValueError(
            f"unit has {once.sum():,} of {len(units):,} units with a single row (first: "
            f"{some(units[once])}): they have no before and after; leave them out on purpose"
        )
    return Panel(y, i, t, units, times)


def first_periods(p: Panel, frame: pd.DataFrame, name: str) -> Array:
    """Return the time at which each unit is first treated: (n,), NaN for the never treated.

    Parameters: `name` of the column; NaN, None or NA there means never treated (in the panel's
    time or at all). Times and first times are whole numbers of periods.
    Raises ValueError for a first time that changes within a unit, is no whole number, or lies at
    or before the first time of the panel (no before); for times that are no whole numbers; if
    nobody is treated.
    """
    column = as_array(name, frame[name])
    given = ~missing(column)
    if not given.any():
        raise ValueError(f"{name} is missing everywhere, which means that nobody is ever treated")
    first = np.full(len(column), np.nan)
    first[given] = numbers(name, column[given])
    times = numbers("time", p.times)
    if (times % 1).any() or (first[given] % 1).any():
        raise ValueError(f"time and {name} must be whole numbers: number the periods 1, 2, 3, ...")
    own: Array = p.of_unit(name, first)
    early = own <= times[0]
    if early.any():
        raise ValueError(
            f"{name} is at or before the first time {times[0]:g} for {early.sum():,} of {p.n:,} "
            f"units (first: {some(p.units[early])}): they have no before. Code the never treated "
            "as NaN, not as 0; leave the always treated out on purpose"
        )
    if not (own <= times[-1]).any():
        raise ValueError(f"{name} is after the last time {times[-1]:g} for all: nobody is treated")
    return own


def groups_of_units(p: Panel, frame: pd.DataFrame, name: str | None) -> Ints:
    """Return the group of each unit, (n,) numbers from 0: the units themselves, or a column.

    Raises ValueError for a label that is missing or changes within a unit, or a single group.
    """
    if name is None:
        return np.arange(p.n)
    groups, labels = _numbered("cluster", frame[name])
    if len(labels) < 2:
        raise ValueError(
            f"cluster ({name!r}) has one group: the error is learned from how groups differ"
        )
    own: Ints = p.of_unit(f"cluster ({name!r})", groups)
    return own


def some(labels: Labels) -> str:
    """Name the first few labels."""
    return ", ".join(map(str, labels[:3])) + (", ..." if len(labels) > 3 else "")


def _numbered(name: str, column: Any) -> tuple[Ints, Labels]:
    """Number the labels of a column in their order."""
    import pandas as pd

    codes, labels = pd.factorize(column, sort=True)
    if (codes < 0).any():
        raise ValueError(f"{label(name, column)} is missing in {rows(codes < 0)}: name each one")
    return codes.astype(np.int64, copy=False), np.asarray(labels)


def _refuse_repeats(i: Ints, t: Ints, units: Labels, times: Labels) -> None:
    cell = i * len(times) + t
    cells = len(units) * len(times)
    if cells <= 4 * len(cell):
        if np.bincount(cell, minlength=1).max() == 1:
            return
    elif len(np.unique(cell)) == len(cell):
        return
    found, count = np.unique(cell, return_counts=True)
    u, s = divmod(int(found[count > 1][0]), len(times))
    raise ValueError(
        f"frame has {(count - 1).sum():,} rows too many: {(count > 1).sum():,} pairs of unit and "
        f"time come more than once (first: {units[u]} at {times[s]}); average or sum them on "
        "purpose, so that each unit has one row a time"
    )
