"""Instruments: what moved the treatment for no reason of its own, and the effect it reveals."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import (
    Array,
    Ints,
    binary,
    codes,
    fingerprint,
    label,
    names,
    numbers,
    same_length,
)
from causalbook.estimate import Estimate
from causalbook.estimators.partialled import NOTHING_LEFT, Parts, parts
from causalbook.plots import table

if TYPE_CHECKING:
    import pandas as pd

WEAK = 10.0  # the rule of thumb of Staiger and Stock (1997)
# Montiel Olea and Pflueger (2013): the 95% quantile of a noncentral chi-square with 1 degree of
# freedom and noncentrality 10. Above it, with one instrument, a bias of more than a tenth of the
# worst case is rejected.
STRONG = 23.1


def wald(y: Any, a: Any, z: Any) -> Estimate:
    r"""Effect of a treatment on those whom a binary instrument moves: a ratio of two differences.

    $$\hat\beta = \frac{\bar Y_{z=1} - \bar Y_{z=0}}{\bar A_{z=1} - \bar A_{z=0}}
      = \frac{\widehat{ITT}_Y}{\widehat{ITT}_A}, \qquad
      \psi_i = \frac{\psi_i^Y - \hat\beta\,\psi_i^A}{\widehat{ITT}_A}$$

    It is the average effect on the compliers, those who take the treatment if z = 1 and do not if
    z = 0 (LATE), under four assumptions. Relevance: z moves a. Independence: z is as good as
    drawn by lot. Exclusion: z moves y through a alone. Monotonicity: nobody does the opposite.
    Data speak of the first; a lottery gives the second.

    Parameters: `y` (n,) outcomes; `a` (n,) treatments taken; `z` (n,) 0 or 1, such as invited.
    Warns where the effective F of the first stage is below 10.
    Raises ValueError for NaN, unequal lengths, an instrument other than 0 and 1 or that does not
    move a at all.
    Source: Wald (1940) for the ratio; Angrist, Imbens and Rubin (1996) for its meaning.
    """
    outcome, treatment, arm = numbers("y", y), numbers("a", a), binary("z", z)
    same_length(y=outcome, a=treatment, z=arm)
    f = _strength(parts(outcome, treatment, arm, None))
    on_y, on_a = _difference(outcome, arm), _difference(treatment, arm)
    return replace(
        on_y / replace(on_a, sample=on_y.sample),
        estimand="LATE",
        method="Wald (HC0)",
        notes=(f"first stage: z moves a by {on_a.value:.4g}", _note(f)),
    )


def two_stage_least_squares(
    y: Any, a: Any, z: Any, X: Any = None, *, cluster: Any = None
) -> Estimate:
    r"""Effect of one treatment by any number of instruments, with covariates.

    $$\hat A = \tilde Z \hat\pi, \qquad
      \hat\beta = \frac{\sum_i \hat A_i \tilde Y_i}{\sum_i \hat A_i \tilde A_i}, \qquad
      \psi_i = \frac{\hat A_i\,(\tilde Y_i - \hat\beta \tilde A_i)}
                    {\frac1n \sum_j \hat A_j \tilde A_j}$$

    where a tilde means: less what X and an intercept explain (Frisch and Waugh). With one binary
    instrument and no X this is `wald`. With several instruments, or effects that differ, it is a
    weighted average of effects on those whom the instruments move; with X also only if the mean
    of z is linear in X, as it is where X holds the strata of a lottery.

    Parameters: `y` (n,) outcomes; `a` (n,) treatments, two values or many; `z` (n,) or (n, k)
    instruments; `X` (n, p) covariates that z may depend on; `cluster` (n,) labels of groups
    that share a fate: then the influence has the factor $\sqrt{G/(G-1)}$ and t has G - 1 degrees
    of freedom. Without, there is no factor (HC0).
    Warns where the effective F of the first stage is below 10: see `anderson_rubin`.
    Raises ValueError for NaN, unequal lengths, columns of X or z that depend on each other, fewer
    rows than coefficients, one cluster or so few that they leave no error, an instrument that
    does not move a at all.
    Source: Theil (1953); Angrist and Imbens (1995) for several instruments; Cameron and Miller
    (2015) for clusters.
    """
    groups = None if cluster is None else codes("cluster", cluster)
    p = parts(y, a, z, X)
    same_length(y=p.y, cluster=groups)
    if groups is not None and groups.max() == 0:
        raise ValueError(
            "cluster has one group: the error is learned from how groups differ; pass finer "
            "labels, or none"
        )
    f = _strength(p, groups)
    fitted = p.z @ p.first_stage()
    slope = float(fitted @ p.a)
    beta = float(fitted @ p.y) / slope
    psi = fitted * (p.y - beta * p.a) * len(p.y) / slope
    method, dof = "2SLS (HC0)", None
    if groups is not None:
        g = int(groups.max()) + 1
        psi *= math.sqrt(g / (g - 1))
        method, dof = "2SLS (clusters, G/(G-1))", g - 1.0
    return Estimate(
        beta,
        psi - psi.mean(),  # less what rounding leaves
        "LATE",
        method,
        cluster=groups,
        sample=fingerprint(numbers("y", y)),
        dof=dof,
        notes=(_note(f),),
    )


@dataclass(frozen=True, eq=False, repr=False)
class FirstStage:
    """How far the instruments move the treatment.

    Parameters: `coefficients`, an `Estimate` for each instrument; `f`, the robust F of all of
    them together; `f_effective`, which is to be compared with 10 and 23.1; `share` of compliers
    (None unless z and a are binary and there is no X).
    """

    coefficients: tuple[Estimate, ...]
    f: float
    f_effective: float
    share: float | None

    @property
    def table(self) -> pd.DataFrame:
        """One row for each instrument: its coefficient and standard error."""
        import pandas as pd

        rows = [(c.estimand, c.value, c.se) for c in self.coefficients]
        return pd.DataFrame(rows, columns=["instrument", "coefficient", "se"])

    def _said(self) -> str:
        said = f"Robust F {self.f:,.1f}; {_note(self.f_effective)}."
        return said if self.share is None else f"{said} Compliers: {self.share:.1%}."

    def __repr__(self) -> str:
        return f"First stage\n{self.table.to_string(index=False)}\n{self._said()}"

    def _repr_html_(self) -> str:
        return f"{table(self.table)._repr_html_()}<p>{self._said()}</p>"


def first_stage(a: Any, z: Any, X: Any = None) -> FirstStage:
    r"""Regress the treatment on the instruments, and say how strong they are.

    $$\hat\pi = (\tilde Z'\tilde Z)^{-1} \tilde Z'\tilde A, \qquad
      F = \frac{\hat\pi' \hat V^{-1} \hat\pi}{k}, \qquad
      F_{\mathrm{eff}} = \frac{\hat\pi' \tilde Z'\tilde Z\,\hat\pi}
                              {\mathrm{tr}(\hat V \tilde Z'\tilde Z)}$$

    with $\hat V$ the HC0 variance of $\hat\pi$. With one instrument both are the squared t. Two
    rules go with $F_{\mathrm{eff}}$. Below 10 an instrument is called weak (a rule of thumb).
    Above 23.1 a test at level 5% rejects, for one instrument, that the bias of two-stage least
    squares exceeds a tenth of its worst case; with k > 1 the critical value depends on the data
    and is smaller.

    Parameters: `a` (n,) treatments; `z` (n,) or (n, k) instruments; `X` (n, p) covariates.
    Raises ValueError as `two_stage_least_squares` does.
    Source: Staiger and Stock (1997) for 10; Montiel Olea and Pflueger (2013) for the effective F
    and 23.1.
    """
    p = parts(a, a, z, X)
    f = _strength(p, warn=False)
    pi, inverse = p.first_stage(), np.linalg.inv(p.z.T @ p.z)
    psi = len(p.a) * (p.z * (p.a - p.z @ pi)[:, None]) @ inverse
    psi -= psi.mean(axis=0)
    called = [name.strip("'") for name in names(z)] if len(pi) > 1 else [label("z", z)]
    coefficients = tuple(
        Estimate(float(v), own, name, "first stage (HC0)", sample=fingerprint(numbers("a", a)))
        for v, own, name in zip(pi, psi.T, called, strict=True)
    )
    variance = psi.T @ psi / len(p.a) ** 2
    both = X is None and len(pi) == 1 and all(_two_valued(x) for x in (a, z))
    return FirstStage(
        coefficients,
        f if math.isinf(f) else float(pi @ np.linalg.solve(variance, pi)) / len(pi),
        f,
        abs(float(pi[0])) if both else None,
    )


def _strength(p: Parts, groups: Ints | None = None, *, warn: bool = True) -> float:
    """Effective F; refuse where the instruments do not move the treatment at all."""
    pi = p.first_stage()
    explained, total = float(pi @ (p.z.T @ p.a)), float(p.a @ p.a)
    if explained <= NOTHING_LEFT**2 * total:
        raise ValueError(
            "z does not move a: the first stage is 0, so the effect would be a ratio to nothing; "
            "there is no estimate, only the set of `anderson_rubin`"
        )
    scores = p.z * (p.a - p.z @ pi)[:, None]
    known = ""
    if groups is not None:
        by_row, known = scores, " of cluster means (it knows no clusters)"
        scores = np.column_stack([np.bincount(groups, weights=column) for column in scores.T])
        if np.abs(scores).sum() <= NOTHING_LEFT * np.abs(by_row).sum() != 0:
            raise ValueError(
                f"cluster has {len(scores)} groups, which leave no error to learn from (z and X "
                "fit each of them exactly): pass finer labels, or none"
            )
    # tr(V Z'Z) with V = (Z'Z)^-1 S'S (Z'Z)^-1 is tr((Z'Z)^-1 S'S).
    noise = float(np.trace(np.linalg.solve(p.z.T @ p.z, scores.T @ scores)))
    f = explained / noise if noise > NOTHING_LEFT**2 * total else math.inf
    if warn and f < WEAK:
        warnings.warn(
            f"the effective F of the first stage is {f:.1f}, below {WEAK:.0f}: the instrument is "
            "weak, the estimate leans to the one without instrument, and its interval covers less "
            f"often than it says; report the set of `anderson_rubin`{known}",
            stacklevel=3,
        )
    return f


def _difference(x: Array, z: Array) -> Estimate:
    """Difference in means between the arms of z; its error has no small-sample factor (HC0)."""
    share, means = z.mean(), [x[z == arm].mean() for arm in (0, 1)]
    psi = np.where(z == 1, (x - means[1]) / share, (means[0] - x) / (1 - share))
    return Estimate(
        means[1] - means[0], psi - psi.mean(), "ITT", "difference", sample=fingerprint(x)
    )


def _note(f: float) -> str:
    if f < WEAK:
        return f"effective F {f:.1f}: weak, below {WEAK:.0f}"
    if f < STRONG:
        return f"effective F {f:.1f}: above {WEAK:.0f}, not above {STRONG}"
    return f"effective F {f:,.1f}: above {STRONG}"


def _two_valued(x: Any) -> bool:
    return bool(np.isin(np.asarray(x), (0, 1)).all())
