"""The checker of the privacy exercise: right answers pass, mistakes meet their own hint."""

from math import sqrt

import numpy as np

from causalbook.exercises import check

EXERCISE = "llm_encoding.privacy"


def test_right_answers_and_misconceptions(examine):
    # By hand: a click moves the treated rate by 1/250; over an epsilon of a half that is 1/125.
    mistakes = {
        "one in all users": (sqrt(2) / 500, "rate of its own arm"),
        "larger arm": (sqrt(2) / 375, "in the smaller arm"),
        "scale for deviation": (1 / 125, "root of two times b"),
    }
    examine(EXERCISE, sqrt(2) / 125, mistakes, "How far can one user's click")


def test_the_noise_has_the_deviation_and_the_loss():
    noise = np.random.default_rng(1).laplace(0, 1 / 125, size=1_000_000)
    assert abs(noise.std() / (sqrt(2) / 125) - 1) < 0.01
    # Neighbours differ by 1/250; the density of the release changes by e to the half at most.
    at = np.linspace(-0.1, 0.1, 1001)
    ratio = (np.abs(at - 1 / 250) - np.abs(at)) * 125
    assert np.abs(ratio).max() <= 0.5 + 1e-12
    assert check(EXERCISE, sqrt(2) / 125)
