"""The report of a run: one page for those who decide, without a request to any host."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from causalbook import plots
from causalbook.estimate import Estimate
from causalbook.project.configuration import RunConfig
from causalbook.project.html_pages import page, section

VERDICT = {
    "ship": "Let the policy go live.",
    "keep": "Keep what runs.",
    "undecided": "Decide nothing yet: the test is broken.",
    "test": "Test the policy before it goes live.",
}


def estimate_of(told: Mapping[str, Any], scale: float = 1.0) -> Estimate:
    """Return an estimate that a file tells of, to be drawn: with its error, without its rows."""
    note = "read from a file, without its rows"
    nothing = np.full(told["n"], np.nan)
    value, se, named = scale * told["value"], scale * told["se"], (told["estimand"], told["method"])
    return Estimate(value, nothing, *named, dof=told["dof"], notes=(note,), given_se=se)


def write_report(config: RunConfig, found: Mapping[str, Any]) -> str:
    """Write what a run found as a page: the decision, then what it rests on, step by step.

    Parameters: `config`; `found`, the contents of the run's files by name.
    """
    test = found["test"]
    verdict = f"{VERDICT[test['decision']]} Why: {test['why']}."
    mark = "" if test["decision"] == "ship" else " no"
    parts: list[Any] = [f'<div class="decision{mark}"><p>{escape(verdict)}</p></div>']
    parts += _money(config, found)
    parts += _declared(config) + _log(found) + _effect(config, found) + _policies(config, found)
    parts += _test(config, found)
    warned = [f"{step}: {text}" for step, said in found["warned"].items() for text in said]
    parts += [section("What is fragile", *warned)] if warned else []
    return page("What the recommender should do", *parts)


def _money(config: RunConfig, found: Mapping[str, Any]) -> list[str]:
    if "gain" not in found["test"]:
        n = found["choice"]["visitors per arm"]
        return [f"<p>The test needs {n:,} visitors in each arm.</p>"]
    if found["test"]["decision"] == "undecided":
        return []  # no sum of money from a broken test
    gain, money, (other, chosen) = (found["test"][name] for name in ("gain", "money", "arms"))
    low, high = money["interval"]
    return [
        f"<p>Policy “{chosen[0]}” ({chosen[1]}) earns "
        f"{_cents(gain, config.level)} more than “{other[0]}”: over {config.visits:,} "
        f"visits {money['gain']:,.0f} ({low:,.0f} to {high:,.0f}).</p>"
    ]


def _cents(told: Mapping[str, Any], level: float) -> str:
    low, value, high = (100 * told[k] for k in ("low", "value", "high"))
    return f"{value:.2f} cents a visit ({100 * level:g}% interval {low:.2f} to {high:.2f})"


def _declared(config: RunConfig) -> list[Any]:
    import pandas as pd

    reward = f"{config.margin:g} times {config.outcome} ({config.measure}) within {config.window} "
    rows = {"estimand": f"{config.estimand}: every slot filled, against every slot empty"}
    rows |= {"reward of a visit": f"{reward}days, less {config.cost:g} for a filled slot"}
    rows |= {"guard-rail": f"at most {config.tolerance:g} {config.guard_rail}s a visitor lost"}
    rows |= {"smallest gain worth finding": f"{config.effect:g}, with power {config.power:g}"}
    rows |= {"filled by lot from now on": f"{config.keep:.0%} of the slots"}
    table = pd.DataFrame(rows.items(), columns=["what", "declared before any result"])
    return [section("What was declared"), plots.table(table)]


def _log(found: Mapping[str, Any]) -> list[Any]:
    import pandas as pd

    came, check = found["ingest"], pd.DataFrame(found["check"])
    stored = ", ".join(f"{n:,} {table}" for table, n in came["stored"].items())
    aside = sum(n for *_, n in came["quarantined"])
    said = (
        f"Stored: {stored}; set aside with a reason: {aside:,}. Below, the mean of 1/pscore of "
        "each action over all rounds. It is 1 if every round could have taken the action, and the "
        "propensities are right."
    )
    return [section("What the log can answer", said), plots.table(check)]


def _effect(config: RunConfig, found: Mapping[str, Any]) -> list[Any]:
    import pandas as pd

    effect, why = found["effect"], found["identification"]["why"]
    drawn = plots.intervals(
        estimate_of(effect["ATE"], 100),
        names=["ATE"],
        unit="cents a visit, over an empty slot",
        level=config.level,
    )
    said = (
        f"Filling every slot with the shelf most likely bought changes the profit by "
        f"{_cents(effect['ATE'], config.level)}. Why this is an effect: {why}. That the arrows "
        "of the graph are right is what no data can check.",
        "How filled and empty slots differed before they were filled, in standard deviations:",
    )
    return [section("The effect of the slot", *said), plots.table(pd.DataFrame(effect["balance"])),
            drawn]  # fmt: skip


def _policies(config: RunConfig, found: Mapping[str, Any]) -> list[Any]:
    offline, names, drawn = found["offline"], ["as logged"], [found["offline"]["as logged"]]
    for policy, values in offline["values"].items():
        names += [f"{policy}, {method}" for method in values]
        drawn += values.values()
    colours = ["naive" if name == "as logged" else "right" for name in names]
    figure = plots.intervals(
        *(estimate_of(told, 100) for told in drawn), names=names, colours=colours,
        unit="profit (cents a visit)", level=config.level,
    )  # fmt: skip
    said = (
        f"Judged on users that no policy was learned from. Chosen for the test: "
        f"“{offline['chosen']}”, promised {_cents(offline['gain'], config.level)} "
        f"more than “{offline['other']}”."
    )
    return [section("What each policy would earn", said), figure]


def _test(config: RunConfig, found: Mapping[str, Any]) -> list[Any]:
    test, promised = found["test"], found["offline"]["gain"]
    if "gain" not in test:
        return []
    (first, second), guard = test["counts"], test["guard"]
    said = (
        f"{first:,} and {second:,} visitors; a lottery misses the planned shares by as much with "
        f"probability {test['srm']:.3f}. The {config.guard_rail}s of a visitor changed by "
        f"{guard['value']:.4f} ({100 * config.level:g}% interval {guard['low']:.4f} to "
        f"{guard['high']:.4f}); -{config.tolerance:g} was tolerated."
    )
    figure = plots.intervals(
        estimate_of(test["gain"], 100), estimate_of(promised, 100), colours=["right", "naive"],
        names=["A/B test", "promised"], unit="gain (cents a visit)", level=config.level,
    )  # fmt: skip
    return [section("What the A/B test says", said), figure]
