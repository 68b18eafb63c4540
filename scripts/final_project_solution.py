# %% [markdown]
# # Reference solution of the final project
#
# It is the same for every seed: it looks for each of the faults that a log of this shop may have,
# mends the one that it finds, and only then estimates. A student who does the same by hand, and
# says why, has all the points.

# %%
"""Reference solution of the final project: find the fault, mend it, estimate, decide."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from causalbook.case_study import build_table, clean_events, read_query, shop_covariates
from causalbook.estimators import aipw, ipw, policy_value
from causalbook.nuisance import linear, logit

BEFORE = ("age", "age_unknown", "region", "views", "query")
WINDOW = pd.Timedelta(days=7)

# %% [markdown]
# ## From events to one row a user
#
# The steps of the page *Can you trust the log?* do the cleaning. What they leave is a few ages that
# nobody can have: the users stay, with the median age and a column that says so. The `interest` of
# each visitor stands in the visits.


# %%
def one_row_a_user(events: pd.DataFrame) -> pd.DataFrame:
    """Clean the log, and add to the table what it does not take over."""
    clean, _ = clean_events(events)
    table = build_table(clean)
    visits = clean[(clean["type"] == "visit") & (clean["quarantine"] == "")]
    interest = visits.drop_duplicates("user").set_index("user")["interest"]
    unknown = table["age"].isna()
    table = table.assign(age_unknown=unknown.astype(float), interest=table["user"].map(interest))
    return table.assign(age=table["age"].fillna(table["age"].median()))


# %% [markdown]
# ## Four ways in which this log could be wrong
#
# Where the chances are logged, there is a lottery, and a lottery can be checked. Among the users
# with a logged chance $e$:
#
# - in any run of days the slots are filled as often as the chances say, $E[A - e] = 0$, or
#   **visits are missing** in one arm;
# - a slot with a higher chance is filled more often: the slope of $A$ on $e$ is one. If it is
#   negative, the **chances are those of the other arm**;
# - weighted by one over the chance of what happened, whatever was there before the slot is the same
#   in both arms. If `interest` is not, it came **after**.
#
# And a purchase that comes within seven days is known only when seven days have passed and its
# event has arrived: the **youngest visits** may have to wait.


# %%
def diagnose(table: pd.DataFrame, events: pd.DataFrame, extracted: pd.Timestamp) -> dict[str, Any]:
    """Say which fault the log has: the column, and the days of the visits concerned."""
    day = table["visited_at"].dt.floor("D")
    logged = table[table["propensity"].notna()]
    by_day = logged.assign(day=day, e=logged["propensity"], a=logged["recommended"]).groupby("day")
    slope = by_day.apply(lambda t: np.cov(t["a"], t["e"])[0, 1], include_groups=False)
    if (slope < 0).any():
        return _fault("propensity", slope.index[slope < 0])
    sums = by_day.apply(
        lambda t: pd.Series({"gap": (t["a"] - t["e"]).sum(), "var": (t["e"] * (1 - t["e"])).sum()}),
        include_groups=False,
    )
    n = len(sums)
    total = np.concatenate([np.zeros((1, 2)), sums.to_numpy()]).cumsum(axis=0)
    runs = {(i, j): total[j] - total[i] for i in range(n) for j in range(i + 1, n + 1)}
    z = {run: abs(gap) / np.sqrt(var) for run, (gap, var) in runs.items()}
    i, j = max(z, key=z.get)  # the run of days in which the slots depart most from the chances
    if z[i, j] > 5:
        return _fault("rows", sums.index[i:j])
    if (young := ~mature(table, events, extracted)).any():
        return _fault("rows", day[young])
    moved = ipw(logged["interest"], logged["recommended"], logged["propensity"].to_numpy())
    if abs(moved.value) > 5 * moved.se:
        return _fault("interest", day)
    return _fault(None, day)


def mature(table: pd.DataFrame, events: pd.DataFrame, extracted: pd.Timestamp) -> pd.Series:
    """Mark visits whose purchases, had there been any, would have been in the log."""
    bought = events[(events["type"] == "purchase") & (events["value"] > 0)]
    at = pd.to_datetime(bought["at"], format="ISO8601", utc=True).dt.tz_localize(None)
    shown = bought["user"].map(table.set_index("user")["recommended"])
    delay = (bought["received"] - at).groupby(shown).median().max()
    return table["visited_at"] + WINDOW + delay <= extracted


def _fault(column: str | None, days: Any) -> dict[str, Any]:
    return {"column": column, "first": f"{days.min():%Y-%m-%d}", "last": f"{days.max():%Y-%m-%d}"}


# %% [markdown]
# ## Mend it
#
# Chances of the other arm can be turned round. What is missing cannot be brought back: leave the
# days out, in both arms. Users do not choose their week here, so the rest speaks for all. (Look at
# the mixture of visitors by week before you say so.) A score from after the visit is left alone.


# %%
def mend(table: pd.DataFrame, fault: dict[str, Any]) -> pd.DataFrame:
    """Turn the chances round, or leave the days out."""
    day = table["visited_at"].dt.floor("D")
    concerned = day.between(fault["first"], fault["last"])
    if fault["column"] == "propensity":
        e = table["propensity"]
        return table.assign(propensity=e.mask(concerned, 1 - e))
    return table[~concerned] if fault["column"] == "rows" else table


# %% [markdown]
# ## Estimate and decide
#
# Age, region, views and the query are what the recommender looked at. Adjusted for them, by the
# doubly robust estimator, the arms can be compared among all users. The rule is judged by the
# lottery alone, among those whose chances are known. Every number has its interval. The decision
# compares the three choices on the same users, by the scores whose mean is the effect on revenue.


# %%
def estimate(
    table: pd.DataFrame, left_out: str, *, before: tuple[str, ...] = BEFORE
) -> dict[str, Any]:
    """Effect on conversion and on order value of showing all, and of the rule, against nobody."""
    X = shop_covariates(table[list(before)])
    a = table["recommended"].to_numpy()
    found = {}
    e = logit(X, a)
    for name, outcome in (("conversion", "purchase"), ("revenue", "order_value")):
        y = table[outcome].to_numpy(dtype=float)
        found[name] = aipw(y, a, e, linear(X, y, where=a == 0), linear(X, y, where=a == 1))
    lottery = table[table["propensity"].notna()]
    seen = [lottery[name].to_numpy() for name in ("order_value", "recommended", "propensity")]
    rule = (read_query(lottery["query"]) != left_out).astype(float)
    found["rule"] = policy_value(rule, *seen) - policy_value(0 * rule, *seen)
    return found


def solve(events: pd.DataFrame, brief: dict[str, Any]) -> tuple[dict[str, Any], pd.DataFrame]:
    """Answer the brief; return the answers, and the table they rest on."""
    return answer(one_row_a_user(events), events, brief)


def answer(table: pd.DataFrame, events: pd.DataFrame, brief: dict[str, Any]) -> Any:
    """Do the same from the table of users."""
    fault = diagnose(table, events, pd.Timestamp(brief["extracted"]))
    table = mend(table, fault)
    found = estimate(table, brief["left_out"])
    answers: dict[str, Any] = {}
    for name, effect in found.items():
        low, high = effect.conf_int()
        answers[name] = {"value": effect.value, "low": low, "high": high}
    gain = brief["margin"] * (found["revenue"].value + found["revenue"].influence) - brief["cost"]
    chosen = read_query(table["query"]) != brief["left_out"]
    earns = {"nobody": 0.0, "everybody": gain.mean(), "rule": (gain * chosen).mean()}
    return answers | {"decision": max(earns, key=earns.get), "fault": fault}, table


# %%
if __name__ == "__main__":
    folder = Path("../../student/final_project")
    log = pd.read_parquet(folder / "events.parquet")
    answers, rows = solve(log, json.loads((folder / "brief.json").read_text()))
    print(json.dumps(answers, indent=1))
