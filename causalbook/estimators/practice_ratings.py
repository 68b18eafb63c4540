"""What the exercise on ratings asks about: six pairs, four of them observed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def practice_pairs() -> pd.DataFrame:
    """Return two users and three films with a model's loss where it was seen, for pen and paper."""
    import pandas as pd

    return pd.DataFrame(
        {
            "user": [0, 0, 0, 1, 1, 1],
            "film": [0, 1, 2, 0, 1, 2],
            "propensity": [0.5, 0.25, 0.2, 0.8, 0.5, 0.1],
            "loss": [1.0, None, 4.0, 1.0, 3.0, None],
        }
    )


def risk() -> float:
    """Weighted losses over all pairs: IPS."""
    return _weighted() / len(practice_pairs())


def mean_of_the_observed() -> float:
    """Return the plain mean of the losses that were seen."""
    return float(practice_pairs()["loss"].mean())


def divided_by_the_observed() -> float:
    """Weighted losses over the number of observed pairs."""
    return _weighted() / practice_pairs()["loss"].count()


def divided_by_the_weights() -> float:
    """Weighted losses over the sum of the weights: SNIPS."""
    seen = practice_pairs().dropna()
    return _weighted() / float((1 / seen["propensity"]).sum())


def _weighted() -> float:
    seen = practice_pairs().dropna()
    return float((seen["loss"] / seen["propensity"]).sum())
