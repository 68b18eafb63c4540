"""The checker of the privacy exercise: right answers pass, mistakes meet their own hint."""

import numpy as np

from causalbook.exercises import check
from causalbook.project.answers_privacy import survey

EXERCISE = "project.privacy"


def test_right_answers_and_misconceptions(examine):
    # By hand: an answer varies by .09; the lies add .1875 / .25 = .75; .84 / .09 is 28/3.
    mistakes = {
        "spread of the reports": (0.30 * 0.70 / 0.09, "stretches them"),
        "the noise alone": (0.75 / 0.09, "still differ between users"),
        "stretch alone": (4.0, "which vary more"),
    }
    examine(EXERCISE, 28 / 3, mistakes, "How large is the variance of one score")


def test_that_many_users_give_the_same_error():
    share, p = survey().values()
    rng, n = np.random.default_rng(1), 3_000
    many = round(28 / 3 * n)
    plain = rng.binomial(n, share, size=40_000) / n
    said = rng.binomial(many, p * share + (1 - p) * (1 - share), size=40_000) / many
    stretched = (said - (1 - p)) / (2 * p - 1)
    assert abs(stretched.std() / plain.std() - 1) < 0.03
    assert check(EXERCISE, 28 / 3)
