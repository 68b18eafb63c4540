"""The exercise of the page on cost: the error of a change on the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from causalbook.arrays import Array
from causalbook.exercises import Exercise

if TYPE_CHECKING:
    import pandas as pd


def practice_scores() -> pd.DataFrame:
    """Return the scores of six visitors, with the full and with a cheap encoder."""
    import pandas as pd

    full = [0.1, 0.9, -0.4, 0.6, 1.2, -0.6]
    cheap = [0.3, 0.8, -0.5, 0.9, 1.2, -0.3]
    return pd.DataFrame({"visitor": range(6), "full": full, "cheap": cheap})


def _error(scores: Array) -> float:
    """Standard error of a mean of scores."""
    return float(np.sqrt(((scores - scores.mean()) ** 2).sum()) / len(scores))


def _scores() -> tuple[Array, Array]:
    table = practice_scores()
    return table["full"].to_numpy(), table["cheap"].to_numpy()


def _change() -> float:
    full, cheap = _scores()
    return _error(cheap - full)


def _as_if_independent() -> float:
    full, cheap = map(_error, _scores())
    return float(np.hypot(full, cheap))


def _difference_of_errors() -> float:
    full, cheap = map(_error, _scores())
    return abs(cheap - full)


def _spread() -> float:
    full, cheap = _scores()
    return float((cheap - full).std())


EXERCISE = Exercise(
    _change,
    {
        "two samples": (
            _as_if_independent,
            "That adds the variances, as for two groups of different visitors. These are the same "
            "ones: what they share cancels. Subtract row by row first.",
        ),
        "difference of errors": (
            _difference_of_errors,
            "Errors do not subtract: two estimates with equal errors can still differ by a lot. "
            "Subtract the scores, then take the error.",
        ),
        "spread of one row": (
            _spread,
            "This is how far one visitor's change strays. The mean of six strays less: divide by "
            "the root of six.",
        ),
    },
    "Take cheap less full in each row, then the standard error of the mean of the six differences.",
)
