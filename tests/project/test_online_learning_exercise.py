"""The checker of the exercise on online learning: by hand, and through the package."""

import numpy as np
import pytest

from causalbook.estimators import Log, ips
from causalbook.exercises import check
from causalbook.project.answers_online_learning import practice_visits

EXERCISE = "project.online_learning"


def test_right_answers_and_misconceptions(examine):
    # Four viewers saw B. Two of them watched it to the end: one on Monday, one on Tuesday.
    mistakes = {
        "mean where shown": (2 / 4, "The learner chose when to show it"),
        "the chance of today": ((5 + 5) / 10, "by Tuesday's chance"),
        "the average chance": (2 / 0.35 / 10, "averaged over both days"),
        "for each viewer of B": ((2 + 5) / 4, "divide by ten"),
    }
    examine(EXERCISE, (2 + 5) / 10, mistakes, "divided by all viewers")


def test_the_package_gives_the_right_answer():
    table = practice_visits()
    b = (table["film"] == "B").to_numpy()
    p = table["chance of B"].to_numpy()
    log = Log(b, table["finished"], np.where(b, p, 1 - p))
    with pytest.warns(UserWarning, match="effective rewarded rounds"):
        found = ips(log, np.tile([0.0, 1.0], (10, 1)))
    assert check(EXERCISE, found)
