"""The checker of the exercise on two logs, all answers worked out by hand."""

from fractions import Fraction

import numpy as np
import pytest

from causalbook.estimators import Log, ips, pool
from causalbook.estimators.answers import practice_weeks

# Item 1 was shown and clicked in rounds 2 (week 1) and 7 (week 2); six rounds of ten are week 1's.
SHOWN = (Fraction(1, 5), Fraction(3, 5))  # by the policies of the two weeks
BALANCED = 2 / (Fraction(6, 10) * SHOWN[0] + Fraction(4, 10) * SHOWN[1]) / 10


def test_right_answers_and_misconceptions(examine):
    own = 1 / SHOWN[0] + 1 / SHOWN[1]
    weekly = (1 / SHOWN[0] / 6 + 1 / SHOWN[1] / 4) / 2
    mistakes = {
        "each week by its own": (own / 10, "each round by the policy of its own week"),
        "weeks of equal length": (2 / (sum(SHOWN) / 2) / 10, "six of the ten rounds"),
        "mean of two estimates": (weekly, "estimated each week by itself"),
    }
    examine("estimators.off_policy_learning", BALANCED, mistakes, "average over all ten rounds")


def test_pool_agrees():
    weeks = practice_weeks()
    logs = []
    for week, rows in weeks.groupby("week"):
        logs.append(Log(rows["item"], rows["reward"], rows[f"p_week_{week}"]))
    both = pool(logs, [weeks["p_week_1"], weeks["p_week_2"]])
    target = np.tile([0.0, 1.0], (10, 1))
    with pytest.warns(UserWarning, match="effective rewarded rounds"):
        value = ips(both, target).value
    assert value == pytest.approx(float(BALANCED), rel=1e-12)


def test_the_table_is_the_one_worked_out():
    weeks = practice_weeks()
    won = weeks[(weeks["item"] == 1) & (weeks["reward"] == 1)]
    assert won.index.tolist() == [1, 6]
    assert won["week"].tolist() == [1, 2]
    assert weeks["week"].value_counts().to_dict() == {1: 6, 2: 4}
    item = weeks["item"]
    for week, p in ((1, 0.2), (2, 0.6)):  # one rule for both items
        assert weeks[f"p_week_{week}"].tolist() == pytest.approx(np.where(item == 1, p, 1 - p))
