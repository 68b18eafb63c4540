"""Are the logged propensities those with which the actions were taken? What happened tells."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import (
    Array,
    Ints,
    Labels,
    as_array,
    codes,
    missing,
    numbers,
    rows,
    same_length,
)
from causalbook.estimators import Check
from causalbook.potential_outcomes import holm

if TYPE_CHECKING:
    import pandas as pd

ALARM = 0.001  # p-value below which a check fails, as for a sample ratio mismatch
ENOUGH = 50  # rows that an action was to have, for the normal distribution
UNSEEN = 3  # rows as heavy as the heaviest, that chance may have withheld


def propensity_check(
    action: Any, pscore: Any, *, context: Any = None, cluster: Any = None
) -> Check:
    r"""Ask whether logged propensities are those with which the actions were taken.

    $$\bar s_a = \frac1n \sum_i s_i, \qquad s_i = \frac{1\{a_i = a\}}{\pi_0(a_i \mid x_i)}, \qquad
      \mathbb{E}\,\bar s_a = 1, \qquad
      \widehat{se}^2 = \frac1n \Big(\frac{\sum_i s_i^2}{\sum_i s_i} - 1\Big)$$

    for each action in each context. Failed if any mean is off by more than chance (p < .001, by
    Holm over all pairs of context and action that were to have 50 rows and have half of them), or
    if propensities that do not vary within a context sum to more than 1 there. Above 1 the
    propensities of the action are too small, or its rows are doubled; below 1 they are too large,
    or its rows were lost, or the action was not always allowed. Small propensities are seldom seen,
    so that a mean below 1 fails only if three more rows as heavy as the heaviest would not explain
    it. The errors are those of rows drawn one by one, or of clusters where these vary more. A wrong
    propensity that is right on average passes.

    Parameters: `action` (n,) labels; `pscore` (n,) in (0, 1]; `context` (n,) labels; `cluster`
    (n,) labels. Columns of the table, the worst pair first: context, action, rows, mean (of
    1/pscore of the action, over all rows of the context), se, p (by Holm).
    Raises ValueError for unequal lengths, a missing label, a pscore outside (0, 1].
    Source: ours; the expectation is that of Horvitz and Thompson (1952).
    """
    import pandas as pd

    p = numbers("pscore", pscore)
    if (bad := (p <= 0) | (p > 1)).any():
        raise ValueError(f"pscore is outside (0, 1] in {rows(bad)}: pass probabilities")
    labels = {"context": np.repeat("all", len(p)) if context is None else context, "action": action}
    (xs, x), (actions, a) = (_numbered(name, values) for name, values in labels.items())
    groups = None if cluster is None else codes("cluster", cluster)
    same_length(action=a, pscore=p, context=x, cluster=groups)
    pairs, cell = np.unique(x * len(actions) + a, return_inverse=True)
    of = pairs // len(actions)  # the context of each pair
    table = pd.DataFrame({"context": xs[of], "action": actions[pairs % len(actions)]})
    table = table.assign(**_means(1 / p, cell, of, x, groups))
    expected = table["rows"] / table["mean"]  # a choice by the rows found would favour high ones
    enough = (expected >= ENOUGH) & (table["rows"] >= ENOUGH / 2)
    table = table[(table["se"] > 0) & enough]
    table = table.sort_values("z", ascending=False, kind="stable").reset_index(drop=True)
    chance = [math.erfc(z / math.sqrt(2)) for z in table.pop("z")]
    table["p"] = holm(chance) if chance else np.array([])
    sums = {str(xs[k]): total for k, total in _sums_above_one(p, cell, of)}
    if table.empty and not sums:
        said = (
            f"nothing could be compared: in no context was an action to have {ENOUGH} rows with "
            "propensities below 1. Fewer columns as context have more rows each."
        )
        return Check("propensities", None, table, said)
    said = _what_is_off(table, sums)
    well = (
        f"1/pscore averages 1, within chance, for all {len(table)} pairs of context and action "
        "with enough rows: what happened agrees with the probabilities that were logged."
    )
    return Check("propensities", not said, table, said or well)


def _numbered(name: str, x: Any) -> tuple[Labels, Ints]:
    array = as_array(name, x)
    if (gone := missing(array)).any():
        raise ValueError(f"{name} is missing in {rows(gone)}: give each row a label")
    labels, number = np.unique(
        array.astype(str) if array.dtype == object else array, return_inverse=True
    )
    return labels, number.astype(np.int64)


def _means(s: Array, cell: Ints, of: Ints, x: Ints, groups: Ints | None) -> dict[str, Array]:
    """Mean of s by pair over the rows of its context, its error, and how far it is from 1."""
    n = np.bincount(x)[of].astype(float)
    total: Any = np.bincount(cell, s)
    squares: Any = np.bincount(cell, s**2)
    top = np.zeros(len(n))
    np.maximum.at(top, cell, s)
    mean, own = total / n, np.zeros(len(n))
    if groups is not None:  # sum over clusters of (their sum of s - mean * their rows)^2
        k = int(groups.max()) + 1
        here, at = np.unique(x * k + groups, return_inverse=True)
        size = np.bincount(at).astype(float)
        both, first, where = np.unique(cell * k + groups, return_index=True, return_inverse=True)
        sums, m, pair = np.bincount(where, s), size[at[first]], both // k
        spread = np.bincount(pair, sums**2 - 2 * mean[pair] * sums * m)
        spread += mean**2 * np.bincount(here // k, size**2)[of]
        own = np.sqrt(np.maximum(spread, 0)) / n
    se = np.maximum(_error(total, squares, n), own)
    more, heavier = total + UNSEEN * top, squares + UNSEEN * top**2
    low = np.maximum(_error(more, heavier, n), own)
    with np.errstate(divide="ignore", invalid="ignore"):  # pairs that nothing is said of
        z = np.where(mean > 1, (mean - 1) / se, np.maximum(1 - more / n, 0) / low)
    sure = squares == total  # probability 1 in every row: nothing varies
    return {"rows": np.bincount(cell), "mean": mean, "se": np.where(sure, 0.0, se), "z": z}


def _error(total: Array, squares: Array, n: Array) -> Array:
    found: Array = np.sqrt(np.maximum(squares / total - 1, 0) / n)
    return found


def _sums_above_one(p: Array, cell: Ints, of: Ints) -> list[tuple[int, float]]:
    """Contexts in which each action has one propensity, and their sum is above 1."""
    low, high = np.ones(len(of)), np.zeros(len(of))
    np.minimum.at(low, cell, p)
    np.maximum.at(high, cell, p)
    varies = np.bincount(of, high - low > 1e-6)
    total = np.bincount(of, high)
    return [(int(k), float(total[k])) for k in np.flatnonzero((varies == 0) & (total > 1.001))]


def _what_is_off(table: pd.DataFrame, sums: dict[str, float]) -> str:
    said, off = [], table[table["p"] < ALARM]
    if len(off):
        worst, above = off.iloc[0], int((off["mean"] > 1).sum())
        said.append(
            f"1/pscore of action {worst['action']} averages {worst['mean']:.3g} over the rows of "
            f"context {worst['context']}, where 1 is expected (give or take {worst['se']:.2g}); "
            f"{len(off)} of {len(table)} pairs of context and action are off, {above} above 1 "
            f"(propensities too small, or rows doubled) and {len(off) - above} below (propensities "
            "too large, rows lost, or an action that was not always allowed)"
        )
    if sums:
        x, total = next(iter(sums.items()))
        said.append(
            f"the propensities of the actions seen in context {x} sum to {total:.4g}, which no "
            f"probabilities do (so in {len(sums)} of the contexts)"
        )
    return "; ".join(said) + "." if said else ""
