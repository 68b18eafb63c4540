"""The words that the shop's users type: which genre they want, and how near they are to buying."""

from __future__ import annotations

from typing import Any

import numpy as np

from causalbook.arrays import Array, Ints

GENRES = ("Action", "Comedy", "Documentary", "Drama", "Horror")
NOUNS = (
    ("action film", "thriller with car chases", "film with fights and explosions"),
    ("comedy", "funny film", "film that makes me laugh"),
    ("documentary", "true story about nature", "film about real history"),
    ("drama", "moving family story", "serious film about love and loss"),
    ("horror film", "scary movie", "film with ghosts and monsters"),
)
DECADES = ("", " from the 1980s", " from the 1990s", " of the last years")
# By urgency: looks around, compares, has come to buy; the last row tells nothing.
PHRASES = (
    ("what is a {}", "just looking for a {}", "ideas for a {}", "is there any {}"),
    ("which {} is best", "compare reviews of a {}", "best rated {}", "{} worth the price"),
    ("buy a {} now", "order {} today", "purchase {} next day delivery", "{} add to basket"),
    ("{}", "a {}", "the {}", "{} please"),
)


def queries(urgency: Ints, want: Ints, u: Array) -> Any:
    """Word a query for each user.

    Parameters, one entry a user: `urgency` (0, 1, 2; -1: untold), `want`, the genre (1 to 5), and
    `u`, chance between 0 and 1. Returns a column of categories: 960 different texts at most.
    Source: ours.
    """
    import pandas as pd

    texts = [
        phrase.format(noun + decade)
        for row in PHRASES
        for nouns in NOUNS
        for phrase in row
        for noun in nouns
        for decade in DECADES
    ]
    ways = len(texts) // (len(PHRASES) * len(GENRES))
    cell = (urgency % len(PHRASES)) * len(GENRES) + want - 1
    code = cell * ways + (u * ways).astype(np.int64)
    return pd.Categorical.from_codes(code, categories=pd.Index(texts))
