"""The dictionary of the shop's table: what each variable is, and whether a table keeps to it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import as_frame
from causalbook.case_study.funnel_world import GENDERS, REGIONS
from causalbook.case_study.queries import GENRES, queries

if TYPE_CHECKING:
    import pandas as pd

UNKNOWN = "unknown"


ACROSS: dict[str, tuple[tuple[str, ...], Any]] = {
    "one row a user": (("user",), lambda t: t["user"].duplicated()),
    "a film where the slot is filled": (
        ("item", "recommended"),
        lambda t: (t["item"] >= 0) != (t["recommended"] == 1),
    ),
    "no cart without a view": (("viewed", "cart"), lambda t: t["cart"] > t["viewed"]),
    "money where there is a purchase": (
        ("order_value", "purchase"),
        lambda t: (t["order_value"] > 0) != (t["purchase"] == 1),
    ),
    "a genre where there is a purchase": (
        ("purchased", "purchase"),
        lambda t: (t["purchased"] != "none") != (t["purchase"] == 1),
    ),
}


@dataclass(frozen=True)
class Variable:
    """A column of the table: its type, what it may hold, and when it comes about.

    Parameters: `name`; `dtype`, of pandas; `when`, "before" the slot is filled, "slot", or
    "after" it, where nothing may be adjusted for; `meaning`, with the unit; `low` and `high`, or
    for a category its `labels`; `gaps`, whether it may be missing.
    """

    name: str
    dtype: str
    when: str
    meaning: str
    low: float = -np.inf
    high: float = np.inf
    labels: tuple[str, ...] = ()
    gaps: bool = False

    def typed(self, column: Any) -> Any:
        """Give the column its declared type; a label that is not declared becomes missing."""
        import pandas as pd

        if not self.labels:
            values: Any = pd.Series(column)
            return values.astype(self.dtype)
        labels = pd.Index(self.labels)
        return pd.Series(pd.Categorical.from_codes(labels.get_indexer(column), categories=labels))


@cache
def dictionary() -> tuple[Variable, ...]:
    """Return the variables of the shop's table, in the order of its columns."""
    nobody = np.empty(0, dtype=np.int64)
    texts = tuple(queries(nobody, nobody, nobody.astype(np.float64)).categories)
    genres = ("none", *GENRES)
    return (
        Variable("user", "int64", "before", "number of the user", 0),
        Variable("visited_at", "datetime64[us]", "before", "begin of the visit (UTC)"),
        Variable("age", "float64", "before", "years", 10, 110, gaps=True),
        Variable("gender", "category", "before", "as stated", labels=(*GENDERS, UNKNOWN)),
        Variable("region", "category", "before", "of the user", labels=(*REGIONS, UNKNOWN)),
        Variable("views", "int64", "before", "films looked at in the month before", 0),
        Variable("browsed", "category", "before", "genre looked at last", labels=GENRES),
        Variable("carted", "category", "before", "genre of an older cart", labels=genres),
        Variable("query", "category", "before", "words typed on arrival", labels=texts),
        Variable("recommended", "int8", "slot", "1: the slot shows a film", 0, 1),
        Variable("shelf", "int8", "slot", "genre shown (0: none)", 0, len(GENRES)),
        Variable("item", "int64", "slot", "row of the film shown (-1: none)", -1),
        Variable("propensity", "float64", "slot", "chance that one is shown", 0, 1, gaps=True),
        Variable("pscore", "float64", "slot", "chance of this shelf", 0, 1, gaps=True),
        Variable("viewed", "int8", "after", "1: a film was looked at", 0, 1),
        Variable("cart", "int8", "after", "1: a film was put in the cart", 0, 1),
        Variable("purchase", "int8", "after", "1: bought within seven days", 0, 1),
        Variable("order_value", "float64", "after", "money for that purchase (0: none)", 0),
        Variable("purchased", "category", "after", "genre bought", labels=genres),
    )


def validate(table: pd.DataFrame) -> pd.DataFrame:
    """Hold a table against the dictionary: one row a rule, with the rows that break it.

    Columns of the report: rule, `rows` that break it, `share` of them, `first` three index labels.
    A rule about columns that are absent counts all rows.

    Parameters: `table`, one row a user. Raises ValueError if it is no DataFrame or has no rows.
    Source: ours.
    """
    import pandas as pd

    if not len(as_frame("table", table)):
        raise ValueError("table has no rows: there is nothing to validate")
    found: dict[str, Any] = {}
    for v in dictionary():
        column = table.get(v.name)
        right = column is not None and str(column.dtype) == v.dtype
        found[f"{v.name}: {v.dtype}"] = not right
        if column is None:
            continue
        if not v.gaps:
            found[f"{v.name}: not missing"] = column.isna()
        if right and v.labels:
            found[f"{v.name}: declared labels"] = ~column.isin(v.labels) & column.notna()
        elif right and np.isfinite([v.low, v.high]).any():
            found[f"{v.name}: {v.low:g} to {v.high:g}"] = (column < v.low) | (column > v.high)
    for rule, (names, broken) in ACROSS.items():
        found[rule] = broken(table) if set(names) <= set(table) else True
    rows = []
    for rule, bad in found.items():
        where = np.flatnonzero(np.broadcast_to(bad, len(table)))
        first = ", ".join(map(str, table.index[where[:3]]))
        rows.append({"rule": rule, "rows": len(where), "share": len(where) / len(table)})
        rows[-1]["first"] = first
    return pd.DataFrame(rows)
