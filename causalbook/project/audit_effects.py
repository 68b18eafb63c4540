"""What a log says of effects: of a treatment, of an experiment, over time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from causalbook.arrays import binary
from causalbook.estimators import aipw, difference_in_means, ipw, overlap
from causalbook.potential_outcomes import ab_test
from causalbook.project.audit_answers import Answer, Told
from causalbook.project.audit_checks import arms_check
from causalbook.project.propensity_checks import propensity_check


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
        drawn = propensity_check(t, p, context=told.context, cluster=told.cluster)
        if drawn.passed is False:
            return Answer(question, "no", drawn.sentence, (drawn,), (raw,))
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
    import pandas as pd

    at = pd.to_datetime(told.frame[told.named["time"]], errors="coerce", utc=True, format="mixed")
    if (bad := int(at.isna().sum())) > 0:
        raise ValueError(
            f"time is no time in {bad:,} of {len(at):,} rows (first: "
            f"{told.frame[told.named['time']][at.isna()].iloc[0]!r}): write it as 2026-03-02 14:05"
        )
    days = (at.max() - at.min()).total_seconds() / 86_400
    why = (
        f"the log covers {days:,.1f} days, {at.min():%Y-%m-%d} to {at.max():%Y-%m-%d}. A change at "
        "a date is an effect only if nothing else changed then: compare with a group that was left "
        "alone, over whole weeks."
    )
    return Answer(question, "only if", why)
