"""What a log says about itself: its gaps, its doubles, its exploration, the sizes of its arms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook import mean_of
from causalbook.arrays import Array
from causalbook.estimators import Check
from causalbook.potential_outcomes import srm_test
from causalbook.project.propensity_checks import ALARM

if TYPE_CHECKING:
    import pandas as pd

SMALL = 0.01  # a propensity below weighs more than a hundred rows
FEW = 30  # clusters, below which their own spread says too little: our choice


def gaps_check(frame: pd.DataFrame, used: Mapping[str, str], reward: str | None) -> Check:
    """Count missing values in the columns that are used, and how the reward differs there."""
    import pandas as pd

    numeric = reward is not None and pd.api.types.is_numeric_dtype(frame[reward])
    found = []
    for flag, column in used.items():
        gone = frame[column].isna()
        row: dict[str, Any] = {"flag": flag, "column": column, "missing": int(gone.sum())}
        if numeric:
            row |= {"reward there": frame.loc[gone, reward].mean()}
            row |= {"reward elsewhere": frame.loc[~gone, reward].mean()}
        found.append(row)
    table = pd.DataFrame(found)
    bad = table[table["missing"] > 0]
    if bad.empty:
        return Check("missing values", True, table, "none in the columns that are used.")
    said = ", ".join(f"{c} in {m:,}" for c, m in zip(bad["column"], bad["missing"], strict=True))
    return Check(
        "missing values",
        False,
        bad,
        f"missing: {said} of {len(frame):,} rows. What needs these columns is not estimated: fill "
        "them from the source, or drop such rows and say so. What is left speaks for all only if "
        "the gaps have nothing to do with the reward.",
    )


def duplicates_check(frame: pd.DataFrame) -> Check:
    """Count rows that repeat an earlier one in every column."""
    import pandas as pd

    again = frame.duplicated()
    n = int(again.sum())
    table = pd.DataFrame({"rows": [len(frame)], "repeated": [n]})
    if not n:
        return Check("repeated rows", True, table, "no row repeats another one in every column.")
    once = frame[~again]
    told_apart = any(values.nunique() > len(once) / 2 for _, values in once.items())
    said = f"{n:,} of {len(frame):,} rows repeat an earlier one in every column"
    if told_apart:
        said += ", and some column tells most rows apart: they were loaded twice, and count twice."
    else:
        said += (
            ". No column tells rows apart, as a time or an id does: it may be chance, and nothing "
            "here would show rows that were loaded twice."
        )
    return Check("repeated rows", False if told_apart else None, table, said)


def clusters_check(cluster: Any, name: str | None, values: Array | None) -> Check:
    """Say whether rows are taken as independent, and what their grouping does to the error."""
    import pandas as pd

    if cluster is None:
        said = (
            "no --cluster: every row is taken as independent of the others. If a user or a session "
            "has several rows, name its column, or all intervals are too narrow."
        )
        return Check("independent rows", None, pd.DataFrame(), said)
    sizes = np.bincount(cluster)
    table = pd.DataFrame({"clusters": [len(sizes)], "rows": [sizes.sum()], "most": [sizes.max()]})
    said = (
        f"{sizes.sum():,} rows, {len(sizes):,} values of {name}, at most {sizes.max():,} rows each"
    )
    if values is not None and values.std() > 0:
        row, own = (mean_of(values, estimand="", method="", cluster=g).se for g in (None, cluster))
        table["error by rows"], table["by clusters"] = row, own
        said += f"; the error of the mean is {own / row:.2f} times that of independent rows"
    if few := len(sizes) < FEW:
        said += f". Fewer than {FEW} say too little of how they differ: errors here are too small"
    return Check("independent rows", not few, table, said + ".")


def overlap_check(pscore: Array) -> Check:
    """Describe the propensities of what was shown: how small they are, and how many are 1."""
    import pandas as pd

    small, sure = float((pscore < SMALL).mean()), float((pscore == 1).mean())
    shares = {"min": 0.0, "1%": 0.01, "25%": 0.25, "median": 0.5, "75%": 0.75, "max": 1.0}
    row = {name: float(np.quantile(pscore, q)) for name, q in shares.items()}
    table = pd.DataFrame([row | {"below 1/100": small, "exactly 1": sure}])
    said = (
        f"what was shown had probabilities from {row['min']:.3g} to {row['max']:.3g}; {small:.1%} "
        f"of them lie below {SMALL}, where one row weighs more than a hundred"
    )
    if sure == 1:
        said = (
            "what was shown was certain in every row. Nothing was explored, so that no row tells "
            "what anything else would have earned"
        )
    elif sure:
        said += f"; in {sure:.1%} of the rows nothing else could have been shown"
    return Check("exploration", sure < 1, table, said + ".")


def arms_check(arm: Any, share: Mapping[str, float], unit: Any) -> Check:
    """Sample ratio mismatch: are the arms as large as they were drawn, each unit in one arm."""
    import pandas as pd

    frame = pd.DataFrame({"arm": pd.Series(np.asarray(arm)).astype(str), "unit": unit})
    frame = frame.drop_duplicates()
    counts = frame["arm"].value_counts().sort_index()
    if set(counts.index) != set(share):
        raise ValueError(
            f"share names the arms {', '.join(share)}, the log has {', '.join(counts.index[:8])}: "
            "give each arm its share, such as control=0.5,treated=0.5"
        )
    both = int(frame["unit"].duplicated().sum())
    designed = [share[name] for name in counts.index]
    p = srm_test(counts.to_numpy(), designed)
    expected = np.array(designed) * counts.sum()
    table = pd.DataFrame({"arm": counts.index, "units": counts.to_numpy(), "expected": expected})
    said = (
        f"the arms {', '.join(counts.index)} have {', '.join(f'{v:,}' for v in counts)} units, "
        f"where {', '.join(f'{v:,.0f}' for v in expected)} were designed (p = {p:.2g})"
    )
    if both:
        said += f"; {both:,} units are in more than one arm, so that neither shows its effect"
    if p < ALARM:
        said += (
            ". Chance does not do that: units were lost, or counted, in one arm only, and they are "
            "not like the others. Find out which before you read a result"
        )
    return Check("sample ratio", p >= ALARM and not both, table, said + ".")
