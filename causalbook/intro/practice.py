"""What the exercises of the introduction ask about, and the answers they lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

MESSAGES = 2_000  # that may be sent
INTERVALS, LEVEL = 12, 0.95  # on one dashboard, of separate groups of users


def practice_segments() -> pd.DataFrame:
    """Return four segments of users, and the share that buys without and with a message."""
    import pandas as pd

    rows = {
        "regular": (2_000, 0.60, 0.62),
        "searched this week": (1_500, 0.30, 0.44),
        "not seen for a month": (1_200, 0.20, 0.30),
        "new": (2_500, 0.02, 0.05),
    }
    table = pd.DataFrame(rows, index=["users", "without", "with"]).T.rename_axis("segment")
    return table.astype({"users": int}).reset_index()


def purchases(rank_by: str, count: str) -> float:
    """Purchases that are `count`ed if the messages go where `rank_by` is highest."""
    table = practice_segments().assign(added=lambda t: t["with"] - t["without"])
    table = table.sort_values(rank_by, ascending=False)
    before = table["users"].cumsum() - table["users"]
    sent = (MESSAGES - before).clip(lower=0, upper=table["users"])
    return float((sent * table[count]).sum())


def spread() -> float:
    """Purchases added by messages to users drawn by lot."""
    table = practice_segments()
    gain = table["users"] * (table["with"] - table["without"])
    return float(MESSAGES * gain.sum() / table["users"].sum())


def some_interval_misses() -> float:
    """Probability that at least one of separate intervals misses its truth."""
    return float(1 - LEVEL**INTERVALS)
