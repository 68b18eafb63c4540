"""The exercise of the page on fine-tuning: what forty lines of a log say, and what is true."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalbook.exercises import Exercise

if TYPE_CHECKING:
    import pandas as pd

# Kind of visitor, banner shown: how many lines, and how many of them bought.
LINES = {("loyal", 1): (12, 9), ("loyal", 0): (4, 4), ("new", 1): (4, 1), ("new", 0): (20, 8)}


def practice_lines() -> pd.DataFrame:
    """Forty lines of a log: `kind` of visitor, banner `shown`, `bought`."""
    import pandas as pd

    lines = [
        (kind, shown, int(i < bought))
        for (kind, shown), (n, bought) in LINES.items()
        for i in range(n)
    ]
    return pd.DataFrame(lines, columns=["kind", "shown", "bought"])


def effect() -> float:
    """Differences within the kinds, weighted by the kinds among all."""
    return _weighted(16 / 40, 24 / 40)


def seen() -> float:
    """What the next word would say: the plain difference."""
    log = practice_lines()
    return float(
        log.loc[log.shown == 1, "bought"].mean() - log.loc[log.shown == 0, "bought"].mean()
    )


def unweighted() -> float:
    """Each kind counts the same."""
    return _weighted(1 / 2, 1 / 2)


def of_the_shown() -> float:
    """Weighted by the kinds among those who saw the banner."""
    return _weighted(12 / 16, 4 / 16)


def _weighted(loyal: float, new: float) -> float:
    rate = practice_lines().groupby(["kind", "shown"])["bought"].mean()
    within = {kind: rate[kind, 1] - rate[kind, 0] for kind in ("loyal", "new")}
    return float(loyal * within["loyal"] + new * within["new"])


EXERCISE = Exercise(
    effect,
    {
        "seeing for doing": (
            seen,
            "This is what a language model would say: the share that bought where the banner was "
            "seen, less the share where it was not. The loyal are mixed into it; compare within "
            "each kind.",
        ),
        "kinds counted the same": (
            unweighted,
            "The differences within the kinds are right. Average them with the shares of the kinds "
            "among all forty visitors, who are not half and half.",
        ),
        "of those who were shown it": (
            of_the_shown,
            "This weighs the kinds as among those who saw the banner: the effect on the treated. "
            "The question is about all visitors.",
        ),
    },
    "Take the difference of the two rates within each kind of visitor, and average the two "
    "differences over all forty visitors.",
)
