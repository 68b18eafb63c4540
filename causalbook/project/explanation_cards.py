"""Why was this shown, and what did showing it change? One card for each answer."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

import numpy as np

from causalbook.arrays import as_array
from causalbook.card import digits
from causalbook.case_study import decide
from causalbook.causal_graphs import Graph, Identification, identify
from causalbook.estimate import Estimate
from causalbook.estimators import Check, Log, snips
from causalbook.potential_outcomes import Bounds
from causalbook.project.policy_tables import TablePolicy


@dataclass(frozen=True, repr=False)
class Card:
    """What one may say of a decision: its lines, each a heading and a sentence, and the effect."""

    title: str
    lines: tuple[tuple[str, str], ...]
    effect: Estimate

    def __repr__(self) -> str:
        wide = max(len(head) for head, _ in self.lines)
        return "\n".join([self.title, *(f"  {head:<{wide}}  {says}" for head, says in self.lines)])

    def _repr_html_(self) -> str:
        lines = "".join(
            f'<dt style="font-weight:600">{escape(head)}</dt><dd>{escape(says)}</dd>'
            for head, says in self.lines
        )
        return (
            '<div class="causalbook-estimate" style="max-width:36em;border:1px solid currentColor;'
            'border-radius:8px;padding:.7em 1em;margin:.3em 0">'
            f"<div><strong>{escape(self.title)}</strong></div>"
            f'<dl style="margin:.4em 0 0">{lines}</dl></div>'
        )


def effect_in_context(log: Log, context: str, action: int, *, against: int = 0) -> Estimate:
    r"""Effect of one action against another in one context, by the logged propensities.

    $$\hat\tau(x; a, b) = \frac{\sum_{i \in x} w_i^a\, r_i}{\sum_{i \in x} w_i^a}
      - \frac{\sum_{i \in x} w_i^b\, r_i}{\sum_{i \in x} w_i^b}, \qquad
      w_i^a = \frac{1\{a_i = a\}}{\pi_0(a_i \mid x_i)}, \qquad i \in x: x_i = x$$

    Parameters: `log`, whose `context` is (n,) labels; `context`, one of them; `action` a and
    `against` b, two of its actions. Returns an Estimate on the rounds of that context.
    Raises ValueError for a log without labels, a context or action that is not in it, and as
    `snips` does; warns where few rounds carry it. Source: two SNIPS values, Hájek (1971).
    """
    here = _rounds(log, context)
    if action == against:
        raise ValueError(f"action and against are both {action}: an effect compares two")
    pair = here.reward, np.eye(max(here.action.max(), action, against) + 1)
    for name, a in (("action", action), ("against", against)):
        if not (here.action == a).any():
            raise ValueError(
                f"{name} {a} was never shown in context {context!r} ({here.n:,} rounds): its "
                "effect there is unknown; log a policy that explores"
            )
    shown, other = (snips(here, np.tile(pair[1][a], (here.n, 1))) for a in (action, against))
    tau = shown - other
    return replace(tau, estimand=f"effect of {action} against {against} where {context!r}")


def necessity(log: Log, context: str, action: int, *, against: int = 0) -> Bounds:
    r"""Bounds on the share of those who bought with the action who would not have without it.

    $$\max\Big(0, 1 - \frac{p_b}{p_a}\Big) \;\le\;
      P\big(Y(b) = 0 \mid Y = 1, A = a, x\big) \;\le\; \min\Big(1, \frac{1 - p_b}{p_a}\Big), \qquad
      p_a = P(Y(a) = 1 \mid x)$$

    No experiment narrows them, since nobody is seen in both worlds. An end that logic cuts off at
    0 or 1 has the standard error 0, which is too small if it lies near the cut.

    Parameters as in `effect_in_context`; rewards are 0 or 1. Raises ValueError as it does, for
    other rewards, and where the action was never rewarded.
    Source: Tian and Pearl (2000, the probability of necessity).
    """
    here = _rounds(log, context)
    if not np.isin(here.reward, (0, 1)).all():
        raise ValueError("reward takes other values than 0 and 1: necessity asks of a yes or no")
    effect_in_context(log, context, action, against=against)  # refuses what cannot be compared
    table = np.eye(here.action.max() + 1)
    p_a, p_b = (snips(here, np.tile(table[a], (here.n, 1))) for a in (action, against))
    if p_a.value == 0:
        raise ValueError(
            f"action {action} was never rewarded in context {context!r}: nobody to ask"
        )
    said = "{} bound on the probability of necessity"
    return Bounds(
        replace(_within(1 - p_b / p_a), estimand=said.format("lower")),
        replace(_within((1 - p_b) / p_a), estimand=said.format("upper")),
    )


def nearest_counterfactual(policy: TablePolicy, context: str) -> list[str]:
    r"""Contexts with the fewest other words in which the policy most likely shows something else.

    $$\arg\min_{x'}\; d(x, x') \quad \text{so that} \quad
      \arg\max_a \pi(a \mid x') \ne \arg\max_a \pi(a \mid x)$$

    d counts the words that differ, place by place. A statement about the policy, which can be put
    to the test by asking it; it says nothing about what the visitor would do.

    Parameters: `policy`; `context`, one it knows. Returns the nearest ones, none where the policy
    does the same everywhere. Raises ValueError for an unknown context, and for contexts of
    different numbers of words. Source: Wachter, Mittelstadt and Russell (2018).
    """
    words = {x: x.split(" ") for x in policy.contexts}
    now = int(policy.of([context])[0].argmax())
    if len({len(w) for w in words.values()}) > 1:
        raise ValueError("policy has contexts of different numbers of words: no distance is given")
    does = dict(zip(policy.contexts, policy.table.argmax(axis=1), strict=True))
    far = {
        x: sum(i != j for i, j in zip(words[context], w, strict=True))
        for x, w in words.items()
        if does[x] != now
    }
    return [x for x, d in far.items() if d == min(far.values())]


def explain_recommendation(
    log: Log,
    policy: TablePolicy,
    context: str,
    action: int,
    graph: Graph,
    *,
    against: int = 0,
    names: Sequence[str] = (),
) -> Card:
    """Say of one recommendation how it came about and what it changes, each in its own words.

    Parameters: `log` of another time than the one the policy was learned from, else the effect is
    too good; `policy`, `context` and `action` of the recommendation; `graph` with the nodes
    context, action and reward, from which the adjustment set is read; `names` of the actions.
    Raises ValueError as `effect_in_context` does, and where the graph does not identify the effect.
    Source: ours.
    """
    identification = identify(graph, "action", "reward")
    if identification.strategy not in ("back door", "no effect"):
        raise ValueError(f"graph does not identify the effect by adjustment: {identification.why}")
    called = list(names) or [str(a) for a in range(policy.n_actions)]
    with warnings.catch_warnings(record=True) as heard:  # they stand on the card
        warnings.simplefilter("always")
        tau = effect_in_context(log, context, action, against=against)
    if not max(action, against) < policy.n_actions:
        raise ValueError(
            f"policy has the actions 0 to {policy.n_actions - 1}, and {max(action, against)} is "
            "asked for: explain a log with the policy that it is about"
        )
    if len(called) < policy.n_actions:
        raise ValueError(f"names has {len(called)} of {policy.n_actions} actions: name each")
    chance = policy.of([context])[0][action]
    lines = [
        (
            "shown",
            f"{called[action]}, by policy {policy.version}, in {100 * chance:.3g} of 100 such"
            f" visits ({context})",
        ),
        (
            "estimand",
            f"mean reward with {called[action]} less that with {called[against]}, "
            f"over visits with {context!r}",
        ),
        ("adjusted for", _adjusted(identification)),
        ("effect", _spoken(tau)),
        ("says", _verdict(tau, called[action], called[against])),
        ("otherwise", _otherwise(policy, context, action, called)),
    ]
    lines += [("caution", said) for said in dict.fromkeys(str(w.message) for w in heard)]
    return Card(f"Why {called[action]}?", tuple(lines), tau)


def explain_decision(
    effect: Estimate,
    identification: Identification,
    *,
    margin: float,
    cost: float,
    units: float,
    checks: Sequence[Check] = (),
) -> Card:
    r"""Say of one decision what it rests on, and what would have to differ for another one.

    $$\text{act if } m = \text{margin} \cdot \hat\tau - \text{cost} > 0, \qquad
      \text{cost}^* = \text{margin} \cdot \hat\tau$$

    Parameters: `effect` per unit, with a standard error; `identification` it stands on; `margin`,
    `cost`, `units` as in `decide`; `checks` that could have overturned it. With a failed check the
    card says that nothing is decided. Raises ValueError as `decide` does. Source: ours.
    """
    bar = margin * effect
    decision = decide(bar - cost, units=units)
    low, high = bar.conf_int()
    show = digits(bar.value, bar.se)
    failed = [check.name for check in checks if check.passed is False]
    lines = [
        ("decision", f"none: failed {', '.join(failed)}" if failed else repr(decision)),
        ("estimand", effect.estimand),
        ("adjusted for", _adjusted(identification)),
        ("effect", _spoken(effect)),
        (
            "otherwise",
            f"if acting cost {'more' if decision.act else 'less'} than {show(bar.value)}"
            f" a unit (95% interval {show(low)} to {show(high)}); it is taken to cost {show(cost)}",
        ),
        ("checks", "; ".join(f"{c.name}: {c._verdict()}" for c in checks) or "none were made"),
    ]
    return Card("What was decided, and why", tuple(lines), effect)


def explain_from_file(
    path: Path, policy: Path, context: str, action: int, against: int, columns: dict[str, str]
) -> Card:
    """Explain from a log in a file whose policies looked at the context alone."""
    from causalbook.project.audit_files import read_log

    frame = read_log(path)
    if absent := [name for name in columns.values() if name not in frame]:
        raise ValueError(
            f"{path.name} has no column {', '.join(absent)}: its columns are "
            f"{', '.join(map(str, frame))}"
        )
    arrays = {name: frame[column] for name, column in columns.items()}
    if arrays["context"].notna().all():  # a policy's contexts are text
        arrays["context"] = arrays["context"].astype(str)
    lottery = Graph("context -> action; context -> reward; action -> reward")
    served = TablePolicy.load(policy)
    return explain_recommendation(Log(**arrays), served, context, action, lottery, against=against)


def _rounds(log: Log, context: str) -> Log:
    """Take the rounds of one context."""
    labels = as_array("log.context", log.context)
    if labels.ndim != 1:
        raise ValueError("log.context is no column of labels: pass Log(..., context=labels)")
    here = labels == context
    if not here.any():
        raise ValueError(f"context {context!r} is not in the log: nothing is known of it")
    cluster = None if log.cluster is None else log.cluster[here]
    return Log(log.action[here], log.reward[here], log.pscore[here], cluster=cluster)


def _within(end: Estimate) -> Estimate:
    """Cut an end off at 0 and 1: beyond, it does not move with the data."""
    cut = min(1.0, max(0.0, end.value))
    if cut == end.value:
        return end
    note = f"{end.value:.3g} by the formula; a share ends at {cut:g}"
    return replace(end, value=cut, influence=0 * end.influence, notes=(note, *end.notes))


def _otherwise(policy: TablePolicy, context: str, action: int, called: Sequence[str]) -> str:
    """Say when something else would have been shown: another draw, or another context."""
    here = policy.of([context])[0]
    if here[action] < here.max():
        most = int(here.argmax())
        return f"another draw: {called[most]} is likelier here, {100 * here[most]:.3g} of 100"
    if (alike := int((here == here.max()).sum())) > 1:
        return f"another draw: {alike} actions are as likely here as {called[action]}"
    if not (flips := nearest_counterfactual(policy, context)):
        return "most likely the same in every context that the policy knows"
    more = f", or {len(flips) - 3} more as near" if len(flips) > 3 else ""
    return f"most likely something else had it been {' or '.join(map(repr, flips[:3]))}{more}"


def _adjusted(identification: Identification) -> str:
    """Name the adjustment set."""
    if not identification.sets or not identification.sets[0]:
        return "nothing: the graph says that nothing else drives both"
    return ", ".join(sorted(identification.sets[0])) + ", which the graph says is enough"


def _spoken(e: Estimate) -> str:
    """Say an estimate with its interval in a line."""
    (low, high), show = e.conf_int(), digits(e.value, e.se)
    return f"{show(e.value)}, 95% interval {show(low)} to {show(high)}, {e.n:,} rounds"


def _verdict(tau: Estimate, action: str, against: str) -> str:
    """Say in words what the interval allows."""
    low, high = tau.conf_int()
    if low > 0:
        return f"{action} earns more than {against}"
    if high < 0:
        return f"{action} earns less than {against}"
    return f"we do not know whether {action} earns more than {against}: the interval holds both"
