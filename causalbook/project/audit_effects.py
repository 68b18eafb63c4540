"""What a log says of effects: of a treatment, of an experiment, over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import binary
from causalbook.estimators import aipw, difference_in_means, ipw, overlap
from causalbook.potential_outcomes import ab_test
from causalbook.project.audit_answers import Answer, Told
from causalbook.project.audit_checks import arms_check
from causalbook.project.propensity_checks import propensity_check

if TYPE_CHECKING:
    import pandas as pd

UNITS = {1e17: "ns", 1e14: "us", 1e11: "ms", 1e8: "s"}  # since 1970: 1e8 s and more is 1973


def treatment_effect(told: Told) -> Answer:
    """Effect of a treatment of zeros and ones: known propensity, strata, or only a comparison."""
    question = "What does the treatment change?"
    if refusal := told.refuse(question, "treatment", "outcome"):
        return refusal
    t, y = binary("treatment", told.frame[told.named["treatment"]]), told.numbers("outcome")
    raw = ("compared as they are", difference_in_means(y, t, cluster=told.cluster))
    if "pscore" in told.named and "action" not in told.named:
        if refusal := told.refuse(question, "pscore"):
            return refusal
        p = told.numbers("pscore")
        arms, by = t.astype(int), {"context": told.context, "cluster": told.cluster}
        drawn = propensity_check(arms, p, **by)
        if drawn.passed is False:
            why = drawn.sentence
            other = np.where(t == 1, p, 1 - p)
            if (other > 0).all() and propensity_check(arms, other, **by).passed:
                why = (
                    "the pscore looks like the probability of treatment 1 in every row. It is to "
                    "be that of what the row had: where the treatment is 0, write 1 less it."
                )
            return Answer(question, "no", why, (drawn,), (raw,))
        e = np.where(t == 1, p, 1 - p)
        if (e <= 0).any() or (e >= 1).any():
            why = "some rows had no chance of the other arm: the effect is not known for them."
            return Answer(question, "no", why, (drawn,), (raw,))
        found = ("weighted by propensity", ipw(y, t, e, cluster=told.cluster))
        why = "the chance of the treatment is logged. It assumes that these propensities are right."
        return Answer(question, "yes", why, (drawn, overlap(e, t)), (raw, found))
    if told.context is None:
        why = "the difference below is an effect only if chance alone decided who was treated."
        return Answer(question, "only if", why, (), (raw,))
    x = told.contexts()
    count = np.array([np.bincount(x, t == arm) for arm in (0, 1)])
    one_arm = (count == 0).any(axis=0)[x]
    if one_arm.any():
        why = (
            f"{one_arm.mean():.1%} of the rows have a context in which only one arm occurs, so "
            "that nothing there can be compared: take coarser columns, or leave such rows out and "
            "say so."
        )
        return Answer(question, "no", why, (), (raw,))
    e = (count[1] / count.sum(axis=0))[x]
    mu = [(np.bincount(x, y * (t == arm)) / count[arm])[x] for arm in (0, 1)]
    found = ("compared within contexts", aipw(y, t, e, *mu, cluster=told.cluster))
    why = (
        "the second number is an effect only if the columns of --context hold all that moves both "
        "the treatment and the outcome, and were fixed before it. No data can check that."
    )
    return Answer(question, "only if", why, (overlap(e, t),), (raw, found))


def experiment(told: Told, share: Mapping[str, float] | None) -> Answer:
    """Sample ratio and the difference of two arms that were drawn."""
    question = "Was the experiment sound, and what did it change?"
    if refusal := told.refuse(question, "arm"):
        return refusal
    if share is None:
        raise ValueError("share is missing: say what was designed, such as --share A=0.5,B=0.5")
    arm = told.labels("arm").astype(str)
    unit = np.arange(len(arm)) if told.cluster is None else told.cluster
    sizes = arms_check(arm, share, unit)
    if not sizes:
        return Answer(question, "no", f"its result is not read: {sizes.sentence}", (sizes,))
    flag = "outcome" if "outcome" in told.named else "reward"
    names = list(share)
    if told.refuse(question, flag) or len(names) != 2:
        why = "the arms are as they were drawn. For their difference name two arms and --outcome."
        return Answer(question, "yes", why, (sizes,))
    effect = ab_test(told.numbers(flag), (arm == names[1]) * 1.0, cluster=told.cluster)
    why = "the arms are as they were drawn. It assumes that one unit's arm leaves others alone."
    return Answer(question, "yes", why, (sizes,), ((f"{names[1]} less {names[0]}", effect),))


def over_time(told: Told) -> Answer:
    """Span of the log, and what a comparison of before and after would need."""
    question = "Did something change when something else did (before and after)?"
    if refusal := told.refuse(question, "time"):
        return refusal
    at, note = _moments(told.frame[told.named["time"]])
    days = (at.max() - at.min()).total_seconds() / 86_400
    why = (
        f"the log covers {days:,.1f} days, {at.min():%Y-%m-%d} to {at.max():%Y-%m-%d}{note}. A "
        "change at a date is an effect only if nothing else changed then: compare with a group "
        "that was left alone, over whole weeks."
    )
    return Answer(question, "only if", why)


def _moments(column: pd.Series[Any]) -> tuple[pd.Series[Any], str]:
    """Read times; 03/04/2026 is refused, since it is two days, and numbers are read by size."""
    import pandas as pd

    form: dict[str, Any] = {"format": "ISO8601"}
    note = ""
    if pd.api.types.is_numeric_dtype(column):
        size = float(column.astype(float).abs().median())
        unit = next((name for least, name in UNITS.items() if size >= least), "")
        form, note = {"unit": unit}, f" (its numbers read as time in {unit} since 1970)"
    lost = pd.Series(pd.NaT, column.index)
    at = lost if "" in form.values() else pd.to_datetime(column, errors="coerce", utc=True, **form)
    if (gone := at.isna()).any():
        raise ValueError(
            f"time is no time in {int(gone.sum()):,} of {len(column):,} rows (first: "
            f"{column[gone].iloc[0]!r}): write it as 2026-03-02 14:05, or as seconds since 1970"
        )
    return at, note
