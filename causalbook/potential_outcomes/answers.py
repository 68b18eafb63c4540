"""Answers to the exercises of this part, computed from the data that the pages show."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

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


# bounds: who saw the explanation beside a film, and the stars (one to five) each user gave.
EXPLAINED = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
STARS = np.array([5, 4, 5, 3, 3, 4, 2, 4, 3, 2])


def _least_effect(low: int, high: int) -> float:
    """Smallest effect where stars lie between low and high."""
    return float(np.where(EXPLAINED == 1, STARS - high, low - STARS).mean())


def _difference_in_stars() -> float:
    return float(STARS[EXPLAINED == 1].mean() - STARS[EXPLAINED == 0].mean())


# selection_bias: visits by intent (low, high) without and with an offer, and their purchases.
VISITS = np.array([[600, 200], [50, 150]])
PURCHASES = np.array([[30, 30], [20, 66]])


def _gaps() -> npt.NDArray[np.float64]:
    rate = PURCHASES / VISITS
    return np.asarray(rate[:, 1] - rate[:, 0])


def _standardised() -> float:
    return float(np.average(_gaps(), weights=VISITS.sum(axis=1)))


def _pooled() -> float:
    empty, offered = PURCHASES.sum(axis=0) / VISITS.sum(axis=0)
    return float(offered - empty)


# direct_and_indirect: baskets of both arms, and the purchase rates without and with a basket.
BASKET = np.array([[0.8, 0.2], [0.4, 0.6]])  # P(M | A)
BOUGHT = np.array([[0.05, 0.25], [0.10, 0.55]])  # E[Y | A, M]


def _kept(arm: int) -> float:
    """Difference of the arms at each m, averaged with the baskets of one arm."""
    return float((BOUGHT[1] - BOUGHT[0]) @ BASKET[arm])


def _whole() -> float:
    return float(BOUGHT[1] @ BASKET[1] - BOUGHT[0] @ BASKET[0])


# experiments: a push message drawn by lot; (message, opened) -> (users, orders).
PUSH = {(1, 1): (400, 100), (1, 0): (600, 50), (0, 1): (100, 45), (0, 0): (900, 75)}


def _rate(which: int, *cells: tuple[int, int]) -> float:
    """Orders (which = 1) or openers (which = 0) per user over these cells."""
    users = sum(PUSH[cell][0] for cell in cells)
    hits = sum(PUSH[cell][1] if which else PUSH[cell][0] * cell[1] for cell in cells)
    return hits / users


def _offer() -> float:
    return _rate(1, (1, 1), (1, 0)) - _rate(1, (0, 1), (0, 0))


def _complier() -> float:
    return _offer() / (_rate(0, (1, 1), (1, 0)) - _rate(0, (0, 1), (0, 0)))


def _as_treated() -> float:
    return _rate(1, (1, 1), (0, 1)) - _rate(1, (1, 0), (0, 0))


def _exposed_against_control() -> float:
    return _rate(1, (1, 1)) - _rate(1, (0, 1), (0, 0))


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
    "bounds": Exercise(
        answer=lambda: _least_effect(1, 5),
        misconceptions={
            "range of the data": (
                lambda: _least_effect(int(STARS.min()), int(STARS.max())),
                "This fills the missing stars with the smallest and largest that were given. "
                "Nobody gave one star here, but a missing outcome might be one: fill with what "
                "the outcome can be, not with what was seen.",
            ),
            "naive difference": (
                _difference_in_stars,
                "This is the mean of those who saw the explanation minus that of the others: two "
                "groups who chose. No column was filled. Give each user both outcomes, the missing "
                "one as bad for the effect as it can be.",
            ),
        },
        hint="Write both columns. To make the effect small, fill the missing Y(1) with the lowest "
        "and the missing Y(0) with the highest number of stars that can be given.",
    ),
    "selection_bias": Exercise(
        answer=_standardised,
        misconceptions={
            "pooled difference": (
                _pooled,
                "This pools the intents before comparing: most of those offered something have "
                "high intent, most of the others low. Compare within each intent first.",
            ),
            "plain mean of the strata": (
                lambda: float(_gaps().mean()),
                "Right gaps, wrong weights: this counts each intent as half of the visits. Weight "
                "each gap by its intent's share of all visits.",
            ),
        },
        hint="Within each intent, take the purchase rate with an offer minus that without; then "
        "average the two gaps over all visits.",
    ),
    "direct_and_indirect": Exercise(
        answer=lambda: _kept(0),
        misconceptions={
            "weights of the shown": (
                lambda: _kept(1),
                "This weights the differences with the baskets of the shown: the total direct "
                "effect. Without its button the banner fills no baskets, so use P(M | A = 0).",
            ),
            "total effect": (
                _whole,
                "This is the total effect: it still counts the baskets that the banner fills. Let "
                "the baskets be as without the banner in both terms.",
            ),
        },
        hint="At each M take E[Y | 1, M] - E[Y | 0, M]; then average over the baskets that users "
        "fill without the banner.",
    ),
    "experiments": Exercise(
        answer=_complier,
        misconceptions={
            "effect of the message": (
                _offer,
                "This is the effect of the message, averaged over all who got it. Most of them did "
                "not open because of it. Divide by the share whom the message made open.",
            ),
            "openers against the others": (
                _as_treated,
                "This compares those who opened with those who did not. They chose, so they differ "
                "in more than opening: nothing was drawn by lot between them. Compare the arms as "
                "drawn first.",
            ),
            "openers with a message against all without": (
                _exposed_against_control,
                "This takes the openers from one arm and everybody from the other. The lots made "
                "the whole arms alike, not a part of one and the whole of the other.",
            ),
        },
        hint="Two differences between the arms as drawn: in orders per user, and in openers.",
    ),
}
