"""Lists of items from a policy over shelves: what a recommender hands out in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from causalbook.arrays import Ints
from causalbook.project.learning import Learned
from causalbook.project.policy_tables import TablePolicy
from causalbook.project.warehouse import Warehouse

if TYPE_CHECKING:
    import pandas as pd


def recommend_items(
    warehouse: Warehouse, policy: TablePolicy, learned: Learned, shelves: list[str], k: int
) -> pd.DataFrame:
    r"""Recommend k items to each user: of the shelf with the largest estimated effect.

    Returns user, rank, item, title, shelf, `gain` (estimated profit over the empty slot, in money)
    and `shown` (the chance that the policy fills the slot with this shelf). Within a shelf, items
    go by how often they were bought after being shown: nothing here estimates effects of items.

    Parameters: `warehouse`; `policy` and `learned`, over the same contexts; `shelves`, the name of
    each action; `k` items a user. Source: ours.
    """
    import pandas as pd

    effect = learned.profit[:, 1:] - learned.profit[:, :1]
    best: Ints = 1 + effect.argmax(axis=1)
    row = np.arange(len(best))
    chosen = pd.DataFrame({"context": learned.contexts, "shelf": np.array(shelves)[best]})
    chosen = chosen.assign(gain=effect[row, best - 1], shown=policy.table[row, best])
    shown, items = warehouse.table("impressions"), warehouse.table("items")
    outcomes = warehouse.table("outcomes")
    bought = outcomes.filter(outcomes["kind"] == "purchase").join(shown, "impression")
    sales = warehouse.read(bought.group_by("item").agg(sold=bought.count()))
    ranked = warehouse.read(items).merge(sales, on="item", how="left").fillna({"sold": 0})
    ranked = ranked.sort_values(["category", "sold", "item"], ascending=[True, False, True])
    ranked["rank"] = ranked.groupby("category").cumcount() + 1
    top = ranked[ranked["rank"] <= k].rename(columns={"category": "shelf"})
    asked = shown.group_by("user").agg(context=shown["context"].argmax(shown["at"]))
    users = warehouse.read(asked.order_by("user"))
    lists = users.merge(chosen, on="context").merge(top, on="shelf")
    columns = ["user", "rank", "item", "title", "shelf", "gain", "shown"]
    return lists.sort_values(["user", "rank"])[columns].reset_index(drop=True)


def shelf_names(warehouse: Warehouse) -> list[str]:
    """Name of each action: the category of the items that it showed; "" for the empty slot."""
    shown, items = warehouse.table("impressions"), warehouse.table("items")
    pairs = shown.join(items, "item").group_by("action").agg(category=items["category"].max())
    found = warehouse.read(pairs)
    names = dict(zip(found["action"].astype(int), found["category"], strict=True))
    last = warehouse.read(shown.agg(last=shown["action"].max()))["last"][0]
    return ["", *(names.get(a, f"shelf {a}") for a in range(1, int(last) + 1))]
