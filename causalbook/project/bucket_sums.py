"""Sums by bucket, added up inside the engine in one scan: all that a mean and its error need."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from causalbook.arrays import as_array, as_frame, missing, numbers, rows
from causalbook.estimators.logged_data import ATOL
from causalbook.project.warehouse_tables import BUCKETS

if TYPE_CHECKING:
    import pandas as pd

PEEK = 100_000  # rows in which every wanted pair is looked for, before all are read
LARGEST = float(np.finfo(np.float64).max)


class Engine(Protocol):
    """What runs the queries: a `Warehouse`."""

    def read(self, query: Any) -> pd.DataFrame:
        """Run an Ibis query where the data stand, and bring what comes out."""

    def bring(self, frame: pd.DataFrame) -> Any:
        """Return a small frame as an Ibis table beside the others."""


def policy_sums(engine: Engine, table: Any, target: pd.DataFrame) -> pd.DataFrame:
    r"""Add up a log by bucket of the users, for IPS, SNIPS and DR of one policy: one scan.

    $$w_i = \frac{\pi(a_i \mid x_i)}{\pi_0(a_i \mid x_i)}, \qquad
      d_i = \sum_a \pi(a \mid x_i)\, q(x_i, a) + w_i \big(r_i - q(x_i, a_i)\big)$$

    Parameters: `engine`, a `Warehouse`; `table`, an Ibis table of its with the columns bucket,
    context, action, reward and pscore, a row a round; `target`, a frame of context, action, pi and,
    for DR, q, a row a pair, such as `TablePolicy.frame(q)`.
    Returns 4,096 rows, zero where a bucket is empty: n, the sums of w, of w r (wr), of d (dr), of
    $w^2$ (ww), of $|w r|$ (size) and $(w r)^2$ (square), and the largest weight (top).
    Raises ValueError as `ips` does, with counts in place of row numbers: for missing values,
    propensities outside (0, 1], pairs without a row in `target`, a `target` that is no policy or
    wants an action that was never logged. Warns where it wants one that was never logged in that
    context.
    Source: Cameron and Miller (2015, eq. 11): an error needs the sums of its clusters alone.
    """
    import ibis

    goal = _goal(target)
    log = _columns(table, ["bucket", "context", "action", "reward", "pscore"])
    _support(engine, log, goal)
    rounds = log.left_join(engine.bring(goal), ["context", "action"])
    r, p = rounds["reward"].cast("float64"), rounds["pscore"].cast("float64")
    # No engine is to divide by zero: what is no propensity gives no weight, and is counted.
    w = ibis.cases(((p > 0) & (p <= 1 + ATOL), rounds["pi"] / p))
    scores = {"w": w, "wr": w * r}
    if "q" in goal:
        scores["dr"] = rounds["model"] + w * (r - rounds["q"])
    each = rounds.select("bucket", **scores)
    w, wr = each["w"], each["wr"]
    sums = {name: each[name].sum() for name in scores}
    sums |= {"ww": (w * w).sum(), "size": wr.abs().sum(), "square": (wr * wr).sum()}
    sums |= {"top": w.max(), "known": wr.count()}
    found = engine.read(each.group_by("bucket").agg(n=each.count(), **sums))
    if not (found["n"] == found["known"]).all() or not np.isfinite(found["wr"]).all():
        _refuse(engine, log, rounds)
    full = _all_buckets(found.drop(columns="known"), ["bucket"])
    pairs = goal.sort_values(["context", "action"]).to_csv(index=False)
    full.attrs["target"] = hashlib.blake2b(pairs.encode(), digest_size=8).hexdigest()
    return full


def add_sums(*sums: pd.DataFrame) -> pd.DataFrame:
    r"""Add up the sums of several days, or shops: what one scan of all their rounds would give.

    $$S_b = \sum_j S_b^{(j)} \quad\text{for each bucket } b, \qquad top_b = \max_j top_b^{(j)}$$

    Parameters: what `policy_sums` returned for disjoint sets of rounds and one target.
    Raises ValueError for none, and for sums that were made for different targets. Source: ours.
    """
    if len({part.attrs.get("target") for part in sums}) > 1:
        raise ValueError("sums were made for different targets: add up those of one policy alone")
    if len({tuple(part.columns) for part in sums}) != 1:
        found = " and ".join(sorted({", ".join(part.columns) for part in sums})) or "none"
        raise ValueError(f"sums have the columns {found}: pass sums that were made for one target")
    total: pd.DataFrame = sum(sums[1:], start=sums[0])
    total = total.assign(top=np.max([part["top"] for part in sums], axis=0))
    total.attrs.update(sums[0].attrs)
    return total


def arm_sums(engine: Engine, table: Any, *, y: str, a: str, x: str | None = None) -> pd.DataFrame:
    r"""Add up an experiment by bucket of the users and by arm, in one scan.

    Parameters: `engine`, a `Warehouse`; `table`, an Ibis table of its with a column bucket; `y`,
    `a` (0 or 1) and, for CUPED, `x` (fixed before the lottery), names of its columns.
    Returns 8,192 rows, bucket by arm, zero where one is empty: n and the sum of y; with x also its
    sum, and xx and xy, the sums of $(x_i - \bar x)^2$ and $(x_i - \bar x)(y_i - \bar y)$ around the
    means of that bucket and arm, since sums of large squares lose the digits that differ.
    Raises ValueError for missing or infinite values, with their number, and for other arms.
    Source: Chan, Golub and LeVeque (1983) for sums of squares that can be pooled.
    """
    units = _columns(table, ["bucket", a, y, *([] if x is None else [x])])
    outcome = _finite(units[y])  # what is not finite is left out of the sums, and counted
    sums = {"y": outcome.sum(), "known_y": outcome.count()}
    if x is not None:
        past, n = _finite(units[x]), units.count()
        sums |= {"x": past.sum(), "known_x": past.count()}
        sums |= {"xx": n * past.var(how="pop"), "xy": n * past.cov(outcome, how="pop")}
    found = engine.read(
        units.group_by(["bucket", units[a].name("arm")]).agg(n=units.count(), **sums)
    )
    bad = ~found["arm"].isin([0, 1])
    if bad.any():
        raise ValueError(
            f"a ({a!r}) is neither 0 nor 1 in {_share(found['n'][bad], found['n'])}: code the arms "
            "as 0/1"
        )
    for name, column in {"y": y, "x": x}.items():
        if column is not None and (gone := found["n"] - found[f"known_{name}"]).any():
            raise ValueError(
                f"{name} ({column!r}) is missing, NaN or infinite in {_share(gone, found['n'])}: "
                "drop or model those rows on purpose"
            )
    found = found.drop(columns=["known_y", "known_x"], errors="ignore").astype({"arm": int})
    return _all_buckets(found, ["bucket", "arm"])


def _columns(table: Any, wanted: Sequence[str]) -> Any:
    """Keep the columns that are summed; refuse a table without them."""
    there = getattr(table, "columns", None)
    if there is None or not hasattr(table, "group_by"):
        raise ValueError(f"table is a {type(table).__name__}: pass an Ibis table")
    absent = [name for name in wanted if name not in there]
    if absent:
        raise ValueError(
            f"table has no column {', '.join(map(repr, absent))}: its columns are "
            f"{', '.join(map(repr, there))}"
        )
    return table.select(*wanted)


def _goal(target: Any) -> pd.DataFrame:
    """Check the target policy: one row a pair, probabilities; add the model's mean in a context."""
    frame = as_frame("target", target)
    absent = [name for name in ("context", "action", "pi") if name not in frame]
    if absent:
        raise ValueError(
            f"target has no column {', '.join(map(repr, absent))}: pass context, action, pi and, "
            "for DR, q, such as TablePolicy.frame(q) returns"
        )
    goal: Any = frame[["context", "action", "pi", *(["q"] if "q" in frame else [])]].reset_index(
        drop=True
    )
    gone = missing(as_array("target", goal[["context", "action"]])).any(axis=1)
    twice = goal.duplicated(["context", "action"]).to_numpy()
    for bad, what in ((gone, "misses a context or an action"), (twice, "repeats a pair")):
        if bad.any():
            raise ValueError(f"target {what} in {rows(bad)}: give each pair one row")
    pi = numbers("pi", goal["pi"])
    if (pi < 0).any():
        raise ValueError(f"pi is negative in {rows(pi < 0)}: no probability is")
    total: Any = goal.assign(pi=pi).groupby("context", sort=False)["pi"].sum()
    off = total[(total - 1).abs() > 1e-6]
    if len(off):
        raise ValueError(
            f"pi does not sum to 1 in {len(off)} of {len(total)} contexts (the first, "
            f"{off.index[0]!r}, sums to {off.iloc[0]:.6g}): give each action of a context a row"
        )
    goal["pi"] = pi
    if "q" in goal:
        goal["q"] = numbers("q", goal["q"])
        goal["model"] = (pi * goal["q"]).groupby(goal["context"]).transform("sum")
    checked: pd.DataFrame = goal
    return checked


def _support(engine: Engine, log: Any, goal: pd.DataFrame) -> None:
    """Refuse a target that wants what was never logged; warn where that is so in a context."""
    wanted = goal.loc[goal["pi"] > 0, ["context", "action", "pi"]]
    for part in (log.limit(PEEK), log):  # most logs show all pairs soon: then the rest is not read
        seen = engine.read(part.group_by(["context", "action"]).agg(n=part.count()))
        _alike(seen, wanted)
        found = wanted.merge(seen, how="left", on=["context", "action"])
        if found["n"].notna().all():
            return
    visits: Any = seen.groupby("context")["n"].sum()
    lost = found[found["n"].isna() & found["context"].isin(visits.index)]
    if lost.empty:  # contexts that nobody was in need no support
        return
    mass = (lost["pi"] * lost["context"].map(visits) / visits.sum()).sum()
    never = sorted(set(lost["action"]) - set(seen["action"]))
    if never:
        raise ValueError(
            f"pi wants {len(never)} actions that were never logged (first: {never[:5]}), "
            f"{100 * mass:.3g}% of its mass: keep pi within the logged actions"
        )
    first = ", ".join(f"{a} where {x!r}" for x, a in lost[["context", "action"]].values[:3])
    warnings.warn(
        f"pi wants {len(lost)} pairs of context and action that were never logged (first: "
        f"{first}), {100 * mass:.3g}% of its mass: the weights count what they would earn as "
        "nothing. By chance, or could they never be shown?",
        stacklevel=3,
    )


def _alike(seen: pd.DataFrame, wanted: pd.DataFrame) -> None:
    """Refuse a key that is a number on one side and a text on the other: none would ever match."""
    from pandas.api.types import is_numeric_dtype

    for name in ("context", "action"):
        here, there = (
            "a number" if is_numeric_dtype(frame[name]) else "a text" for frame in (seen, wanted)
        )
        if here != there and len(seen):
            raise ValueError(f"{name} is {here} in the table and {there} in target: store one kind")


def _refuse(engine: Engine, log: Any, rounds: Any) -> None:
    """Count what kept a round from being weighted, and say what it is."""
    p, n = log["pscore"].cast("float64"), log.count()
    counts = {
        "reward is missing, NaN or infinite in {}: drop or model those rounds on purpose": (
            _finite(log["reward"]).isnull()
        ),
        "pscore is missing, NaN or infinite in {}: drop those rounds on purpose": _finite(
            p
        ).isnull(),
        "pscore is 0 or negative in {}: an action that was taken had some probability; look for "
        "rounding at ingest, or for rows the policy did not decide": p <= 0,
        "pscore is above 1 in {}: pass probabilities, not per cents, weights or scores": (
            p > 1 + ATOL
        ),
    }
    found = engine.read(
        log.agg(n=n, **{f"c{i}": bad.sum() for i, bad in enumerate(counts.values())})
    )
    for i, text in enumerate(counts):
        if found[f"c{i}"].fillna(0).any():
            raise ValueError(text.format(_share(found[f"c{i}"], found["n"])))
    alone = engine.read(rounds.agg(n=rounds["pi"].isnull().sum()))["n"]
    if not alone.any():
        raise ValueError("reward divided by pscore is too large for a float: check both for units")
    raise ValueError(
        f"target has no row for the context and action of {_share(alone, found['n'])}: give it one "
        "for each pair that was logged, with pi = 0 where the policy would not act so"
    )


def _finite(column: Any) -> Any:
    """Return a column as float64, with NULL for NaN and infinities, in words of any engine."""
    import ibis

    x = column.cast("float64")
    return ibis.cases((x.abs() <= LARGEST, x))


def _share(bad: Any, n: Any) -> str:
    return f"{int(bad.sum()):,} of {int(n.sum()):,} rows"


def _all_buckets(found: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Give each bucket its row, of zeros where it is empty; refuse what is no bucket."""
    import pandas as pd

    bad = ~found["bucket"].isin(range(BUCKETS))
    if bad.any() or found.empty:
        raise ValueError(
            f"bucket is not a whole number from 0 to {BUCKETS - 1:,} in "
            f"{_share(found['n'][bad], found['n'])}: compute it with bucket_of(user)"
        )
    index: Any = pd.RangeIndex(BUCKETS, name="bucket")
    if keys[1:]:
        index = pd.MultiIndex.from_product([range(BUCKETS), (0, 1)], names=keys)
    full: pd.DataFrame = found.astype({"bucket": int}).set_index(keys)
    return full.reindex(index, fill_value=0)
