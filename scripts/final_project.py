"""The final project: a log, a brief and a template for students, the truth for the instructor.

`python scripts/final_project.py make SEED FOLDER` writes FOLDER/student/final_project and
FOLDER/instructor/final_project; `make course SEED=n` does the same beside the notebooks.
`python scripts/final_project.py grade ANSWERS.json TRUTH.json` grades what a student hands in.

Every seed makes another shop: who visits, how the recommender decides, what a purchase costs, and
one fault of the log out of `FAULTS`. Whoever knows the seed can make the truth from it: take a long
one, and keep it.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import final_project_files
import final_project_solution
import numpy as np
import pandas as pd

from causalbook.case_study import funnel_shop, raw_events, read_query
from causalbook.case_study.queries import GENRES
from causalbook.potential_outcomes import World

USERS, LOGGED = 40_000, 0.5  # who visits; share whose chance of the film was written down
DAY, BEGIN = pd.Timedelta(days=1), pd.Timestamp("2026-03-02")
DAYS = pd.date_range(BEGIN, periods=28)
MARGIN, COSTS = 0.30, (0.02, 0.05, 0.09, 0.14)  # of an order; of an impression
LATE = 5 * DAY  # how much later the purchases of an empty slot arrive, where they do
POINTS = {"conversion": 12, "revenue": 12, "rule": 12, "decision": 9, "fault": 15}
CHOICES = ("nobody", "everybody", "rule")


@dataclass(frozen=True)
class Project:
    """What a seed makes: the log, what the brief says of it, and what only the instructor knows."""

    events: pd.DataFrame
    brief: dict[str, Any]  # extracted, margin, cost, left_out
    truth: dict[str, Any]


def _interest(world: World, rng: np.random.Generator, early: bool) -> Any:
    """Score a visitor from 0 to 100, before the slot is filled or after the visit."""
    log = world.data
    score = 30 + 6 * np.log1p(log["views"])
    if not early:
        score = 30 + 20 * log["viewed"] + 25 * log["cart"]
    return np.round(np.clip(score + rng.normal(0, 6, len(log)), 0, 100))


def _swapped(events: pd.DataFrame, world: World, users: Any) -> pd.DataFrame:
    """Since a release, the chance that is written down is that of the empty slot."""
    chance = events["propensity"].mask(events["user"].isin(users), 1 - events["propensity"])
    return events.assign(propensity=chance)


def _unseen(events: pd.DataFrame, world: World, users: Any) -> pd.DataFrame:
    """For two weeks a visit with a film in the slot is logged only if a film was looked at."""
    log = world.data.set_index("user").loc[users]
    lost = log.index[(log["recommended"] == 1) & (log["viewed"] == 0)]
    return events[~events["user"].isin(lost)]


def _late(events: pd.DataFrame, world: World, users: Any) -> pd.DataFrame:
    """Purchases after an empty slot arrive days later, and the log was cut off before."""
    shown = world.data.set_index("user")["recommended"]
    slow = (events["type"] == "purchase") & (events["user"].map(shown) == 0)
    return events.assign(received=events["received"].mask(slow, events["received"] + LATE))


def _honest(events: pd.DataFrame, world: World, users: Any) -> pd.DataFrame:
    """Leave the events: the fault is in the score of interest, which is made after the visit."""
    return events


# What is wrong, in the order of the dice: what it does, and the columns one may blame.
Fault = Callable[[pd.DataFrame, World, Any], pd.DataFrame]
FAULTS: dict[str, tuple[Fault, tuple[str, ...]]] = {
    "swapped propensities": (_swapped, ("propensity",)),
    "lost visits": (_unseen, ("rows",)),
    "late purchases": (_late, ("rows", "received")),
    "score from after the visit": (_honest, ("interest",)),
}


def make(seed: int, n: int = USERS) -> Project:
    """Simulate the shop of a seed, write its log, and spoil it by one fault."""
    rng = np.random.default_rng([seed, 2026])
    world = _shop(n, rng)
    events = _events(world, rng)
    fault = list(FAULTS)[rng.integers(len(FAULTS))]
    first = int(rng.integers(15))
    spoil, columns = FAULTS[fault]
    days = {
        _swapped: DAYS[6 + first % 4 :],
        _unseen: DAYS[first : first + 14],
        _late: DAYS[-12:],  # the window of seven days, and the delay of five
        _honest: DAYS,
    }[spoil]
    at = world.data.set_index("user")["visited_at"].dt.floor("D")
    events = spoil(events, world, at.index[at.isin(days)])
    end = BEGIN + (28 if spoil is _late else 42) * DAY
    events = events[events["received"] < end]
    score = pd.Series(_interest(world, rng, spoil is not _honest), index=world.data["user"])
    events["interest"] = events["user"].map(score).where(events["type"] == "visit")
    cost = COSTS[rng.integers(len(COSTS))]
    left_out = str(rng.choice(["buys", "compares", "looks"]))
    brief = {"extracted": f"{end:%Y-%m-%d}", "margin": MARGIN, "cost": cost, "left_out": left_out}
    truth = _truth(world, cost, left_out) | {
        "fault": {"name": fault, "columns": list(columns), "days": [f"{d:%Y-%m-%d}" for d in days]}
    }
    events = events.sort_values("received", kind="stable").reset_index(drop=True)
    return Project(events, brief, truth)


def _shop(n: int, rng: np.random.Generator) -> World:
    """Draw n users of a larger shop, so that each seed has a mixture of its own."""
    whole = funnel_shop(2 * n, confounding=rng.uniform(0.6, 1.2), seed=int(rng.integers(2**31)))
    kinds = rng.permutation([0.15, 0.5, 1.0]) * rng.uniform(0.7, 1.3, 3)
    regions = rng.uniform(0.4, 1, 6)
    weight = kinds[whole.potential["urgency"]] * regions[whole.data["region"].cat.codes]
    rows = np.sort(rng.choice(2 * n, n, replace=False, p=weight / weight.sum()))
    data, hidden = (t.iloc[rows].reset_index(drop=True) for t in (whole.data, whole.potential))
    logged = rng.random(n) < LOGGED
    pscores = hidden[[f"pscore_{k}" for k in range(len(GENRES) + 1)]].to_numpy()
    pscore = pscores[np.arange(n), data["shelf"]]
    data = data.assign(
        user=np.arange(n),
        propensity=np.where(logged, hidden["propensity"], np.nan),
        pscore=np.where(logged, pscore, np.nan),
    )
    return World(data, {}, hidden)


def _events(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Write the raw log; every visit keeps its region, which both the slot and the buyer follow."""
    raw = raw_events(world, seed=int(rng.integers(2**31)))
    regions = world.data["region"].astype(str)
    lost = raw.potential["lost region"]
    known = raw.data["region"].mask(lost, raw.data["user"].map(regions))
    return raw.data.assign(region=known)


def _truth(world: World, cost: float, left_out: str) -> dict[str, Any]:
    """Effects on these users: of showing the candidate to all, and of the rule of the brief."""
    hidden, row = world.potential, np.arange(len(world.data))

    def change(name: str) -> Any:
        tables = hidden[[f"{name}_{k}" for k in range(len(GENRES) + 1)]].to_numpy()
        return tables[row, hidden["candidate"]] - tables[:, 0].astype(float)

    chosen = read_query(world.data["query"]) != left_out
    money, bought = change("value"), change("purchase")
    profit = MARGIN * money - cost
    earns = {"nobody": 0.0, "everybody": profit.mean(), "rule": (profit * chosen).mean()}
    values = {"conversion": bought.mean(), "revenue": money.mean(), "rule": (money * chosen).mean()}
    return {"values": values, "earns": earns}


def grade(answers: Mapping[str, Any], truth: Mapping[str, Any]) -> pd.DataFrame:
    """Points for the numbers, the decision and the fault: one row each, with what was found.

    An interval of at most twice the reference's length that holds the truth gets all its points.
    Half: it holds the truth and is at most four times as long, or is short enough and misses by no
    more than a quarter of its length. A decision gets all if it gives up less than a tenth of what
    the best earns over the worst, half if less than a third. A fault: half for the column, half for
    the days, of which at least half must be common to both.
    """
    rows = [_interval(name, answers.get(name), truth) for name in ("conversion", "revenue", "rule")]
    earns, said = truth["earns"], answers.get("decision")
    best = max(earns, key=earns.get)
    share, found = 0.0, f"{said!r} is not one of {', '.join(CHOICES)}"
    if said in earns:
        lost, spread = earns[best] - earns[said], earns[best] - min(earns.values())
        share = 1.0 if lost < spread / 10 else 0.5 if lost < spread / 3 else 0.0
        found = f"{said}; the best is {best}, which earns {lost:.4f} a visit more"
    rows.append(("decision", share, found))
    rows.append(_fault(answers.get("fault") or {}, truth["fault"]))
    table = pd.DataFrame(rows, columns=["item", "share", "found"])
    table.insert(1, "points", table["share"] * table["item"].map(POINTS))
    table.insert(2, "of", table["item"].map(POINTS))
    return table.drop(columns="share")


def _interval(name: str, said: Any, truth: Mapping[str, Any]) -> tuple[str, float, str]:
    try:
        low, value, high = (float(said[key]) for key in ("low", "value", "high"))
    except (KeyError, TypeError, ValueError):
        return name, 0.0, "no value with low and high"
    if not (math.isfinite(low) and math.isfinite(high) and low <= value <= high):
        return name, 0.0, f"{low} to {high} is no interval around {value}"
    right, length = truth["values"][name], (high - low) / truth["lengths"][name]
    miss = max(low - right, right - high, 0.0)
    full = miss == 0 and length <= 2
    half = (miss == 0 and length <= 4) or (miss <= (high - low) / 4 and length <= 2)
    holds = "holds" if miss == 0 else f"misses by {miss:.4f}"
    told = f"truth {right:.4f}: the interval {holds}, {length:.1f} times the reference's length"
    return name, 1.0 if full else 0.5 if half else 0.0, told


def _fault(said: Mapping[str, Any], truth: Mapping[str, Any]) -> tuple[str, float, str]:
    named = str(said.get("column")).strip().lower() in truth["columns"]
    try:
        between = pd.date_range(str(said.get("first")), str(said.get("last"))).intersection(DAYS)
    except ValueError:
        between = DAYS[:0]
    days = {f"{day:%Y-%m-%d}" for day in between}
    both, either = days & set(truth["days"]), days | set(truth["days"])
    when = len(both) >= len(either) / 2
    column, first, last = truth["columns"][0], truth["days"][0], truth["days"][-1]
    told = f"{truth['name']} ({column}, {first} to {last})"
    return "fault", named * (0.5 + 0.5 * when), told


def write(seed: int, folder: Path, n: int = USERS) -> list[Path]:
    """Write both folders; return the files. The student's tells neither the seed nor the truth."""
    project = make(seed, n)
    student, instructor = (folder / who / "final_project" for who in ("student", "instructor"))
    for place in (student, instructor):
        place.mkdir(parents=True, exist_ok=True)
    project.events.to_parquet(student / "events.parquet", index=False)
    found, _ = final_project_solution.solve(project.events, project.brief)
    lengths = {k: found[k]["high"] - found[k]["low"] for k in ("conversion", "revenue", "rule")}
    truth = {"seed": seed} | project.truth | {"lengths": lengths, "reference": found}
    texts = {student / "brief.md": final_project_files.brief(project.brief)}
    texts |= {student / "brief.json": json.dumps(project.brief, indent=1)}
    texts |= {student / "answers.json": final_project_files.ANSWERS}
    texts |= {student / "report.ipynb": final_project_files.report()}
    texts |= {instructor / "truth.json": json.dumps(truth, indent=1)}
    texts |= {instructor / "solution.ipynb": final_project_files.solution()}
    texts |= {instructor / "faults.md": final_project_files.FAULTS}
    for path, text in texts.items():
        path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    return [student / "events.parquet", *texts]


def main() -> None:
    """Make a project, or grade one."""
    parser = argparse.ArgumentParser(description="Make the final project, or grade its numbers.")
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make")
    making.add_argument("seed", type=int)
    making.add_argument("folder", type=Path)
    grading = commands.add_parser("grade")
    grading.add_argument("answers", type=Path)
    grading.add_argument("truth", type=Path)
    asked = parser.parse_args()
    if asked.command == "make":
        print(*write(asked.seed, asked.folder), sep="\n")
        return
    table = grade(*(json.loads(path.read_text()) for path in (asked.answers, asked.truth)))
    print(table.to_string(index=False))
    print(f"{table['points'].sum():g} of {table['of'].sum()} points for the numbers")


if __name__ == "__main__":
    main()
