"""What the exercise on uplift asks about: eight users, a rule, and the answers people give."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def practice_rule() -> pd.DataFrame:
    """Return eight users of an experiment with the rule's choice for each, for pen and paper."""
    import pandas as pd

    return pd.DataFrame(
        {
            "rule": [1, 1, 1, 0, 0, 1, 0, 0],
            "A": [1, 0, 1, 0, 1, 0, 0, 0],
            "e": [0.5, 0.5, 0.2, 0.2, 0.5, 0.2, 0.5, 0.2],
            "Y": [6, 2, 2, 4, 5, 1, 2, 8],
        }
    )


def as_drawn(*, weighted: bool = True) -> pd.Series[float]:
    """Outcomes of those whom chance gave what the rule would, over the chance of that."""
    users = practice_rule()
    chance = users["A"] * users["e"] + (1 - users["A"]) * (1 - users["e"])
    return (users["A"] == users["rule"]) * users["Y"] / (chance if weighted else 1.0)


def agreeing() -> int:
    """Users whom chance gave what the rule would."""
    return int((practice_rule()["A"] == practice_rule()["rule"]).sum())


def rule_value() -> float:
    """Mean outcome under the rule, over all eight."""
    return float(as_drawn().mean())


def unweighted() -> float:
    """Mean outcome of those whom chance gave what the rule would."""
    return float(as_drawn(weighted=False).sum() / agreeing())


def treated_only() -> float:
    """Leave out those whom the rule does not treat."""
    return float((as_drawn() * practice_rule()["rule"]).mean())


def per_agreeing() -> float:
    """Divide by those whom chance gave what the rule would."""
    return float(as_drawn().sum() / agreeing())
