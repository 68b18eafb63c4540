"""The checker of the exercise on testing further: by hand, with the normal tables of scipy."""

import math

from scipy.stats import norm

from causalbook.case_study.answers_advertising import EXERCISE, MORE, VISITS, practice_profit
from causalbook.exercises import check

M, S, N = 0.02, 0.03, 2_000
MOVES = S * math.sqrt(MORE / (N + MORE))


def loss(s):
    return s * (norm.pdf(M / s) - M / s * norm.cdf(-M / s))


def test_the_answer_by_hand():
    p = practice_profit()
    assert (p.value, p.n) == (M, N)
    assert math.isclose(p.se, S, rel_tol=1e-12)
    assert check("case_study.advertising", (VISITS - MORE) * loss(MOVES) - MORE * M / 2)


def test_each_misconception_gets_its_hint():
    wrong = {
        "the test is free": (VISITS - MORE) * loss(MOVES),
        "perfect knowledge": VISITS * loss(S),
        "the whole error": (VISITS - MORE) * loss(S) - MORE * M / 2,
    }
    assert set(wrong) == set(EXERCISE.misconceptions)
    for name, answer in wrong.items():
        feedback = check("case_study.advertising", answer)
        assert not feedback
        assert feedback.misconception == name


def test_another_number_gets_the_general_hint():
    assert check("case_study.advertising", 0.0).misconception is None
