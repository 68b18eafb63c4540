"""What can be estimated from a log, question by question, and why the rest cannot."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook import Estimate, mean_of
from causalbook.arrays import Array, Ints, Labels, numbers, rows
from causalbook.cross_fitting import numbered_folds
from causalbook.estimators import (
    Check,
    Log,
    dr,
    interval_check,
    ips,
    snips,
    support,
)
from causalbook.project.audit_checks import FEW, overlap_check
from causalbook.project.policy_tables import TablePolicy
from causalbook.project.propensity_checks import ALARM, propensity_check

if TYPE_CHECKING:
    import pandas as pd

ROWS = 10.0  # that an action's mean counts for, in the model of a context: our choice
LOST = 0.01  # of a target on what its context never had: above it there is no estimate
SILENT = "the log cannot speak of this policy: "  # how `support` begins
COVERS = 0.93  # of nominal 95%: below it an interval is called too narrow


@dataclass(frozen=True)
class Answer:
    """A question, the verdict (yes, no, only if, not asked), why, and the numbers."""

    question: str
    verdict: str
    why: str
    checks: tuple[Check, ...] = ()
    estimates: tuple[tuple[str, Estimate], ...] = ()


@dataclass(frozen=True)
class Told:
    """The columns that the reader named: labels as they are, numbers as arrays, None if not."""

    frame: pd.DataFrame
    named: Mapping[str, str]
    gaps: frozenset[str]
    context: Labels | None
    cluster: Ints | None
    seed: int

    def refuse(self, question: str, *flags: str) -> Answer | None:
        """Answer for columns that are not named, or have gaps; None if all are there."""
        if absent := [f"--{f}" for f in flags if f not in self.named]:
            return Answer(question, "not asked", f"name the column with {' and '.join(absent)}.")
        if holes := [self.named[f] for f in flags if f in self.gaps]:
            return Answer(question, "no", f"values are missing in {' and '.join(holes)}.")
        return None

    def numbers(self, flag: str) -> Array:
        """Return a column of numbers."""
        return numbers(flag, self.frame[self.named[flag]])

    def labels(self, flag: str) -> Labels:
        """Return a column as labels that can be sorted: text where it holds several types."""
        values: Labels = self.frame[self.named[flag]].to_numpy()
        return values if values.dtype.kind in "biufM" else values.astype(str)

    def contexts(self) -> Ints:
        """Number the contexts; all rows have the same where none was named."""
        if self.context is None:
            return np.zeros(len(self.frame), dtype=np.int64)
        return np.unique(self.context, return_inverse=True)[1].astype(np.int64)


def earned(told: Told) -> Answer:
    """Mean reward of the policy that logged."""
    question = "What did the policy that wrote this log earn?"
    if refusal := told.refuse(question, "reward"):
        return refusal
    own = mean_of(
        told.numbers("reward"),
        estimand="mean reward of a row",
        method="mean",
        cluster=told.cluster,
    )
    return Answer(question, "yes", "the mean of the rewards.", (), (("as logged", own),))


def another_policy(told: Told, target: str | TablePolicy) -> Answer:
    """Value of another policy: by weights where propensities were logged, else by an assumption."""
    question = "What would another policy have earned?"
    if refusal := told.refuse(question, "action", "reward"):
        return refusal
    labels = told.labels("action")
    if len(np.unique(labels)) < 2:
        return Answer(question, "no", f"the log shows {labels[0]} in every row and nothing else.")
    if "pscore" in told.named:
        return told.refuse(question, "pscore") or _weighted(question, told, target)
    why = (
        "no --pscore: nobody wrote down with what probability things were shown, so that rows of "
        "actions that were shown to eager people look like good actions"
    )
    if told.context is None:
        return Answer(question, "no", f"{why}. Log the propensity from now on.")
    return _by_strata(question, told, target, why)


def _weighted(question: str, told: Told, target: str | TablePolicy) -> Answer:
    pscore, reward = told.frame[told.named["pscore"]], told.numbers("reward")
    a, pi, q, name = _target(told, target)
    log = Log(a, reward, pscore, cluster=told.cluster)
    drawn = propensity_check(
        told.labels("action"), np.minimum(log.pscore, 1), context=told.context, cluster=told.cluster
    )
    speaks, never = support(log, pi), _never_shown(told, a, pi)
    checks = [overlap_check(log.pscore), drawn, speaks]
    sure = float(((1 - pi[np.arange(log.n), a]) * (log.pscore == 1)).mean())
    why = ""
    if sure > 1e-9:
        why = (
            f"{sure:.1%} of what {name} would show stands where the log says that nothing else "
            "could have been shown (propensity 1): no row tells what it would have earned. Show a "
            "random choice to a small share of visitors and log its probability"
        )
    elif _contradicted(drawn):
        why = f"the logged propensities are not those of this log: {drawn.sentence[:-1]}"
    elif not speaks.table["passed"].iloc[[0, 4]].all():  # lost mass, mean weight
        why = speaks.sentence[:-1]
    elif never > LOST:
        why = (
            f"{never:.1%} of what {name} would show was never shown in its context: nothing tells "
            "what that would have earned. Keep to what was shown there, or explore it"
        )
    elif told.cluster is not None and (n := int(told.cluster.max()) + 1) < FEW:
        why = (
            f"the rows come in {n} groups of {told.named['cluster']}: of so few no error can be "
            "told. Name what was drawn one by one, such as the user"
        )
    elif told.cluster is None and log.reward.any():
        checks.append(honest := _interval(log, pi, told.seed))
        why = "" if honest else f"{speaks.sentence[:-1]}; {honest.sentence[:-1]}"
    elif not speaks:
        why = speaks.sentence[:-1]
    if why:
        return Answer(question, "no", f"{why}.", tuple(checks))
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        own = mean_of(reward, estimand="", method="mean", cluster=told.cluster, sample=log.sample)
        by_dr = dr(log, pi, q)
        found = [("as logged", own), (f"{name}, IPS", ips(log, pi))]
        found += [(f"{name}, SNIPS", snips(log, pi)), (f"{name}, DR", by_dr)]
    found.append(("gain over the log, DR", by_dr - own))
    why = (
        f"its rows can be weighed as {name} would have shown them, since they know their "
        "propensities. It assumes that these are right where no check can see it, and that what "
        "one visitor is shown leaves the others alone"
    )
    if never > 0:
        why += f". Of what it would show, {never:.2%} was never shown in its context"
    if not speaks:
        little = speaks.sentence.removeprefix(SILENT)
        checks[2] = replace(speaks, sentence=f"little to go by: {little}")
        why += f". It rests on little: {little[:-1]}"
    elif heard:
        why += f"; {heard[0].message}"
    return Answer(question, "yes", f"{why}.", tuple(checks), tuple(found))


def _never_shown(told: Told, a: Ints, pi: Array) -> float:
    """Share of the target that falls on actions which its context never had."""
    x, k = told.contexts(), pi.shape[1]
    seen = np.bincount(x * k + a, minlength=(int(x.max()) + 1) * k).reshape(-1, k) > 0
    return float((pi * ~seen[x]).sum(axis=1).mean())


def _contradicted(drawn: Check) -> bool:
    """Means below 1 alone may be actions that were not always allowed: the mean weight decides."""
    off = drawn.table[drawn.table["p"] < ALARM] if drawn.passed is False else drawn.table[:0]
    return bool((off["mean"] > 1).any()) or "no probabilities do" in drawn.sentence


def _interval(log: Log, pi: Array, seed: int) -> Check:
    import pandas as pd

    times = int(min(1000, max(100, 5_000_000 // log.n)))
    found = interval_check(log, pi, replications=times, seed=seed)
    table = pd.DataFrame({"nominal": [found.level], "covers": [found.coverage]})
    said = (
        f"in {times:,} simulated logs with these weights and rewards, the 95% interval of SNIPS "
        f"holds the truth {found.coverage:.1%} of the time"
    )
    if not (well := found.coverage + 2 * found.error >= COVERS):
        said += f"; {found.factor:.2f} times as wide it would keep its word"
    return Check("interval", well, table.assign(factor=found.factor), said + ".")


def _by_strata(question: str, told: Told, target: str | TablePolicy, why: str) -> Answer:
    reward = told.numbers("reward")
    a, pi, _, name = _target(told, target)
    x, k = told.contexts(), pi.shape[1]
    count = np.bincount(x * k + a, minlength=(x.max() + 1) * k).reshape(-1, k)
    total = np.bincount(x * k + a, reward, minlength=count.size).reshape(count.shape)
    if (never := _never_shown(told, a, pi)) > 0:
        why += (
            f"; and {never:.1%} of what {name} would show was never shown in its context, so that "
            "even under an assumption there is nothing to go by"
        )
        return Answer(question, "no", f"{why}.")
    share = count[x, a] / count[x].sum(axis=1)
    log = Log(a, reward, share, cluster=told.cluster)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        found = dr(log, pi, (total / np.maximum(count, 1))[x])
    note = "propensities guessed: the frequency of each action in its context"
    found = replace(
        found, method="means of context and action", notes=(note, *(str(w.message) for w in heard))
    )
    why += (
        ". The number below holds only if the columns of --context are all that the choice of what "
        "to show depended on, apart from chance. No data can check that; ask who built it"
    )
    if heard:
        why += f"; {heard[0].message}"
    return Answer(question, "only if", f"{why}.", (), ((f"{name}, if so", found),))


def _target(told: Told, target: str | TablePolicy) -> tuple[Ints, Array, Array, str]:
    """Number the actions; the target's probabilities and a cross-fitted model of the reward."""
    labels = told.labels("action")
    if isinstance(target, TablePolicy):
        if told.context is None:
            raise ValueError("target is a policy by context: name its columns with --context")
        k = target.n_actions
        if (strange := ~np.isin(labels, np.arange(k))).any():
            raise ValueError(
                f"action holds other values than the target's 0 to {k - 1} in {rows(strange)}: "
                "number the actions as the policy does"
            )
        a = labels.astype(np.int64)
        return a, target.of(told.context), _reward_model(told, a, k)[0], "the policy"
    if target not in ("uniform", "best"):
        raise ValueError(f"target is {target!r}: pass uniform, best, or a policy's file (.json)")
    a = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    k = int(a.max()) + 1
    q, seen = _reward_model(told, a, k)
    if target == "uniform":
        return a, np.full((len(a), k), 1 / k), q, "the uniform choice"
    best = np.where(seen, q, -np.inf).argmax(axis=1)  # chosen on other rows than its own
    return a, np.eye(k)[best], q, "the best of each context"


def _reward_model(told: Told, a: Ints, k: int) -> tuple[Array, Any]:
    """Mean reward by context and action from other folds, drawn to the action's own mean."""
    reward, x, n = told.numbers("reward"), told.contexts(), len(a)
    folds = 5 if told.cluster is None else min(5, int(told.cluster.max()) + 1)
    fold = numbered_folds(folds, n, None, told.cluster, told.seed)
    cells = (folds, int(x.max()) + 1, k)
    at = np.ravel_multi_index((fold, x, a), cells)
    count, total = (
        np.bincount(at, v, minlength=int(np.prod(cells))).reshape(cells) for v in (None, reward)
    )
    count, total = count.sum(axis=0) - count, total.sum(axis=0) - total
    by_action = total.sum(axis=1) + ROWS * reward.mean()
    by_action /= count.sum(axis=1) + ROWS
    model = (total + ROWS * by_action[:, None]) / (count + ROWS)
    return model[fold, x], count[fold, x] > 0
