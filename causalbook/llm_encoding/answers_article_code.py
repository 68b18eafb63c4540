"""The exercise of article_code: ten users, two texts too long, and what is paired with what."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from causalbook.exercises import Exercise

if TYPE_CHECKING:
    import pandas as pd

MAX_LEN = 8  # the filter keeps texts shorter than this
# What a user's text tells, its length in tokens, whether the banner was shown, euros spent.
USERS = (
    ("horror", 10, 0, 2),
    ("comedy", 5, 1, 7),
    ("comedy", 3, 0, 6),
    ("horror", 7, 1, 3),
    ("horror", 7, 0, 2),
    ("comedy", 5, 1, 7),
    ("horror", 5, 0, 3),
    ("comedy", 9, 1, 8),
    ("comedy", 6, 0, 6),
    ("horror", 4, 0, 3),
)


def practice_texts() -> pd.DataFrame:
    """Return the users of the exercise, one a row."""
    import pandas as pd

    return pd.DataFrame(USERS, columns=["text", "tokens", "shown", "spend"])


def adjusted_effect(rows: str = "all") -> float:
    """Effect by strata of the text, weighted by their users; other `rows` are mistakes."""
    short = [user for user in USERS if user[1] < MAX_LEN]
    texts = short if rows in ("short", "position") else USERS
    others = short if rows == "short" else USERS
    pairs = [(t[0], o[2], o[3]) for t, o in zip(texts, others, strict=False)]
    strata = {""} if rows == "unadjusted" else {text for text, _, _ in pairs}
    total = 0.0
    for stratum in strata:
        inside = [(a, y) for text, a, y in pairs if stratum in ("", text)]
        means = [_mean([y for a, y in inside if a == arm]) for arm in (0, 1)]
        total += len(inside) / len(pairs) * (means[1] - means[0])
    return total


def _mean(y: list[int]) -> float:
    return sum(y) / len(y)


EXERCISE = Exercise(
    adjusted_effect,
    {
        "paired by position": (
            partial(adjusted_effect, "position"),
            "You paired the eight short texts with the first eight rows of shown and spend, as the "
            "code does. From the first dropped text on, each user has another user's text.",
        ),
        "long texts dropped": (
            partial(adjusted_effect, "short"),
            "The pairs are right, but two users are gone: this is the effect among those who write "
            "short. Cut long texts off and keep their users.",
        ),
        "unadjusted": (
            partial(adjusted_effect, "unadjusted"),
            "This compares the arms without the text, and comedy is shown the banner more often: "
            "compare within each kind of text first.",
        ),
    },
    "Difference of the arms within each kind of text, weighted by the kinds' shares of all ten.",
)
