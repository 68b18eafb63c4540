"""Small frames for the warehouse's tests, and a plain reading of what must become of them."""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import Any

import pandas as pd

DAY = pd.Timestamp("2026-03-02", tz="UTC")
OUTCOMES = ("view", "cart", "purchase")
KEYS = {"users": ("user",), "impressions": ("impression",), "outcomes": ("outcome",)}
PARENT = {
    "users": None,
    "impressions": ("user", "users"),
    "outcomes": ("impression", "impressions"),
}


def users(n: int) -> pd.DataFrame:
    rows = {"user": range(n), "first_seen": DAY, "region": "north", "past": 1.5}
    return pd.DataFrame(rows, index=range(n))


def impressions(n: int, **columns: Any) -> pd.DataFrame:
    rows = {
        "impression": [f"i{k}" for k in range(n)], "at": DAY, "user": range(n),
        "context": "buys Drama", "action": [k % 3 for k in range(n)], "item": -1,
        "policy": "v1", "pscore": [0.25 + 0.5 * (k % 2) for k in range(n)],
    }  # fmt: skip
    return pd.DataFrame(rows | columns, index=range(n))


def outcomes(n: int, **columns: Any) -> pd.DataFrame:
    rows = {
        "outcome": [f"o{k}" for k in range(n)], "impression": [f"i{k}" for k in range(n)],
        "at": [DAY + pd.Timedelta(hours=k) for k in range(n)],
        "kind": [OUTCOMES[k % 3] for k in range(n)], "value": 2.5,
    }  # fmt: skip
    return pd.DataFrame(rows | columns, index=range(n))


def dirty(n: int) -> dict[str, pd.DataFrame]:
    """Three tables with every kind of dirt, some rows twice, some keys with two values."""
    shown, came = impressions(n).astype({"user": object, "pscore": object}), outcomes(n)
    shown.loc[shown.index % 7 == 3, "pscore"] = 1.5
    shown.loc[shown.index % 7 == 5, "user"] = n + 5
    shown.loc[1, "user"], shown.loc[2, "pscore"] = None, "half"
    came.loc[came.index % 5 == 2, "kind"] = "stare"
    again = [pd.concat([f, f.head(3), f.tail(2)], ignore_index=True) for f in (shown, came)]
    again[1].loc[len(again[1]) - 1, "value"] = 99.0  # the same key with another value
    return {"users": users(n), "impressions": again[0], "outcomes": again[1]}


def sound(table: str, row: dict[str, Any]) -> bool:
    """Tell whether a row keeps to the rules of its table, read one by one."""
    if any(v is None or v != v for v in row.values()):
        return False
    if table == "users":
        return row["user"] >= 0
    if table == "impressions":
        p = row["pscore"]
        whole = row["action"] >= 0 and row["user"] >= 0 and row["item"] >= -1
        return not isinstance(p, str) and 0 < p <= 1 and whole
    return row["kind"] in OUTCOMES and math.isfinite(row["value"]) and row["value"] >= 0


class PlainWarehouse:
    """Dictionaries, filled row by row."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[Any, tuple[Any, ...]]] = {name: {} for name in KEYS}
        self.aside: set[tuple[str, str]] = set()

    def ingest(self, table: str, frame: pd.DataFrame) -> tuple[int, int, int]:
        stored = duplicates = quarantined = 0
        for row in frame.astype(object).to_dict("records"):
            values = tuple(row.values())
            told = (table, json.dumps({k: plain(row[k]) for k in sorted(row)}))
            parent = PARENT[table]
            known = sound(table, row) and (
                parent is None or row[parent[0]] in self.tables[parent[1]]
            )
            key = next(row[k] for k in KEYS[table])
            there = self.tables[table].get(key) if known else None
            if not known or (there is not None and there != values):
                quarantined += 1
                self.aside.add(told)
                continue
            self.aside.discard(told)
            duplicates += there is not None
            stored += there is None
            self.tables[table][key] = values
        return stored, duplicates, quarantined


def plain(x: Any) -> Any:
    if x is None or x != x:
        return None
    if isinstance(x, datetime):
        return x.isoformat()
    return int(x) if isinstance(x, float) and x == int(x) else x
