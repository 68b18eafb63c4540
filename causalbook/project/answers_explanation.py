"""The exercise of the page on explanation: an effect in one context, from twelve rounds."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from causalbook.exercises import Exercise

if TYPE_CHECKING:
    import pandas as pd

# Context, action (1 shown), chance of showing at that time, reward; the slot becomes generous.
ROUNDS = [
    ("new", 1, Fraction(1, 4), 2),
    ("new", 0, Fraction(1, 4), 0),
    ("old", 0, Fraction(1, 4), 6),
    ("new", 0, Fraction(1, 4), 1),
    ("new", 0, Fraction(1, 4), 0),
    ("old", 1, Fraction(1, 4), 1),
    ("new", 1, Fraction(3, 4), 5),
    ("new", 1, Fraction(3, 4), 4),
    ("old", 1, Fraction(3, 4), 0),
    ("new", 0, Fraction(3, 4), 4),
    ("new", 1, Fraction(3, 4), 6),
    ("old", 0, Fraction(3, 4), 5),
]


def practice_rounds() -> pd.DataFrame:
    """Twelve rounds of two contexts, with the probability of what was done."""
    import pandas as pd

    rows = [(x, a, float(p if a else 1 - p), float(r)) for x, a, p, r in ROUNDS]
    return pd.DataFrame(rows, columns=["context", "action", "pscore", "reward"])


def _mean(action: int, contexts: tuple[str, ...], weighted: bool) -> Fraction:
    """Mean reward of an action, weighted by one over the probability of what was done or not."""
    own = [(p if a else 1 - p, r) for x, a, p, r in ROUNDS if a == action and x in contexts]
    w = [1 / p if weighted else Fraction(1) for p, _ in own]
    return sum((v * r for v, (_, r) in zip(w, own, strict=True)), Fraction(0)) / sum(w)


def _difference(contexts: tuple[str, ...] = ("new",), weighted: bool = True) -> float:
    return float(_mean(1, contexts, weighted) - _mean(0, contexts, weighted))


EXERCISE = Exercise(
    answer=_difference,
    misconceptions={
        "plain means": (
            lambda: _difference(weighted=False),
            "That is the plain difference of means. Most of the shown rounds are from the generous "
            "half, in which rewards were higher anyway: weigh by the logged probabilities.",
        ),
        "all contexts": (
            lambda: _difference(("new", "old")),
            "That is the effect over both contexts. The question is about visitors like this one: "
            "keep the rounds whose context is new.",
        ),
        "value, not effect": (
            lambda: float(_mean(1, ("new",), True)),
            "That is what showing earns, not what it changes: take off what showing nothing earns.",
        ),
    },
    hint="Keep the context, weigh each round by one over the probability of what was done, and "
    "subtract the weighted mean of nothing from that of showing.",
)
