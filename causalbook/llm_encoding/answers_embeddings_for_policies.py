"""The exercise of the page on embeddings for policies: the bias of MIPS in five films, exactly."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from causalbook.exercises import Exercise

if TYPE_CHECKING:
    import pandas as pd

CLUSTER = ["crime", "crime", "crime", "comedy", "comedy"]
LOGGING = [Fraction(i, 10) for i in (4, 1, 1, 3, 1)]
TARGET = [Fraction(i, 10) for i in (1, 4, 2, 1, 2)]
CLICK = [Fraction(i, 100) for i in (4, 12, 6, 8, 8)]


def practice_films() -> pd.DataFrame:
    """Five films in two clusters: how often each is shown, would be shown, and is clicked."""
    import pandas as pd

    columns = {"logging": LOGGING, "target": TARGET, "click": CLICK}
    numbers = {name: [float(x) for x in column] for name, column in columns.items()}
    return pd.DataFrame({"film": range(5), "cluster": CLUSTER} | numbers)


def _value(policy: list[Fraction]) -> Fraction:
    return sum((p * c for p, c in zip(policy, CLICK, strict=True)), Fraction(0))


def _expected(inside: list[Fraction]) -> Fraction:
    """Give each cluster the target's share, and its films the shares `inside`, in that ratio."""
    total = Fraction(0)
    for name in set(CLUSTER):
        rows = [a for a, cluster in enumerate(CLUSTER) if cluster == name]
        got = sum((inside[a] * CLICK[a] for a in rows), Fraction(0))
        total += got / sum(inside[a] for a in rows) * sum(TARGET[a] for a in rows)
    return total


def bias() -> float:
    """Expectation of MIPS less the value: within a cluster it sees what was logged."""
    return float(_expected(LOGGING) - _value(TARGET))


def other_sign() -> float:
    """The value less the expectation."""
    return -bias()


def plain_average() -> float:
    """Each film of a cluster counted alike."""
    return float(_expected([Fraction(1)] * 5) - _value(TARGET))


def one_cluster() -> float:
    """Today's click rate less the value."""
    return float(_value(LOGGING) - _value(TARGET))


EXERCISE = Exercise(
    bias,
    {
        "the other way round": (
            other_sign,
            "The size is right. A bias is the expectation of the estimate less the truth: this "
            "target looks worse than it is.",
        ),
        "plain average": (
            plain_average,
            "You averaged the films of a cluster as if each were shown as often. The log shows "
            "them with the logging policy's probabilities; weigh by those.",
        ),
        "one cluster": (
            one_cluster,
            "This is today's click rate less the value, the bias with all films in one cluster. "
            "Keep the two clusters apart: each gets the target's share.",
        ),
    },
    "Work out each cluster's click rate as logged, weigh the clusters by the target's shares, and "
    "take off the value.",
)
