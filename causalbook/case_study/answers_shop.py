"""The exercise of the page on the shop: what closing the slot would cost, from six rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalbook.exercises import Exercise

if TYPE_CHECKING:
    import pandas as pd

MARGIN, COST = 0.30, 0.02
# How near to buying: users shown and not shown, order value of a user with and without (money).
SEGMENTS = {
    "looks": (4_000, 16_000, 1.00, 0.70),
    "compares": (6_000, 6_000, 2.50, 2.00),
    "buys": (6_000, 2_000, 5.00, 5.20),
}


def slot_report() -> pd.DataFrame:
    """Return the shop's report: users and order value per user, by nearness to buying."""
    import pandas as pd

    columns = ["words", "shown", "not shown", "value if shown", "value if not"]
    return pd.DataFrame([(k, *v) for k, v in SEGMENTS.items()], columns=columns)


def _profit(who: int | None, *, cost: float = COST) -> float:
    """Margin on the effect in each segment, less the cost: for shown (0), others (1) or all."""
    total = 0.0
    for *users, with_slot, without in SEGMENTS.values():
        count = sum(users) if who is None else users[who]
        total += count * (MARGIN * (with_slot - without) - cost)
    return total


def _as_they_are() -> float:
    shown = sum(s for s, _, _, _ in SEGMENTS.values())
    empty = sum(o for _, o, _, _ in SEGMENTS.values())
    value = sum(s * v for s, _, v, _ in SEGMENTS.values()) / shown
    other = sum(o * v for _, o, _, v in SEGMENTS.values()) / empty
    return shown * (MARGIN * (value - other) - COST)


EXERCISE = Exercise(
    answer=lambda: _profit(0),
    misconceptions={
        "arms as they are": (
            _as_they_are,
            "You compared all who were shown with all who were not. Those shown were nearer to "
            "buying: compare within each row, then add up.",
        ),
        "everyone": (
            lambda: _profit(None),
            "That is what filling the slot for everybody would earn against filling it for nobody. "
            "Closing the slot takes it from those who have it now: count the shown.",
        ),
        "the others": (
            lambda: _profit(1),
            "You counted those who are not shown: that is what opening the slot to them would "
            "earn. Closing it takes it from those who are shown.",
        ),
        "no cost": (
            lambda: _profit(0, cost=0.0),
            "The margin is there, the cost is not: each impression displaces something worth two "
            "cents.",
        ),
    },
    hint="In each row, the effect on a user is the value if shown less the value if not. Take the "
    "margin of it, subtract the cost, and add up over the users who would lose the slot.",
)
