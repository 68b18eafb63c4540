"""The exercise of the page on evaluation: what choosing by accuracy cost, in eight launches."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from causalbook.exercises import Exercise

if TYPE_CHECKING:
    import pandas as pd

AUC = ((72, 75), (81, 78), (77, 77), (69, 74), (83, 80), (75, 79), (80, 71), (74, 76))  # per cent
VALUE = ((30, 34), (41, 47), (28, 32), (36, 35), (22, 30), (45, 39), (33, 31), (27, 28))  # cents
TOSS = Fraction(1, 2)  # where the two numbers are equal


def practice_launches() -> pd.DataFrame:
    """Return eight launches: the AUC of two models, and what each is worth in cents a visit."""
    import pandas as pd

    columns: dict[str, object] = {"launch": range(1, 9)}
    for which, name in enumerate(("first", "second")):
        columns[f"AUC, {name}"] = [row[which] / 100 for row in AUC]
        columns[f"value, {name}"] = [row[which] for row in VALUE]
    return pd.DataFrame(columns)


def _regrets(tie: Fraction = TOSS) -> list[Fraction]:
    """What each choice by AUC loses, in cents a visit."""
    lost = []
    for (a, b), (v, w) in zip(AUC, VALUE, strict=True):
        first = tie if a == b else Fraction(a > b)
        lost.append(max(v, w) - first * v - (1 - first) * w)
    return lost


def _right() -> float:
    return float(sum(_regrets(), Fraction(0)) / len(AUC))


def _only_the_wrong() -> float:
    lost = [r for r in _regrets() if r > 0]
    return float(sum(lost, Fraction(0)) / len(lost))


def _in_all() -> float:
    return float(sum(_regrets(), Fraction(0)))


def _how_often() -> float:
    wrong = [(r > 0) * (TOSS if a == b else 1) for r, (a, b) in zip(_regrets(), AUC, strict=True)]
    return float(sum(wrong, Fraction(0)) / len(wrong))


def _first_if_equal() -> float:
    return float(sum(_regrets(Fraction(1)), Fraction(0)) / len(AUC))


EXERCISE = Exercise(
    _right,
    {
        "only the wrong ones": (
            _only_the_wrong,
            "That is what a wrong choice costs. A judge is used in every launch, also where it is "
            "right and costs nothing: divide by all eight.",
        ),
        "in all launches together": (
            _in_all,
            "That is the sum over the eight launches. Asked is the mean for each launch.",
        ),
        "how often it is wrong": (
            _how_often,
            "That is the share of wrong choices. Weigh each by what it costs: the difference of "
            "the two values.",
        ),
        "the first where they are equal": (
            _first_if_equal,
            "Where the two AUCs are equal the judge says nothing, and you took the first. It is a "
            "coin: half of the difference is lost on average.",
        ),
    },
    "In each launch: which model has the higher AUC, and how many cents is it worth less than the "
    "better one? Then the mean over the eight.",
)
