"""The warehouse on DuckDB: nothing lost, nothing doubled, nothing dropped without a word."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_logs import DAY, PlainWarehouse, dirty, impressions, outcomes, users

from causalbook.case_study import collect, funnel_shop
from causalbook.project import Warehouse, bucket_of, shop_context, shop_tables

REASONS = [
    ("impressions", {"pscore": 0.0}, "pscore is not above 0 or above 1"),
    ("impressions", {"pscore": 1.01}, "pscore is not above 0 or above 1"),
    ("impressions", {"pscore": float("nan")}, "pscore is missing"),
    ("impressions", {"pscore": "0.5"}, "pscore is no number"),
    ("impressions", {"pscore": True}, "pscore is no number"),
    ("impressions", {"pscore": float("inf")}, "pscore is no number"),
    ("impressions", {"user": None}, "user is missing"),
    ("impressions", {"user": 1.5}, "user is no whole number"),
    ("impressions", {"user": 2**70}, "user is no whole number"),
    ("impressions", {"user": 77}, "user is unknown to users"),
    ("impressions", {"action": -1}, "action is below 0"),
    ("impressions", {"context": "  "}, "context is no text"),
    ("impressions", {"context": "a\0b"}, "context is no text"),
    ("impressions", {"context": "\ud800"}, "context is no text"),
    ("impressions", {"policy": 3}, "policy is no text"),
    ("impressions", {"at": pd.Timestamp("2026-03-02")}, "at is no time with its time zone"),
    ("impressions", {"at": "2026-03-02 10:00"}, "at is no time with its time zone"),
    ("impressions", {"at": "yesterday+00:00"}, "at is no time with its time zone"),
    ("impressions", {"at": "1970-01-01T00:00Z"}, "at is before 2000 or after 2100"),
    ("outcomes", {"kind": "stare"}, "kind is none of view, cart, purchase"),
    ("outcomes", {"value": -1.0}, "value is below 0"),
    ("outcomes", {"at": DAY - pd.Timedelta("1us")}, "at is before that of its impression"),
    ("outcomes", {"impression": "i9"}, "impression is unknown to impressions"),
    ("outcomes", {"outcome": "o0", "value": 9.0}, "key already there with other values"),
]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("filled") / "shop.duckdb"
    with Warehouse(path) as warehouse:
        warehouse.ingest("users", users(4))
        warehouse.ingest("impressions", impressions(3))
        warehouse.ingest("outcomes", outcomes(2))
    return path


@pytest.fixture
def w(file: Path, tmp_path: Path) -> Iterator[Warehouse]:
    with Warehouse(shutil.copy(file, tmp_path)) as warehouse:
        yield warehouse


def held(w: Warehouse, table: str) -> pd.DataFrame:
    frame = w.read(w.table(table))
    return frame.sort_values(list(frame.columns), ignore_index=True)


@pytest.mark.parametrize(("table", "change", "reason"), REASONS)
def test_a_bad_row_is_set_aside_with_its_reason(
    w: Warehouse, table: str, change: dict[str, Any], reason: str
) -> None:
    before = held(w, table)
    row = (impressions(4) if table == "impressions" else outcomes(4)).tail(1).astype(object)
    row = row.assign(impression="i3" if table == "impressions" else "i2")
    for name, value in change.items():
        row[name] = pd.Series([value], index=row.index, dtype=object)
    receipt = w.ingest(table, row)
    assert (receipt.read, receipt.stored, receipt.quarantined) == (1, 0, 1)
    assert receipt.reasons == {reason: 1}
    pd.testing.assert_frame_equal(held(w, table), before)
    (aside,) = w.quarantine().to_dict("records")
    assert (aside["table"], aside["reason"]) == (table, reason)
    assert f"1 because {reason}" in str(receipt)


def test_a_moment_keeps_its_instant_whatever_its_zone(w: Warehouse) -> None:
    row = impressions(4).tail(1).astype({"at": object})
    w.ingest("impressions", row.assign(at="2026-03-02T05:30:00.000001+05:30"))
    (at,) = held(w, "impressions").query("impression == 'i3'")["at"]
    assert at == DAY + pd.Timedelta(microseconds=1)
    same = row.assign(at=pd.Timestamp("2026-03-01T19:00:00.000001", tz="America/New_York"))
    assert w.ingest("impressions", same).duplicates == 1


HUGE = 2**53 + 1  # no double holds it


@pytest.mark.parametrize("kind", ["Int64", "int64[pyarrow]", object])
def test_a_gap_changes_no_other_key(tmp_path: Path, kind: Any) -> None:
    who = users(3).assign(user=pd.array([HUGE, None, 2], dtype=kind))
    who.to_parquet(tmp_path / "users.parquet", index=False)
    for given_as in (who, tmp_path):
        with Warehouse() as w:
            assert w.ingest("users", given_as).reasons == {"user is missing": 1}
            assert held(w, "users")["user"].tolist() == [2, HUGE]


@pytest.mark.parametrize("odd", [["a"], {"a": 1}, b"a", Decimal("NaN"), Decimal("1e400")])
def test_what_is_no_value_is_none_when_tried_again(odd: Any) -> None:
    who = users(2).astype(object)
    who["region"], who["past"] = pd.Series([odd, "n"]), pd.Series([1.5, odd])
    with Warehouse() as w:
        assert w.ingest("users", who).quarantined == 2
        assert [r.quarantined for r in w.retry()] == [2]


def test_a_decimal_that_waits_is_stored_in_the_end(w: Warehouse) -> None:
    shown = impressions(9).tail(1).astype({"pscore": object}).assign(pscore=Decimal("0.5"))
    w.ingest("impressions", shown)
    w.ingest("users", users(9))
    assert w.retry()[0].stored == 1


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from([0.0, 1.0, None])), max_size=12),
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c", "d"]),
            st.sampled_from([0, 1, 5, 9, None]),
            st.sampled_from([0.5, 1.0, 0.0, 2.0, "x", None]),
        ),
        max_size=20,
    ),
    st.integers(1, 8),
)
@settings(max_examples=15, deadline=None)
def test_every_row_is_accounted_for_in_any_chunks(
    people: list[Any], shown: list[Any], chunk: int
) -> None:
    who = pd.DataFrame(people, columns=["user", "past"], dtype=object)
    who = who.assign(first_seen=DAY, region="north")[["user", "first_seen", "region", "past"]]
    seen = impressions(len(shown)).astype(object)
    seen["impression"] = [k for k, _, _ in shown]
    seen["user"] = pd.Series([u for _, u, _ in shown], dtype=object)
    seen["pscore"] = pd.Series([p for _, _, p in shown], dtype=object)
    seen["action"] = 1
    plain = PlainWarehouse()
    with Warehouse() as w:
        for table, frame in (("users", who), ("impressions", seen), ("impressions", seen)):
            receipt = w.ingest(table, frame, chunk=chunk)
            counts = (receipt.stored, receipt.duplicates, receipt.quarantined)
            assert counts == plain.ingest(table, frame)
            assert receipt.read == len(frame) == sum(counts)
            assert receipt.quarantined == sum(receipt.reasons.values())
        aside = w.quarantine()
        assert set(zip(aside["table"], aside["record"], strict=True)) == plain.aside
        assert len(aside) == len(plain.aside)
        there = held(w, "impressions").set_index("impression")["pscore"].to_dict()
    assert there == {key: row[-1] for key, row in plain.tables["impressions"].items()}


def test_a_second_time_changes_nothing(w: Warehouse) -> None:
    first = {name: w.ingest(name, frame) for name, frame in dirty(20).items()}
    tables = {name: held(w, name) for name in first}
    aside = w.quarantine()
    for name, frame in dirty(20).items():
        again = w.ingest(name, frame)
        assert again.stored == 0
        assert again.duplicates == first[name].stored + first[name].duplicates
        assert again.reasons == first[name].reasons
        pd.testing.assert_frame_equal(held(w, name), tables[name])
    pd.testing.assert_frame_equal(w.quarantine(), aside)


def test_a_row_leaves_the_quarantine_when_its_user_has_come(w: Warehouse) -> None:
    late, bad = impressions(9).tail(1), impressions(9).tail(1).assign(pscore=2.0, impression="i7")
    w.ingest("impressions", pd.concat([late, bad]))
    w.ingest("outcomes", outcomes(9).tail(1))
    assert len(w.quarantine()) == 3
    w.ingest("users", users(9).tail(1))
    shown, came = w.retry()
    assert (shown.stored, shown.quarantined, came.stored) == (1, 1, 1)
    assert w.quarantine()["reason"].tolist() == ["pscore is not above 0 or above 1"]
    assert w.ingest("impressions", late).duplicates == 1


def test_a_row_that_comes_again_leaves_the_quarantine_too(w: Warehouse) -> None:
    late = impressions(9).tail(1)
    w.ingest("impressions", late)
    w.ingest("users", users(9))
    assert w.ingest("impressions", late).stored == 1
    assert w.quarantine().empty


def test_files_in_chunks_are_the_frame(tmp_path: Path) -> None:
    tables = dirty(30)
    shown = tables["impressions"].assign(
        user=pd.to_numeric(tables["impressions"]["user"]),
        pscore=pd.to_numeric(tables["impressions"]["pscore"], errors="coerce"),
    )
    shown.head(11).to_parquet(tmp_path / "part-0.parquet", index=False)
    shown.tail(-11).to_parquet(tmp_path / "part-1.parquet", index=False)
    with Warehouse() as w, Warehouse(tmp_path / "w.duckdb") as v:
        for one in (w, v):
            one.ingest("users", users(30))
        assert w.ingest("impressions", tmp_path, chunk=4) == v.ingest("impressions", shown)
        pd.testing.assert_frame_equal(held(w, "impressions"), held(v, "impressions"))
        pd.testing.assert_frame_equal(w.quarantine(), v.quarantine())


def test_an_error_in_the_middle_leaves_the_chunks_before_it(w: Warehouse) -> None:
    rows = impressions(4)
    write = w._engine.write

    def breaks(table: str, good: pd.DataFrame, *rest: Any) -> None:
        write(table, good, *rest)
        if "late3" in set(good["impression"]):
            raise OSError("no space left")

    w._engine.write = breaks  # type: ignore[method-assign]
    late = rows.assign(impression=[f"late{k}" for k in range(4)])
    with pytest.raises(OSError, match="no space"):
        w.ingest("impressions", late, chunk=1)
    assert set(held(w, "impressions")["impression"]) == {
        "i0",
        "i1",
        "i2",
        "late0",
        "late1",
        "late2",
    }
    w._engine.write = write  # type: ignore[method-assign]
    assert w.ingest("impressions", late).stored == 1


def test_rewards_count_within_the_window_only() -> None:
    wait = [0.0, 0.5, 7.0, 7.0 + 1 / 86_400, 7.1, 3.0]
    at = [DAY + pd.Timedelta(seconds=round(86_400 * t)) for t in wait]
    with Warehouse() as w:
        w.ingest("users", users(6))
        w.ingest("impressions", impressions(6, user=0))
        came = outcomes(6, at=at, kind=[*5 * ["purchase"], "cart"], value=range(1, 7))
        twice = outcomes(1, outcome="again", kind="purchase", value=10)
        w.ingest("outcomes", pd.concat([came, twice]))
        some = w.read(w.rounds(window=7)).set_index("impression").sort_index()
        money = w.read(w.rounds(window=7, measure="value")).set_index("impression").sort_index()
        carts = w.read(w.rounds("cart", window=2.999)).set_index("impression")
        assert some["reward"].tolist() == [1, 1, 1, 0, 0, 0]
        assert money["reward"].tolist() == [11, 2, 3, 0, 0, 0]
        assert carts["reward"].sum() == 0
        assert some["complete"].all()  # the last purchase came after seven days
        assert not w.read(w.rounds(window=8))["complete"].any()
        w.ingest("outcomes", outcomes(1, outcome="ahead", at=DAY + pd.Timedelta(days=30)))
        assert w.read(w.rounds(window=8))["complete"].all()  # it believes the latest moment


def test_an_experiment_has_one_row_a_user() -> None:
    drawn = {"experiment": "e", "user": [0, 1, 2], "arm": [0, 1, 1], "share": 0.5, "at": DAY}
    at = [DAY + pd.Timedelta(days=d) for d in (1, 2, 3, -1)]
    with Warehouse() as w:
        w.ingest("users", users(5).assign(past=np.arange(5.0)))
        shown = [DAY - pd.Timedelta(days=2 * (k == 3)) for k in range(6)]  # i3: before the draw
        w.ingest("impressions", impressions(6, user=[0, 0, 1, 1, 2, 3], at=shown))
        w.ingest("outcomes", outcomes(4, at=at, kind="purchase", value=[1, 2, 4, 8]))
        w.ingest("experiments", pd.concat([pd.DataFrame(drawn).assign(experiment=x) for x in "ef"]))
        table = w.read(w.assigned("e", window=7, measure="value")).sort_values("user")
        assert table["y"].tolist() == [3, 4, 0]
        assert table["past"].tolist() == [0, 1, 2]
        assert table["arm"].tolist() == [0, 1, 1]
        assert table["bucket"].tolist() == bucket_of([0, 1, 2]).tolist()
        with pytest.raises(ValueError, match="experiment is 'g': no user is in it"):
            w.assigned("g", window=7)


def test_the_shop_comes_back_as_it_went_in() -> None:
    world = funnel_shop(3_000, seed=4)
    pi = np.tile([0.5, 0.1, 0.1, 0.1, 0.1, 0.1], (3_000, 1))
    log = collect(world, pi, seed=5)
    with Warehouse() as w:
        for name, frame in shop_tables(world, log, policy="fair").items():
            receipt = w.ingest(name, frame)
            assert receipt.stored == receipt.read == len(frame)
        back = w.read(w.rounds(window=7)).sort_values("user", ignore_index=True)
        money = w.read(w.rounds(window=7, measure="value")).sort_values("user", ignore_index=True)
        carts = w.read(w.rounds("cart", window=7)).sort_values("user", ignore_index=True)
    assert (back["reward"].to_numpy() == log["purchase"].to_numpy()).all()
    assert (carts["reward"].to_numpy() == log["cart"].to_numpy()).all()
    np.testing.assert_array_equal(money["reward"], log["order_value"])
    np.testing.assert_array_equal(back["pscore"], log["pscore"])
    assert (back["context"].to_numpy() == shop_context(log)).all()
    assert (back["action"].to_numpy() == log["shelf"].to_numpy()).all()
    assert (back["bucket"].to_numpy() == bucket_of(log["user"])).all()


def test_visits_without_a_propensity_are_quarantined_not_lost() -> None:
    world = funnel_shop(2_000, seed=6)
    tables = shop_tables(world, policy="old")
    with Warehouse() as w:
        w.ingest("users", tables["users"])
        receipt = w.ingest("impressions", tables["impressions"])
    gaps = int(world.data["pscore"].isna().sum())
    assert receipt.reasons == {"pscore is missing": gaps}
    assert receipt.stored == 2_000 - gaps


def test_the_shop_writes_an_experiment_where_it_has_arms() -> None:
    world = funnel_shop(10, seed=1)
    assert shop_tables(world, policy="old")["experiments"].empty
    log = world.data.assign(arm=np.arange(10) % 2, share=0.5)
    drawn = shop_tables(world, log, policy="old", experiment="launch")["experiments"]
    assert drawn["arm"].tolist() == log["arm"].tolist()
    with pytest.raises(ValueError, match="log has no column arm, share"):
        shop_tables(world, policy="old", experiment="launch")
    with pytest.raises(ValueError, match="log has 9 rows, the world 10"):
        shop_tables(world, world.data.head(9), policy="old")


def test_buckets_are_even_and_fixed() -> None:
    bucket = bucket_of(np.arange(1_000_000))
    counts = np.bincount(bucket, minlength=4096)
    assert counts.size == 4096
    assert bucket.dtype == np.int16
    # A chi-square with 4095 degrees of freedom lies within 5 of its standard errors.
    assert abs(((counts - 1e6 / 4096) ** 2).sum() / (1e6 / 4096) - 4095) < 5 * np.sqrt(2 * 4095)

    def mixed(u: int) -> int:
        z = (u + 0x9E3779B97F4A7C15) % 2**64
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
        return (z ^ (z >> 31)) >> 52

    for u in (0, 1, 12345, 2**62, -1):
        assert bucket_of([u])[0] == mixed(u % 2**64)
    with pytest.raises(ValueError, match="user holds float64 values"):
        bucket_of([1.0])


def test_a_name_is_never_a_command(w: Warehouse) -> None:
    attack = "users; DROP TABLE users; --"
    for ask in (w.table, lambda name: w.ingest(name, users(1))):
        with pytest.raises(ValueError, match="the warehouse has users, items"):
            ask(attack)
    word = "x'; DROP TABLE impressions; --"
    w.ingest("impressions", impressions(4).tail(1).assign(context=word, impression=word))
    assert word in set(held(w, "impressions")["context"])
    with pytest.raises(ValueError, match="no user is in it"):
        w.assigned(word, window=7)
    with pytest.raises(ValueError, match="a name is of small letters"):
        w.bring(pd.DataFrame({'a" FROM users; --': [1]}))
    assert len(held(w, "users")) == 4


def test_a_small_frame_joins_the_tables(w: Warehouse) -> None:
    target = pd.DataFrame({"context": ["buys Drama"], "action": [1], "pi": [1 / 3]})
    joined = w.table("impressions").join(w.bring(target), ["context", "action"])
    row = w.read(joined).iloc[0]
    assert (row["impression"], row["pi"]) == ("i1", 1 / 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda w: w.ingest("users", users(1).drop(columns="past")), "frame has no column past"),
        (lambda w: w.ingest("users", users(1).assign(bucket=1)), "frame has the column bucket"),
        (lambda w: w.ingest("users", {"user": 1}), "pass a DataFrame"),
        (lambda w: w.ingest("users", users(1).iloc[:, [0, *range(4)]]), "two columns of one name"),
        (lambda w: w.ingest("users", "/no/where"), "frame is '/no/where': no parquet file"),
        (lambda w: w.ingest("users", users(1), chunk=0), "chunk is 0"),
        (lambda w: w.ingest(["users"], users(1)), "the warehouse has users"),
        (lambda w: w.rounds("purchases", window=7), "kind is 'purchases': pass one of view, cart"),
        (lambda w: w.rounds(window=0), "window is 0: pass the days"),
        (lambda w: w.rounds(window=float("nan")), "window is nan"),
        (lambda w: w.rounds(window=7, measure="sum"), "measure is 'sum': pass 'any' or 'value'"),
    ],
)
def test_refusals(w: Warehouse, call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(w)


def test_a_column_is_asked_for_even_where_there_are_no_rows(w: Warehouse) -> None:
    assert w.ingest("users", users(0)).read == 0
    with pytest.raises(ValueError, match="no column past"):
        w.ingest("users", users(0).drop(columns="past"))


def test_the_url_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAUSALBOOK_URL", f"duckdb://{tmp_path}/here.duckdb")
    with Warehouse() as w:
        assert repr(w) == "Warehouse duckdb://here.duckdb"
        w.ingest("users", users(2))
    with Warehouse(tmp_path / "here.duckdb") as w:
        assert len(held(w, "users")) == 2


SECRET = "s3cret"
BAD_URLS = [
    f"postgresql://book:{SECRET}@127.0.0.1:1/books",
    f"postgresql://127.0.0.1:1/books?user=book&password={SECRET}",
    f"postgresql://book:a/{SECRET}@127.0.0.1:1/books",
    f"postgresql://book:a@{SECRET}@127.0.0.1:1/books",
    f"postgresql://book:a#{SECRET}@127.0.0.1:1/books",
    f"postgresql://book:a?{SECRET}@127.0.0.1:1/books",
    f"postgresql://book:{SECRET}%zz@127.0.0.1:1/books",
    f"postgresql://book:{SECRET}%40x@127.0.0.1:1/books",
    f"postgresql://book:{SECRET}",
    f"postgresql://book@{SECRET}:port/books",
    f"mysql://book:{SECRET}@127.0.0.1/books",
    f"host=127.0.0.1 password={SECRET}",
    f"spark://book:{SECRET}@127.0.0.1:1",
    f"/nowhere/at/all/{SECRET}/books.duckdb",
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_no_message_shows_a_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"url|spark://host:port/folder") as caught:
        Warehouse(url)
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in str(error).replace("/nowhere/at/all/s3cret/", "")
        error = error.__cause__ or error.__context__


def test_two_processes_do_not_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "one.duckdb"
    with Warehouse(path):
        other = f"from causalbook.project import Warehouse\nWarehouse({str(path)!r})"
        done = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True)
    assert "ValueError: url: no connection to duckdb://one.duckdb" in done.stderr


def test_the_part_needs_no_database_to_be_imported() -> None:
    ask = "import sys, causalbook.project; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"ibis", "duckdb", "pandera", "psycopg", "pyspark", "fastapi", "typer"}


def test_the_command_says_what_became_of_the_rows(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from causalbook.project.console import app

    users(5).to_parquet(tmp_path / "users.parquet", index=False)
    shown = impressions(5).assign(pscore=[0.5, 0.5, 2.0, 0.5, 0.5])
    shown.to_parquet(tmp_path / "shown.parquet", index=False)
    url = ["--url", f"{tmp_path}/w.duckdb"]
    run = CliRunner().invoke
    fine = run(app, ["ingest", "users", f"{tmp_path}/users.parquet", *url])
    assert (fine.exit_code, fine.stdout.split(",")[0]) == (0, "users: 5 read")
    dirt = run(app, ["ingest", "impressions", f"{tmp_path}/shown.parquet", *url])
    assert dirt.exit_code == 3
    assert "1 because pscore is not above 0 or above 1" in dirt.stdout
    file = f"{tmp_path}/users.parquet"
    for words in (["pets", file, *url], ["users", f"{tmp_path}/none", *url], ["users", file]):
        refused = run(app, ["ingest", *words], env={"CAUSALBOOK_URL": ""})
        assert refused.exit_code == 2
        assert refused.stderr.startswith("causalbook: ")
        assert len(refused.stderr.splitlines()) == 1
