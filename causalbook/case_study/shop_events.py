"""The raw event log of the film shop, as its servers and clients send it, with realistic dirt."""

from __future__ import annotations

from typing import Any

import numpy as np

from causalbook.arrays import Labels, dice
from causalbook.case_study.funnel_world import DAY, DAYS, GENDERS, PRICE, REGIONS, START
from causalbook.case_study.queries import GENRES
from causalbook.potential_outcomes import World

TYPES = ("visit", "impression", "view", "cart", "purchase", "refund")
OFFSETS = np.array([-5, -8, -4, -10, -7, -6])  # hours from UTC, in the order of REGIONS
SECOND = 1_000_000  # microseconds
BOT_SHARE, BOT_VISITS = 0.1, 100  # visits of bots by the number of users; visits of one bot
BOTS, EVENTS = 10**12, 8  # bots' numbers begin there, above all users'; less events a user

# Shares of what may suffer it, at the full dirt.
LOST_REGION = np.array([0.30, 0.45, 0.05])  # by urgency: who has come to buy is signed in
NOTHING = np.array(["", "N/A", "null"])  # what stands where the region is lost
SPELLED, BAD_AGE, OLD_APP = 0.10, 0.02, 0.30  # of the users
BAD_AGES = np.array([-1.0, 0.0, 999.0])
LOST_USER, CLOCK, LATE = 0.03, 0.01, 0.08  # of what clients send
REFUNDED, RETRIED = 0.06, np.array([0.04, 0.25])  # of the purchases; by the slot: empty, filled


def refuse_dirt(dirt: float) -> None:
    """Refuse a dirt that is no share."""
    if not 0 <= dirt <= 1:
        raise ValueError(f"dirt is {dirt}: it multiplies shares, pass 0 to 1")


def raw_events(world: World, *, dirt: float = 1.0, seed: int) -> World:
    r"""Write the event log behind a `funnel_shop`, and spoil it.

    **Data**, one row for each event received, in that order: `event_id`, user (NaN: lost), device,
    type (visit, impression, view, cart, purchase), `at` (when it happened: text, with its distance
    from UTC), `received` (UTC, the server's clock). With a visit age, gender, region, views,
    browsed, carted, query; with an impression item (-1: the slot was empty), shelf, propensity,
    pscore; with a purchase value, genre. The server sends visits and impressions, the user's client
    all else, in the local time of the region.

    **Potential**: which rows suffer which dirt, True and False. **Truth**: how many do. "retry":
    a purchase sent again under its `event_id`, more often where the slot was filled. "bot": an
    event of a device that visits a hundred times in some seconds, always as a new user, for whom
    the slot stays empty. "lost user": a client's event without a user. "lost region" (rare where
    the user has come to buy), "region spelled", "gender spelled", "impossible age": of a visit.
    "local time": an old app leaves out the distance from UTC. "wrong clock": it stands at 1970.
    "late": received a day to three later. "refund": a purchase of negative value. Kinds that
    would spoil the same entry exclude each other.

    Parameters: `world`, of `funnel_shop`; `dirt`, from 0 (an exact log, from which `build_table`
    rebuilds `world.data`) to 1, multiplies the share of each kind; the same seed, the same dice. A
    part of a longer shop (users run on from any number) has dice and event ids of its own.
    Raises ValueError for another world or one with users left out, a `dirt` outside 0 to 1, a seed
    that is no whole number. Source: ours.
    """
    import pandas as pd

    if "wait_0" not in world.potential:
        raise ValueError("world is no funnel shop: its potential lacks 'wait_0'")
    log, n, first = world.data, len(world.data), world.data["user"].min()
    if not np.array_equal(log["user"], first + np.arange(len(world.potential))):
        raise ValueError("world has users that do not run on by one: pass it whole, as simulated")
    rng = dice(n, seed, f"raw_events{first or ''}")
    refuse_dirt(dirt)
    person = {name: rng.random(n) for name in ("region", "spelled", "gender", "age", "app")}
    r = _rows(world, rng)
    r = {name: column[r["exists"] < dirt] for name, column in r.items()}
    user, human, refund = r["like"], r["user"] < BOTS, r["value"] < 0
    visit, client = human & (r["kind"] == 0), human & (r["kind"] >= 2)
    region, gender = (log[c].cat.codes.to_numpy()[user] for c in ("region", "gender"))
    urgency = world.potential["urgency"].to_numpy()[user]

    lost = client & ~refund & (r["u_lost"] < LOST_USER * dirt)
    local = client & ~lost & (person["app"][user] < OLD_APP * dirt)
    clock = client & ~lost & ~local & (r["u_clock"] < CLOCK * dirt)
    nowhere = visit & (person["region"][user] < LOST_REGION[urgency] * dirt)
    d = {"lost user": lost, "local time": local, "wrong clock": clock, "lost region": nowhere}
    d["region spelled"] = visit & ~nowhere & (person["spelled"][user] < SPELLED * dirt)
    d["gender spelled"] = visit & (gender < 2) & (person["gender"][user] < SPELLED * dirt)
    d["impossible age"] = visit & (person["age"][user] < BAD_AGE * dirt)
    d["late"] = client & ~clock & (r["u_late"] < LATE * dirt)
    d |= {"refund": refund, "bot": ~human, "retry": np.zeros(len(user), dtype=bool)}

    moment = np.where(clock, (r["u_late"] * DAY).astype(np.int64), r["time"])
    received = r["time"] + (r["delay"] * 2 * SECOND).astype(np.int64)
    received += np.where(d["late"], (1 + 2 * r["u_clock"]) * DAY, 0).astype(np.int64)
    frame: dict[str, Any] = {
        "event_id": EVENTS * first + received.argsort().argsort(),
        "user": np.where(lost, np.nan, r["user"]),
    }
    frame |= {"device": r["device"], "type": _category(r["kind"], TYPES)}
    frame["at"] = local_time(moment, np.where(client, region, -1), stated=~local)
    frame["received"] = received.astype("M8[us]")
    age = np.where(d["impossible age"], BAD_AGES[user % 3], log["age"].to_numpy()[user])
    frame["age"] = np.where(r["kind"] == 0, age, np.nan)
    frame |= _texts(d, r["kind"] == 0, region, gender, user)
    visits, slots = r["kind"] == 0, human & (r["kind"] == 1)
    frame |= {c: _only(visits, log[c], user) for c in ("views", "browsed", "carted", "query")}
    frame |= {c: _only(slots, log[c], user) for c in ("item", "shelf", "propensity", "pscore")}
    empty = ~human & (r["kind"] == 1)  # a bot's slot
    frame |= {"item": frame["item"].mask(empty, -1.0), "shelf": frame["shelf"].mask(empty, 0.0)}
    frame |= {"value": r["value"], "genre": _category(r["genre"], ("none", *GENRES))}

    events, marks = pd.DataFrame(frame), pd.DataFrame(d)
    bought = (r["kind"] == 4) & ~refund
    sent = np.flatnonzero(bought & (r["u_retry"] < RETRIED[log["recommended"]][user] * dirt))
    wait = ((1 + r["delay"][sent]) * 60 * SECOND).astype("m8[us]")
    again = events.iloc[sent].assign(received=lambda x: x["received"] + wait)
    events = pd.concat([events, again], ignore_index=True)
    marks = pd.concat([marks, (marks.iloc[sent] & False).assign(retry=True)], ignore_index=True)
    order = events["received"].argsort(kind="stable")
    events, marks = (x.iloc[order].reset_index(drop=True) for x in (events, marks))
    return World(events, {name: float(marks[name].sum()) for name in d}, marks)


def _rows(world: World, rng: np.random.Generator) -> dict[str, Labels]:
    """Draw every row that there may be: users' events, their refunds, and what bots do.

    `exists` is the dirt above which the row is there, `like` the user whose data it carries.
    """
    log, hidden, n = world.data, world.potential, len(world.data)
    row, shelf, first = np.arange(n), log["shelf"].to_numpy(), log["user"].min()
    wait = np.column_stack([hidden[f"wait_{k}"] for k in range(1 + len(GENRES))])[row, shelf]
    ever = np.flatnonzero(wait < np.inf)
    start = log["visited_at"].to_numpy().astype("M8[us]").astype(np.int64)
    look = np.minimum(rng.exponential(180 * SECOND, n), DAY * wait / 3).astype(np.int64)
    paid = start[ever] + np.ceil(DAY * wait[ever]).astype(np.int64)
    back = paid + (DAY * rng.exponential(3.0, len(ever))).astype(np.int64)
    worth = PRICE * rng.lognormal(0.0, 0.4, n)  # of an order that comes after the window
    worth = np.where(log["purchase"] == 1, log["order_value"], worth)[ever]
    taken = np.where(log["purchase"] == 1, log["purchased"].cat.codes, hidden["want"])[ever]
    refunded = rng.random(len(ever)) / REFUNDED

    bots = round(BOT_SHARE * n / BOT_VISITS)
    seen = np.arange(bots * BOT_VISITS)
    bot, like = seen // BOT_VISITS, rng.integers(n, size=len(seen))
    begin = (rng.random(bots) * DAYS * DAY).astype(np.int64)[bot] + seen % BOT_VISITS * SECOND // 5
    at = np.datetime64(START, "us").astype(np.int64) + begin
    share = {"user": BOTS + first + seen, "device": BOTS + first + bot}
    share |= {"exists": bot / max(bots, 1)}

    viewed, carted = (np.flatnonzero(log[name]) for name in ("viewed", "cart"))
    parts: list[dict[str, Any]] = [{"kind": k, "like": row, "time": start} for k in (0, 1)]
    parts += [{"kind": 2, "like": viewed, "time": (start + look)[viewed]}]
    parts += [{"kind": 3, "like": carted, "time": (start + 2 * look)[carted]}]
    order = {"kind": 4, "like": ever, "genre": taken}
    parts += [order | {"time": paid, "value": worth}]
    parts += [order | {"time": back, "value": -worth, "exists": refunded}]
    parts += [{"kind": k, "like": like, "time": at + k * SECOND // 20} | share for k in range(3)]
    usual = {"value": np.nan, "genre": -1, "exists": -1.0}
    for part in parts:
        part |= {c: first + part["like"] for c in ("user", "device") if c not in part}
    names, sizes = (*parts[0], *usual), [len(part["like"]) for part in parts]
    rows = {
        name: np.concatenate(
            [
                np.broadcast_to((usual | part)[name], size)
                for part, size in zip(parts, sizes, strict=True)
            ]
        )
        for name in names
    }
    rows |= {f"u_{name}": rng.random(sum(sizes)) for name in ("lost", "clock", "late", "retry")}
    return rows | {"delay": rng.exponential(size=sum(sizes))}


def local_time(moment: Labels, region: Labels, *, stated: Any = True) -> Any:
    """Write moments (microseconds, UTC) as text in a region's time (-1: UTC), its offset stated."""
    import pandas as pd

    hours = np.append(OFFSETS, 0)
    clock = (moment + hours[region] * 3600 * SECOND).astype("M8[us]")
    tails = np.array([*(f"{h:+03d}:00" for h in hours), ""])
    tail = tails[np.where(stated, region % len(hours), len(hours))]
    return pd.Series(np.datetime_as_string(clock, unit="us")).astype("str") + tail


def _texts(
    d: dict[str, Labels], visit: Labels, region: Labels, gender: Labels, user: Labels
) -> Any:
    """Return the regions and genders of visits as they were typed."""
    import pandas as pd

    names = np.array(REGIONS)
    wrong = np.array([[name.upper(), name + " ", misspelt(name)] for name in REGIONS])
    place = np.where(d["region spelled"], wrong[region, user % 3], names[region])
    place = np.where(d["lost region"], NOTHING[user % 3], place)
    sex = np.array(GENDERS)[gender]
    sex = np.where(d["gender spelled"], np.array(["F", "M", ""])[gender], sex)
    return {
        name: pd.Series(text).astype("str").where(visit)
        for name, text in (("gender", sex), ("region", place))
    }


def misspelt(name: str) -> str:
    """Leave the second letter out: North becomes Nrth."""
    return (name[0] + name[2:]).capitalize()


def _category(code: Any, labels: tuple[str, ...]) -> Any:
    import pandas as pd

    return pd.Categorical.from_codes(code, categories=pd.Index(labels))


def _only(where: Labels, column: Any, user: Labels) -> Any:
    """Give the rows in question their user's entry of a column, and the others none."""
    taken = column.iloc[user].reset_index(drop=True)
    return taken.where(where)
