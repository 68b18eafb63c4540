"""What would have warned you: how alike the arms are, and how far each reaches into the other."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import Array, binary, design, label, numbers, rows, same_length
from causalbook.estimators.policy_values import effective_sample_size
from causalbook.nuisance import Fitted
from causalbook.plots import COLOUR, INK, Figure, canvas, table

if TYPE_CHECKING:
    import pandas as pd

FAR = 0.1  # of a standard deviation between the arms (Austin 2009)
RATIOS = (0.5, 2.0)  # of the variances (Rubin 2001)
EXTREME = (0.1, 0.9)  # propensities outside are costly (Crump et al. 2009)


@dataclass(frozen=True, eq=False, repr=False)
class Check:
    """A diagnostic: did it pass (None: it does not apply), the numbers, and a sentence."""

    name: str
    passed: bool | None
    table: pd.DataFrame
    sentence: str

    def __bool__(self) -> bool:
        return self.passed is True

    def _verdict(self) -> str:
        return {True: "passed", False: "failed", None: "not applicable"}[self.passed]

    def __repr__(self) -> str:
        return f"{self.name}: {self._verdict()}. {self.sentence}\n{self.table.to_string()}"

    def _repr_html_(self) -> str:
        shown = table(self.table, places={"ess": 0})  # rows, though effective ones
        return (
            '<div class="causalbook-check">'
            f"<p><strong>{escape(self.name)}: {self._verdict()}.</strong> "
            f"{escape(self.sentence)}</p>{shown._repr_html_()}</div>"
        )


def balance(X: Any, a: Any, weights: Any = None) -> Check:
    r"""Compare the covariates of the two arms, before and after weighting.

    $$d_j = \frac{\bar X_{1j} - \bar X_{0j}}{\sqrt{(s_{1j}^2 + s_{0j}^2)/2}}, \qquad
      r_j = \frac{s_{1j}^2}{s_{0j}^2}$$

    After weighting, the means and the variances in r are weighted; the divisor of d stays that
    of the rows as they are, so that only the means move. Passed if every $|d_j| < .1$, after
    weighting where `weights` are given. Variance ratios outside [1/2, 2] are named, not judged; a
    column of zeros and ones has none, since its mean tells its variance.

    Parameters: `X` (n,), (n, p) or a DataFrame of covariates from before the treatment; `a` (n,)
    0 or 1; `weights` (n,), each row's weight in its arm (1/e and 1/(1 - e) for the ATE), 0 where
    a row is left out, or None. Columns of the table: covariate, smd_before and smd_after (d),
    variance_ratio_before and variance_ratio_after (r).
    Raises ValueError for NaN, text, unequal lengths, treatments other than 0 and 1, negative
    weights, weights that leave an arm empty.
    Source: Austin (2009) for d and .1; Stuart (2010) for the fixed divisor; Rubin (2001) for r.
    """
    import pandas as pd

    x, treated = design("X", X), binary("a", a)
    w = None if weights is None else _weights(weights, treated)
    same_length(X=x, a=treated)
    called = _called(X, x.shape[1])
    d, r = _gaps(x, treated, np.ones_like(treated))
    frame = {"covariate": called, "smd_before": d, "variance_ratio_before": r}
    if w is not None:
        d, r = _gaps(x, treated, w)
        frame |= {"smd_after": d, "variance_ratio_after": r}
    passed = bool((np.abs(d) < FAR).all())
    return Check("balance", passed, pd.DataFrame(frame), _said(called, d, r, w is not None))


def overlap(e: Any, a: Any) -> Check:
    r"""Tell whether each arm holds units comparable to those of the other.

    $$n_{\mathrm{eff},a} = \frac{(\sum_{A_i = a} w_i)^2}{\sum_{A_i = a} w_i^2}, \qquad
      w_i = \frac{1}{P(A = A_i \mid X_i)}$$

    Passed if in each arm (1) the effective sample size is at least half of the rows, so that
    weighting at most doubles the variance of a mean, and (2) at least half of the rows lie within
    the range that e has in the other arm; with fewer, e nearly separates the arms. Both halves are
    our choice, made before any data were seen. The share of e outside [.1, .9] is shown and not
    judged: it is what trimming would drop, but a lottery that treats one in fifty has all rows
    there and nothing wrong.

    Parameters: `e` (n,) propensities, known or `Fitted`; `a` (n,) 0 or 1. Columns of the table:
    arm, n, ess, e_min, e_max, within_other (the share of (2)), outside_10_90.
    Raises ValueError for propensities outside (0, 1), NaN, unequal lengths, one arm.
    Source: Kish (1965) for the size; Crump, Hotz, Imbens and Mitnik (2009) for [.1, .9].
    """
    import pandas as pd

    p, treated = _propensities(e), binary("a", a)
    same_length(e=p, a=treated)
    arms = [_reach(p, treated, arm) for arm in (1, 0)]
    frame = pd.DataFrame(arms)
    share = frame["ess"] / frame["n"]
    enough, common = bool((share >= 0.5).all()), bool((frame["within_other"] >= 0.5).all())
    outside = float(((p < EXTREME[0]) | (p > EXTREME[1])).mean())
    sentence = (
        f"weights leave {frame['ess'][0]:,.0f} of {frame['n'][0]:,} treated and "
        f"{frame['ess'][1]:,.0f} of {frame['n'][1]:,} control rows"
        f"{'' if enough else ', less than half of an arm'}; "
        f"{'' if common else 'e nearly separates the arms; '}"
        f"{outside:.1%} of all propensities lie outside [.1, .9]."
    )
    return Check("overlap", enough and common, frame, sentence)


def love_plot(check: Check) -> Figure:
    """Draw the differences of `balance`, before and after, with the line they should not cross.

    Parameters: `check`, what `balance` returned. Raises ValueError for another check.
    Source: Love plots, as in Austin and Stuart (2015).
    """
    if not isinstance(check, Check) or check.name != "balance":
        found = f"one of {check.name}" if isinstance(check, Check) else f"a {type(check).__name__}"
        raise ValueError(f"check is {found}: pass what balance(X, a, ...) returned")
    frame = check.table.assign(size=check.table["smd_before"].abs()).sort_values("size")
    series = {"before": ("naive", "o", frame["size"])}
    if "smd_after" in frame:
        series["after"] = ("right", "D", frame["smd_after"].abs())
    alt = f"Standardised differences of {len(frame)} covariates: " + "; ".join(
        f"{when} weighting {int((values >= FAR).sum())} reach {FAR}, the largest is "
        f"{values.max():.2f} ({frame['covariate'].iloc[int(values.argmax())]})"
        for when, (_, _, values) in series.items()
    )
    with canvas(f"{alt}.", height=1.0 + 0.26 * len(frame)) as c:
        for when, (colour, marker, values) in series.items():
            c.axes.plot(values, range(len(frame)), marker, color=COLOUR[colour])
            c.axes.annotate(
                when,
                (values.iloc[-1], len(frame) - 1),
                xytext=(0, 8),
                textcoords="offset points",
                ha="center",
            )
        c.axes.axvline(FAR, color=INK, linestyle=":", linewidth=1.2)
        c.axes.set_yticks(range(len(frame)), frame["covariate"])
        c.axes.set(xlim=(-0.01, None), ylim=(-0.6, len(frame) - 0.2))
        c.axes.set_xlabel("standard deviations between the arms (dotted: 0.1)")
    return c.figure


def _called(X: Any, p: int) -> list[str]:
    """Names of the columns as they are to be shown, or their numbers."""
    own = getattr(X, "name", None)
    return [str(name) for name in getattr(X, "columns", [own] if own else range(p))]


def _weights(weights: Any, treated: Array) -> Array:
    w = numbers("weights", weights)
    same_length(a=treated, weights=w)
    if w.min() < 0:
        raise ValueError(f"{label('weights', weights)} is negative in {rows(w < 0)}: pass >= 0")
    for arm in (0, 1):
        if not w[treated == arm].any():
            raise ValueError(f"weights are 0 in every row with a = {arm}: an arm is left empty")
    return w


def _propensities(e: Any) -> Array:
    p = numbers("e", e.values if isinstance(e, Fitted) else e)
    bad = (p <= 0) | (p >= 1)
    if bad.any():
        raise ValueError(
            f"{label('e', e)} is outside (0, 1) in {rows(bad)}: where only one arm can occur "
            "nothing can be compared; leave these rows out on purpose and say so"
        )
    return p


def _gaps(x: Array, treated: Array, w: Array) -> tuple[Array, Array]:
    """Return the standardised differences and variance ratios of weighted columns."""
    arms = [(x[treated == arm], w[treated == arm]) for arm in (1, 0)]
    means = [v @ part / v.sum() for part, v in arms]
    variances = [_variance(part, v) for part, v in arms]
    plain = [_variance(part, np.ones(len(part))) for part, _ in arms]
    with np.errstate(divide="ignore", invalid="ignore"):
        d = (means[0] - means[1]) / np.sqrt((plain[0] + plain[1]) / 2)
        r = variances[0] / variances[1]
    still = x.min(axis=0) == x.max(axis=0)
    d[still] = 0.0  # a constant column is alike in both arms
    r[still | ((x == 0) | (x == 1)).all(axis=0)] = np.nan
    return d, r


def _variance(x: Array, w: Array) -> Array:
    """Weighted variances; with equal weights the usual ones, divisor n - 1."""
    w = w / w.sum()
    left = 1 - w @ w
    spread: Array = w @ (x - w @ x) ** 2
    return spread / left if left > 0 else 0 * spread  # one row: it does not vary


def _said(called: list[str], d: Array, r: Array, weighted: bool) -> str:
    when, worst = "after weighting" if weighted else "before weighting", int(np.abs(d).argmax())
    far = int((np.abs(d) >= FAR).sum())
    gap = round(float(d[worst]), 3) + 0.0  # adding zero turns -0.0 into 0.0
    said = f"{when} the largest difference is {gap:+.3f} standard deviations ({called[worst]})"
    said += f"; {far} of {len(d)} reach {FAR}" if far else f", all {len(d)} below {FAR}"
    twofold = (r < RATIOS[0]) | (r > RATIOS[1])  # False where there is no ratio
    off = [name for name, bad in zip(called, twofold, strict=True) if bad]
    return said + (f"; variances differ by more than twofold in {', '.join(off)}." if off else ".")


def _reach(p: Array, treated: Array, arm: int) -> dict[str, float]:
    """Describe one arm: what its weights are worth, and how far it shares the other's range."""
    own, other = p[treated == arm], p[treated != arm]
    weight = 1 / (own if arm == 1 else 1 - own)
    within = (own >= other.min()) & (own <= other.max())
    outside = (own < EXTREME[0]) | (own > EXTREME[1])
    return {
        "arm": arm,
        "n": len(own),
        "ess": effective_sample_size(weight),
        "e_min": float(own.min()),
        "e_max": float(own.max()),
        "within_other": float(within.mean()),
        "outside_10_90": float(outside.mean()),
    }
