"""The checker of the exercise on intents, against fractions by hand."""

from fractions import Fraction

from causalbook.exercises import check
from causalbook.llm_encoding import intent_vectors
from causalbook.llm_encoding.answers_encoding import HALF_LIFE, NOW, WEIGHT, practice_events

EXERCISE = "llm_encoding.encoding"
HALF = Fraction(1, 2)  # ages of 7, 14, 21, 14 and 0 days, in half-lives 1, 2, 3, 2 and 0
FILM_0, FILM_1 = HALF + HALF**2, 4 * HALF**2 + HALF**3


def test_right_answers_and_misconceptions(examine):
    light = HALF**2 + HALF**3
    mistakes = {
        "with the last event": ((FILM_0 + 1) / (FILM_0 + 1 + FILM_1), "event of day 28"),
        "divided by the number": (FILM_0 / 4, "divides by the sum"),
        "all actions alike": (FILM_0 / (FILM_0 + light), "four times the weight"),
    }
    examine(EXERCISE, FILM_0 / (FILM_0 + FILM_1), mistakes, "Weigh each event before day 28")


def test_the_package_gives_the_right_answer():
    log = practice_events()
    settings = {"now": NOW, "half_life": HALF_LIFE, "weight": WEIGHT}
    intent = intent_vectors(log[log["time"] < NOW], [[1, 0], [0, 1]], **settings)
    assert check(EXERCISE, intent.iloc[0, 0])
