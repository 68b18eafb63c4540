"""The exercise of the page on ghost ads: a campaign's report, and what an exposure added."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalbook.exercises import Exercise

if TYPE_CHECKING:
    import pandas as pd

USERS, GHOSTS, EXPOSED = 100_000, 10_000, 8_000  # in each arm; exposed in the campaign only
BOUGHT = {"campaign": (5_310, 1_090, 1_000), "holdout": (5_240, 1_000, 0)}


def campaign_report() -> pd.DataFrame:
    """Return the two arms of a campaign: users, ghosts and exposed, and how many of each bought."""
    import pandas as pd

    rows = [
        (arm, USERS, GHOSTS, EXPOSED if arm == "campaign" else 0, *bought)
        for arm, bought in BOUGHT.items()
    ]
    columns = ["arm", "users", "ghosts", "exposed"]
    return pd.DataFrame(rows, columns=[*columns, "bought", "ghosts bought", "exposed bought"])


def _more(which: int) -> int:
    return BOUGHT["campaign"][which] - BOUGHT["holdout"][which]


def _against_the_rest() -> float:
    everyone, _, seen = BOUGHT["campaign"]
    return seen / EXPOSED - (everyone - seen) / (USERS - EXPOSED)


EXERCISE = Exercise(
    answer=lambda: _more(1) / EXPOSED,
    misconceptions={
        "exposed against ghosts": (
            lambda: BOUGHT["campaign"][2] / EXPOSED - BOUGHT["holdout"][1] / GHOSTS,
            "You compared those who were served with all who were predicted. Two in ten of the "
            "predicted were not served, and those bought far less. Compare ghosts of both arms.",
        ),
        "not divided": (
            lambda: _more(1) / GHOSTS,
            "That is what the campaign added for each ghost. Only the exposed can have been moved: "
            "divide by them.",
        ),
        "everybody": (
            lambda: _more(0) / EXPOSED,
            "That is Wald's ratio over all users: right on average, and it carries the noise of "
            "90,000 users in each arm who were never going to see the ad. Use the ghosts.",
        ),
        "exposed against unexposed": (
            _against_the_rest,
            "You compared exposed and unexposed users of one arm: the auction chose them, not a "
            "lottery.",
        ),
    },
    hint="The lottery made the ghosts of both arms alike. Take the difference in purchases between "
    "them, and ask how many users can have caused it.",
)
