"""Exercises of the part: right answers and misconceptions, computed from the same data."""

from __future__ import annotations

from functools import partial

from causalbook.exercises import Exercise
from causalbook.intro import practice as by
from causalbook.intro.practice import practice_segments

__all__ = ["EXERCISES", "practice_segments"]

EXERCISES = {
    "how_to_use": Exercise(
        by.some_interval_misses,
        {
            "one interval": (
                lambda: 1 - by.LEVEL,
                "This is the chance that one given interval misses. Twelve have twelve chances: "
                "take the chance that all of them hold first.",
            ),
            "all of them hold": (
                lambda: by.LEVEL**by.INTERVALS,
                "This is the chance that all twelve hold their truths. At least one misses in all "
                "other cases.",
            ),
            "chances added": (
                lambda: by.INTERVALS * (1 - by.LEVEL),
                "You added the chances. That counts a dashboard with two misses twice (it is the "
                "expected number of misses); with thirty intervals it would exceed one.",
            ),
        },
        "Separate groups of users miss independently: multiply the chances that each holds, and "
        "take the rest to one.",
    ),
    "why_causal": Exercise(
        partial(by.purchases, "added", "added"),
        {
            "ranked by the prediction": (
                partial(by.purchases, "with", "added"),
                "You sent the messages to those most likely to buy, and nearly all of them buy "
                "anyway. Rank by what a message adds: with less without.",
            ),
            "counted all purchases": (
                partial(by.purchases, "added", "with"),
                "The right users, but this counts all that they buy, and a part of it happens "
                "without a message. Count what is added.",
            ),
            "counted conversions": (
                partial(by.purchases, "with", "with"),
                "This is the largest number of purchases among users with a message, the "
                "dashboard's number. Rank by what a message adds, and count that.",
            ),
            "drawn by lot": (
                by.spread,
                "This is what messages to users drawn by lot would add. You know the segments: "
                "send them where they add most.",
            ),
        },
        "For each segment take with less without; fill the segment with the largest difference, "
        "then the next, until 2,000 messages are sent; add up users times difference.",
    ),
}
