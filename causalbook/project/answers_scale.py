"""The exercise of the page on scale: an error from the sums of six buckets."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from causalbook.arrays import Array, Ints
from causalbook.exercises import Exercise

if TYPE_CHECKING:
    import pandas as pd

N = np.array([40, 10, 0, 25, 60, 15])
W = np.array([44, 8, 0, 30, 52, 18])
WR = np.array([18, 5, 0, 9, 30, 10])


def practice_buckets() -> pd.DataFrame:
    """Return the sums of a small log in six buckets, of which one is empty."""
    import pandas as pd

    return pd.DataFrame({"bucket": range(6), "n": N, "w": W, "wr": WR})


def _error(residual: Array, below: Ints) -> float:
    return math.sqrt(residual @ residual) / float(below.sum())


def _right() -> float:
    return _error(WR - WR.sum() / N.sum() * N, N)


def _sizes() -> float:
    return _error(WR - WR.mean(), N)


def _rates() -> float:
    rates = WR[N > 0] / N[N > 0]
    return float(rates.std() / math.sqrt(len(rates)))


def _self_normalised() -> float:
    return _error(WR - WR.sum() / W.sum() * W, W)


EXERCISE = Exercise(
    _right,
    {
        "the sizes": (
            _sizes,
            "These residuals are around the mean bucket sum, so they count how unequal the buckets "
            "are. A bucket with four times the rounds should have four times the reward: subtract "
            "the estimate times its n.",
        ),
        "the rates": (
            _rates,
            "This is the error of a mean of the buckets' rates, in which a bucket of ten rounds "
            "counts as much as one of sixty. IPS is a ratio of two sums.",
        ),
        "self-normalised": (
            _self_normalised,
            "This is the error of SNIPS, which divides by the sum of the weights. IPS divides by "
            "the number of rounds.",
        ),
    },
    "The estimate is the sum of wr over the sum of n. The residual of a bucket is wr less the "
    "estimate times n: square, add up, take the root, divide by all rounds.",
)
