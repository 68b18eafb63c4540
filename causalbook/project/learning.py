"""Two recommenders from one log: what is most likely bought, and what changes profit most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import Array, Ints
from causalbook.project.policy_tables import TablePolicy
from causalbook.project.warehouse import Warehouse

if TYPE_CHECKING:
    import pandas as pd


def count_cells(warehouse: Warehouse, rounds: Any) -> pd.DataFrame:
    r"""Return one row a context and action, summed where the data stand.

    Parameters: `rounds`, an Ibis table of the `warehouse` with context, action, pscore, reward and
    bought. Returns context, action, n, bought and, with weights $w = 1/\text{pscore}$, the sums w,
    wr, ww of the weights, of weight times reward and of their squares. Source: ours.
    """
    w = 1 / rounds["pscore"]
    cells = rounds.group_by("context", "action").agg(
        n=rounds.count(),
        bought=rounds["bought"].sum(),
        w=w.sum(),
        wr=(w * rounds["reward"]).sum(),
        ww=(w * w).sum(),
    )
    return warehouse.read(cells.order_by("context", "action"))


@dataclass(frozen=True)
class Learned:
    """What was learned: arrays (n_contexts, n_actions) in the order of `contexts`.

    Parameters: `contexts`; `bought`, predicted purchases as they were seen in the log; `profit`,
    what each action would earn; `share` (n_contexts,) of visits; `filled`, the log's share of
    filled slots.
    """

    contexts: Sequence[str]
    bought: Array
    profit: Array
    share: Array
    filled: float

    @classmethod
    def read(cls, told: dict[str, Any]) -> Learned:
        """Take it from lists, as JSON keeps them."""
        tables = {name: np.array(told[name]) for name in ("bought", "profit", "share")}
        return cls(told["contexts"], filled=told["filled"], **tables)

    @property
    def favourite(self) -> Ints:
        """Of each context, the shelf that is most likely bought from; never the empty slot."""
        k: Ints = 1 + self.bought[:, 1:].argmax(axis=1)
        return k

    def baseline(self) -> TablePolicy:
        """Fill as many slots as the log did, where a purchase is most likely, with the favourite.

        This is the recommender that a team without causal words builds. Source: ours.
        """
        order = np.argsort(-self.bought[:, 1:].max(axis=1), kind="stable")
        before = np.cumsum(self.share[order]) - self.share[order]
        full = np.empty(len(order), dtype=bool)
        full[order] = before < self.filled
        return self.always(np.where(full, self.favourite, 0))

    def effect_driven(self) -> TablePolicy:
        r"""Show what earns most, nothing included: $\arg\max_a \hat q(x, a)$. Source: ours."""
        return self.always(self.profit.argmax(axis=1))

    def policies(self) -> dict[str, TablePolicy]:
        """Both recommenders by name."""
        return {"baseline": self.baseline(), "effect-driven": self.effect_driven()}

    def always(self, action: Any) -> TablePolicy:
        """Return the policy that takes one action in each context."""
        k = np.broadcast_to(action, len(self.contexts)).astype(np.int64)
        table = np.eye(self.profit.shape[1])[k]
        return TablePolicy(dict(zip(self.contexts, table, strict=True)))


def learn(cells: pd.DataFrame, shelves: Sequence[str]) -> Learned:
    r"""Fit a line in the words of the context for each role: no shelf, one it names, another.

    $$\hat q(x, a) = \sum_{v \in x} \beta_{v, \rho(x, a)}, \qquad
      \min_\beta \sum_{x, a} n_{x,a} \big(\bar r_{x,a} - \hat q(x, a)\big)^2$$

    Roles pool what few rows tell: "the drama for someone who asks for dramas" and "the comedy for
    someone who asks for comedies" are one role. For profit $\bar r$ is the mean of a cell weighted
    by 1 / pscore, so that within a context the action is as if drawn by lot, and n its effective
    number of rows, $(\sum w)^2 / \sum w^2$. For the predicted purchase it is the plain mean and
    the plain count: what a predictor fits.

    Parameters: `cells` from `count_cells`; `shelves`, the name of each action, "" for the empty
    slot. Raises ValueError for an action without a name or that no row shows.
    Source: ours; weighted least squares.
    """
    contexts = tuple(sorted(set(cells["context"])))
    action = cells["action"].to_numpy(np.int64)
    if action.max() >= len(shelves):
        raise ValueError(f"shelves has {len(shelves)} names, action goes up to {action.max()}")
    table = np.zeros((5, len(contexts), len(shelves)))
    for k, name in enumerate(("n", "bought", "w", "wr", "ww")):
        table[k, np.searchsorted(contexts, cells["context"]), action] = cells[name]
    n, bought, w, wr, ww = table
    if (never := n.sum(axis=0) == 0).any():
        raise ValueError(
            f"action {np.flatnonzero(never).tolist()} is in no row of the log: nothing is known of "
            "it; log a policy that shows each"
        )
    split = [context.split() for context in contexts]
    known = sorted({word for words in split for word in words})
    X = np.array([[float(word in words) for word in known] for words in split])
    role = np.array([[0 if not s else 1 if s in words else 2 for s in shelves] for words in split])

    def fit(total: Array, count: Array, rows: Array) -> Array:
        mean = np.divide(total, count, out=0 * count, where=count > 0)
        fitted = np.empty_like(mean)
        for r in np.unique(role):
            x, a = np.nonzero(role == r)
            root = np.sqrt(rows[x, a])
            beta = np.linalg.lstsq(root[:, None] * X[x], root * mean[x, a], rcond=None)[0]
            fitted[x, a] = X[x] @ beta
        return fitted

    effective = np.divide(w**2, ww, out=0 * n, where=n > 0)
    share, filled = n.sum(axis=1) / n.sum(), 1 - n[:, 0].sum() / n.sum()
    return Learned(contexts, fit(bought, n, n), fit(wr, w, effective), share, float(filled))
