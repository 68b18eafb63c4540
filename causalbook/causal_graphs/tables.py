"""Joint tables of discrete variables: what an observed distribution looks like to a formula."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

Cell = tuple[Any, ...]
Number = Any  # a float or a Fraction: the arithmetic is the same


class Table:
    """Probabilities of the cells of some discrete variables."""

    def __init__(self, names: Iterable[str], cells: Mapping[Cell, Number]) -> None:
        self.names = tuple(names)
        self.cells = dict(cells)
        columns = zip(*self.cells, strict=True)
        self.values = {
            name: tuple(dict.fromkeys(column))
            for name, column in zip(self.names, columns, strict=True)
        }
        self.marginal = cache(self._sum)

    def _sum(self, kept: tuple[str, ...]) -> dict[Cell, Number]:
        """Sum the cells over all variables but those kept."""
        places = [self.names.index(name) for name in kept]
        total: defaultdict[Cell, Number] = defaultdict(int)
        for cell, p in self.cells.items():
            total[tuple(cell[k] for k in places)] += p
        return total

    def mass(self, names: Collection[str], at: Mapping[str, Any]) -> Number:
        """Probability that the named variables have the values that they have in `at`."""
        kept = tuple(sorted(names))
        return self.marginal(kept).get(tuple(at[name] for name in kept), 0)

    def series(self) -> pd.Series:
        """The table as a Series, one index level for each variable."""
        return as_series(self.names, self.cells)


def as_series(names: Iterable[str], cells: Mapping[Cell, Number]) -> pd.Series:
    """Return cells as a sorted Series whose index levels bear the names of the variables."""
    import pandas as pd

    index = pd.MultiIndex.from_tuples(list(cells), names=list(names))
    exact = any(isinstance(p, Fraction) for p in cells.values())
    series = pd.Series(list(cells.values()), index, dtype=object if exact else float)
    return series.sort_index()


def read_joint(joint: Any, needed: Collection[str]) -> Table:
    """Read a Series of probabilities whose index levels are the variables; sum out the others."""
    import pandas as pd

    if not isinstance(joint, pd.Series):
        raise ValueError(
            f"joint is a {type(joint).__name__}: pass a Series of probabilities whose index levels "
            "are the variables, for example frame.value_counts(normalize=True)"
        )
    if absent := set(needed) - set(joint.index.names):
        raise ValueError(
            f"joint lacks {', '.join(sorted(absent))}: its index levels are "
            f"{', '.join(map(str, joint.index.names))}"
        )
    total = sum(joint)
    if any(not p >= 0 for p in joint) or not math.isclose(total, 1, rel_tol=1e-9):
        raise ValueError(
            f"joint sums to {float(total):.6g}, its smallest entry is {min(joint)}: probabilities "
            "are 0 or more and sum to 1 (counts? divide them by their sum)"
        )
    names = [str(name) for name in joint.index.names]
    several = isinstance(joint.index, pd.MultiIndex)
    keys: list[Cell] = list(joint.index) if several else [(key,) for key in joint.index]
    if len(set(keys)) < len(keys):
        raise ValueError("joint has the same cell twice: give each combination of values one row")
    kept = tuple(name for name in names if name in needed)
    cells = Table(names, dict(zip(keys, joint, strict=True))).marginal(kept)
    return Table(kept, {cell: p for cell, p in cells.items() if p})
