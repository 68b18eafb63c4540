"""Tests that an estimate can fail, and what passing them does not say."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import as_frame, binary, codes, dice, label, numbers, same_length
from causalbook.estimate import Estimate
from causalbook.estimators.checks import Check

if TYPE_CHECKING:
    import pandas as pd


def placebo(
    estimator: Callable[..., Any],
    y: Any,
    a: Any,
    X: Any = None,
    *,
    strata: Any = None,
    draws: int = 999,
    seed: int,
) -> Check:
    r"""Estimate again with treatments drawn by lot, which by construction do nothing.

    $$\hat\tau_b = \hat\tau(Y, A_{\pi_b}, X), \qquad
      p = \frac{1 + \#\{b : |\hat\tau_b| \ge |\hat\tau|\}}{1 + B}$$

    with $\pi_b$ a random permutation of the rows, within `strata` where given. Passed if the mean
    of the $\hat\tau_b$ is within three of its standard errors of zero: the machinery finds nothing
    where nothing is. That is a test of the code and says nothing of confounding, since the lot cuts
    every path from a confounder to the placebo. Failed: it finds an effect where there is none (an
    estimator that does not adjust for the `strata` does). None: every estimate is exactly zero.

    p is exact (a rejection at 5% is wrong in at most 5% of cases) for one null, which has two
    parts: the treatment moves nobody's outcome, AND it was as if drawn by lot within the strata. A
    small p may come from an effect or from confounding, and does not say which.

    Parameters: `estimator`, called as estimator(y, a) or, with `X`, estimator(y, a, X); it fits all
    that depends on `a` itself, and returns an `Estimate` or a number; `y` (n,); `a` (n,) 0 or 1;
    `strata` (n,) labels; `draws` B; `seed`. Columns of the table: estimate, placebo_mean,
    placebo_sd, draws, p.
    Raises ValueError for NaN (also from the estimator), one arm, unequal lengths, no stratum with
    both arms, fewer than 19 draws (then p cannot reach .05).
    Source: Fisher (1935); Phipson and Smyth (2010) for the ones in p.
    """
    import pandas as pd

    outcome, treated = numbers("y", y), binary("a", a)
    groups = np.zeros(len(treated)) if strata is None else codes("strata", strata)
    same_length(y=outcome, a=treated, X=X, strata=groups)
    if draws < 19:
        raise ValueError(f"draws is {draws}: with fewer than 19, p cannot reach .05")
    share = [treated[groups == g].mean() for g in np.unique(groups)]
    if not any(0 < s < 1 for s in share):
        raise ValueError("strata hold one arm each: nothing can be permuted; pass coarser labels")
    rest = () if X is None else (X,)
    rng, home = dice(draws, seed), np.argsort(groups, kind="stable")
    value, fake = _value(estimator(outcome, treated.copy(), *rest)), np.empty(draws)
    lot = treated.copy()
    for b in range(draws):
        lot[home] = treated[np.lexsort((rng.random(len(lot)), groups))]
        fake[b] = _value(estimator(outcome, lot.copy(), *rest))
    # A permutation that changes nothing gives the same estimate up to rounding: it counts.
    p = (1 + int((np.abs(fake) >= abs(value) * (1 - 1e-9)).sum())) / (1 + draws)
    mean, sd = float(fake.mean()), float(fake.std(ddof=1))
    passed = abs(mean) <= 3 * sd / math.sqrt(draws) if fake.any() else None
    frame = {"estimate": value, "placebo_mean": mean, "placebo_sd": sd, "draws": draws, "p": p}
    by = "by lot" if strata is None else "by lot within the strata"
    said = {
        True: "the code finds nothing where nothing is, which says nothing of confounding",
        False: "the code finds an effect where there is none",
        None: "exactly zero each time, so nothing was tried",
    }
    sentence = (
        f"{draws:,} treatments drawn {by} have effects of {mean:.3g} on average (sd {sd:.3g}): "
        f"{said[passed]}. The estimate is {value:.3g}; p = {p:.3g} is for the null that the real "
        f"treatment was drawn {by} too and moves nobody's outcome: confounding rejects it as an "
        "effect does."
    )
    return Check("placebo treatment", passed, pd.DataFrame([frame]), sentence)


def negative_control(
    estimator: Callable[..., Estimate], outcome: Any, a: Any, X: Any = None
) -> Check:
    r"""Estimate the effect on an outcome that the treatment cannot move.

    $$H_0: \; \tau(N) = 0, \qquad \text{for an outcome } N \text{ with } N(1) = N(0)$$

    Any "effect" on N is bias: a path from A to N that the adjustment leaves open. Failed if p is
    below .05, which happens to one sound analysis in twenty. Passing speaks only of confounders
    that move N as well, and only as far as the interval is narrow; the size of the "effect" on N is
    not that of the bias in Y.

    Parameters: `estimator`, as for `placebo`, returning an `Estimate`; `outcome` N (n,), settled
    before the treatment or out of its reach, not among the covariates and no cause of `a`; `a`
    (n,) 0 or 1; `X` covariates. Columns of the table: outcome, estimate, se, low, high, p.
    Raises ValueError for NaN, one arm, unequal lengths, an outcome that does not vary or is told by
    X, an estimator without a standard error.
    Source: Lipsitch, Tchetgen Tchetgen and Cohen (2010).
    """
    import pandas as pd

    control, treated = numbers("outcome", outcome), binary("a", a)
    same_length(outcome=control, a=treated, X=X)
    if np.ptp(control) == 0:
        raise ValueError(f"{label('outcome', outcome)} does not vary: there is nothing to test")
    found = estimator(outcome, a) if X is None else estimator(outcome, a, X)
    if not isinstance(found, Estimate) or math.isnan(found.se):
        raise ValueError("estimator gives no standard error here, so there is nothing to test")
    if found.se <= 1e-12 * float(np.ptp(control)):
        raise ValueError(
            f"{label('outcome', outcome)} is told by X: adjusted for X nothing of it is left to "
            "test; pass one that is not among the covariates"
        )
    (low, high), p = found.conf_int(), found.pvalue()
    name = str(getattr(outcome, "name", None) or "outcome")
    frame = {"outcome": name, "estimate": found.value, "se": found.se}
    frame |= {"low": low, "high": high, "p": p}
    passed = p >= 0.05
    said = (
        "no bias shows at this precision, and confounders that do not move {} stay unseen."
        if passed
        else "that is bias, and a path is open (one sound analysis in twenty says so by chance)."
    )
    sentence = (
        f"The effect on {name} seems to be {found.value:.3g} (p = {p:.3g}). If the treatment "
        f"cannot move {name}, {said.format(name)}"
    )
    return Check("negative control", passed, pd.DataFrame([frame]), sentence)


def leave_one_out(estimator: Callable[..., Estimate], y: Any, a: Any, X: Any) -> pd.DataFrame:
    r"""Estimate again without each covariate in turn.

    $$\Delta_j = \hat\tau(Y, A, X_{-j}) - \hat\tau(Y, A, X)$$

    A large change says that the covariate matters (or that it should not be there: a collider, a
    consequence of the treatment). Small changes say nothing of covariates that are not in the file.

    Parameters: `estimator`, called as estimator(y, a, X), such as `regression_adjustment`; `y`
    (n,); `a` (n,); `X` (n, p) DataFrame, at least two columns. Columns of the table: without
    ("-" for all covariates in), estimate, se, change, change_se.
    Raises ValueError for NaN, unequal lengths, an X without names or with one column, an estimator
    that returns no `Estimate`, or one without influence values (then `change_se` is unknown).
    """
    import pandas as pd

    frame = as_frame("X", X)
    same_length(y=numbers("y", y), a=numbers("a", a), X=frame)
    if frame.shape[1] < 2:
        raise ValueError(f"{label('X', X)} has one column: leaving it out leaves nothing")
    full = estimator(y, a, frame)
    if not isinstance(full, Estimate):
        raise ValueError(
            f"estimator returns a {type(full).__name__}: pass one that returns an Estimate"
        )
    table = [("-", full.value, full.se, 0.0, 0.0)]
    for column in frame.columns:
        short = estimator(y, a, frame.drop(columns=column))
        change = short - full
        table.append((str(column), short.value, short.se, change.value, change.se))
    return pd.DataFrame(table, columns=["without", "estimate", "se", "change", "change_se"])


def _value(result: Any) -> float:
    value = float(result.value if isinstance(result, Estimate) else result)
    if not math.isfinite(value):
        raise ValueError(f"estimator returns {value}: it has to give a number for every placebo")
    return value
