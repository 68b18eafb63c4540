"""The exercise of the page on privacy: how much noise a released effect needs."""

from __future__ import annotations

from functools import partial
from math import sqrt

from causalbook.exercises import Exercise

__all__ = ["EXERCISE", "release"]


def release() -> dict[str, float]:
    """Return the experiment to release: users treated and not, and the privacy loss to keep."""
    return {"treated": 250, "controls": 750, "epsilon": 0.5}


def _deviation(*, smaller: bool = True, arms: bool = True, root: bool = True) -> float:
    """Standard deviation of the noise; each False is one mistake."""
    n1, n0, epsilon = release().values()
    sensitivity = 1 / min(n1, n0) if smaller else 1 / max(n1, n0)
    scale = (sensitivity if arms else 1 / (n1 + n0)) / epsilon
    return sqrt(2) * scale if root else scale


EXERCISE = Exercise(
    _deviation,
    {
        "one in all users": (
            partial(_deviation, arms=False),
            "One click moves the difference by more than one in all users: it moves the rate of "
            "its own arm. Which arm is moved most?",
        ),
        "larger arm": (
            partial(_deviation, smaller=False),
            "Privacy is promised to everybody. The user whose click moves the difference most is "
            "in the smaller arm.",
        ),
        "scale for deviation": (
            partial(_deviation, root=False),
            "That is the scale b of the Laplace distribution. Its standard deviation is the root "
            "of two times b.",
        ),
    },
    "How far can one user's click move the difference? Divide by epsilon, then turn the scale into "
    "a standard deviation.",
)
