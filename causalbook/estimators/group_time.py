"""Staggered starts: one effect for each group and time, and averages of them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from causalbook.arrays import Array
from causalbook.estimate import Estimate
from causalbook.estimators.panel import first_periods, panel

if TYPE_CHECKING:
    import pandas as pd

Pair = tuple[int, int]
SMALL = 5  # units; R's did warns of groups below this size too


@dataclass(frozen=True)
class Cell:
    """One comparison: its effect, influence (n,), number of treated units and of controls."""

    value: float
    influence: Array
    treated: int
    controls: int


@dataclass(frozen=True, eq=False, repr=False)
class GroupTime:
    """Effects of each group (the units that start at g) at each time t, and averages of them.

    Keys are (g, t). Times before g are there too: ATT(g, t) is then the change from t - 1 to t,
    which parallel trends without anticipation say is zero.
    """

    cells: dict[Pair, Cell]
    first: Array
    method: str
    sample: str

    @cached_property
    def att(self) -> dict[Pair, Estimate]:
        """Each ATT(g, t) as an `Estimate` with one influence value a unit."""
        return {(g, t): self._average([(g, t)], f"ATT(g={g}, t={t})") for g, t in self.cells}

    def simple(self) -> Estimate:
        r"""Average over all treated groups and times, in proportion to the groups' sizes.

        $$\hat\theta = \frac{\sum_{t \ge g} \hat p_g \widehat{ATT}(g, t)}{\sum_{t \ge g} \hat p_g},
          \qquad \psi_i = \frac{1}{S} \sum_{t \ge g} \big[\hat p_g \psi_{gt,i}
          + 1\{G_i = g\}\,(\widehat{ATT}(g, t) - \hat\theta)\big], \qquad
          S = \sum_{t \ge g} \hat p_g$$

        The last term is there because the shares p are estimated too. Groups that start early have
        more times, and so count for more.
        Source: Callaway and Sant'Anna (2021), section 3.1.
        """
        return self._average([(g, t) for g, t in self.cells if t >= g], "ATT")

    def group(self) -> dict[int, Estimate]:
        """Average over the treated times of each group: {g: Estimate}."""
        groups = sorted({g for g, t in self.cells if t >= g})
        return {
            g: self._average([(h, t) for h, t in self.cells if h == g <= t], f"ATT(g={g})")
            for g in groups
        }

    def dynamic(self) -> dict[int, Estimate]:
        """Average by time since the start, e = t - g, in proportion to size: {e: Estimate}.

        Which groups are there changes with e: late starters are seen only shortly after.
        Below zero these are placebos, each the change since the time before.
        """
        ages = sorted({t - g for g, t in self.cells})
        return {
            e: self._average([(g, t) for g, t in self.cells if t - g == e], f"ATT(e={e})")
            for e in ages
        }

    def table(self, level: float = 0.95) -> pd.DataFrame:
        """Table of all ATT(g, t): value, se, low, high, numbers of treated units and controls."""
        import pandas as pd

        return pd.DataFrame(
            [
                (*key, e.value, e.se, *e.conf_int(level), cell.treated, cell.controls)
                for (key, e), cell in zip(self.att.items(), self.cells.values(), strict=True)
            ],
            columns=["group", "time", "value", "se", "low", "high", "treated", "controls"],
        )

    def __repr__(self) -> str:
        return f"ATT(g, t) by {self.method}\n{self.table().to_string(index=False)}"

    def _repr_html_(self) -> str:
        return str(self.table().to_html(index=False))

    def _average(self, keys: Sequence[Pair], estimand: str) -> Estimate:
        """Average by size; the influence counts that the sizes are estimated."""
        cells = [self.cells[key] for key in keys]
        p = np.array([cell.treated for cell in cells]) / len(self.first)
        att, s = np.array([cell.value for cell in cells]), p.sum()
        value = float(p @ att / s)
        psi = np.zeros(len(self.first))
        for (g, _), cell, share in zip(keys, cells, p, strict=True):
            psi += share / s * cell.influence
            psi[self.first == g] += (cell.value - value) / s
        alone = [key for key, cell in zip(keys, cells, strict=True) if _alone(cell)]
        notes: tuple[str, ...] = ()
        if len(alone) == len(keys):
            psi[:] = np.nan
            notes = ("no standard error: one treated unit, or one control, shows no spread",)
        elif alone:
            notes = (
                f"the standard error is too small: {len(alone)} of its {len(keys)} ATT(g, t) have "
                f"one treated unit, or one control, and show no spread (first: {alone[0]})",
            )
        return Estimate(value, psi, estimand, self.method, sample=self.sample, notes=notes)


def group_time_att(
    frame: Any,
    outcome: str,
    unit: str,
    time: str,
    first_treated: str,
    *,
    control: str = "never",
) -> GroupTime:
    r"""Effect on the treated of each group at each time, where groups start at different times.

    $$\widehat{ATT}(g, t) = \frac{1}{n_g} \sum_{G_i = g} (Y_{it} - Y_{ib})
        - \frac{1}{n_C} \sum_{i \in C} (Y_{it} - Y_{ib}), \qquad
      \psi_i = \frac{n}{n_g} 1\{G_i = g\} (\Delta_i - \bar\Delta_g)
        - \frac{n}{n_C} 1\{i \in C\} (\Delta_i - \bar\Delta_C)$$

    with $\Delta_i = Y_{it} - Y_{ib}$. The base b is the last time before g for $t \ge g$, and the
    time before t for t < g (a *varying* base, as R's did has by default). No unit that is treated
    already is ever a control, which is what two-way fixed effects get wrong. Units are the
    clusters; the error has no finite-sample factor. Without covariates, anticipation or weights.

    Parameters
    ----------
    frame : one row for each unit and time, every unit at every time
    outcome, unit, time, first_treated : names of columns; `first_treated` is the first time under
        treatment, NaN for the never treated (treatment lasts)
    control : "never", the units that are untreated through the last time of the panel; or
        "notyet", those and the units that start after t (a cell without any is left out)

    Returns a `GroupTime`: `.att`, `.table()`, `.simple()`, `.group()`, `.dynamic()`.
    Warns of effects that rest on fewer than five treated units or controls, whose errors are
    unreliable (with one there is none), and of cells left out.
    Raises ValueError for an unbalanced panel, NaN, units treated from the first time on, no unit
    to compare with, or another `control`.
    Source: Callaway and Sant'Anna (2021, J. Econometrics 225), without covariates.
    """
    if control not in ("never", "notyet"):
        raise ValueError(f"control is {control!r}: pass 'never' or 'notyet' (treated)")
    p = panel(frame, outcome, unit, time, first_treated)
    first = first_periods(p, frame, first_treated)
    y = np.ascontiguousarray(p.matrix().T)  # (T, n): a comparison reads two rows
    start = np.where(first <= p.times[-1], first, np.inf)
    if control == "never" and np.isinf(start).sum() < 2:
        raise ValueError(
            f"{first_treated} leaves {np.isinf(start).sum()} units untreated throughout, needs two "
            "for control='never': pass control='notyet'"
        )
    cells, without = {}, []
    for g in np.unique(start[np.isfinite(start)]):
        b, treated = int(np.searchsorted(p.times, g)) - 1, start == g
        for t in range(1, len(p.times)):
            key = int(g), int(p.times[t])
            untreated = start > p.times[t] if control == "notyet" else np.isinf(start)
            pool = untreated & ~treated
            if pool.any():
                cells[key] = _cell(y[t] - y[min(b, t - 1)], treated, pool)
            else:
                without.append(key)
    if not any(t >= g for g, t in cells):
        raise ValueError(f"{first_treated} is the same for all units: nobody is left to compare")
    _warn_fragile(cells, without)
    method = f"group-time DiD (controls {control.replace('notyet', 'not yet')} treated)"
    return GroupTime(cells, start, method, p.sample)


def _cell(change: Array, treated: npt.NDArray[np.bool_], pool: npt.NDArray[np.bool_]) -> Cell:
    """Compare the changes of one group with those of its controls."""
    n, psi = len(change), np.zeros(len(change))
    means = []
    for arm, sign in ((treated, 1.0), (pool, -1.0)):
        d = change[arm]
        means.append(d.mean())
        rest = d - means[-1]
        psi[arm] = sign * n / len(d) * (rest - rest.mean())  # less what rounding leaves
    return Cell(float(means[0] - means[1]), psi, int(treated.sum()), int(pool.sum()))


def _alone(cell: Cell) -> bool:
    return min(cell.treated, cell.controls) < 2


def _warn_fragile(cells: dict[Pair, Cell], without: list[Pair]) -> None:
    few = [key for key, cell in cells.items() if min(cell.treated, cell.controls) < SMALL]
    if few:
        groups = ", ".join(map(str, sorted({g for g, _ in few})))
        warnings.warn(
            f"{len(few)} of {len(cells)} ATT(g, t) rest on fewer than {SMALL} treated units, or "
            f"controls (groups {groups}): their standard errors are too small, or missing; read "
            "the averages, and those with care",
            stacklevel=3,
        )
    if without:
        warnings.warn(
            f"{len(without)} pairs (g, t) have no untreated unit to compare with and are left out "
            f"(first: {without[0]})",
            stacklevel=3,
        )
