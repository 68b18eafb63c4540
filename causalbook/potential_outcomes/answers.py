"""Answers to the exercises of this part, computed from the data that the pages show."""

from __future__ import annotations

import numpy as np

from causalbook.exercises import Exercise

# science_table: who got a coupon, and the orders of each customer without and with one.
COUPON = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
ORDERS_0 = np.array([2, 3, 4, 5, 0, 1, 0, 1, 2, 1])
ORDERS_1 = np.array([3, 3, 6, 4, 2, 2, 3, 2, 3, 3])


def _att() -> float:
    return float((ORDERS_1 - ORDERS_0)[COUPON == 1].mean())


def _ate() -> float:
    return float((ORDERS_1 - ORDERS_0).mean())


def _naive() -> float:
    return float(ORDERS_1[COUPON == 1].mean() - ORDERS_0[COUPON == 0].mean())


EXERCISES = {
    "science_table": Exercise(
        answer=_att,
        misconceptions={
            "naive difference": (
                _naive,
                "This is the mean order of those with a coupon minus that of those without: two "
                "different groups of people. It is the ATT plus the selection bias. Compare each "
                "customer with a coupon with the same customer without one.",
            ),
            "average over everyone": (
                _ate,
                "This is the ATE, the mean effect over all ten customers. The question is about "
                "those who got the coupon: average over the rows with A = 1 only.",
            ),
        },
        hint="Write Y(1) - Y(0) beside each row, then ask over which rows the ATT averages it.",
    ),
}
