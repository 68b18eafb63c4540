"""Checkers for the exercises: the right answer, its equals, and the mistakes people really make.

The exercise of a page stands in its part's `answers.py`, in the dictionary `EXERCISES`, under the
page's name. No answer is typed: right and wrong ones are computed from the same data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Exercise:
    """One question: its right answer, and by name the misconceptions with a hint for each."""

    answer: Callable[[], float]
    misconceptions: Mapping[str, tuple[Callable[[], float], str]]
    hint: str
    tolerance: float = 1e-6


@dataclass(frozen=True)
class Feedback:
    """What the checker says: right or not, and a sentence."""

    correct: bool
    message: str
    misconception: str | None = None

    def __bool__(self) -> bool:
        return self.correct

    def __repr__(self) -> str:
        return self.message

    def _repr_html_(self) -> str:
        mark = "✓" if self.correct else "→"
        return f'<div class="causalbook-feedback" role="status">{mark} {escape(self.message)}</div>'


def check(name: str, answer: Any = ...) -> Feedback:
    """Say whether an answer is right, and if not, which mistake it looks like.

    Parameters: `name` of the exercise, as its page gives it; `answer`, a number in any form that
    `float` takes (a fraction, a numpy scalar, an `Estimate`'s value). An answer that is still
    `...` is not yet one. Raises ValueError for an unknown exercise.
    """
    exercise = _find(name)
    if answer is ...:
        return Feedback(False, "Not answered yet: put your answer in place of the dots.")
    try:
        number = float(getattr(answer, "value", answer))
    except (TypeError, ValueError):
        return Feedback(False, f"The answer is a single number; this is {type(answer).__name__}.")

    def close(expected: float) -> bool:
        return math.isclose(number, expected, rel_tol=exercise.tolerance, abs_tol=1e-9)

    if close(exercise.answer()):
        return Feedback(True, "Correct.")
    for mistake, (wrong, hint) in exercise.misconceptions.items():
        if close(wrong()):
            return Feedback(False, hint, mistake)
    return Feedback(False, f"Not yet. {exercise.hint}")


def _find(name: str) -> Exercise:
    part, _, page = str(name).partition(".")
    try:
        exercises = import_module(f"causalbook.{part}.answers").EXERCISES
    except ModuleNotFoundError:
        exercises = {}
    if page not in exercises:
        raise ValueError(f"name is {name!r}: give it as part.page, as the exercise does")
    exercise: Exercise = exercises[page]
    return exercise
