"""What would come of a plan of several treatments, from people who followed it by chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from causalbook.arrays import Array, as_numbers, codes, fingerprint, numbers, rows, same_length
from causalbook.estimate import Estimate
from causalbook.nuisance import Fitted


def plan_value(
    y: Any, a: Any, e: Sequence[Any], plan: Sequence[int], *, cluster: Any = None
) -> Estimate:
    r"""Mean outcome if everybody followed a plan of treatments, by weights over time.

    $$\hat V(d) = \frac{\sum_i w_i Y_i}{\sum_i w_i}, \qquad
      w_i = \prod_t \frac{1\{A_{it} = d_t\}}{P(A_{it} = d_t \mid H_{it})}$$

    with $H_t$ all that was known when $A_t$ was decided: covariates, which earlier treatments may
    have changed, and those treatments. This is the marginal structural model with one mean for
    each plan; weights that are stabilised by $P(A_t \mid A_1 \dots A_{t-1})$ give the same value,
    since that is one number within a plan. The last treatment may be that a person stays: then
    the value is that of a world in which nobody leaves. Two plans on the same rows can be
    subtracted.

    Parameters: `y` (n,) outcomes, which may be missing where the plan was left; `a` (n, T) of 0
    and 1, in the order of time; `e`, T chances of a = 1 given the past, each (n,): an array is
    taken as known, a `Fitted` as estimated, and its influence is added; `plan`, T of 0 and 1;
    `cluster` (n,) labels.
    Raises ValueError for missing values, unequal lengths, a plan that nobody followed, chances
    outside (0, 1).
    Source: Robins, Hernán and Brumback (2000); Hájek (1971).
    """
    took, d = numbers("a", a, ndim=2), numbers("plan", plan)
    chances = [numbers("e", p.values if isinstance(p, Fitted) else p) for p in e]
    groups = None if cluster is None else codes("cluster", cluster)
    outcome = as_numbers("y", y)
    if outcome.ndim != 1:
        raise ValueError(f"y has {outcome.ndim} dimensions, needs 1: pass one column")
    _refuse_other_steps(took, chances, d)
    same_length(y=outcome, a=took, e=chances[0], cluster=groups)
    at = np.abs(1 - d - np.column_stack(chances))  # the chance of what the plan says
    followed = (took == d).all(axis=1)
    if not followed.any():
        raise ValueError(f"a: none of {len(took):,} rows followed the plan {d.astype(int)}")
    if (gaps := followed & ~np.isfinite(outcome)).any():
        raise ValueError(
            f"y is NaN or infinite in {rows(gaps)} that followed the plan: whether an outcome is "
            "seen is a step of its own; make it the last column of a, with its chance"
        )
    w = followed / at.prod(axis=1)
    w /= w.mean()
    value = float(w[followed] @ outcome[followed] / len(w))
    psi = w * np.where(followed, outcome - value, 0.0)
    influence = psi.copy()
    for t, nuisance in enumerate(e):
        if isinstance(nuisance, Fitted):
            influence += nuisance.influence((1 - 2 * d[t]) * psi / at[:, t])
    size = float(w.sum() ** 2 / (w @ w))
    return Estimate(
        value,
        influence,
        f"mean outcome under the plan {', '.join(f'{step:.0f}' for step in d)}",
        "IPW over time (Hájek)",
        cluster=groups,
        sample=fingerprint(outcome),
        notes=(f"effective rows: {size:,.0f} of {followed.sum():,} that followed the plan",),
    )


def _refuse_other_steps(a: Array, e: list[Array], plan: Array) -> None:
    """Refuse steps that are not 0 or 1, chances that are none, and unequal numbers of steps."""
    if not a.shape[1] == len(e) == len(plan):
        raise ValueError(
            f"a has {a.shape[1]} columns, e has {len(e)} chances and plan has {len(plan)} steps: "
            "pass one of each for each point in time"
        )
    for name, steps in (("a", a), ("plan", plan)):
        if (bad := ~np.isin(steps, (0, 1))).any():
            raise ValueError(f"{name} is neither 0 nor 1 in {rows(bad)}: code what was done as 0/1")
    same_length(**{f"e of step {t + 1}": p for t, p in enumerate(e)})
    for t, p in enumerate(e):
        if (bad := (p <= 0) | (p >= 1)).any():
            raise ValueError(
                f"e of step {t + 1} is outside (0, 1) in {rows(bad)}: there only one course of "
                "events can be, so no weight repairs it; leave those units out and say so"
            )
