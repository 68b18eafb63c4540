"""A policy that one can print, hash, put in a database and serve: a table of probabilities."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import Array, Labels, as_array, missing, numbers, rows
from causalbook.case_study import asked, read_query
from causalbook.case_study.queries import GENRES
from causalbook.estimators.logged_data import distributions
from causalbook.project.contents import put

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class TablePolicy:
    r"""A policy over few contexts: $\pi(a \mid x)$, one row a context, one column an action.

    Parameters
    ----------
    probabilities : {context: (n_actions,) probabilities of the actions 0, 1, 2, ...}, each row with
        sum 1

    Raises
    ------
    ValueError
        for no context, rows of unequal length, and rows that are no distribution.

    Source: ours.
    """

    probabilities: Mapping[str, Any]

    def __post_init__(self) -> None:
        if not isinstance(self.probabilities, Mapping) or not self.probabilities:
            raise ValueError("probabilities is empty or no mapping: pass {context: probabilities}")
        p = distributions(
            "probabilities", list(self.probabilities.values()), len(self.probabilities)
        )
        given = {
            str(x): tuple(map(float, row)) for x, row in zip(self.probabilities, p, strict=True)
        }
        object.__setattr__(self, "probabilities", given)

    @property
    def contexts(self) -> list[str]:
        """The contexts that the policy knows."""
        return list(self.probabilities)

    @property
    def n_actions(self) -> int:
        """How many actions there are, numbered from 0."""
        return len(next(iter(self.probabilities.values())))

    @cached_property
    def table(self) -> Array:
        """Probabilities (n_contexts, n_actions), in the order of `contexts`."""
        return np.array(list(self.probabilities.values()))

    @cached_property
    def version(self) -> str:
        """Name of exactly this policy: a hash of its probabilities, in any order of contexts."""
        text = json.dumps(sorted(self.probabilities.items()))
        return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()

    def of(self, context: Any) -> Array:
        """Return the probabilities (n, n_actions) in each of n contexts; refuse an unknown one."""
        import pandas as pd

        labels = as_array("context", context)
        row = pd.Index(self.contexts).get_indexer(pd.Index(labels))
        if (bad := row < 0).any():
            raise ValueError(
                f"context is unknown to policy {self.version} in {rows(bad)}, such as "
                f"{labels[bad][0]!r}: it knows {', '.join(self.contexts[:6])}, ..."
            )
        return self.table[row]

    def explore(self, epsilon: float) -> TablePolicy:
        r"""Give each action at least $\epsilon / K$: $(1 - \epsilon)\,\pi + \epsilon / K$."""
        if not 0 <= epsilon <= 1:
            raise ValueError(f"epsilon is {epsilon}: it is a share, pass 0 to 1")
        mixed = (1 - epsilon) * self.table + epsilon / self.n_actions
        return TablePolicy(dict(zip(self.contexts, mixed, strict=True)))

    def frame(self, q: Any = None) -> pd.DataFrame:
        """Return one row a context and action: context, action, pi and, from `q`, a reward model.

        Parameters: `q` (n_contexts, n_actions) predicted rewards in the order of `contexts`.
        """
        import pandas as pd

        n, k = self.table.shape
        columns = {"context": np.repeat(self.contexts, k), "action": np.tile(np.arange(k), n)}
        columns |= {"pi": self.table.ravel()}
        if q is not None:
            model = numbers("q", q, ndim=2)
            if model.shape != (n, k):
                raise ValueError(f"q has shape {model.shape}, the policy {(n, k)}: make them one")
            columns |= {"q": model.ravel()}
        return pd.DataFrame(columns)

    def save(self, path: str | Path) -> None:
        """Write the policy as JSON: {"version": ..., "probabilities": {context: [...]}}."""
        told = {"version": self.version, "probabilities": self.probabilities}
        put(Path(path), json.dumps(told, indent=1, ensure_ascii=False))

    @classmethod
    def load(cls, path: str | Path) -> TablePolicy:
        """Read a policy that `save` wrote; refuse one that was changed since."""
        told = json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(told, dict) or set(told) != {"version", "probabilities"}:
            raise ValueError(f"{Path(path).name} is no saved policy: write it with save")
        policy = cls(told["probabilities"])
        if policy.version != told["version"]:
            raise ValueError(
                f"{Path(path).name} calls itself {told['version']} and holds {policy.version}: it "
                "was changed by hand; save it anew, so that its log can be told from others"
            )
        return policy

    def __repr__(self) -> str:
        return (
            f"TablePolicy {self.version}: {len(self.contexts)} contexts, {self.n_actions} actions"
        )


def shop_context(visits: pd.DataFrame) -> Labels:
    """Return what the shop's policies look at: what the words of the query tell, as one text.

    "buys Drama" for a query that says *buy* and asks for a drama: four ways to sound (`read_query`)
    by five genres (`asked`). Parameters: `visits` (n rows) with a column `query`. Raises ValueError
    for a missing query or one that asks for no genre. Source: ours.
    """
    if (gone := missing(visits["query"].to_numpy(dtype=object))).any():
        raise ValueError(f"query is missing in {rows(gone)}: give such visits a context on purpose")
    genre = np.array(GENRES)[asked(visits["query"]) - 1]
    sounds = read_query(visits["query"])
    context: Labels = np.char.add(np.char.add(sounds, " "), genre)
    return context
