"""The shop in files: as many users as a disk holds, one part after the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from causalbook import datasets
from causalbook.arrays import dice
from causalbook.case_study.funnel_world import funnel_shop, refuse
from causalbook.case_study.queries import GENRES
from causalbook.case_study.shop_events import raw_events, refuse_dirt
from causalbook.potential_outcomes import World

PART = 100_000  # users a part: about half a gigabyte while it is made


def write_shop(
    folder: str | Path,
    n_users: int,
    *,
    confounding: float = 1.0,
    hidden: float = 0.0,
    dirt: float = 1.0,
    seed: int,
) -> dict[str, float]:
    """Write the shop of `funnel_shop` as parquet files, part by part, and return its truth.

    `folder`, new or empty, gets `items.parquet` (item, title, year, genre: the films on sale) and,
    in parts of 100,000 users, `visits/` (the data, user numbers running on), `potential/` (what
    nobody sees, in the same rows) and `events/` (the raw log of these visits, by `raw_events`).
    Memory is that of one part, time is linear in the users. A part depends on the seed and its
    number alone: a longer shop begins as a shorter one does. The truth is that of all users
    together.

    Parameters: `folder`; `n_users`, from 2; the switches are those of `funnel_shop` and
    `raw_events`.
    Raises ValueError for a folder that holds files already, fewer than two users, or as
    `funnel_shop` and `raw_events` do. Source: ours.
    """
    refuse(n_users, confounding, hidden)
    dice(n_users, seed)
    refuse_dirt(dirt)
    where = Path(folder)
    if where.exists() and (not where.is_dir() or any(where.iterdir())):
        raise ValueError(
            f"folder {where.name!r} is a file or holds files already: pass a new or an empty one"
        )
    for kind in ("visits", "potential", "events"):
        (where / kind).mkdir(parents=True)
    _items(where / "items.parquet")
    total: dict[str, float] = {}
    counts: dict[str, int] = {}
    for part, size in enumerate(part_sizes(n_users)):
        world = funnel_shop(
            size, confounding=confounding, hidden=hidden, seed=part_seed(seed, part)
        )
        world.data["user"] += part * PART
        for name, n in _group_sizes(world).items():
            if n:
                total[name] = total.get(name, 0.0) + n * world.truth[name]
                counts[name] = counts.get(name, 0) + n
        _write(world, where, f"part-{part:05}.parquet", dirt, seed)
        del world  # before the next one is made
    return {name: total[name] / counts[name] for name in total}


def _write(world: World, where: Path, file: str, dirt: float, seed: int) -> None:
    """Write one part: what is seen, what is not, and the events behind it."""
    world.data.to_parquet(where / "visits" / file, index=False)
    world.potential.to_parquet(where / "potential" / file, index=False)
    raw_events(world, dirt=dirt, seed=seed).data.to_parquet(where / "events" / file, index=False)


def part_sizes(n_users: int) -> list[int]:
    """Users of each part: all full but the last, which takes a single user left over along."""
    full, rest = divmod(n_users, PART)
    sizes = [PART] * full + ([rest] if rest > 1 else [])
    if rest == 1:
        sizes[-1:] = [PART + 1] if full else [1]
    return sizes


def part_seed(seed: int, part: int) -> int:
    """Seed of a part, independent of those of the others."""
    return int(np.random.SeedSequence([seed, part]).generate_state(1, np.uint64)[0])


def _group_sizes(world: World) -> dict[str, int]:
    """How many users each entry of the truth is an average over."""
    n, treated = len(world.data), int(world.data["recommended"].sum())
    urgency = world.potential["urgency"].to_numpy()
    sizes = {f" urgency {j}": int((urgency == j).sum()) for j in range(3)} | {" treated": treated}
    return {
        name: next((size for group, size in sizes.items() if name.endswith(group)), n)
        for name in world.truth
    }


def _items(file: Path) -> None:
    """Write the films on sale: the first hundred of each genre."""
    films = datasets.load("films")
    on_sale = films[films["genres"].isin(GENRES)].groupby("genres", sort=False).head(100)
    items = on_sale[["title", "year", "genres"]].rename(columns={"genres": "genre"})
    items.rename_axis("item").reset_index().to_parquet(file, index=False)
