"""One treated unit: a mixture of the others that moved as it did before."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import Array, Labels
from causalbook.card import digits
from causalbook.estimators.panel import panel, some

if TYPE_CHECKING:
    import pandas as pd

POOR = 2.0  # times the median donor's error before the start


@dataclass(frozen=True, eq=False, repr=False)
class SyntheticControl:
    """A mixture of donors, the gaps to it, and the same for each donor as if it were treated.

    `weights` of the donors; `gaps` of the treated unit at each time, outcome minus mixture;
    `placebo_gaps` the same for each donor, a column each; `start` the first time under treatment.
    """

    treated_unit: Any
    start: Any
    weights: pd.Series[float]
    gaps: pd.Series[float]
    placebo_gaps: pd.DataFrame

    @property
    def effect(self) -> float:
        """Mean gap from the start on, in the unit of the outcome."""
        return float(self.gaps[self.gaps.index >= self.start].mean())

    @property
    def rmspe(self) -> float:
        """Root mean squared gap before the start: how well the mixture fits."""
        return float(_rms(self.gaps[self.gaps.index < self.start].to_numpy()))

    @property
    def ratio(self) -> float:
        """Root mean squared gap from the start on, over that before, of the treated unit."""
        return float(self._ratios()[0])

    @property
    def placebo(self) -> pd.Series[float]:
        """The same ratio for each donor, as if it were the treated unit."""
        import pandas as pd

        return pd.Series(self._ratios()[1:], index=self.placebo_gaps.columns, name="ratio")

    @property
    def pvalue(self) -> float:
        """Share of all units, the treated one included, whose ratio is at least its own.

        The null is sharp: the treatment changed no outcome of the treated unit at any time. If the
        units are then exchangeable (any of them could as well have been the treated one), the
        chance of a value of at most p is at most p, for every p. With J donors no value is below
        1/(J + 1).
        """
        return float((self._ratios() >= self.ratio).mean())

    def _ratios(self) -> Array:
        """Ratios of the treated unit and the donors; infinite where the fit before is perfect."""
        gaps = np.column_stack([self.gaps.to_numpy(), self.placebo_gaps.to_numpy()])
        after = np.asarray(self.gaps.index >= self.start)
        pre, post = _rms(gaps[~after]), _rms(gaps[after])
        ratios = np.where(post > 0, np.inf, 0.0)
        np.divide(post, pre, out=ratios, where=pre > 0)
        return ratios

    def summary(self) -> str:
        """Return the result as plain text: one fact a line."""
        show, w = digits(self.effect, self.rmspe), self.weights[self.weights > 0]
        parts = [f"{label} {share:.3f}" for label, share in w.nlargest(5).items()]
        return "\n".join(
            [
                f"effect on {self.treated_unit} from {self.start} on, by synthetic control",
                f"  mean gap      {show(self.effect)}",
                f"  RMSPE before  {show(self.rmspe)}",
                f"  ratio         {self.ratio:.3g} (post/pre RMSPE)",
                f"  placebo p     {self.pvalue:.3f} (of {len(self.weights) + 1} units; null: no "
                "effect at any time, units exchangeable)",
                f"  weights       {', '.join(parts)}{', ...' if len(w) > 5 else ''}",
                "  note: no standard error: one unit was treated, and nothing was drawn by lot",
            ]
        )

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.summary())}</pre>"


def synthetic_control(
    frame: Any, outcome: str, unit: str, time: str, treated_unit: Any, start: Any
) -> SyntheticControl:
    r"""Effect on one treated unit: its outcome minus a mixture of untreated units.

    $$\hat w = \arg\min_w \sum_{t < start} \Big(Y_{1t} - \sum_j w_j Y_{jt}\Big)^2, \quad
      w_j \ge 0, \ \sum_j w_j = 1, \qquad
      \text{gap}_t = Y_{1t} - \sum_j \hat w_j Y_{jt}$$

    The predictors are all outcomes before the start, weighted equally, and nothing else. The
    minimum is exact: with $d_j = Y_j - Y_1$ before the start, $\hat w$ is proportional to the
    $u \ge 0$ that minimises $\|\sum_j u_j d_j\|^2 + (\sum_j u_j - 1)^2$, which an active set
    solves in finitely many steps. Each donor is then refitted as if treated, from all other units,
    the treated one among them: so all units are handled alike, as the placebo p needs.

    Parameters
    ----------
    frame : one row for each unit and time, every unit at every time
    outcome, unit, time : names of columns
    treated_unit : its label in `unit`; all other units are donors, never treated and not affected
    start : the first time under treatment, a label in `time`

    Returns a `SyntheticControl`, without a standard error.
    Warns where the treated unit lies outside what the donors can mix: its error before the start is
    more than twice that of the median donor, fitted alike; and where the weights are not unique,
    since then another mixture fits as well and gives another effect.
    Raises ValueError for an unbalanced panel, NaN, a unit or start that is not there, fewer than
    two donors or three times before the start.
    Source: Abadie, Diamond and Hainmueller (2010, JASA 105) for the mixture and the placebos; they
    choose predictors and weigh them.
    """
    import pandas as pd

    p = panel(frame, outcome, unit, time)
    y = p.matrix()
    _known("treated_unit", treated_unit, p.units)
    _known("start", start, p.times)
    mine, after = p.units == treated_unit, p.times >= start
    if p.n < 3:
        raise ValueError(f"unit has {p.n - 1} donor beside {treated_unit!r}: a mixture needs two")
    if (~after).sum() < 3:
        raise ValueError(
            f"start {start!r} leaves {(~after).sum()} times before it: the weights are learned "
            "there, from three at least and better many"
        )
    fits = [_mixture(np.delete(y, i, axis=0)[:, ~after].T, y[i, ~after]) for i in range(p.n)]
    gaps = np.array([y[i] - w @ np.delete(y, i, axis=0) for i, w in enumerate(fits)])
    gaps[np.abs(gaps) < 1e-12 * np.abs(y).max()] = 0.0  # rounding is no gap
    w = fits[int(np.flatnonzero(mine)[0])]
    found = SyntheticControl(
        treated_unit,
        start,
        pd.Series(w, index=p.units[~mine], name="weight"),
        pd.Series(gaps[mine][0], index=p.times, name="gap"),
        pd.DataFrame(gaps[~mine].T, index=p.times, columns=p.units[~mine]),
    )
    _warn_fragile(found, y[~mine][:, ~after].T, y[mine][0, ~after])
    return found


def _mixture(x: Array, y: Array) -> Array:
    """Weights of the columns of x, (T, J), that come closest to y, (T,): the simplex's optimum."""
    from scipy.optimize import nnls

    d = x - y[:, None]
    scale = np.abs(d).max() or 1.0
    target = np.append(np.zeros(len(y)), 1.0)
    u = nnls(np.vstack([d / scale, np.ones(x.shape[1])]), target)[0]
    return np.asarray(u / u.sum(), dtype=np.float64)


def _warn_fragile(found: SyntheticControl, x: Array, y: Array) -> None:
    """Warn of a poor fit before the start, and of weights that are not unique."""
    before = found.placebo_gaps[found.placebo_gaps.index < found.start].to_numpy()
    typical = float(np.median(_rms(before)))
    if found.rmspe > POOR * typical:
        warnings.warn(
            f"{found.treated_unit} is fitted badly before {found.start}: RMSPE {found.rmspe:.3g}, "
            f"the median donor's {typical:.3g}; it lies outside what the donors can mix, so the "
            "gap afterwards is not the effect alone",
            stacklevel=3,
        )
    d = (x - y[:, None]) / (np.abs(x - y[:, None]).max() or 1.0)
    slope = d.T @ (d @ found.weights.to_numpy())
    tight = slope - slope.min() <= 1e-9  # the optimum's face: all donors whose weight may move
    if np.linalg.matrix_rank(np.vstack([d, np.ones(len(tight))])[:, tight]) < tight.sum():
        warnings.warn(
            f"the weights are not unique: {tight.sum()} donors and {len(y)} times before the start "
            "leave other mixtures that fit as well and give other effects; use more times, or "
            "fewer donors chosen beforehand",
            stacklevel=3,
        )


def _known(name: str, value: Any, labels: Labels) -> None:
    """Refuse a label that is not there."""
    if not np.any(labels == value):
        raise ValueError(f"{name} is {value!r}, which is none of the labels ({some(labels)})")


def _rms(gaps: Array) -> Any:
    """Root mean square over time, of one series or of each column."""
    return np.sqrt((gaps**2).mean(axis=0))
