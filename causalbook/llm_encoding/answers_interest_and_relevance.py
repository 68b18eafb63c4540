"""The exercise about interest and relevance: what showing one film gains."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from causalbook.exercises import Exercise

if TYPE_CHECKING:
    import pandas as pd

# (users, was the film shown) -> (rounds, watched within the week)
ROUNDS = {
    ("fans", 1): (160, 80),
    ("fans", 0): (40, 8),
    ("others", 1): (100, 10),
    ("others", 0): (700, 28),
}


def practice_rounds() -> pd.DataFrame:
    """Return the table of the exercise: users, shown, rounds, watched."""
    import pandas as pd

    rows = [(*cell, *counts) for cell, counts in ROUNDS.items()]
    return pd.DataFrame(rows, columns=["users", "shown", "rounds", "watched"])


def gained(*, pooled: bool = False, withheld: bool = True) -> float:
    """Watches gained by showing the film to everybody; the two switches are the mistakes."""
    rounds, watched = ({cell: counts[which] for cell, counts in ROUNDS.items()} for which in (0, 1))
    groups = [("fans", "others")] if pooled else [("fans",), ("others",)]
    total = 0.0
    for group in groups:
        n, y = ([sum(part[g, a] for g in group) for a in (0, 1)] for part in (rounds, watched))
        effect = y[1] / n[1] - (y[0] / n[0] if withheld else 0)
        total += sum(n) * effect
    return total / sum(rounds.values())


EXERCISE = Exercise(
    gained,
    {
        "groups pooled": (
            partial(gained, pooled=True),
            "This compares all who were shown the film with all who were not. It was shown mostly "
            "to fans, who watch more either way: compare within fans and within others first.",
        ),
        "interest for effect": (
            partial(gained, withheld=False),
            "This is the share that would watch if shown: interest. Some would have watched "
            "without being shown; subtract them, group by group.",
        ),
        "both": (
            partial(gained, pooled=True, withheld=False),
            "This is the watch rate where the film was shown. It counts mostly fans, and those "
            "who would have watched anyway.",
        ),
    },
    "Take the difference between shown and withheld within each group, then average it over all "
    "rounds of the groups.",
)
