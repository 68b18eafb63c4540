"""The exercise of the page on advertising: what one more test is worth."""

from __future__ import annotations

import math

import numpy as np

from causalbook.case_study.decisions import decide
from causalbook.case_study.waiting import gain_from_testing
from causalbook.estimate import Estimate
from causalbook.exercises import Exercise

VISITS, MORE = 50_000, 6_000


def practice_profit() -> Estimate:
    """Return the profit of acting on one visit, as 2,000 visits tell it."""
    psi = np.tile([1.0, -1.0], 1_000) * 0.03 * math.sqrt(2_000)
    return Estimate(0.02, psi, "profit per visit", "A/B test", sample="practice")


def _worth() -> float:
    return gain_from_testing(practice_profit(), units=VISITS, more=MORE)


def _free_test() -> float:
    return _worth() + MORE * practice_profit().value / 2


def _perfect() -> float:
    return decide(practice_profit(), units=VISITS).expected_regret


def _whole_error() -> float:
    cost = MORE * practice_profit().value / 2
    return decide(practice_profit(), units=VISITS - MORE).expected_regret - cost


EXERCISE = Exercise(
    _worth,
    {
        "the test is free": (
            _free_test,
            "That is what the better decision is expected to earn. Half of the test's visits get "
            "what now looks worse: take that off.",
        ),
        "perfect knowledge": (
            _perfect,
            "That is what knowing the profit exactly would be worth, for nothing. A test moves the "
            "estimate by less than its whole error, uses up visits, and costs something.",
        ),
        "the whole error": (
            _whole_error,
            "You let the estimate move by its whole standard error. So many visits more take away "
            "a share of it: s is multiplied by the root of k / (n + k).",
        ),
    },
    "Three pieces: how far the estimate may move, what the visits that are left gain by it, what "
    "the test costs.",
)
