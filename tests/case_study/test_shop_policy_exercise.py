"""The checker of the exercise on the shop's policy: by hand, and through the package."""

import numpy as np
import pytest

from causalbook.case_study import analyse
from causalbook.case_study.answers_shop_policy import practice_test
from causalbook.exercises import check

EXERCISE = "case_study.shop_policy"
# By hand: the rule shows the first four. The coin showed the first (an order of 14) and the third
# (none), and left the slot empty for the second (none) and the fourth (6).
SHOWN, EMPTY = (0.3 * 14 - 0.02) + (0 - 0.02), 0.3 * 6


def test_right_answers_and_misconceptions(examine):
    mistakes = {
        "the promise": ((0.5 + 0.3 + 0.2 + 0.1) / 8, "what the model promises"),
        "never compared": (2 * SHOWN / 8, "with an empty slot"),
        "for each visit shown": (2 * (SHOWN - EMPTY) / 4, "for each of the eight"),
        "the slot is free": (2 * (0.3 * 14 - EMPTY) / 8, "two cents"),
    }
    examine(EXERCISE, 2 * (SHOWN - EMPTY) / 8, mistakes, "Profit of each visit first")


def test_the_package_gives_the_right_answer():
    table = practice_test()
    profit = 0.3 * table["order value"] - 0.02 * table["shown"]
    with pytest.warns(UserWarning, match="effective rewarded rounds"):
        found = analyse(table["predicted gain"], profit, table["shown"], np.full(8, 0.5))
    assert check(EXERCISE, found["rule"])
