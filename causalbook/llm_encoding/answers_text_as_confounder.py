"""The exercise of the page on text as a confounder: what a good reading of the intent leaves."""

from __future__ import annotations

from fractions import Fraction

from causalbook.exercises import Exercise
from causalbook.potential_outcomes import ExactWorld

RIGHT = Fraction(9, 10)  # how often the reading tells the intent


def reading_world(right: Fraction) -> ExactWorld:
    """Two intents, U; a reading W that is right so often; U decides who is treated and Y."""
    chance = {0: Fraction(1, 4), 1: Fraction(3, 4)}
    return ExactWorld(
        U=Fraction(1, 2),
        W=lambda U: right if U == 1 else 1 - right,
        A=lambda U: chance[U],
        Y=lambda U, A: Fraction(1, 8) + Fraction(1, 4) * A + Fraction(1, 2) * U,
    )


def _bias(adjust: bool) -> Fraction:
    world, total = reading_world(RIGHT), Fraction(0)
    for w in (0, 1):
        arms = [world.mean("Y", {"A": a} | ({"W": w} if adjust else {})) for a in (1, 0)]
        total += world.prob({"W": w}) * (arms[0] - arms[1])
    return total - world.estimands()["ATE"]


def _left() -> float:
    return float(_bias(adjust=True) / _bias(adjust=False))


def _r2() -> float:
    return float((2 * RIGHT - 1) ** 2)


EXERCISE = Exercise(
    answer=_left,
    misconceptions={
        "error rate": (
            lambda: float(1 - RIGHT),
            "That is how often the reading is wrong. A label right so often still mixes both "
            "intents in each of its groups, and the treated are not mixed like the untreated.",
        ),
        "what R2 leaves": (
            lambda: 1 - _r2(),
            "That is the numerator. The reading also takes out what of the treatment it predicts: "
            "divide by one less rho squared times R squared.",
        ),
        "share removed": (
            lambda: 1 - _left(),
            "That is the share of the bias that adjusting takes away; asked is what it leaves.",
        ),
    },
    hint="Compute R squared between intent and reading, rho squared between intent and treatment, "
    "and put both into the formula of the page; or enumerate the world.",
)
