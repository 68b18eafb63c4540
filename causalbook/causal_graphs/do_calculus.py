"""Identification: whether the effect follows from what is observed, and by which formula."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

from causalbook.causal_graphs.dag import Graph, Names, names
from causalbook.causal_graphs.formulas import (
    Formula,
    Gap,
    P,
    divide,
    free,
    sum_over,
    times,
    value,
    write,
)
from causalbook.causal_graphs.tables import as_series, read_joint
from causalbook.causal_graphs.walks import closure, order

if TYPE_CHECKING:
    import pandas as pd

Set = frozenset[str]


@dataclass(frozen=True)
class Identification:
    """Whether P(y | do(a)) follows from what is observed, by which formula, and why.

    `strategy` is "no effect", "back door", "front door", "ID" or "none"; `sets` are the minimal
    sets of the strategy; `estimand` is the formula as text (empty where there is none); `why`
    says in a sentence what makes it right, or names the hedge: the two sets F and F' that leave
    two models with the same data and different effects. It prints as the formula, then why.
    """

    identifiable: bool
    strategy: str
    sets: list[Set]
    estimand: str
    why: str
    a: tuple[str, ...]
    y: tuple[str, ...]
    hedge: tuple[Set, Set] | None = None
    formula: Formula | None = None

    def evaluate(self, joint: Any) -> pd.Series:
        """Evaluate the estimand on an observed joint table: the distribution of y under do(a).

        Parameters: `joint`, a Series of probabilities (floats or Fractions) whose index levels are
        the variables, for example ``frame.value_counts(normalize=True)``.
        Returns a Series indexed by the values of a, then of y: ``d[1, 1]`` is P(y=1 | do(a=1)).
        A variable that the formula leaves open, since every value gives the same, is read at its
        most frequent value. Raises ValueError where there is no formula, where the table lacks a
        variable, or where the formula needs P(. | cell) of a cell with probability 0.
        """
        return self._evaluate(joint, {})

    def _evaluate(self, joint: Any, at: Mapping[str, Any]) -> pd.Series:
        """Evaluate at these values of a and y alone: an empty cell elsewhere is no obstacle."""
        if self.formula is None:
            raise ValueError(f"the effect is not identified: {self.why}")
        asked = {*self.a, *self.y}
        table = read_joint(joint, asked | _mentioned(self.formula))
        opened = tuple(sorted(free(self.formula) - asked))
        marginal = table.marginal(opened)
        fixed = dict(zip(opened, max(marginal.items(), key=lambda cell: cell[1])[0], strict=True))
        cells = {}
        values = [(at[v],) if v in at else table.values[v] for v in (*self.a, *self.y)]
        for cell in product(*values):
            here = fixed | dict(zip((*self.a, *self.y), cell, strict=True))
            cells[cell] = value(self.formula, table, here)
            if isinstance(cells[cell], Gap):
                raise ValueError(
                    f"joint gives no {cells[cell]}, which the estimand needs: no such rows "
                    "(positivity). Use coarser variables or another set"
                )
        return as_series((*self.a, *self.y), cells)

    def __repr__(self) -> str:
        asked = f"P({', '.join(self.y)} | do({', '.join(self.a)}))"
        return f"{self.estimand or f'{asked} is not identified'}\n  {self.why}"


class HedgeError(Exception):
    """Raised inside the algorithm where no formula exists."""

    def __init__(self, larger: Set, smaller: Set) -> None:
        self.sets = (larger, smaller)


def identify(graph: Graph, a: Names, y: Names) -> Identification:
    r"""Find a formula for P(y | do(a)) in observed probabilities, or the hedge that forbids one.

    Tries, in this order, no directed path, the back door, the front door, and the ID algorithm,
    which is complete: where it finds none there is none. Latent nodes and bidirected edges enter
    through the latent projection.

    Parameters: `graph`; `a` and `y`, one observed node or several.
    Raises ValueError where a or y is latent or unknown, or where they overlap.
    Source: Pearl (1995); Tian and Pearl (2002); Shpitser and Pearl (2006, figure 3).
    """
    causes, effects = graph._known("a", a), graph._known("y", y)
    if hidden := (causes | effects) & graph.latent:
        raise ValueError(f"{', '.join(sorted(hidden))} is latent: a and y must be observed")
    if not causes or not effects or causes & effects:
        raise ValueError(
            f"a is {sorted(causes)}, y is {sorted(effects)}: name each, without overlap"
        )
    who = _ordered(graph, a), _ordered(graph, y)
    said = f"P({', '.join(who[1])} | do({', '.join(who[0])})) = "

    def found(strategy: str, sets: list[Set], f: Formula, why: str) -> Identification:
        other = sorted(free(f) - causes - effects)
        same = f", the same for every value of {', '.join(other)}" if other else ""
        return Identification(True, strategy, sets, said + write(f) + same, why, *who, formula=f)

    if not effects & graph.descendants(causes):
        why = f"no directed path leads from {_names(who[0])} to {_names(who[1])}"
        return found("no effect", [], P(effects), why)
    if len(causes) == len(effects) == 1:
        (one,), (two,) = causes, effects
        if sets := graph.backdoor_sets(one, two):
            s = sets[0]
            adjusted = sum_over(s, times([P(effects, causes | s), *([P(s)] if s else [])]))
            entering = f"path between {one} and {two} that enters {one} (back door)"
            why = f"{_set(s)} blocks every {entering}" if s else f"no {entering} is open"
            return found("back door", sets, adjusted, why)
        if sets := graph.frontdoor_sets(one, two):
            inner = sum_over(causes, times([P(effects, causes | sets[0]), P(causes)]))
            f = sum_over(sets[0], times([P(sets[0], causes), inner]))
            why = (
                f"{_set(sets[0])} intercepts every directed path from {one} to {two}, no back door "
                f"is open from {one} to it, and {one} blocks those from it to {two} (front door)"
            )
            return found("front door", sets, f, why)
    projected = project(graph)
    try:
        f = _id(effects, causes, P(frozenset(projected.nodes)), projected, projected)
    except HedgeError as no:
        f_, s_ = map(_set, no.sets)
        why = (
            f"hedge F = {f_}, F' = {s_}: hidden causes join all of F, which holds "
            f"{_names(no.sets[0] & causes)}, and all of F', which does not, and both lead to "
            f"{_names(who[1])}; so two models agree on all data and differ in the effect"
        )
        return Identification(False, "none", [], "", why, *who, hedge=no.sets)
    why = "the ID algorithm meets no hedge, so observed probabilities give the effect"
    return found("ID", [], f, why)


def _id(y: Set, x: Set, p: Formula, g: Graph, whole: Graph) -> Formula:
    """Follow the lines of Shpitser and Pearl (2006, figure 3); p is over the nodes of g."""
    v = frozenset(g.nodes)
    if not x:  # line 1
        return sum_over(v - y, p)
    above = g.ancestors(y) | y
    if v != above:  # line 2
        return _id(y, x & above, sum_over(v - above, p), _within(g, above), whole)
    w = (v - x) - (g.do(x).ancestors(y) | y)
    if w:  # line 3
        return _id(y, x | w, p, g, whole)
    parts = _components(_within(g, v - x))
    if len(parts) > 1:  # line 4
        return sum_over(v - y - x, times(_id(s, v - s, p, g, whole) for s in parts))
    (s,) = parts
    if len(districts := _components(g)) == 1:  # line 5
        raise HedgeError(v, s)
    (district,) = (d for d in districts if s <= d)
    pi = order(g._parents)
    before = {node: frozenset(pi[: pi.index(node)]) & v for node in g.nodes}
    factors = [_conditional(p, node, before[node], v, whole) for node in pi if node in district]
    if s == district:  # line 6
        return sum_over(s - y, times(factors))
    return _id(y, x & district, times(factors), _within(g, district), whole)  # line 7


def _conditional(p: Formula, node: str, before: Set, v: Set, whole: Graph) -> Formula:
    """p(node | before), with what is not needed left out where p is the observed distribution."""
    if isinstance(p, P):
        given = before
        for u in sorted(before):
            if whole.d_separated(node, u, given - {u}):
                given -= {u}
        return P(frozenset([node]), given)
    after = v - before - {node}
    return divide(sum_over(after, p), sum_over(after | {node}, p))


def _within(g: Graph, kept: Set) -> Graph:
    """The subgraph of some nodes."""
    arrows = [f"{u} -> {v}" for u, v in g.edges if {u, v} <= kept]
    arcs = [f"{u} <-> {v}" for u, v in g.bidirected if {u, v} <= kept]
    return Graph("; ".join([*(n for n in g.nodes if n in kept), *arrows, *arcs]))


def _components(g: Graph) -> list[Set]:
    """The c-components: nodes joined by bidirected edges (Tian and Pearl 2002)."""
    neighbours = {n: frozenset(m for e in g.bidirected if n in e for m in e) for n in g.nodes}
    return sorted({closure(neighbours, [n]) for n in g.nodes}, key=sorted)


def project(graph: Graph) -> Graph:
    """Latent projection: the observed nodes, an arc wherever something hidden causes two.

    Source: Verma and Pearl (1990).
    """
    seen = frozenset(graph.observed)
    hidden = frozenset(graph._parents) - seen

    def reached(start: str) -> Set:
        """Observed nodes at the end of directed paths whose inner nodes are hidden."""
        found, todo = set[str](), list(graph._children[start])
        while todo:
            node = todo.pop()
            if node in hidden:
                todo += graph._children[node]
            else:
                found.add(node)
        return frozenset(found)

    arrows = [f"{u} -> {v}" for u in graph.observed for v in sorted(reached(u))]
    arcs = {f"{u} <-> {v}" for h in hidden for u, v in combinations(sorted(reached(h)), 2)}
    return Graph("; ".join([*graph.observed, *arrows, *sorted(arcs)]))


def _mentioned(f: Formula) -> set[str]:
    """All variables of a formula, summed ones too."""
    match f:
        case P(of, given):
            return {*of, *given}
        case _:
            parts = f.__dict__.values()
            inner = [q for part in parts for q in (part if isinstance(part, tuple) else [part])]
            return set().union(*(q if isinstance(q, frozenset) else _mentioned(q) for q in inner))


def _ordered(graph: Graph, x: Names) -> tuple[str, ...]:
    return tuple(n for n in graph.nodes if n in names(x))


def _names(x: Iterable[str]) -> str:
    return ", ".join(sorted(x))


def _set(s: Iterable[str]) -> str:
    return f"{{{_names(s)}}}"
