"""The exercise of the page on online learning: a film's worth, from the log of a learner."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from causalbook.exercises import Exercise

if TYPE_CHECKING:
    import pandas as pd

FILM = "BABABABAAA"
FINISHED = (1, 0, 0, 1, 0, 1, 1, 1, 0, 1)
CHANCE = (Fraction(1, 2),) * 5 + (Fraction(1, 5),) * 5  # of film B: Monday, Tuesday


def practice_visits() -> pd.DataFrame:
    """Return ten visits that a learner served, with its chance of film B in each."""
    import pandas as pd

    days = ["Monday"] * 5 + ["Tuesday"] * 5
    columns = {"day": days, "film": list(FILM), "finished": FINISHED}
    return pd.DataFrame(columns | {"chance of B": [float(p) for p in CHANCE]})


def _weighed(chance: tuple[Fraction, ...], n: int = len(FILM)) -> float:
    rounds = zip(FILM, FINISHED, chance, strict=True)
    return float(sum((r / p for film, r, p in rounds if film == "B"), Fraction(0)) / n)


def _right() -> float:
    return _weighed(CHANCE)


def _mean() -> float:
    return _weighed((Fraction(1),) * len(FILM), FILM.count("B"))


def _today() -> float:
    return _weighed((CHANCE[-1],) * len(FILM))


def _average() -> float:
    return _weighed((sum(CHANCE, Fraction(0)) / len(FILM),) * len(FILM))


def _each_shown() -> float:
    return _weighed(CHANCE, FILM.count("B"))


EXERCISE = Exercise(
    _right,
    {
        "mean where shown": (
            _mean,
            "That is the mean of the viewers who were shown B. The learner chose when to show it, "
            "by how it did: weigh each of them.",
        ),
        "the chance of today": (
            _today,
            "That weighs all ten by Tuesday's chance. On Monday the learner played with another: "
            "each visit has the chance that drew it.",
        ),
        "the average chance": (
            _average,
            "That weighs all ten by the chance averaged over both days. Each visit has the chance "
            "that drew it.",
        ),
        "for each viewer of B": (
            _each_shown,
            "That divides by the viewers of B. Their weights speak for all ten: divide by ten.",
        ),
    },
    "One over the chance of B for each viewer who was shown B and watched it to the end; the sum, "
    "divided by all viewers.",
)
