"""The steps of a run, each a function: what it takes, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.averages import ratio_of
from causalbook.case_study import Decision, decide
from causalbook.causal_graphs import Graph, Identification, identify
from causalbook.estimate import Estimate
from causalbook.potential_outcomes import sample_size, srm_test
from causalbook.project.bucket_estimates import bucket_dr, bucket_ips, bucket_snips
from causalbook.project.bucket_sums import policy_sums
from causalbook.project.configuration import RunConfig
from causalbook.project.learning import Learned
from causalbook.project.policy_tables import TablePolicy
from causalbook.project.warehouse import Warehouse
from causalbook.project.warehouse_tables import BUCKETS

if TYPE_CHECKING:
    import pandas as pd

SPOILT, OFF, MISMATCH = 0.01, 5.0, 0.001  # share set aside; standard errors; p of a sample ratio


def reward_rounds(warehouse: Warehouse, config: RunConfig) -> Any:
    r"""Return the log: finished rounds of users in no experiment, with the declared reward.

    $$r = \text{margin} \cdot y - \text{cost} \cdot 1\{a > 0\}$$

    Columns as `Warehouse.rounds` has them, and `bought` (0/1): whether the outcome came at all.

    Parameters: `warehouse`; `config`, which names outcome, measure, window, margin and cost.
    Source: ours.
    """
    came = warehouse.rounds(config.outcome, window=config.window, measure=config.measure)
    log = came.anti_join(warehouse.table("experiments"), "user").filter(lambda t: t["complete"])
    shown = (log["action"] > 0).ifelse(1, 0).cast("float64")
    reward = config.margin * log["reward"] - config.cost * shown
    return log.mutate(reward=reward, bought=(log["reward"] > 0).ifelse(1, 0).cast("float64"))


def halves(rounds: Any) -> tuple[Any, Any]:
    r"""Split by bucket of the user: one half teaches, the other judges what was learned.

    $$i \in \text{half } b(u_i) \bmod 2$$

    Parameters: `rounds`, an Ibis table with a column bucket. Returns the even half, then the odd
    one: all rounds of a user are in one of them. Source: ours.
    """
    even = rounds["bucket"] % 2 == 0
    return rounds.filter(even), rounds.filter(~even)


def check_log(warehouse: Warehouse, rounds: Any, spoilt: float) -> pd.DataFrame:
    r"""Ask whether the log can answer at all, action by action; refuse it if not.

    $$E\Big[\frac{1\{A = a\}}{\pi_0(A \mid X)}\Big] = 1 \quad\text{for each } a
      \text{ that could have been taken in every round}$$

    Parameters: `rounds` of the `warehouse`; `spoilt`, the share of rows that ingest set aside.
    Returns action, rows, smallest propensity, `mean` of the weights, which is 1, and its se.
    Raises ValueError for too many spoilt rows, and where a mean is off: some rounds could never
    have taken that action, or the propensities are wrong.
    Source: ours; the expectation is that of Horvitz and Thompson (1952).
    """
    if spoilt > SPOILT:
        raise ValueError(
            f"{spoilt:.1%} of the rows were set aside at ingest (at most {SPOILT:.0%}): read the "
            "quarantine, and mend what writes the log"
        )
    w = 1 / rounds["pscore"]
    sums = rounds.group_by("action").agg(
        rows=rounds.count(), smallest=rounds["pscore"].min(), w=w.sum(), ww=(w * w).sum()
    )
    table = warehouse.read(sums.order_by("action"))
    n = int(table["rows"].sum())
    if len(table) < 2:
        raise ValueError(
            f"the log has {n:,} finished rounds with {len(table)} action(s): there is nothing to "
            "compare; ingest impressions of a policy that varies what it shows"
        )
    mean = table["w"] / n
    se = np.sqrt((table["ww"] / n - mean**2) / n)
    checked = table[["action", "rows", "smallest"]].assign(mean=mean, se=se)
    off = checked[(mean - 1).abs() > OFF * se + 1e-9]
    if len(off):
        action, _, _, found, error = off.iloc[0]
        raise ValueError(
            f"1/pscore of action {action:.0f} averages {found:.3f} over all rounds, with a "
            f"standard error of {error:.3f}, where 1 is expected: some visits could never get it "
            "(fill a share of the slots by lot: exploration), or the logged propensities are wrong"
        )
    return checked


def identify_effect(config: RunConfig) -> Identification:
    """Find the effect of the slot in the declared graph; refuse a graph from which it cannot be.

    Parameters: `config`, whose `graph` and `latent` are read: shown is the treatment, profit the
    outcome.
    Raises ValueError where the effect is not identified, and where the propensity does not close
    the back doors: this run adjusts by weighting with it.
    Source: as `identify`.
    """
    graph = Graph(config.graph, config.latent)
    found = identify(graph, "shown", "profit")
    if not found.identifiable:
        raise ValueError(
            f"graph: the effect of shown on profit does not follow from what is observed. "
            f"{found.why}; log what decided, or decide by lot"
        )
    if "pscore" not in graph.observed or not graph.is_backdoor("shown", "profit", {"pscore"}):
        raise ValueError(
            "graph: the logged propensity (pscore) does not close the back doors from shown to "
            "profit, and this run weighs by it; does the slot follow more than was logged?"
        )
    return found


def estimate_effect(
    warehouse: Warehouse, rounds: Any, identification: Identification, learned: Learned
) -> Estimate:
    r"""Estimate the ATE of filling the slot: with each context's favourite, against never.

    $$\hat\tau = \hat V_{DR}(\text{favourite}) - \hat V_{DR}(\text{empty})$$

    Parameters: `rounds` that `learned` has not seen; `identification`, from `identify_effect`.
    Raises ValueError without an identification that says the effect is identified.
    Source: the doubly robust value of Dudík, Erhan, Langford and Li (2014).
    """
    if not isinstance(identification, Identification) or not identification.identifiable:
        raise ValueError(
            f"identification is {identification!r}: first say why the numbers would be an effect, "
            "with identify_effect(config); then estimate"
        )
    values = (learned.always(learned.favourite), learned.always(0))
    full, empty = (warehouse.dr(rounds, policy.frame(learned.profit)) for policy in values)
    return replace(full - empty, estimand="ATE")


def check_balance(warehouse: Warehouse, rounds: Any) -> pd.DataFrame:
    r"""Compare filled and empty slots in what users were before, as logged and weighted.

    $$\frac{\bar x_1 - \bar x_0}{s}, \qquad \bar x_a \text{ over rounds, plain or weighted by }
      1 / \text{pscore}$$

    Returns one row a covariate (past, and each word of the contexts): logged, weighted, in
    standard deviations. Source: Austin (2009), standardised differences.
    """
    import pandas as pd

    users = warehouse.table("users").select("user", "past")
    both = rounds.join(users, "user")
    w, shown = 1 / both["pscore"], both["action"] > 0
    cells = both.group_by("context", shown=shown).agg(
        n=both.count(), w=w.sum(), x=both["past"].sum(), wx=(w * both["past"]).sum(),
        xx=(both["past"] ** 2).sum(),
    )  # fmt: skip
    table = warehouse.read(cells)
    arm = table["shown"].to_numpy(bool)
    words = sorted({word for context in table["context"] for word in context.split()})
    total = table[["n", "x", "xx"]].sum()
    spread = np.sqrt(total["xx"] / total["n"] - (total["x"] / total["n"]) ** 2)
    rows = [("past", spread, table["x"], table["wx"])]
    for word in words:
        has = table["context"].str.split().map(lambda words, word=word: word in words).astype(float)
        share = (has * table["n"]).sum() / total["n"]
        rows.append((word, np.sqrt(share * (1 - share)), has * table["n"], has * table["w"]))

    def gap(x: Any, n: Any) -> float:
        return float(x[arm].sum() / n[arm].sum() - x[~arm].sum() / n[~arm].sum())

    found = [
        (name, gap(x, table["n"]) / sd, gap(wx, table["w"]) / sd)
        for name, sd, x, wx in rows
        if sd > 0
    ]
    return pd.DataFrame(found, columns=["before the slot", "as logged", "weighted"])


def logged_value(warehouse: Warehouse, rounds: Any) -> Estimate:
    """Mean reward of the rounds as they were: what the policy in the log earns, by user buckets."""
    sums = rounds.group_by("bucket").agg(u=rounds["reward"].sum(), v=rounds.count())
    table = warehouse.read(sums).set_index("bucket").reindex(range(BUCKETS), fill_value=0)
    return ratio_of(table["u"], table["v"], estimand="value", method="as logged")


def evaluate_policies(
    warehouse: Warehouse, rounds: Any, policies: dict[str, TablePolicy], learned: Learned
) -> dict[str, dict[str, Estimate]]:
    """Value of each policy by IPS, SNIPS and DR, on rounds that none of them was learned from."""
    values = {}
    for name, policy in policies.items():
        sums = policy_sums(warehouse, rounds, policy.frame(learned.profit))  # one scan for all
        three = bucket_ips(sums), bucket_snips(sums), bucket_dr(sums)
        values[name] = {estimate.method: estimate for estimate in three}
    return values


def choose_policy(values: dict[str, dict[str, Estimate]]) -> tuple[str, str]:
    """Name the policy with the largest DR value, and the runner-up that it will be tested against.

    The largest of several estimates is too high. So nothing is decided here but what is tested.
    """
    order = sorted(values, key=lambda name: -values[name]["DR"].value)
    return order[0], order[1]


def plan_test(config: RunConfig, spread: float) -> int:
    """Visitors per arm that find the declared effect, given the spread of a visit's reward."""
    return sample_size(config.effect, spread, power=config.power, level=config.level)


@dataclass(frozen=True)
class Test:
    """What an experiment says: counts of the arms, p of their ratio, gain and guard-rail."""

    __test__ = False  # no test case, whatever pytest thinks of its name

    counts: tuple[int, int]
    srm: float
    gain: Estimate
    guard: Estimate


def analyse_test(warehouse: Warehouse, config: RunConfig, name: str) -> Test:
    """Read an experiment out of the warehouse: sample ratio, then gain and guard-rail by CUPED.

    Parameters: `name` of the experiment. The gain is the reward per visitor, arm 1 less arm 0, the
    guard-rail the change in visitors with the guarded event; both among those whose window is over.
    The sample ratio is held against the shares that the experiment planned.
    """
    units = warehouse.assigned(name, config.outcome, window=config.window, measure=config.measure)
    slots = shown_in_test(warehouse, config, name).filter(lambda t: t["action"] > 0)
    slots = slots.group_by("user").agg(slots=slots.count())
    units = units.left_join(slots, "user").drop("user_right")
    cost = config.cost * units["slots"].fill_null(0).cast("float64")
    units = units.mutate(y=config.margin * units["y"] - cost)
    guarded = warehouse.assigned(name, config.guard_rail, window=config.window)
    drawn = warehouse.table("experiments").filter(lambda t: t["experiment"] == name)
    arms = warehouse.read(drawn.group_by("arm").agg(n=drawn.count(), share=drawn["share"].mean()))
    n, share = (arms.set_index("arm")[column] for column in ("n", "share"))
    both = (int(n.get(0, 0)), int(n.get(1, 0)))
    planned = [float(share.get(arm, 1 - share.get(1 - arm, 0.0))) for arm in (0, 1)]
    over = (table.filter(table["complete"]) for table in (units, guarded))
    gain, guard = (warehouse.cuped(table, y="y", a="arm", x="past") for table in over)
    return Test(both, srm_test(both, planned), gain, guard)


def shown_in_test(warehouse: Warehouse, config: RunConfig, name: str) -> Any:
    """Return the impressions of an experiment's users within the window of their draw, with arm."""
    import ibis

    drawn = warehouse.table("experiments").filter(lambda t: t["experiment"] == name)
    shown = warehouse.table("impressions").select("user", "at", "action", "policy")
    shown = shown.join(drawn.select("user", "arm", begun="at"), "user")
    end = shown["begun"] + ibis.interval(seconds=86_400 * config.window)
    return shown.filter(shown["at"].between(shown["begun"], end))


def judge(config: RunConfig, test: Test) -> tuple[str, str, Decision]:
    """Decide: "ship" the policy, "keep" what runs, or "undecided"; with the reason, and the money.

    Ship only if the arms are as the lottery made them, the gain's interval is above zero, and the
    guard-rail's interval is above minus the tolerance.
    """
    money = decide(test.gain, units=config.visits, level=config.level)
    low, worst = test.gain.conf_int(config.level)[0], test.guard.conf_int(config.level)[0]
    if test.srm < MISMATCH:
        first, second = test.counts
        why = f"the arms have {first:,} and {second:,} visitors, not the planned shares"
        return "undecided", f"{why}: find out who is lost before reading any result", money
    if low <= 0:
        return "keep", "the gain may be nothing or a loss: its interval reaches zero", money
    if worst <= -config.tolerance:
        return "keep", "the guard-rail may have lost more than is tolerated", money
    return "ship", "the gain is above zero and the guard-rail holds", money
