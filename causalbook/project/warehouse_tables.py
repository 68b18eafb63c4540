"""The five tables of the warehouse: their columns, keys and rules, and what breaks them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import Ints, Labels, as_frame
from causalbook.project.row_values import CONVERT

if TYPE_CHECKING:
    import pandas as pd

BUCKETS = 4_096
OUTCOMES = ("view", "cart", "purchase")
ELSEWHERE = "key already there with other values"
EARLY = "at is before that of its impression"


@dataclass(frozen=True)
class Field:
    """A column: its name, its kind (int64, float64, text, time) and what it is for.

    Parameters: `low` to `high`, both allowed; with `above` the lower end is not; `labels`, what a
    text may be, if it is one of few; `refers`, the table in whose key it must be found.
    """

    name: str
    kind: str
    meaning: str
    low: float = -np.inf
    high: float = np.inf
    above: bool = False
    labels: tuple[str, ...] = ()
    refers: str = ""


def _user(refers: str = "users") -> Field:
    return Field("user", "int64", "number of the user", 0, refers=refers)


def _at(meaning: str, name: str = "at") -> Field:
    return Field(name, "time", f"{meaning} (UTC)")


TABLES: dict[str, tuple[Field, ...]] = {
    "users": (
        _user(refers=""),
        _at("when the user was first seen", "first_seen"),
        Field("region", "text", "where the user lives, as stated then"),
        Field("past", "float64", "what the user did before any experiment, for CUPED"),
    ),
    "items": (
        Field("item", "int64", "number of the item", 0),
        Field("title", "text", "what the page calls it"),
        Field("category", "text", "the shelf it stands on"),
    ),
    "impressions": (
        Field("impression", "text", "name of this one answer of the recommender"),
        _at("when it was given"),
        _user(),
        Field("context", "text", "what the policy looked at"),
        Field("action", "int64", "what it chose (0: nothing shown)", 0),
        Field("item", "int64", "the item shown (-1: none)", -1),
        Field("policy", "text", "version of the policy that chose"),
        Field("pscore", "float64", "chance that it chose this action", 0, 1, above=True),
    ),
    "outcomes": (
        Field("outcome", "text", "name of this one event"),
        Field("impression", "text", "the answer it follows", refers="impressions"),
        _at("when it happened, not before that answer"),
        Field("kind", "text", "what happened", labels=OUTCOMES),
        Field("value", "float64", "money, or 0", 0),
    ),
    "experiments": (
        Field("experiment", "text", "name of the experiment"),
        _user(),
        Field("arm", "int64", "drawn arm, 0 or 1", 0, 1),
        Field("share", "float64", "planned share of that arm", 0, 1, above=True),
        _at("when it was drawn"),
    ),
}
KEYS = {"users": ["user"], "items": ["item"], "impressions": ["impression"]}
KEYS |= {"outcomes": ["outcome"], "experiments": ["experiment", "user"], "quarantine": ["digest"]}
ALL = (*TABLES, "quarantine")
BUCKETED = ("impressions", "experiments")


def columns(table: str) -> dict[str, str]:
    """Name and kind of each column as it is stored, `bucket` included."""
    if table == "quarantine":
        return dict.fromkeys(("digest", "table", "reason", "record"), "text")
    own = {field.name: field.kind for field in TABLES[table]}
    return own | ({"bucket": "int16"} if table in BUCKETED else {})


def bucket_of(user: Any) -> Labels:
    r"""Return the bucket of each user, 0 to 4,095, computed here so that all engines agree.

    $$b(u) = \lfloor h(u) / 2^{52} \rfloor, \qquad h \text{ mixes the 64 bits of } u$$

    Parameters: `user` (n,) whole numbers. Raises ValueError for anything else.
    Source: Steele, Lea and Flood (2014), the mixing step of SplitMix.
    """
    u = np.asarray(user)
    if u.dtype.kind not in "iu":
        raise ValueError(f"user holds {u.dtype} values: pass whole numbers")
    h = u.astype(np.int64).view(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((h ^ (h >> np.uint64(31))) >> np.uint64(52)).astype(np.int16)


@contextmanager
def calm() -> Iterator[None]:
    """Keep PySpark from warning of pandas 3 where it is only looked at.

    Pandera imports `pyspark.pandas` to see whether it is there, by all of its entrances, and that
    import warns (an error where warnings are errors). No line here uses `pyspark.pandas`.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet", FutureWarning)
        yield


def checked(table: str, frame: pd.DataFrame) -> tuple[pd.DataFrame, Labels]:
    """Give each column its type, and each row the first reason why it is none ("": it is one)."""
    import pandas as pd

    reason = np.full(len(frame), "", dtype=object)

    def mark(bad: Any, why: str) -> None:
        reason[np.asarray(bad, dtype=bool) & (reason == "")] = why

    typed: dict[str, Any] = {}
    for field in TABLES[table]:
        raw = frame[field.name]
        gone = raw.isna().to_numpy()
        mark(gone, f"{field.name} is missing")
        typed[field.name], wrong, why = CONVERT[field.kind](raw, gone)
        mark(wrong & ~gone, f"{field.name} {why}")
    rows = pd.DataFrame(typed, index=pd.RangeIndex(len(frame)))
    for index, why in _failures(table, rows):
        mark(np.isin(np.arange(len(rows)), index), why)
    return rows, reason


def _failures(table: str, rows: pd.DataFrame) -> list[tuple[Ints, str]]:
    """Rows that break a rule of the schema, with the rule, in the order of the columns."""
    with calm():
        from pandera.errors import SchemaErrors

        try:
            _schema(table).validate(rows, lazy=True)
        except SchemaErrors as errors:
            groups = errors.failure_cases.groupby("check", sort=False)["index"]
            return [(part.to_numpy(np.int64), str(why)) for why, part in groups]
    return []


@cache
def _schema(table: str) -> Any:
    """Rules of a table's columns as pandera has them, each with its reason."""
    import pandera.pandas as pa

    def column(field: Field) -> Any:
        checks = []
        if field.labels:
            why = f"{field.name} is none of {', '.join(field.labels)}"
            checks.append(pa.Check.isin(field.labels, error=why))
        if field.kind == "time":
            why = f"{field.name} is before 2000 or after 2100"
            checks.append(pa.Check.in_range(*_years(), error=why))
        if np.isfinite(field.low) or np.isfinite(field.high):
            end = "" if np.isinf(field.high) else f" or above {field.high:g}"
            why = f"{field.name} is {'not above' if field.above else 'below'} {field.low:g}{end}"
            keep = {"include_min": not field.above, "include_max": True}
            checks.append(pa.Check.in_range(field.low, field.high, error=why, **keep))
        return pa.Column(checks=checks, nullable=True)

    return pa.DataFrameSchema({field.name: column(field) for field in TABLES[table]})


def _years() -> tuple[Any, Any]:
    import pandas as pd

    return pd.Timestamp("2000-01-01", tz="UTC"), pd.Timestamp("2100-01-01", tz="UTC")


def known(table: str) -> str:
    """Return the table's name if it is one of the five; else refuse it."""
    if not isinstance(table, str) or table not in TABLES:
        raise ValueError(f"table is {table!r}: the warehouse has {', '.join(TABLES)}")
    return table


def expected(table: str, frame: Any) -> pd.DataFrame:
    """Return the frame if it has the columns of the table and no others."""
    names = [field.name for field in TABLES[known(table)]]
    found = list(as_frame("frame", frame).columns)
    if len(set(found)) < len(found):
        raise ValueError(f"frame has two columns of one name among {found}: give each its own")
    if absent := [name for name in names if name not in found]:
        raise ValueError(f"frame has no column {', '.join(absent)}: {table} needs all of {names}")
    if more := [str(name) for name in found if name not in names]:
        raise ValueError(
            f"frame has the column {', '.join(more)}, unknown to {table}: leave it out"
        )
    return frame[names]  # type: ignore[no-any-return]
