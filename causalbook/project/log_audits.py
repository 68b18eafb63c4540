"""The audit of a log that somebody else wrote: what it can tell, and what it cannot."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from causalbook.arrays import Labels, as_frame, codes
from causalbook.estimators import Check
from causalbook.project.audit_answers import Answer, Told, another_policy, earned
from causalbook.project.audit_checks import clusters_check, duplicates_check, gaps_check
from causalbook.project.audit_effects import experiment, over_time, treatment_effect
from causalbook.project.audit_pages import as_html, as_text
from causalbook.project.policy_tables import TablePolicy

if TYPE_CHECKING:
    import pandas as pd

MANY = 10  # rows a context has at least, on average
PAIRS = {"action": "reward", "treatment": "outcome"}
NUMBERS = ("reward", "pscore", "treatment", "outcome")


@dataclass(frozen=True)
class Audit:
    """What a log can tell: checks of the rows, then an answer to each question.

    `sound` is False where the log cannot answer a question that was asked.
    """

    title: str
    n: int
    checks: tuple[Check, ...]
    answers: tuple[Answer, ...]

    @property
    def sound(self) -> bool:
        """Tell whether no answer is no."""
        return all(answer.verdict != "no" for answer in self.answers)

    def text(self) -> str:
        """Return the audit as plain text."""
        return as_text(self.title, self.n, self.checks, self.answers)

    def html(self) -> str:
        """Return the audit as one HTML page that needs nothing else."""
        return as_html(self.title, self.n, self.checks, self.answers)

    def __repr__(self) -> str:
        return self.text()


def audit_log(
    frame: pd.DataFrame,
    *,
    action: str | None = None,
    reward: str | None = None,
    pscore: str | None = None,
    treatment: str | None = None,
    outcome: str | None = None,
    context: Sequence[str] = (),
    cluster: str | None = None,
    time: str | None = None,
    arm: str | None = None,
    share: Mapping[str, float] | None = None,
    target: str | TablePolicy = "uniform",
    title: str = "the log",
    seed: int = 0,
) -> Audit:
    r"""Say what can be estimated from a log, estimate it, and say what cannot and why.

    The value of `target` is estimated by `ips`, `snips` and `dr`, with a cross-fitted table of mean
    rewards by context and action (each action's mean counts for ten rows). It is withheld where
    propensities contradict what happened (`propensity_check`), where the target wants what the log
    never shows (`support`) or, by more than 1%, what its context never had, and where the interval
    would cover too seldom (`interval_check`; with clusters, where `support` fails). Nothing is
    dropped or filled: what needs a column with gaps is not estimated.

    Parameters: `frame`, one row a decision or a unit; the names of its columns: `action` shown and
    its `reward`, `pscore` the probability with which it was shown (without `action`: with which the
    row's `treatment`, 0 or 1, was given), `outcome` of the treatment, `context` columns of few
    values, `cluster` (a user), `time`, `arm` of an experiment and the designed `share` of each;
    `target` "uniform" (over the actions seen), "best" (the best action of each context, chosen on
    other rows than those that judge it) or a `TablePolicy`, whose contexts are the values of
    `context` joined by ", "; `title` of the log; `seed` of folds and simulation.
    Raises ValueError for a column that is not there or there twice, an action without a reward, a
    treatment without an outcome or the reverse, a share without an arm, columns of another kind
    than they should be, contexts of too many values.
    Source: ours.
    """
    as_frame("frame", frame)
    named = {"action": action, "reward": reward, "pscore": pscore, "treatment": treatment}
    named |= {"outcome": outcome, "cluster": cluster, "time": time, "arm": arm}
    used = {flag: column for flag, column in named.items() if column is not None}
    contexts = {f"context {i}": column for i, column in enumerate(context, 1)}
    _refuse_unknown(frame, {**used, **contexts})
    _refuse_halves(used, share)
    _refuse_text(frame, used)
    if len(frame) < 2:
        raise ValueError(f"the log has {len(frame)} rows: an audit needs some to compare")
    gaps = frozenset(flag for flag, column in used.items() if frame[column].isna().any())
    told = Told(
        frame=frame.reset_index(drop=True),
        named=used,
        gaps=gaps,
        context=_context(frame, list(context)),
        cluster=None if cluster is None else codes("cluster", frame[cluster]),
        seed=seed,
    )
    money = next((f for f in ("reward", "outcome") if f in used and f not in gaps), None)
    checks = (
        gaps_check(told.frame, {**used, **contexts}, reward or outcome),
        duplicates_check(told.frame),
        clusters_check(told.cluster, cluster, None if money is None else told.numbers(money)),
    )
    answers = (
        earned(told),
        another_policy(told, target),
        treatment_effect(told),
        experiment(told, share),
        over_time(told),
    )
    return Audit(title, len(frame), checks, answers)


def _refuse_unknown(frame: pd.DataFrame, used: Mapping[str, str]) -> None:
    for flag, column in used.items():
        if column not in frame.columns:
            near = difflib.get_close_matches(column, [str(c) for c in frame.columns], n=1)
            there = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(map(str, frame))}"
            raise ValueError(f"{flag.split()[0]} is no column of the log: {column!r}; {there}")
        if (n := list(frame.columns).count(column)) > 1:
            raise ValueError(
                f"{flag.split()[0]} is the name of {n} columns of the log, {column!r}: give each "
                "its own"
            )


def _refuse_text(frame: pd.DataFrame, used: Mapping[str, str]) -> None:
    for flag in set(NUMBERS) & set(used):
        text = frame[used[flag]].astype(object).map(lambda value: isinstance(value, str))
        if text.any():
            raise ValueError(
                f"{flag} ({used[flag]!r}) holds text such as "
                f"{frame[used[flag]][text].iloc[0]!r}, not numbers: write 0.3 for 30% or 0,3, and "
                "1 and 0 for yes and no"
            )


def _refuse_halves(used: Mapping[str, str], share: Mapping[str, float] | None) -> None:
    if not {"reward", "outcome", "arm"} & set(used):
        raise ValueError(
            "reward is missing: name at least --action and --reward, or --treatment and --outcome, "
            "or --arm and --share"
        )
    for flag, other in PAIRS.items():
        if flag in used and other not in used:
            raise ValueError(f"{other} is missing: --{flag} needs the column of what came of it")
    if "outcome" in used and not {"treatment", "arm"} & set(used):
        raise ValueError("treatment is missing: --outcome is that of a --treatment or an --arm")
    if share is not None and "arm" not in used:
        raise ValueError("arm is missing: --share needs the column of the arms")
    if "pscore" in used and not {"action", "treatment"} & set(used):
        raise ValueError("action is missing: say with --action (or --treatment) what pscore is of")


def _context(frame: pd.DataFrame, columns: list[str]) -> Labels | None:
    """Join the columns of the context to one label a row; refuse gaps and too many values."""
    if not columns:
        return None
    for column in columns:
        if n := int(frame[column].isna().sum()):
            raise ValueError(
                f"context is missing in {n:,} rows of {column!r}: give the missing value a label "
                "of its own, such as unknown, or leave the column out"
            )
    label = frame[columns[0]].astype(str)
    for column in columns[1:]:
        label = label + ", " + frame[column].astype(str)
    joined: Labels = label.to_numpy(dtype=str)
    if (n := len(np.unique(joined))) > max(1, len(frame) / MANY):
        raise ValueError(
            f"context has {n:,} different values in {len(frame):,} rows: take columns of few "
            "values, or put numbers into bins first"
        )
    return joined
