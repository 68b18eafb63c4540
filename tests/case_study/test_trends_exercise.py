"""The checker of the exercise on trends: a synthetic control of two donors, by pen and paper."""

from fractions import Fraction

import numpy as np
import pytest

from causalbook.case_study.answers_trends import practice_donors
from causalbook.estimators import synthetic_control
from causalbook.exercises import check

F, EXERCISE = Fraction, "case_study.trends"
# Three quarters of A and one of B: 45, 47, 50, 51 before, 55 and 58 after.
PROMOTED, A, B = (63, 68), (52, 54), (64, 70)
GAPS = [y - F(3, 4) * a - F(1, 4) * b for y, a, b in zip(PROMOTED, A, B, strict=True)]


def test_right_answers_and_misconceptions(examine):
    before, after = F(45 + 47 + 50 + 51, 4), F(63 + 68, 2)
    donors_before, donors_after = F(40 + 44 + 46 + 50 + 60 + 56 + 62 + 54, 8), F(58 + 62, 2)
    mistakes = {
        "before and after": (after - before, "against its own past"),
        "equal weights": (after - donors_after, "plain mean of the donors"),
        "two differences": (
            (after - before) - (donors_after - donors_before),
            "difference in differences",
        ),
    }
    assert sum(GAPS) / 2 == 9
    examine(EXERCISE, sum(GAPS) / 2, mistakes, "Find the share w")


def test_the_mixture_fits_the_weeks_before_and_the_package_finds_it():
    table = practice_donors().set_index("week")
    mixed = 0.75 * table["item A"] + 0.25 * table["item B"]
    assert np.array_equal(mixed[:4], table["promoted item"][:4])
    long = table.melt(ignore_index=False, var_name="item", value_name="sales").reset_index()
    found = synthetic_control(long, "sales", "item", "week", "promoted item", 5)
    assert found.weights["item A"] == pytest.approx(0.75, abs=1e-12)
    assert check(EXERCISE, found.effect)
