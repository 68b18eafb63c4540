"""The warehouse on a real PostgreSQL and a real Spark: the same rows, the same answers."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest
from small_logs import DAY, dirty, impressions, users

from causalbook.project import Warehouse

pytestmark = pytest.mark.xdist_group("servers")


def filled(w: Warehouse) -> list[object]:
    """Fill a warehouse with dirt, let a late user come, and tell what was said on the way."""
    said: list[object] = [w.ingest(name, frame, chunk=17) for name, frame in dirty(30).items()]
    said += [w.ingest("users", users(40).tail(10))]
    drawn = pd.DataFrame({"experiment": "e", "user": range(8), "arm": 1, "share": 0.5, "at": DAY})
    said += [*w.retry(), w.ingest("experiments", drawn), w.quarantine().to_dict("list")]
    return said


def answers(w: Warehouse) -> list[pd.DataFrame]:
    target = pd.DataFrame(
        {"context": ["buys Drama", 'a "word"'], "action": [1, 2], "pi": [0.1, 1 / 3]}
    )
    joined = w.rounds("cart", window=0.5).join(w.bring(target), ["context", "action"])
    queries = [w.rounds(window=7, measure="value"), w.assigned("e", window=1), joined]
    return [
        frame.sort_values(list(frame.columns), ignore_index=True)[sorted(frame.columns)]
        for frame in map(w.read, queries)
    ]


def same_as_in_duckdb(url: str) -> None:
    with Warehouse() as here, Warehouse(url) as there:
        assert filled(here) == filled(there)
        for one, other in zip(answers(here), answers(there), strict=True):
            assert len(one)
            pd.testing.assert_frame_equal(one, other, check_exact=True, check_dtype=False)


def test_postgresql_gives_what_duckdb_gives(postgres_url: str) -> None:
    same_as_in_duckdb(postgres_url)


def test_spark_with_workers_of_its_own_gives_what_duckdb_gives(spark_url: str) -> None:
    same_as_in_duckdb(spark_url)


def test_postgresql_shows_no_password(postgres_url: str) -> None:
    password = "s3cret p@ss/word"
    wrong = postgres_url.replace("s3cret", "wr0ng-0ne")
    with pytest.raises(ValueError, match="password authentication failed") as caught:
        Warehouse(wrong)
    assert "wr0ng-0ne" not in str(caught.value)
    assert caught.value.__context__ is None
    with Warehouse(postgres_url) as w:
        assert password not in repr(w) + w.name
        assert postgres_url.partition("@")[2] in repr(w)
        w._engine.con.execute('DROP TABLE "outcomes"')  # type: ignore[attr-defined]
        with pytest.raises(Exception, match="outcomes") as broken:
            w.ingest("users", users(1))
        assert not {"s3cret", "p@ss"} & set(str(broken.value).split())


def test_two_writers_wait_for_each_other(postgres_url: str) -> None:
    write = (
        "import sys; sys.path.insert(0, 'tests/project')\n"
        "from small_logs import users, impressions; from causalbook.project import Warehouse\n"
        f"with Warehouse({postgres_url!r}) as w:\n"
        "    w.ingest('users', users(40), chunk=8)\n"
        "    print(w.ingest('impressions', impressions(40), chunk=8).stored)"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", write], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    stored = [int(process.communicate()[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    with Warehouse(postgres_url) as w:
        assert sum(stored) == len(w.read(w.table("impressions"))) == len(impressions(40))
        assert len(w.read(w.table("users"))) == 40
