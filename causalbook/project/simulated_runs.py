"""Where a run without a log of its own gets one: the shop, its old recommender, its visitors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook import datasets
from causalbook.arrays import Array
from causalbook.case_study import collect, funnel_shop
from causalbook.case_study.queries import GENRES
from causalbook.potential_outcomes import World
from causalbook.project.configuration import RunConfig
from causalbook.project.policy_tables import TablePolicy, shop_context
from causalbook.project.shop_in_tables import shop_tables

if TYPE_CHECKING:
    import pandas as pd

Tables = dict[str, "pd.DataFrame"]
MOST = 2_000_000  # visitors that a simulated test may have
NEW = 1_000_003  # added to the seed: the test's visitors are another draw of the shop


def old_policy(world: World, exploration: float) -> Array:
    r"""Return what the shop's old recommender does, (n, 6), with a slice decided by a coin.

    $$\pi_0 = (1 - \epsilon)\, \text{rule} + \epsilon\, \text{coin}$$

    The rule shows the candidate to those whom today's shop shows it more often than not, which is
    where a purchase is near, and never to others. The coin: the candidate or nothing.

    Parameters: `world` of `funnel_shop`; `exploration` epsilon, the share of visits for the coin.
    Source: ours.
    """
    there: Any = world.potential
    e = there["propensity"].to_numpy()[:, None]
    pick = there[[f"pscore_{k}" for k in range(1, len(GENRES) + 1)]].to_numpy() / e
    rule, coin = np.hstack([e < 0.5, (e >= 0.5) * pick]), np.hstack([0 * e + 0.5, pick / 2])
    pi: Array = (1 - exploration) * rule + exploration * coin
    return pi


def simulate_log(config: RunConfig) -> Tables:
    """Run the old recommender on the shop's visitors; return the tables of the warehouse.

    Parameters: `config`, which says how many users, with what `exploration` and `seed`.
    Raises ValueError as `funnel_shop` does. Source: ours.
    """
    world = funnel_shop(config.users, seed=config.seed)
    pi = old_policy(world, config.exploration)
    log = _with_items(collect(world, pi, seed=config.seed), config.seed)
    return shop_tables(world, log, policy="old")


def simulate_test(
    config: RunConfig, arms: tuple[TablePolicy, TablePolicy], per_arm: int, name: str
) -> Tables:
    """Split new visitors by lot between two policies; return the tables, `experiments` with them.

    Parameters: `config` of the run; `arms`, the policies of arm 0 and arm 1; `per_arm` visitors of
    each, in the mean; `name` of the experiment.
    Raises ValueError for more visitors than this simulation draws. Source: ours.
    """
    n = 2 * per_arm
    if n > MOST:
        raise ValueError(
            f"effect is {config.effect:g}: to find it takes {n:,} visitors, and a simulated test "
            f"has at most {MOST:,}; declare the smallest gain that would change the decision"
        )
    world = funnel_shop(n, seed=config.seed + NEW)
    arm = np.random.default_rng([config.seed, NEW]).integers(0, 2, n)
    context = shop_context(world.data)
    pi = np.where(arm[:, None] == 1, arms[1].of(context), arms[0].of(context))
    log = _with_items(collect(world, pi, seed=config.seed), config.seed)
    log = log.assign(user=log["user"] + config.users, arm=arm, share=0.5)  # nobody of the old log
    version = np.array([policy.version for policy in arms])[arm]
    return shop_tables(world, log, policy=version, experiment=name)


def _with_items(log: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Put a film of its shelf into each filled slot, the first of a shelf most often."""
    genres = datasets.load("films")["genres"].to_numpy()
    pools = [np.flatnonzero(genres == genre)[:100] for genre in GENRES]
    place = (100 * np.random.default_rng([seed, 7]).random(len(log)) ** 2).astype(np.int64)
    film = np.vstack([np.full(100, -1), *pools])[log["shelf"], place]
    return log.assign(item=film)
