"""The exercise of the page on the shop's log: nine users' events, cleaned by hand."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from causalbook.case_study.cleaning import STEPS, build_table, clean_events
from causalbook.case_study.funnel_world import WINDOW
from causalbook.exercises import Exercise

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EXERCISE", "practice_log"]

PRICE = 9.0  # of every order


def practice_log() -> pd.DataFrame:
    """Return the events of nine users: the slot is filled for users 1 to 4."""
    import pandas as pd

    region = {2: "coast"}  # eight hours behind UTC; all others live in the north
    day, users = "2026-03-10T", range(1, 10)
    lines: list[tuple[int, str, str, float | None]]
    lines = [(user, "visit", day + "20:00:00+00:00", None) for user in users]
    lines += [(user, "impression", day + "20:00:01+00:00", None) for user in users]
    lines += [(1, "purchase", "2026-03-11T20:00:00+00:00", PRICE)] * 2
    lines += [(2, "purchase", day + "14:00:00", PRICE)]
    lines += [(3, "purchase", "2026-03-19T20:00:00+00:00", PRICE)]
    lines += [(6, "purchase", "2026-03-12T09:00:00-07:00", PRICE)]
    lines += [(7, "purchase", "2026-03-13T10:00:00+00:00", -PRICE)]
    lines += [(8, "purchase", "2026-03-20T09:00:00+00:00", PRICE)]
    events = pd.DataFrame(lines, columns=["user", "type", "at", "value"])
    sent = [*range(19), *range(18, len(lines) - 1)]  # user 1's order came twice
    received = pd.to_datetime(events["at"], format="ISO8601", utc=True).dt.tz_localize(None)
    received = received.mask(events["user"] == 2, pd.Timestamp("2026-03-10 22:00:00"))
    events = events.assign(event_id=sent, device=events["user"], received=received)
    visit, slot = events["type"] == "visit", events["type"] == "impression"
    events["region"] = events["user"].map(region).fillna("north").where(visit)
    events = events.assign(age=visit.map({True: 30.0}), views=visit.map({True: 2.0}))
    for name, said in (("gender", "unstated"), ("browsed", "Drama"), ("carted", "none")):
        events[name] = visit.map({True: said})
    events["query"], events["genre"] = visit.map({True: "a drama"}), "Drama"
    events["item"] = (events["user"] > 4).map({True: -1.0, False: 50.0}).where(slot)
    events["shelf"] = (events["user"] > 4).map({True: 0.0, False: 4.0}).where(slot)
    return events.assign(propensity=float("nan"), pscore=float("nan"))


def _difference(without: str = "", window: float = WINDOW) -> float:
    """Conversion where the slot is filled less that where it is empty; a step left out."""
    events, _ = clean_events(practice_log(), [step for step in STEPS if step.name != without])
    table = build_table(events, window=window)
    orders = table["order_value"] / PRICE if without == "retries" else table["purchase"]
    shown = table["recommended"] == 1
    return float(orders[shown].mean() - orders[~shown].mean())


EXERCISE = Exercise(
    _difference,
    {
        "retry counted": (
            partial(_difference, "retries"),
            "One order came twice, under one event id. Users convert, not events.",
        ),
        "local time as UTC": (
            partial(_difference, "local times"),
            "Read as UTC, one purchase comes before its visit. The app left out the distance from "
            "UTC; the user's region tells it.",
        ),
        "refund counted": (
            partial(_difference, "refunds"),
            "A purchase of negative value is money that goes back. It is no order.",
        ),
        "window forgotten": (
            partial(_difference, window=28),
            "Two purchases come more than seven days after the visit. They do not count.",
        ),
    },
    "Set aside what came twice, give each local time its region's distance from UTC, take refunds "
    "out, and count users who buy within seven days of the visit.",
)
