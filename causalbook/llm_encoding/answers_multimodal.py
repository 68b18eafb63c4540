"""The exercise of multimodal: how much of a distance each of two fused sources makes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from causalbook.exercises import Exercise

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("text_1", "text_2", "text_3", "year")
ROWS = ((1, 2, 3, 1990), (-1, -2, 3, 2010), (1, -2, -3, 2010), (-1, 2, -3, 1990))


def practice_blocks() -> pd.DataFrame:
    """Return four users with three numbers from their texts and a year."""
    import pandas as pd

    return pd.DataFrame(ROWS, columns=COLUMNS)


def year_share(*, standardise: bool = True, by_block: bool = True) -> float:
    """Share of the year in the squared distance of the first two users; each False is a mistake."""
    X = np.array(ROWS, dtype=np.float64)
    square = (X[0] - X[1]) ** 2 / (X.var(axis=0) if standardise else 1.0)
    text = square[:3].sum() / (3 if by_block else 1)
    return float(square[3] / (square[3] + text))


EXERCISE = Exercise(
    year_share,
    {
        "columns as they are": (
            partial(year_share, standardise=False, by_block=False),
            "A year is a large number, so as it stands it makes nearly all of the distance. Divide "
            "each column by its standard deviation first.",
        ),
        "columns, not blocks": (
            partial(year_share, by_block=False),
            "Each column is standardised, and the text has three of them against one. Divide each "
            "source by the square root of its number of columns too.",
        ),
        "one half": (
            lambda: 0.5,
            "The sources are even on average over all pairs of users. These two differ from one "
            "another more in one of them: compute their distance.",
        ),
    },
    "Divide by the standard deviations (ddof=0), then by the roots of the numbers of columns, and "
    "take squared differences of the first two rows.",
)
