"""A log of any size whose truth is known: a streaming service, written part by part."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from causalbook.arrays import Array, dice
from causalbook.project.policy_tables import TablePolicy
from causalbook.project.warehouse_tables import bucket_of

if TYPE_CHECKING:
    import pandas as pd

PART = 1_000_000  # rows that are made and written at a time
N_CONTEXTS, N_ACTIONS = 20, 6
MOOD, LIFT = 0.15, 0.01  # of a user, up or down; of the arm 1
VISITS = {1: 0.7, 10: 0.2, 100: 0.1}  # of a user, and their shares
CONTEXTS = [f"context {x:02d}" for x in range(N_CONTEXTS)]


def watched_rates() -> Array:
    r"""Return the exact chance (20, 6) that film a is watched in context x, in arm 0.

    $$q(x, a) = .35 + .05\,\big((x + a) \bmod 6\big)$$

    Source: ours.
    """
    x, a = np.indices((N_CONTEXTS, N_ACTIONS))
    rates: Array = 0.35 + 0.05 * ((x + a) % N_ACTIONS).astype(np.float64)
    return rates


def big_log_policy() -> TablePolicy:
    r"""Return the policy that wrote the log: a favourite in each context, and two fifths of chance.

    $$\pi_0(a \mid x) = .6\; 1\{a = (2 - x) \bmod 6\} + .4 / 6$$

    Its favourite is never the best action. Source: ours.
    """
    favourite = np.eye(N_ACTIONS)[(2 - np.arange(N_CONTEXTS)) % N_ACTIONS]
    return TablePolicy(dict(zip(CONTEXTS, favourite, strict=True))).explore(0.4)


def big_log_value(policy: TablePolicy) -> float:
    r"""Return the exact value of a policy in the log's world, both arms taken together.

    $$V(\pi) = \frac{1}{20} \sum_x \sum_a \pi(a \mid x)\, q(x, a) + .01 / 2$$

    Parameters: `policy` over the log's contexts. Raises ValueError for one that lacks a context.
    Source: ours.
    """
    return float((policy.of(CONTEXTS) * watched_rates()).sum() / N_CONTEXTS + LIFT / 2)


def big_log_part(part: int, *, seed: int) -> pd.DataFrame:
    r"""Return the million rows number `part` of the log, a row an impression.

    $$P(R = 1) = q(x, a) + .15\, U_j + .01\, A_j, \qquad U_j = \pm 1, \quad A_j \in \{0, 1\}$$

    A user j has one context, one mood U and one arm A, and is seen once, ten times or a hundred
    times: rows of one user hang together. The effect of the arm is exactly .01.

    Parameters: `part` from 0; `seed`. Columns: user, bucket, arm, past (a rate before the lottery,
    the mood with noise), context, action, reward (watched, 0 or 1), pscore.
    Raises ValueError for a part or a seed that is no whole number. Source: ours.
    """
    import pandas as pd

    if not isinstance(part, (int, np.integer)) or part < 0:
        raise ValueError(f"part is {part!r}: pass the number of a part, from 0")
    rng = dice(PART, seed, of=f"big_log {part}")
    visits = rng.choice(list(VISITS), p=list(VISITS.values()), size=PART // 8)
    seen = np.repeat(np.arange(len(visits)), visits)[:PART]  # of a million and a half
    mood, arm, x = (rng.integers(k, size=len(visits)) for k in (2, 2, N_CONTEXTS))
    past = 0.5 + MOOD * (2 * mood - 1) + rng.normal(0, 0.1, len(visits))
    pi = big_log_policy().of(CONTEXTS)
    context = x[seen]
    action = (pi.cumsum(axis=1)[context] <= rng.random((PART, 1))).sum(axis=1)
    rate = watched_rates()[context, action] + MOOD * (2 * mood[seen] - 1) + LIFT * arm[seen]
    user = np.int64(part) * PART + np.arange(len(visits))
    return pd.DataFrame(
        {
            "user": user[seen],
            "bucket": bucket_of(user)[seen],
            "arm": arm[seen].astype(np.int8),
            "past": past[seen],
            "context": pd.Categorical.from_codes(context, pd.Index(CONTEXTS)),
            "action": action.astype(np.int8),
            "reward": (rng.random(PART) < rate).astype(float),
            "pscore": pi[context, action],
        }
    )


def write_big_log(folder: str | Path, parts: int, *, seed: int) -> None:
    """Write the first `parts` million rows of the log as parquet files, one a million.

    A folder holds what `big_log_part` returns, and memory what one part needs.

    Parameters: `folder`, made if it is not there; `parts`, from 1; `seed`, as in `big_log_part`.
    Raises ValueError as that does, and for no parts. Source: ours.
    """
    if not isinstance(parts, (int, np.integer)) or parts < 1:
        raise ValueError(f"parts is {parts!r}: pass how many million rows to write, from 1")
    Path(folder).mkdir(parents=True, exist_ok=True)
    for part in range(parts):
        path = Path(folder) / f"part-{part:05d}.parquet"
        big_log_part(part, seed=seed).to_parquet(path, index=False)
