"""What the exercise on learning policies asks about: two weeks of two policies, and the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def practice_weeks() -> pd.DataFrame:
    """Return ten rounds of two weeks, with what each week's policy would have done in each."""
    import pandas as pd

    return pd.DataFrame(
        {
            "week": [1, 1, 1, 1, 1, 1, 2, 2, 2, 2],
            "item": [0, 1, 0, 0, 1, 0, 1, 0, 1, 1],
            "p_week_1": [0.8, 0.2, 0.8, 0.8, 0.2, 0.8, 0.2, 0.8, 0.2, 0.2],
            "p_week_2": [0.4, 0.6, 0.4, 0.4, 0.6, 0.4, 0.6, 0.4, 0.6, 0.6],
            "reward": [1, 1, 0, 1, 0, 0, 1, 1, 0, 0],
        }
    )


def weighed_by(p: pd.Series[float]) -> float:
    """IPS over all rounds of always showing item 1, with p as the propensities."""
    log = practice_weeks()
    return float(((log["item"] == 1) / p * log["reward"]).mean())


def balanced() -> float:
    """Divide by the probability under the two policies in the shares of their rounds."""
    log = practice_weeks()
    first = float((log["week"] == 1).mean())
    return weighed_by(first * log["p_week_1"] + (1 - first) * log["p_week_2"])


def own_propensity() -> float:
    """Divide each round by what its own week's policy would have done."""
    log = practice_weeks()
    return weighed_by(log["p_week_1"].where(log["week"] == 1, log["p_week_2"]))


def halves() -> float:
    """Average the two probabilities, as if the weeks were equally long."""
    log = practice_weeks()
    return weighed_by((log["p_week_1"] + log["p_week_2"]) / 2)


def week_by_week() -> float:
    """Average the two weeks' own estimates."""
    log = practice_weeks().assign(hit=lambda t: (t["item"] == 1) * t["reward"])
    means = [
        (own["hit"] / own[f"p_week_{week}"]).mean() for week, own in log.groupby("week", sort=True)
    ]
    return float(sum(means) / len(means))
