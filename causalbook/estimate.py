"""One result type: a value and the influence of each unit on it."""

from __future__ import annotations

import math
import warnings
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from statistics import NormalDist
from typing import Any

import numpy as np

from causalbook.arrays import Array, Ints, codes, rows, same_length
from causalbook.card import card, digits


@dataclass(frozen=True, eq=False, repr=False)
class Estimate:
    r"""An estimated number together with what each unit contributed to its error.

    $$\hat\theta - \theta \approx \frac1n \sum_i \psi_i, \qquad
      \widehat{se} = \frac1n \Big[\sum_g \Big(\sum_{i \in g} \psi_i\Big)^2\Big]^{1/2}$$

    Parameters
    ----------
    value : the estimate, in the unit of the estimand
    influence : (n,) influence values, mean zero, one for each input row (zero where unused); all
        NaN where the estimate is no sum of them, and then the first note says why. Such an
        estimate has the standard error `given_se`, or none (NaN)
    estimand, method : what is estimated and how (a finite-sample factor is named in `method`)
    cluster : (n,) labels of the groups that were sampled or randomised together; kept as numbers
    sample : names the rows; arithmetic between two estimates needs equal names. Estimators name
        them by a hash of the outcome, which two logs without a click would share
    dof : degrees of freedom of Student's t; None for the normal distribution
    notes : what a reader should know before using the number
    given_se : a standard error that comes without influence values, in the unit of the estimand.
        Arithmetic with numbers scales it; with another estimate on the same rows it raises, since
        nothing says how the two move together

    Raises
    ------
    ValueError
        if `influence` is partly NaN, all NaN without a note, of one row, or unequal to `cluster`
        in length; if `cluster` has one group; if `value`, `dof` or `given_se` is no number it
        can be; if both `given_se` and influence values are there.

    Source: Hampel (1974), the influence curve; Liang and Zeger (1986), Cameron and Miller (2015,
    eqs. 10 and 11), sums within clusters.
    """

    value: float
    influence: Array
    estimand: str
    method: str
    _: KW_ONLY
    cluster: Any = None
    sample: str | None = None
    dof: float | None = None
    notes: tuple[str, ...] = ()
    given_se: float | None = None

    def __post_init__(self) -> None:
        psi = np.array(self.influence, dtype=np.float64)  # a copy: what was checked stays so
        if psi.ndim != 1 or psi.size == 0:
            raise ValueError(f"influence has shape {psi.shape}: pass one value for each row")
        self._check_influence(psi)
        if not math.isfinite(self.value):
            raise ValueError(f"value is {self.value}: an estimate is a number")
        if self.dof is not None and not self.dof > 0:
            raise ValueError(f"dof is {self.dof}: degrees of freedom are positive, or None")
        given = None if self.given_se is None else float(self.given_se)
        if given is not None and not (0 <= given < math.inf and np.isnan(psi).all()):
            raise ValueError(
                f"given_se is {given}: pass a number from 0, with influence values all NaN (where "
                "there are some, they give the error)"
            )
        psi.setflags(write=False)
        notes = (self.notes,) if isinstance(self.notes, str) else tuple(self.notes)
        groups = None if self.cluster is None else codes("cluster", self.cluster)
        same_length(influence=psi, cluster=groups)
        if groups is not None and groups.max() == 0:
            raise ValueError(
                "cluster has one group: the error is learned from how groups differ; pass finer "
                "labels, or none"
            )
        checked = {"value": float(self.value), "influence": psi, "cluster": groups, "notes": notes}
        for name, value in {**checked, "given_se": given}.items():
            object.__setattr__(self, name, value)

    def _check_influence(self, psi: Array) -> None:
        total = float(psi.sum())  # one cheap pass; the rows are looked up only where it fails
        if not math.isfinite(total) and not (np.isnan(psi).all() and self.notes):
            raise ValueError(
                f"influence is NaN or infinite in {rows(~np.isfinite(psi))}: fill in every row, or "
                "make all of them NaN and say in the first note why there is no standard error"
            )
        if len(psi) < 2 and math.isfinite(total):
            raise ValueError("influence has one row: one unit says nothing of the spread")
        # Rounding leaves a mean of this size in the sum of many terms; more is a mistake.
        off = abs(total) / len(psi)
        if off > 1e-12 * max(1.0, abs(self.value)) and off > 1e-6 * psi.std():
            warnings.warn(
                f"influence has mean {total / len(psi):.3g}, not zero: the standard error is too "
                "large unless you subtract it",
                stacklevel=4,
            )

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.influence)

    @cached_property
    def se(self) -> float:
        """Standard error, in the unit of the estimand; NaN where none is valid."""
        if self.given_se is not None:
            return self.given_se
        g, psi = self.cluster, self.influence
        sums = psi if g is None else np.bincount(g, weights=psi)
        return math.sqrt(sums @ sums) / self.n

    def conf_int(self, level: float = 0.95) -> tuple[float, float]:
        r"""Interval $\hat\theta \mp t_{(1+level)/2}\,\widehat{se}$; NaN where se is NaN.

        Raises ValueError if `level` is not between 0 and 1.
        """
        if not 0 < level < 1:
            raise ValueError(f"level is {level}: pass a share between 0 and 1, such as 0.95")
        half = self._quantile((1 + level) / 2) * self.se
        return self.value - half, self.value + half

    def pvalue(self, null: float = 0.0) -> float:
        r"""Two-sided p-value of the hypothesis $\theta = null$; NaN where se is NaN."""
        if self.se == 0:
            return float(self.value == null)
        return 2 * self._cdf(-abs(self.value - null) / self.se)

    def _quantile(self, share: float) -> float:
        if self.dof is None:
            return NormalDist().inv_cdf(share)
        from scipy.stats import t  # costs half a second to import: only where it is needed

        return float(t.ppf(share, self.dof))

    def _cdf(self, x: float) -> float:
        if math.isnan(x):
            return math.nan
        if self.dof is None:
            return 0.5 * math.erfc(-x / math.sqrt(2))  # NormalDist().cdf loses the far tail
        from scipy.stats import t

        return float(t.cdf(x, self.dof))

    def summary(self) -> str:
        """Return the estimate as plain text: one fact a line, notes last."""
        value, se, (low, high) = self.value, self.se, self.conf_int()
        show = digits(value, se)
        lines = [
            f"{self.estimand} by {self.method}",
            f"  value         {show(value)}",
            f"  std. error    {show(se)}",
            f"  95% interval  [{show(low)}, {show(high)}]",
            f"  based on      {self._rows()}",
        ]
        return "\n".join(lines + [f"  note: {note}" for note in self.notes])

    def _rows(self) -> str:
        clusters = "" if self.cluster is None else f" in {self.cluster.max() + 1:,} clusters"
        return f"{self.n:,} rows{clusters}"

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return card(
            self.estimand,
            self.method,
            self.value,
            self.se,
            self.conf_int(),
            self._rows(),
            self.notes,
        )

    def _map(self, value: float, slope: float, estimand: str) -> Estimate:
        given = None if self.given_se is None else abs(slope) * self.given_se
        psi = slope * self.influence
        return replace(self, value=value, influence=psi, estimand=estimand, given_se=given)

    def __neg__(self) -> Estimate:
        return self._map(-self.value, -1.0, f"-({self.estimand})")

    def __add__(self, other: Estimate | float) -> Estimate:
        if isinstance(other, Estimate):
            return _combine(self, other, "+", self.value + other.value, 1.0, 1.0)
        c = _number(other)
        return self._map(self.value + c, 1.0, f"{self.estimand} + {c:g}")

    __radd__ = __add__

    def __sub__(self, other: Estimate | float) -> Estimate:
        if isinstance(other, Estimate):
            return _combine(self, other, "-", self.value - other.value, 1.0, -1.0)
        c = _number(other)
        return self._map(self.value - c, 1.0, f"{self.estimand} - {c:g}")

    def __rsub__(self, other: float) -> Estimate:
        c = _number(other)
        return self._map(c - self.value, -1.0, f"{c:g} - ({self.estimand})")

    def __mul__(self, other: Estimate | float) -> Estimate:
        if isinstance(other, Estimate):
            return _combine(self, other, "*", self.value * other.value, other.value, self.value)
        c = _number(other)
        return self._map(self.value * c, c, f"{c:g} * ({self.estimand})")

    __rmul__ = __mul__

    def __truediv__(self, other: Estimate | float) -> Estimate:
        if isinstance(other, Estimate):
            refuse_zero(other.value)
            ratio = self.value / other.value
            return _combine(self, other, "/", ratio, 1 / other.value, -ratio / other.value)
        c = _number(other)
        refuse_zero(c)
        return self._map(self.value / c, 1 / c, f"({self.estimand}) / {c:g}")

    def __rtruediv__(self, other: float) -> Estimate:
        refuse_zero(self.value)
        ratio = _number(other) / self.value
        return self._map(ratio, -ratio / self.value, f"{_number(other):g} / ({self.estimand})")


def _number(x: Any) -> float:
    """Take a plain number (a Fraction is one) as the other side of an operation."""
    if isinstance(x, str) or np.ndim(x) > 0:
        raise TypeError(f"an Estimate goes with estimates and numbers, not with {type(x).__name__}")
    c = float(x)
    if not math.isfinite(c):
        raise ValueError(f"the other number is {c}: the result would be no estimate")
    return c


def refuse_zero(denominator: float) -> None:
    """Refuse a ratio to nothing."""
    if denominator == 0:
        raise ValueError("the denominator is 0: a ratio to it has no value and no error")


def _combine(
    a: Estimate, b: Estimate, sign: str, value: float, slope_a: float, slope_b: float
) -> Estimate:
    r"""Delta method on the same rows: $\psi = \partial_a f\,\psi_a + \partial_b f\,\psi_b$."""
    for e in (a, b):
        if e.given_se is not None:
            raise ValueError(
                f"{e.method} has a standard error without influence values, so nothing says how it "
                f"moves with another estimate on the same rows ({e.notes[0]}). For two separate "
                "samples use contrast(a, b, independent=True)"
            )
    if a.n != b.n or a.sample != b.sample:
        raise ValueError(
            f"{a.method} has {a.n:,} rows (sample {a.sample}) and {b.method} has {b.n:,} rows "
            f"(sample {b.sample}): these are not the same rows. For two separate groups of people "
            "use contrast(a, b, independent=True); for two outcomes of the same people, in the "
            "same order, say so: dataclasses.replace(b, sample=a.sample)"
        )
    if not _same_groups(a.cluster, b.cluster):
        raise ValueError("cluster differs between the two estimates: pass the same labels to both")
    notes = merge_notes(a, b)
    if a.sample is None:
        notes = (*notes, "neither estimate names its sample: taken to be the same rows")
    return Estimate(
        value,
        slope_a * a.influence + slope_b * b.influence,
        f"{a.estimand} {sign} {b.estimand}",
        a.method if a.method == b.method else f"{a.method} {sign} {b.method}",
        cluster=a.cluster,
        sample=a.sample,
        dof=a.dof if a.dof == b.dof else None,
        notes=notes,
    )


def _same_groups(a: Ints | None, b: Ints | None) -> bool:
    """Tell whether two codings put the same rows together, whatever numbers they give."""
    if a is None or b is None:
        return a is b
    pairs = len(np.unique(a * (b.max() + 1) + b))
    return bool(np.array_equal(a, b) or pairs == a.max() + 1 == b.max() + 1)


def merge_notes(a: Estimate, b: Estimate) -> tuple[str, ...]:
    """Notes of both, once each; first why the error is missing, or else the influence values."""
    gaps = [(math.isnan(e.se), math.isnan(e.influence[0])) for e in (a, b)]
    first, second = (b, a) if gaps[1] > gaps[0] else (a, b)
    return tuple(dict.fromkeys(first.notes + second.notes))
