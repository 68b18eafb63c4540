"""Logged decisions: which action was shown, with what probability, and what came of it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import (
    Array,
    Ints,
    as_array,
    as_numbers,
    codes,
    fingerprint,
    label,
    missing,
    numbers,
    rows,
    same_length,
)

if TYPE_CHECKING:
    import pandas as pd

# Propensities are often logged with six decimals; anything further off is another policy.
RTOL, ATOL = 1e-3, 1e-6
MANY = 1_000_000_000  # no table of probabilities has that many columns


@dataclass(frozen=True, eq=False, repr=False)
class Log:
    r"""Logged rounds $(x_i, a_i, r_i, \pi_0(a_i \mid x_i))$ of a recommender, checked once.

    Parameters
    ----------
    action : (n,) which action was taken: whole numbers 0, 1, 2, ...
    reward : (n,) what came of it (click, minutes, money)
    pscore : (n,) probability in (0, 1] with which the logging policy took that action
    context : (n, ...) what the policies may look at; kept as it is
    policy : (n, n_actions) all probabilities of the logging policy, where they are known
    cluster : (n,) labels of rows that hang together (a user's, a session's); kept as numbers

    Raises
    ------
    ValueError
        naming the argument, what was found and where, and what to do, for a missing value, text
        instead of numbers, an empty log, unequal lengths, a fractional or negative action, a
        single action, a propensity outside (0, 1], policy rows that are no distribution, or
        propensities that are not those of `policy`.

    Source: Dudík, Erhan, Langford and Li (2014).
    """

    action: Any  # once checked: Ints, and the two below Arrays
    reward: Any
    pscore: Any
    _: KW_ONLY
    context: Any = None
    policy: Any = None
    cluster: Any = None

    def __post_init__(self) -> None:
        action, reward, pscore = (
            _actions(self.action),
            numbers("reward", self.reward),
            _propensities(self.pscore),
        )
        cluster = None if self.cluster is None else codes("cluster", self.cluster)
        same_length(action=action, reward=reward, pscore=pscore, cluster=cluster)
        if action.min() == action.max():
            raise ValueError(
                f"{label('action', self.action)} is {action[0]} in every row: a log of one action "
                "says nothing of any other; log a policy that varies what it shows"
            )
        _no_gaps("context", self.context, len(action))
        policy = None
        if self.policy is not None:
            policy = distributions("policy", self.policy, len(action))
            _same_policy(action, pscore, policy)
        checked = {"action": action, "reward": reward, "pscore": pscore, "policy": policy}
        for name, array in (checked | {"cluster": cluster}).items():
            if array is not None:
                array = array.copy()  # what was checked stays as it was
                array.setflags(write=False)
            object.__setattr__(self, name, array)

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        action: Hashable,
        reward: Hashable,
        pscore: Hashable,
        context: Sequence[Hashable] = (),
        cluster: Hashable | None = None,
    ) -> Log:
        """Read a log from the columns of a table, one row for each decision.

        Parameters: the names of the columns (see `Log` for what they hold).
        Raises ValueError for a column that is not there or an unusable one, as `Log` does.
        """
        if not hasattr(frame, "columns"):
            raise ValueError(f"frame is a {type(frame).__name__}: pass a DataFrame")
        if isinstance(context, str):
            context = [context]
        wanted = [action, reward, pscore, *context, *([] if cluster is None else [cluster])]
        absent = [
            name for name in wanted if not isinstance(name, Hashable) or name not in frame.columns
        ]
        if absent:
            raise ValueError(
                f"frame has no column {', '.join(map(repr, absent))}: its columns are "
                f"{', '.join(map(repr, frame.columns))}"
            )
        return cls(
            frame[action],
            frame[reward],
            frame[pscore],
            context=frame[list(context)] if context else None,
            cluster=None if cluster is None else frame[cluster],
        )

    @property
    def n(self) -> int:
        """Number of rounds."""
        return len(self.action)

    @cached_property
    def sample(self) -> str:
        """Name of these rows: a hash of the rewards."""
        return fingerprint(self.reward)

    def __repr__(self) -> str:
        low, high = self.pscore.min(), self.pscore.max()
        full = "only that of the action shown" if self.policy is None else "all"
        return (
            f"Log of {self.n:,} rounds\n"
            f"  actions       {len(np.unique(self.action)):,} seen, up to {self.action.max()}\n"
            f"  mean reward   {self.reward.mean():.4g}\n"
            f"  propensities  {low:.3g} to {high:.3g}, {full}"
        )


def _actions(action: Any) -> Ints:
    called, array = label("action", action), as_array("action", action)
    if any(isinstance(value, str) for value in array.flat[:1]):
        raise ValueError(
            f"{called} holds labels, not numbers: number them in the order of the columns of your "
            "policy, for example with frame[column].map({'first item': 0, 'second item': 1})"
        )
    whole = array.dtype.kind in "iu" and array.ndim == 1 and array.size > 0
    values: Any = array if whole else numbers("action", action)  # no detour over floats
    if not (whole or (values == np.floor(values)).all()):
        bad = values != np.floor(values)
        raise ValueError(f"{called} is not a whole number in {rows(bad)}: actions are 0, 1, 2, ...")
    if values.min() < 0:
        raise ValueError(
            f"{called} is negative in {rows(values < 0)}: number the actions from 0 (-1 is what "
            "pandas writes for a missing category)"
        )
    if values.max() > MANY:
        raise ValueError(
            f"{called} goes up to {values.max():.3g}: identifiers, not numbers from 0; number them "
            "in the order of the columns of your policy"
        )
    whole_numbers: Ints = values.astype(np.int64, copy=False)
    return whole_numbers


def _propensities(pscore: Any) -> Array:
    called, values = label("pscore", pscore), numbers("pscore", pscore)
    bad = values <= 0
    if bad.any():
        raise ValueError(
            f"{called} is 0 or negative in {rows(bad)}: an action that was taken had some "
            "probability; look for rounding at ingest, or for rows the policy did not decide"
        )
    bad = values > 1 + ATOL
    if bad.any():
        raise ValueError(
            f"{called} is above 1 in {rows(bad)} (largest: {values.max():g}): pass probabilities, "
            "not per cents, weights or scores"
        )
    return values


def distributions(name: str, pi: Any, n: int) -> Array:
    """Return (n, n_actions) probabilities; refuse rows that are negative or do not sum to 1."""
    in_order(name, pi)
    p = as_numbers(name, pi)
    if p.ndim != 2:
        raise ValueError(
            f"{name} has {p.ndim} dimensions, needs 2: one row for each round, one column for each "
            "action (numpy.tile(p, (n, 1)) repeats one row)"
        )
    if p.shape[1] == 0:
        raise ValueError(f"{name} has no columns: pass one for each action")
    if len(p) != n:
        raise ValueError(
            f"unequal lengths: {name} has {len(p):,} rows, the log has {n:,}; pass one row a round"
        )
    total = np.einsum("ia->i", p)
    low, high = total.min(), total.max()  # a NaN in a row makes its sum NaN, and these
    if np.isnan(low):
        raise ValueError(
            f"{name} is NaN in {rows(np.isnan(total))}: give each action a probability"
        )
    if p.min() < 0:
        raise ValueError(f"{name} is negative in {rows((p < 0).any(axis=1))}: no probability is")
    if max(high - 1, 1 - low) > 1e-6:
        bad = np.abs(total - 1) > 1e-6
        raise ValueError(
            f"{name} does not sum to 1 in {rows(bad)} (the first sums to {total[bad][0]:.6g}): "
            "divide each row by its sum if that is what you mean"
        )
    return p


def in_order(name: str, table: Any) -> None:
    """Refuse a frame whose numbered columns are not 0, 1, 2, ...: it would be read by position."""
    columns = getattr(table, "columns", None)
    if columns is None or getattr(columns, "dtype", np.dtype("O")).kind not in "iu":
        return
    if list(columns) != list(range(len(columns))):
        raise ValueError(
            f"{name} has the columns {', '.join(map(str, columns[:8]))}: bring them into the order "
            f"of the actions, with {name}.reindex(columns=range(n_actions), fill_value=0)"
        )


def _same_policy(action: Ints, pscore: Array, policy: Array) -> None:
    beyond = action >= policy.shape[1]
    if beyond.any():
        raise ValueError(
            f"action is {action.max()} in a log whose policy has {policy.shape[1]} columns "
            f"({rows(beyond)} are out of range): number the actions from 0 in the order of columns"
        )
    logged = np.take_along_axis(policy, action[:, None], axis=1)[:, 0]
    bad = ~np.isclose(logged, pscore, rtol=RTOL, atol=ATOL) | (logged == 0)
    if bad.any():
        i = int(np.argmax(bad))
        raise ValueError(
            f"pscore is not the policy's probability of the action in {rows(bad)}: row {i} has "
            f"{pscore[i]:.6g}, policy says {logged[i]:.6g}; are the columns in another order?"
        )


def _no_gaps(name: str, x: Any, n: int) -> None:
    if x is None:
        return
    array = as_array(name, x)
    if array.ndim == 0:
        raise ValueError(f"{name} is {x!r}: pass one row for each round")
    if len(array) != n:
        raise ValueError(
            f"unequal lengths: {name} has {len(array):,} rows, the log has {n:,}; one row a round"
        )
    bad = missing(array).reshape(n, -1).any(axis=1)
    if bad.any():
        raise ValueError(
            f"{name} is missing in {rows(bad)}: give the missing value a category of its own, or "
            "drop those rounds on purpose"
        )
