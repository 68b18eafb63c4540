"""What an analysis states before it sees data, and one runner for all that state it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import Array
from causalbook.causal_graphs import Graph, Identification, identify
from causalbook.estimate import Estimate
from causalbook.potential_outcomes import World

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Scenario:
    """A declaration: which effect of what on what, what threatens it, and what mends it.

    Parameters: `name`; `decision`, whom it serves; `treatment`, one node of `graph` or, for a
    treatment over time, several in their order; `outcome`, a node; `covariates`, observed nodes
    that may be adjusted for, measured before the (last) treatment; `threat`, the main one;
    `method`, what mends it; `constraint`, what the decision must not do to people; `estimand`, a
    key of the simulator's truth; `simulate(n, seed)` gives a `World` whose data have a column for
    treatment, outcome and covariates; `naive(data)` and `estimate(data)` give an `Estimate` each.

    Raises ValueError for a text that is empty, no treatment, an outcome that is the treatment, a
    name that is no observed node of the graph or stands twice, treatments in another order than
    that of the graph, an outcome that the treatment cannot reach, and a covariate that is the
    treatment or that the treatment changes. Source: ours.
    """

    name: str
    decision: str
    treatment: str | tuple[str, ...]
    outcome: str
    covariates: tuple[str, ...]
    graph: Graph = field(repr=False)
    threat: str
    method: str
    constraint: str
    estimand: str
    simulate: Callable[[int, int], World] = field(repr=False)
    naive: Callable[[pd.DataFrame], Estimate] = field(repr=False)
    estimate: Callable[[pd.DataFrame], Estimate] = field(repr=False)

    def __post_init__(self) -> None:
        for part in ("name", "decision", "outcome", "threat", "method", "constraint", "estimand"):
            if not getattr(self, part).strip():
                raise ValueError(f"{part} is empty: a declaration states it before any data")
        who = self.name
        if not self.treatments:
            raise ValueError(
                f"{who}: no treatment is named, so there are no two worlds to compare; name the "
                "node that a decision would set"
            )
        if self.outcome in self.treatments:
            raise ValueError(
                f"{who}: {self.outcome!r} is treatment and outcome at once: the outcome is what "
                "happens after the action, not the action"
            )
        if isinstance(self.covariates, str):
            raise ValueError(f"{who}: covariates is a text, {self.covariates!r}: pass a tuple")
        named = (*self.treatments, self.outcome, *self.covariates)
        if unknown := [x for x in named if x not in self.graph.observed]:
            raise ValueError(
                f"{who}: {', '.join(unknown)} not among the observed nodes of the graph, "
                f"{', '.join(sorted(self.graph.observed))}"
            )
        if twice := sorted({x for x in named if named.count(x) > 1}):
            raise ValueError(f"{who}: {', '.join(twice)} named twice: each node has one part")
        for first, second in pairwise(self.treatments):
            if first in self.graph.descendants(second):
                raise ValueError(
                    f"{who}: {second} comes before {first} in the graph: name treatments in order"
                )
        if self.outcome not in self.graph.descendants(self.treatments):
            raise ValueError(
                f"{who}: no directed path leads from {', '.join(self.treatments)} to "
                f"{self.outcome}: the declared effect is zero"
            )
        if late := [x for x in self.covariates if self._is_late(x)]:
            raise ValueError(
                f"{who}: {', '.join(late)} comes after the treatment, which changes it: a "
                "covariate is measured before"
            )

    @property
    def treatments(self) -> tuple[str, ...]:
        """The treatment as a tuple, one entry for each point in time; empty where none is named."""
        one = (self.treatment,) if isinstance(self.treatment, str) else self.treatment
        return tuple(name for name in one if name.strip())

    @property
    def mediators(self) -> tuple[str, ...]:
        """The observed nodes between treatment and outcome: what must not be adjusted for."""
        between = self.graph.ancestors(self.outcome) - {self.outcome, *self.treatments}
        return tuple(sorted(x for x in between & set(self.graph.observed) if self._is_late(x)))

    def _is_late(self, node: str) -> bool:
        """Tell whether the node follows every treatment: between two of them it is a covariate."""
        return all(node in self.graph.descendants(a) for a in self.treatments)


@dataclass(frozen=True)
class Finding:
    """What one run of a scenario found: the truth of its world beside two estimates of it.

    `identification` says what the graph makes of the question. `naive_error` and `error` are the
    distances to the truth, in the unit of the outcome.
    """

    scenario: Scenario
    truth: float
    naive: Estimate
    estimate: Estimate
    identification: Identification

    @property
    def naive_error(self) -> float:
        """Naive estimate less the truth."""
        return self.naive.value - self.truth

    @property
    def error(self) -> float:
        """Right estimate less the truth."""
        return self.estimate.value - self.truth


def run_scenario(scenario: Scenario, *, n: int, seed: int) -> Finding:
    """Simulate a scenario's world, identify its effect, and estimate it both ways.

    Parameters: `n` units and the `seed` of their world.
    Raises ValueError where the world lacks the estimand or a declared column, or where the
    simulator or an estimator refuses. Source: ours.
    """
    world = scenario.simulate(n, seed)
    if scenario.estimand not in world.truth:
        raise ValueError(
            f"{scenario.name}: the truth has no {scenario.estimand!r}, only {sorted(world.truth)}"
        )
    declared = (*scenario.treatments, scenario.outcome, *scenario.covariates)
    if absent := [name for name in declared if name not in world.data]:
        raise ValueError(
            f"{scenario.name}: the data lack {', '.join(absent)}; they have "
            f"{', '.join(map(str, world.data))}"
        )
    return Finding(
        scenario,
        world.truth[scenario.estimand],
        scenario.naive(world.data),
        scenario.estimate(world.data),
        identify(scenario.graph, scenario.treatments, scenario.outcome),
    )


def refuse_switch(name: str, value: float) -> None:
    """Refuse a switch of a simulator that is negative or infinite."""
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} is {value}: a switch is 0 (off) or larger")


def sigma(x: Any) -> Array:
    r"""Logistic function, $1 / (1 + e^{-x})$: how the worlds turn a score into a chance."""
    p: Array = np.exp(-np.logaddexp(0, -x))  # no overflow, however small x
    return p
