"""The exercise of the page on the pipeline: judge a policy on the half that taught it nothing."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

from causalbook.exercises import Exercise

if TYPE_CHECKING:
    import pandas as pd

# Half of the user (0 teaches, 1 judges), context, shelf, chance of that shelf, reward.
ROUNDS = [
    (0, "looks", 4, Fraction(1, 4), 8),
    (1, "looks", 4, Fraction(1, 4), 3),
    (1, "looks", 0, Fraction(3, 4), 1),
    (0, "buys", 0, Fraction(1, 4), 9),
    (1, "buys", 0, Fraction(1, 2), 5),
    (1, "buys", 4, Fraction(1, 2), 6),
    (0, "looks", 4, Fraction(3, 4), 6),
    (1, "looks", 0, Fraction(3, 4), 0),
    (1, "looks", 4, Fraction(3, 4), 2),
    (0, "buys", 4, Fraction(1, 2), 2),
    (1, "buys", 0, Fraction(1, 4), 4),
    (0, "looks", 0, Fraction(1, 4), 0),
]
POLICY = {"looks": 4, "buys": 0}  # what the candidate shows: the drama, or nothing


def practice_halves() -> pd.DataFrame:
    """Twelve rounds of a log, with the half that each user belongs to."""
    import pandas as pd

    rows = [(half, x, a, float(p), float(r)) for half, x, a, p, r in ROUNDS]
    return pd.DataFrame(rows, columns=["half", "context", "action", "pscore", "reward"])


def _value(
    halves: tuple[int, ...] = (1,), weight: Callable[[Fraction], Fraction] = lambda p: 1 / p
) -> float:
    """Weighted rewards of the rounds in which the policy would have done the same, over all."""
    own = [(x, a, p, r) for half, x, a, p, r in ROUNDS if half in halves]
    total = sum(weight(p) * r for x, a, p, r in own if a == POLICY[x])
    return float(total / len(own))


def _matching() -> float:
    """Plain mean of the rewards where the policy would have done the same."""
    own = [Fraction(r) for half, x, a, _, r in ROUNDS if half == 1 and a == POLICY[x]]
    return float(sum(own) / len(own))


EXERCISE = Exercise(
    answer=_value,
    misconceptions={
        "judged by its teachers": (
            lambda: _value((0, 1)),
            "That uses all twelve rounds. Those of half 0 taught the policy: it was chosen since "
            "they looked good, and they may not judge it.",
        ),
        "matching rounds": (
            _matching,
            "That is the plain mean of the rounds in which the policy would have done the same. "
            "They are not like the others: weigh each by one over its logged propensity, and "
            "divide by all rounds of the half.",
        ),
        "no weights": (
            lambda: _value(weight=lambda p: Fraction(1)),
            "That divides by all rounds, and forgets the weights: a round whose action had one "
            "chance in four stands for four.",
        ),
    },
    hint="Take the rounds of half 1. Where the policy would have shown the same, the reward counts "
    "with one over pscore; elsewhere it counts as nothing; divide by the number of rounds.",
)
