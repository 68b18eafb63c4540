"""Exercises of the part: right answers and misconceptions, computed from the same data."""

from __future__ import annotations

from functools import partial
from math import log2
from typing import TYPE_CHECKING

from causalbook.exercises import Exercise

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EXERCISES", "practice_list", "swapped"]

# feedback_loops: two items that were swapped; (item, position) -> (impressions, clicks).
SWAPS = {("A", 1): (200, 60), ("A", 2): (100, 18), ("B", 1): (50, 5), ("B", 2): (400, 24)}


def practice_list() -> tuple[list[str], set[str]]:
    """Return a list of four films, best first, and the three films that the user liked."""
    return ["Vertigo", "Alien", "Heat", "Fargo"], {"Alien", "Fargo", "Amelie"}


def list_ndcg(*, discounted: bool = True, normalised: bool = True, missed: bool = True) -> float:
    """Score the practice list; each False is one mistake."""
    listed, liked = practice_list()
    worth = [1 / log2(r + 1) if discounted else 1.0 for r in range(1, len(listed) + 1)]
    gain = sum(w for w, film in zip(worth, listed, strict=True) if film in liked)
    best = sum(worth[: len(liked if missed else liked & set(listed))])
    return gain / best if normalised else gain


def swapped() -> pd.DataFrame:
    """Return the table of the swap experiment: item, position, impressions, clicks."""
    import pandas as pd

    rows = [(*cell, *counts) for cell, counts in SWAPS.items()]
    return pd.DataFrame(rows, columns=["item", "position", "impressions", "clicks"])


def looks(items: str = "A") -> float:
    """Click rate at position 2 over that at position 1, of these items taken together."""
    shows, clicks = (
        {at: sum(SWAPS[i, at][which] for i in items) for at in (1, 2)} for which in (0, 1)
    )
    return clicks[2] / shows[2] * shows[1] / clicks[1]


EXERCISES = {
    "baselines": Exercise(
        list_ndcg,
        {
            "no discount": (
                partial(list_ndcg, discounted=False),
                "This is the share of the liked films that the list contains, its recall: the "
                "ranks play no part. Divide each hit by log2(rank + 1) first.",
            ),
            "not normalised": (
                partial(list_ndcg, normalised=False),
                "This is the DCG. Divide it by the DCG of the best list there could be, or users "
                "with many liked films count for more.",
            ),
            "ideal from the list alone": (
                partial(list_ndcg, missed=False),
                "You divide by the best order of the films in the list. The ideal list is drawn "
                "from all films: it has the third liked one too, which this list has missed.",
            ),
        },
        "Add 1 / log2(rank + 1) over the hits, and divide by the same sum for a list that begins "
        "with the three liked films.",
    ),
    "feedback_loops": Exercise(
        looks,
        {
            "items pooled": (
                partial(looks, "AB"),
                "These are the click rates of the positions. The better item stands mostly at "
                "position 1, so they compare items as well as positions: stay within one item.",
            ),
            "clicks, not rates": (
                lambda: SWAPS["A", 2][1] / SWAPS["A", 1][1],
                "You compare counts of clicks, and the item was not shown equally often at the "
                "two positions: divide by the impressions first.",
            ),
            "upside down": (
                lambda: 1 / looks(),
                "You have the looks at position 1 for one at position 2; the question is the "
                "other way round.",
            ),
        },
        "Take one item: its clicks per impression at position 2, over those at position 1.",
    ),
}
