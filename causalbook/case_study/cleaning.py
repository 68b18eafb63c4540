"""Cleaning of the shop's event log in small counted steps, and the table of users it yields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import Ints, as_frame
from causalbook.case_study.funnel_world import DAY, REGIONS, WINDOW
from causalbook.case_study.shop_events import OFFSETS, SECOND, TYPES, misspelt
from causalbook.case_study.shop_schema import UNKNOWN, dictionary

if TYPE_CHECKING:
    import pandas as pd

BOT = 20  # further visits within a minute that no person makes
AGE = (10, 110)  # years that a person may have
SLACK, LAG = 300 * SECOND, 7 * DAY  # a clock may be ahead, and an event under way, for so long
SPELLINGS = {"region": {misspelt(name).lower(): name for name in REGIONS}}
SPELLINGS["gender"] = {"f": "female", "m": "male"}
NEEDED = ("event_id", "user", "device", "type", "at", "received", "value", *SPELLINGS, "age")


@dataclass(frozen=True)
class Step:
    """One step of cleaning: its name, the rule in words, the column it writes, and what does it."""

    name: str
    rule: str
    column: str
    apply: Callable[[pd.DataFrame], pd.DataFrame]


def quarantine(events: pd.DataFrame, bad: Any, reason: str) -> pd.DataFrame:
    """Set events aside: the rows stay, and `quarantine` says why ("": the row is in use).

    Parameters: `events`; `bad` (n,), True for the rows to set aside; `reason`, a few words. A row
    keeps its first reason. Raises ValueError for a `bad` of another shape. Source: ours.
    """
    if np.shape(bad) != (len(events),):
        raise ValueError(
            f"bad has {np.size(bad):,} entries: pass one a row of events, {len(events):,}"
        )
    known = events["quarantine"].to_numpy() if "quarantine" in events else np.array("")
    reasons = np.where(np.asarray(bad) & (known == ""), reason, known)
    return events.assign(quarantine=reasons.astype(object))


def clean_events(
    events: pd.DataFrame, steps: Sequence[Step] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Clean an event log step by step, and count what each step does.

    Returns all rows, none dropped, with a column `quarantine` for those set aside; and the report,
    one row a step: step, rule, `rows` in use before it, how many of them are `changed` and how
    many `aside`, the `first` event ids. A second cleaning changes nothing. Steps commute,
    but for "regions" and "local times": where an event happened tells when.

    Parameters: `events`, as `raw_events(...).data`; `steps`, by default `STEPS`.
    Raises ValueError where a column that the steps need is absent. Source: ours.
    """
    import pandas as pd

    _refuse(events, NEEDED)
    events = quarantine(events, np.zeros(len(events), dtype=bool), "")
    report = []
    for step in STEPS if steps is None else steps:
        used, before = in_use(events), events[step.column]
        events = step.apply(events)
        after, aside = events[step.column], used & ~in_use(events)
        same = (before == after) | (before.isna() & after.isna())
        changed = used & ~aside & ~same.to_numpy()
        first = ", ".join(map(str, events["event_id"].to_numpy()[changed | aside][:3]))
        counts = {"rows": used.sum(), "changed": changed.sum(), "aside": aside.sum()}
        report.append({"step": step.name, "rule": step.rule, **counts, "first": first})
    return events, pd.DataFrame(report)


def _retries(events: pd.DataFrame) -> pd.DataFrame:
    order = events["received"].argsort(kind="stable").to_numpy()
    copy = np.empty(len(events), dtype=bool)
    copy[order] = events["event_id"].iloc[order].duplicated()
    return quarantine(events, copy, "sent before")


def _bots(events: pd.DataFrame) -> pd.DataFrame:
    visits = events[events["type"] == "visit"].drop_duplicates("event_id")
    device, time = visits["device"].to_numpy(), _micro(visits["received"])
    order = np.lexsort((time, device))
    device, time = device[order], time[order]
    fast = (device[BOT:] == device[:-BOT]) & (time[BOT:] - time[:-BOT] < 60 * SECOND)
    return quarantine(events, events["device"].isin(device[BOT:][fast]), "bot")


def _lost_users(events: pd.DataFrame) -> pd.DataFrame:
    return quarantine(events, events["user"].isna(), "no user")


def _labels(column: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def apply(events: pd.DataFrame) -> pd.DataFrame:
        (declared,) = (v.labels for v in dictionary() if v.name == column)
        text = events[column].str.strip().str.lower().replace(SPELLINGS[column])
        return events.assign(**{column: text.where(text.isin(declared) | text.isna(), UNKNOWN)})

    return apply


def _ages(events: pd.DataFrame) -> pd.DataFrame:
    return events.assign(age=events["age"].where(events["age"].between(*AGE)))


def _offsets(events: pd.DataFrame) -> pd.DataFrame:
    bare = ~events["at"].str[-6].isin(["+", "-"])
    visits = events[(events["type"] == "visit") & events["user"].notna()].drop_duplicates("user")
    region = events["user"].map(visits.set_index("user")["region"])
    tail = region.map({r: f"{h:+03d}:00" for r, h in zip(REGIONS, OFFSETS, strict=True)})
    at = events["at"].mask(bare & tail.notna(), events["at"] + tail)
    return _receipt(events.assign(at=at), bare & tail.isna())


def _clocks(events: pd.DataFrame) -> pd.DataFrame:
    gap = _micro(events["received"]) - _micro(_moments(events["at"]))
    return _receipt(events, (gap < -SLACK) | (gap > LAG))


def _refunds(events: pd.DataFrame) -> pd.DataFrame:
    back = (events["type"] == "purchase") & (events["value"] < 0)
    return events.assign(type=events["type"].mask(back, "refund"))


STEPS = (
    Step("retries", "an event id counts once, as first received", "quarantine", _retries),
    Step("bots", f"a device that visits {BOT} times more in a minute", "quarantine", _bots),
    Step("users", "an event without a user belongs to no row", "quarantine", _lost_users),
    Step("regions", "known spellings; else 'unknown'", "region", _labels("region")),
    Step("genders", "known spellings; else 'unknown'", "gender", _labels("gender")),
    Step("ages", f"{AGE[0]} to {AGE[1]} years; else missing", "age", _ages),
    Step("local times", "add the region's distance from UTC; else the receipt", "at", _offsets),
    Step("clocks", "ahead of the receipt, or a week behind: the receipt", "at", _clocks),
    Step("refunds", "a purchase of negative value is a refund", "type", _refunds),
)


def build_table(events: pd.DataFrame, *, window: float = WINDOW) -> pd.DataFrame:
    """Turn the events in use into one row a user, in the columns and types of `dictionary`.

    A purchase counts if it comes within the `window` (days) after the visit, not before it;
    `order_value` adds up all that count. The first visit and impression of a user make the row;
    events of users who never visit count nowhere. A time without its distance from UTC is read as
    UTC, a label that the dictionary lacks is missing.

    Parameters: `events`, cleaned or not. Raises ValueError for an absent column, a window that is
    not positive, no visit, a visit without an impression. Source: ours.
    """
    import pandas as pd

    made_here = ("visited_at", "recommended", "viewed", "cart", "purchase", "order_value")
    needed = [v.name for v in dictionary() if v.name not in (*made_here, "purchased")]
    _refuse(events, (*needed, "type", "at", "value", "genre"))
    if not window > 0:
        raise ValueError(f"window is {window}: pass days, above 0")
    used = events[in_use(events) & events["user"].notna().to_numpy()]
    used = used.assign(user=used["user"].astype(np.int64), time=_moments(used["at"]))
    kind = {name: used[used["type"] == name].set_index("user") for name in TYPES}
    visits = kind["visit"][~kind["visit"].index.duplicated()].sort_index()
    if visits.empty:
        raise ValueError("events has no visit in use: there is no user to make a row of")
    slots = kind["impression"][~kind["impression"].index.duplicated()].reindex(visits.index)
    if (gaps := slots["item"].isna()).any():
        raise ValueError(
            f"events has no impression for {gaps.sum():,} users who visit (first: user "
            f"{slots.index[gaps][0]}): whether their slot was filled is unknown"
        )
    wait = kind["purchase"]["time"] - visits["time"].reindex(kind["purchase"].index)
    bought = kind["purchase"][wait.between(pd.Timedelta(0), pd.Timedelta(days=window))]
    orders = bought.groupby(level="user").agg({"value": "sum", "genre": "first"})
    orders = orders.reindex(visits.index)

    made = {c: visits[c] for c in visits if c in (v.name for v in dictionary())}
    made |= {c: slots[c] for c in ("item", "shelf", "propensity", "pscore")}
    made |= {"user": visits.index, "visited_at": visits["time"], "recommended": slots["item"] >= 0}
    made |= {"viewed": visits.index.isin(kind["view"].index)}
    made |= {"cart": visits.index.isin(kind["cart"].index), "purchase": orders["value"].notna()}
    made |= {"order_value": orders["value"].fillna(0), "purchased": orders["genre"].fillna("none")}
    return pd.DataFrame({v.name: v.typed(np.asarray(made[v.name])) for v in dictionary()})


def _refuse(events: Any, needed: Sequence[str]) -> None:
    if absent := [c for c in needed if c not in as_frame("events", events)]:
        raise ValueError(f"events lacks the columns {', '.join(absent)}: pass raw_events().data")


def in_use(events: pd.DataFrame) -> Any:
    """Mark the rows that are not set aside."""
    if "quarantine" not in events:
        return np.ones(len(events), dtype=bool)
    return (events["quarantine"] == "").to_numpy()


def _moments(at: Any) -> Any:
    """Read texts with or without their distance from UTC as moments (UTC)."""
    import pandas as pd

    return pd.to_datetime(at, format="ISO8601", utc=True).dt.tz_localize(None)


def _micro(time: Any) -> Ints:
    micro: Ints = time.to_numpy().astype("M8[us]").astype(np.int64)
    return micro


def _receipt(events: pd.DataFrame, where: Any) -> pd.DataFrame:
    """Write the moment of receipt (UTC) as `at`, in some rows."""
    at, rows = events["at"].copy(), np.flatnonzero(where)
    text = np.datetime_as_string(events["received"].to_numpy()[rows], unit="us")
    at.iloc[rows] = np.char.add(text, "+00:00")
    return events.assign(at=at)
