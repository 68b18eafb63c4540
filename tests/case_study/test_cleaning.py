"""Cleaning: each rule by hand, twice is once, the order, and the table by an independent route."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalbook.case_study import (
    STEPS,
    build_table,
    clean_events,
    funnel_shop,
    quarantine,
    raw_events,
)

WORLD = funnel_shop(2000, seed=9)
RAW = raw_events(WORLD, seed=9).data
CLEAN, REPORT = clean_events(RAW)
STEP = {step.name: step.apply for step in STEPS}
NOON = pd.Timestamp("2026-03-10 12:00:00")


def rows(*records, **columns):
    """A small log: each record is a type and what differs from an ordinary event of user 1."""
    usual = {"user": 1.0, "device": 1, "at": "2026-03-10T12:00:00+00:00", "received": NOON}
    usual |= {"age": np.nan, "gender": None, "region": None, "views": np.nan, "browsed": None}
    usual |= {"carted": None, "query": None, "item": np.nan, "shelf": np.nan, "value": np.nan}
    usual |= {"propensity": np.nan, "pscore": np.nan, "genre": None}
    visit = {"age": 30.0, "gender": "male", "region": "north", "views": 2.0, "browsed": "Drama"}
    visit |= {"carted": "none", "query": "a drama"}
    slot = {"item": -1.0, "shelf": 0.0}
    table = []
    for i, (kind, own) in enumerate(records):
        extra = {"visit": visit, "impression": slot, "purchase": {"value": 9.0, "genre": "Drama"}}
        table.append(usual | {"event_id": i, "type": kind} | extra.get(kind, {}) | own | columns)
    frame = pd.DataFrame(table)
    text = ["at", "gender", "region"]
    return frame.astype(dict.fromkeys(text, "str")).astype({"received": "datetime64[us]"})


def reasons(name, frame):
    return STEP[name](frame)["quarantine"].tolist()


def test_an_event_counts_once_as_first_received():
    late = NOON + pd.Timedelta(hours=1)
    frame = rows(("view", {"received": late}), ("view", {}), ("cart", {}))
    frame["event_id"] = [7, 7, 8]
    assert reasons("retries", frame) == ["sent before", "", ""]


@pytest.mark.parametrize(("visits", "seconds", "is_bot"), [(21, 2.9, 1), (20, 1, 0), (21, 3, 0)])
def test_a_bot_visits_more_often_than_a_person_can(visits, seconds, is_bot):
    each = [
        ("visit", {"received": NOON + pd.Timedelta(seconds=k * seconds)}) for k in range(visits)
    ]
    frame = rows(*each, ("view", {"received": NOON}), ("visit", {"device": 2}))
    assert reasons("bots", frame) == ["bot" * is_bot] * (visits + 1) + [""]


def test_retried_visits_are_no_bot():
    frame = rows(*[("visit", {})] * 30).assign(event_id=1)
    assert not any(reasons("bots", frame))


def test_an_event_without_a_user_is_set_aside():
    assert reasons("users", rows(("cart", {"user": np.nan}), ("cart", {}))) == ["no user", ""]


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("north", "north"),
        (" NORTH ", "north"),
        ("Nrth", "north"),
        ("Ilands", "islands"),
        ("", "unknown"),
        ("N/A", "unknown"),
        ("nrthh", "unknown"),
        ("unknown", "unknown"),
    ],
)
def test_regions_are_read_by_known_spellings(typed, read):
    frame = STEP["regions"](rows(("visit", {"region": typed}), ("view", {})))
    assert frame["region"].iloc[0] == read
    assert pd.isna(frame["region"].iloc[1])


@pytest.mark.parametrize(
    ("typed", "read"), [("F", "female"), ("m", "male"), ("unstated", "unstated"), ("x", "unknown")]
)
def test_genders_are_read_by_known_spellings(typed, read):
    assert STEP["genders"](rows(("visit", {"gender": typed})))["gender"].tolist() == [read]


def test_ages_that_nobody_has_are_missing():
    ages = [9.0, 10.0, 110.0, 111.0, np.nan]
    found = STEP["ages"](rows(*[("visit", {"age": age}) for age in ages]))["age"]
    np.testing.assert_array_equal(found, [np.nan, 10, 110, np.nan, np.nan])


def test_local_times_get_their_region_or_the_receipt():
    bare = {"at": "2026-03-10T05:00:00"}
    frame = rows(("visit", {}), ("cart", bare), ("cart", bare | {"user": 2.0}), ("cart", {}))
    assert STEP["local times"](frame)["at"].tolist() == [
        "2026-03-10T12:00:00+00:00",
        "2026-03-10T05:00:00-07:00",  # noon in UTC
        "2026-03-10T12:00:00.000000+00:00",  # user 2 has no visit: the receipt
        "2026-03-10T12:00:00+00:00",
    ]


@pytest.mark.parametrize(
    ("shown", "wrong"),
    [
        ("2026-03-10T12:05:00+00:00", False),
        ("2026-03-10T12:05:01+00:00", True),
        ("2026-03-10T13:05:01+01:00", True),
        ("2026-03-10T12:05:01+01:00", False),
        ("2026-03-03T12:00:00+00:00", False),
        ("2026-03-03T11:59:59+00:00", True),
        ("1970-01-01T00:00:00+00:00", True),
    ],
)
def test_a_clock_that_cannot_be_right_gives_way_to_the_receipt(shown, wrong):
    at = STEP["clocks"](rows(("view", {"at": shown})))["at"].iloc[0]
    assert at == ("2026-03-10T12:00:00.000000+00:00" if wrong else shown)


def test_a_negative_purchase_is_a_refund():
    frame = rows(("purchase", {"value": -9.0}), ("purchase", {}), ("purchase", {"value": 0.0}))
    assert STEP["refunds"](frame)["type"].tolist() == ["refund", "purchase", "purchase"]


def test_a_row_keeps_its_first_reason_and_stays():
    once = quarantine(RAW, RAW["type"] == "cart", "one")
    twice = quarantine(once, RAW["type"].isin(["cart", "view"]), "two")
    by_type = twice.groupby("type", observed=True)["quarantine"].agg(set)
    assert by_type.to_dict() == {
        "visit": {""},
        "impression": {""},
        "view": {"two"},
        "cart": {"one"},
        "purchase": {""},
    }
    assert len(twice) == len(RAW)


# Any small log: few users and devices, so that rules meet.
EVENT = st.fixed_dictionaries(
    {
        "event_id": st.integers(0, 30),
        "user": st.sampled_from([1.0, 2.0, np.nan]),
        "device": st.integers(1, 2),
        "type": st.sampled_from(["visit", "impression", "view", "cart", "purchase", "refund"]),
        "at": st.sampled_from(
            [
                "2026-03-10T12:00:00",
                "1970-01-01T00:00:00+00:00",
                "2026-03-10T05:00:00.5-07:00",
                "2026-03-14T05:00:00",
                "2026-03-02T13:00:00",
                "2026-03-10T13:00:00+00:00",
            ]
        ),
        "received": st.integers(0, 90).map(lambda s: NOON + pd.Timedelta(seconds=s)),
        "age": st.sampled_from([-1.0, 30.0, 999.0, np.nan]),
        "gender": st.sampled_from(["F", "male", "??", None]),
        "region": st.sampled_from(["Nrth", "north", "COAST ", "", None]),
        "value": st.sampled_from([-3.0, 5.0, np.nan]),
    }
)
LOGS = st.lists(EVENT, min_size=1, max_size=40).map(
    lambda events: pd.DataFrame(events).astype(
        {"at": "str", "gender": "str", "region": "str", "received": "datetime64[us]"}
    )
)


@settings(max_examples=30)
@given(LOGS)
def test_twice_is_once_step_by_step_and_nothing_is_dropped(log):
    before = log.copy(deep=True)
    frame, report = clean_events(log)
    pd.testing.assert_frame_equal(log, before)  # steps write no one else's table
    assert len(frame) == len(log)
    assert report["rows"].iloc[0] == len(log)
    used = (frame["quarantine"] == "").sum()
    assert report["rows"].iloc[-1] - report["aside"].iloc[-1] == used
    again, nothing = clean_events(frame)
    pd.testing.assert_frame_equal(again, frame)
    assert not nothing[["changed", "aside"]].to_numpy().any()
    for step in STEPS:
        pd.testing.assert_frame_equal(step.apply(frame), frame)
        once = step.apply(log)
        pd.testing.assert_frame_equal(step.apply(once), once)
        assert [c for c in log if not once[c].equals(log[c])] in ([], [step.column])


@settings(max_examples=30)
@given(LOGS)
def test_what_is_set_aside_does_not_depend_on_the_order(log):
    kept = [
        clean_events(log, [s for name in order for s in STEPS if s.name == name])[0]["quarantine"]
        for order in permutations(["retries", "bots", "users"])
    ]
    for other in kept[1:]:
        assert ((other == "") == (kept[0] == "")).all()


def test_the_shop_is_cleaned_alike_in_any_order_that_reads_regions_before_times():
    rng = np.random.default_rng(1)
    names = [step.name for step in STEPS]
    for _ in range(6):
        order = [STEPS[i] for i in rng.permutation(len(STEPS))]
        asked = [step.name for step in order]
        where = asked.index("regions"), asked.index("local times")
        if where[0] > where[1]:
            order[where[0]], order[where[1]] = order[where[1]], order[where[0]]
        frame, report = clean_events(RAW, order)
        pd.testing.assert_frame_equal(build_table(frame), build_table(CLEAN))
        changed = report.set_index("step").loc[names, "changed"]
        assert (changed >= REPORT.set_index("step")["changed"]).all()  # bots may still be in use
    late = [STEPS[i] for i in (6, 0, 1, 2, 3, 4, 5, 7, 8)]
    moved = clean_events(RAW, late)[0]["at"] != CLEAN["at"]  # a region not read yet tells no time
    assert moved.sum() > 20


def test_the_first_of_the_report_are_the_first_rows_it_counts():
    first = dict(zip(REPORT["step"], REPORT["first"], strict=True))
    aside = CLEAN.loc[CLEAN["quarantine"] == "sent before", "event_id"]
    assert first["retries"] == ", ".join(map(str, aside[:3]))
    back = CLEAN.loc[(CLEAN["type"] == "refund") & (CLEAN["quarantine"] == ""), "event_id"]
    assert first["refunds"] == ", ".join(map(str, back[:3]))


def by_loops(events, window):
    """The table by reading the log line by line, with the standard library only."""
    users = {}
    lines = [
        r for r in events.to_dict("records") if r["quarantine"] == "" and r["user"] == r["user"]
    ]
    for r in lines:
        at = datetime.fromisoformat(r["at"])
        r["time"] = at if at.tzinfo else at.replace(tzinfo=UTC)
        if r["type"] == "visit":
            users.setdefault(int(r["user"]), {"visit": r, "orders": []})
    for r in lines:
        user = users.get(int(r["user"]))
        if user is None:
            continue
        if r["type"] == "purchase":
            wait = r["time"] - user["visit"]["time"]
            if timedelta(0) <= wait <= timedelta(days=window):
                user["orders"].append((r["value"], r["genre"]))
        elif r["type"] in ("impression", "view", "cart"):
            user.setdefault(r["type"], r)
    for name in sorted(users):
        user = users[name]
        orders = user["orders"]
        yield {
            "user": name,
            "visited_at": user["visit"]["time"].replace(tzinfo=None),
            "age": user["visit"]["age"],
            "region": user["visit"]["region"],
            "query": user["visit"]["query"],
            "recommended": int(user["impression"]["item"] >= 0),
            "item": user["impression"]["item"],
            "viewed": int("view" in user),
            "cart": int("cart" in user),
            "purchase": int(bool(orders)),
            "order_value": sum(value for value, _ in orders),
            "purchased": orders[0][1] if orders else "none",
        }


@pytest.mark.parametrize("window", [1, 7, 28])
@pytest.mark.parametrize("without", ["", "retries", "local times", "bots"])
def test_the_table_is_what_reading_line_by_line_gives(window, without):
    events, _ = clean_events(RAW, [step for step in STEPS if step.name != without])
    table = build_table(events, window=window)
    other = pd.DataFrame(by_loops(events, window))
    assert len(table) == len(other)
    for name in other:
        mine, theirs = table[name].to_numpy(), other[name].to_numpy()
        if name == "order_value":
            np.testing.assert_allclose(mine, theirs, rtol=1e-12)
        elif name == "age":
            np.testing.assert_array_equal(mine, theirs)
        else:
            assert (pd.Series(mine) == pd.Series(theirs)).all(), name


@pytest.mark.parametrize(
    ("at", "counts"),
    [
        ("2026-03-10T11:59:59.999999+00:00", 0),
        ("2026-03-10T12:00:00+00:00", 1),
        ("2026-03-17T12:00:00+00:00", 1),
        ("2026-03-17T12:00:00.000001+00:00", 0),
        ("2026-03-17T05:00:00-07:00", 1),
        ("2026-03-17T19:00:00", 0),  # without a distance it is read as UTC
    ],
)
def test_a_purchase_counts_from_the_visit_to_the_end_of_the_window(at, counts):
    table = build_table(rows(("visit", {}), ("impression", {}), ("purchase", {"at": at})))
    assert table[["purchase", "order_value"]].iloc[0].tolist() == [counts, 9 * counts]
    assert table["purchased"].tolist() == ["Drama" if counts else "none"]


def test_a_label_that_the_dictionary_lacks_is_missing_in_the_table():
    table = build_table(rows(("visit", {"region": "Nrth"}), ("impression", {})))
    assert table["region"].isna().all()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: clean_events(RAW.drop(columns=["at", "value"])), "lacks the columns at, value"),
        (lambda: clean_events([1]), "events is a list"),
        (lambda: build_table(RAW.drop(columns=["item", "genre"])), "lacks the columns item, genre"),
        (lambda: build_table([1]), "events is a list"),
        (
            lambda: quarantine(RAW, RAW["value"].dropna() > 5, "dear"),
            "bad has .* entries: pass one a row of events",
        ),
        (lambda: build_table(RAW, window=0), "window is 0: pass days, above 0"),
        (lambda: build_table(rows(("view", {}))), "events has no visit in use"),
        (
            lambda: build_table(rows(("visit", {}), ("visit", {"user": 5.0}), ("impression", {}))),
            r"no impression for 1 users who visit \(first: user 5\)",
        ),
    ],
)
def test_refusals(call, said):
    with pytest.raises(ValueError, match=said):
        call()
