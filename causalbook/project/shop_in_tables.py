"""The shop's visits as the warehouse stores them: who came, what was shown and why, what came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook import datasets
from causalbook.arrays import as_frame
from causalbook.case_study.funnel_world import DAY, PRICE
from causalbook.case_study.queries import GENRES
from causalbook.potential_outcomes import World
from causalbook.project.policy_tables import shop_context

if TYPE_CHECKING:
    import pandas as pd

LOOK = 180_000_000  # microseconds from a visit to the view, and from the view to the cart
NEEDED = ("user", "visited_at", "region", "views", "query", "shelf", "pscore")


def shop_tables(
    world: World, log: pd.DataFrame | None = None, *, policy: Any, experiment: str = ""
) -> dict[str, pd.DataFrame]:
    """Write the visits of a shop as the five tables of the warehouse, nothing left out.

    A purchase stands at the moment it comes, also after the seven days in which the log counts it
    (at the usual price then). A visit without a logged propensity keeps its gap: the warehouse will
    quarantine it. An impression is named by its user and moment, for a visit happens once.

    Parameters: `world` from `funnel_shop`; `log`, its data or what `collect` made of them, in the
    same rows; `policy`, the version that decided, one for all or one a row; `experiment`, its name,
    if the log has columns `arm` and `share`. Returns {table: DataFrame}, to be ingested in order.
    Raises ValueError for a log of other rows and for columns that are absent. Source: ours.
    """
    import pandas as pd

    visits = world.data if log is None else as_frame("log", log)
    if len(visits) != len(world.potential):
        raise ValueError(f"log has {len(visits):,} rows, the world {len(world.potential):,}")
    needed = (*NEEDED, *(("arm", "share") if experiment else ()))
    if absent := [name for name in needed if name not in visits]:
        raise ValueError(f"log has no column {', '.join(absent)}: pass a log of the shop")
    shelf, start = visits["shelf"].to_numpy(np.int64), visits["visited_at"].dt.tz_localize("UTC")
    moment = visits["visited_at"].to_numpy().astype("M8[us]").astype(np.int64)
    user, hidden = visits["user"].to_numpy(np.int64), world.potential
    name = np.char.add(np.char.add(user.astype(str), "-"), moment.astype(str))

    users = {"user": user, "first_seen": start, "region": visits["region"].astype(str)}
    shown = {"impression": name, "at": start, "user": user, "context": shop_context(visits)}
    shown |= {"action": shelf, "item": visits.get("item", -1), "policy": policy}
    tables = {
        "users": pd.DataFrame(users | {"past": visits["views"].astype(np.float64)}),
        "items": _films(),
        "impressions": pd.DataFrame(shown | {"pscore": visits["pscore"]}),
    }
    tables["outcomes"] = _outcomes(visits, hidden, shelf, name, moment)
    drawn = {"experiment": experiment, "user": user, "arm": visits.get("arm", 0)}
    drawn |= {"share": visits.get("share", 1.0), "at": start}
    tables["experiments"] = pd.DataFrame(drawn)[: None if experiment else 0]
    return tables


def _outcomes(visits: Any, hidden: Any, shelf: Any, name: Any, moment: Any) -> pd.DataFrame:
    """Views and carts some minutes after the visit, purchases when they come."""
    import pandas as pd

    every = np.column_stack([hidden[f"wait_{k}"] for k in range(1 + len(GENRES))])
    wait = DAY * every[np.arange(len(shelf)), shelf]
    look = np.minimum(LOOK, wait / 3)
    bought, ever = visits["purchase"].to_numpy() == 1, wait < np.inf
    worth = np.where(bought, visits["order_value"], PRICE)
    parts = []
    kinds = (("view", visits["viewed"] == 1, look, 0.0), ("cart", visits["cart"] == 1, 2 * look, 0))
    for kind, came, later, value in (*kinds, ("purchase", ever, np.ceil(wait), worth)):
        who = np.flatnonzero(came)
        at = pd.to_datetime(moment[who] + later[who].astype(np.int64), unit="us", utc=True)
        part = {"outcome": np.char.add(name[who], f"-{kind}"), "impression": name[who], "at": at}
        part |= {"kind": kind, "value": np.broadcast_to(value, len(shelf))[who].astype(np.float64)}
        parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def _films() -> pd.DataFrame:
    """Return the films on sale: the first hundred of each genre."""
    films = datasets.load("films")
    on_sale = films[films["genres"].isin(GENRES)].groupby("genres", sort=False).head(100)
    items = on_sale[["title", "genres"]].rename(columns={"genres": "category"})
    return items.rename_axis("item").reset_index()
