"""Causal graphs: who causes whom, which causes are not seen, and what that says about data."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from causalbook.causal_graphs import criteria
from causalbook.causal_graphs.walks import Path, closure, connected, find_cycle, simple_paths

if TYPE_CHECKING:
    from causalbook.plots import Figure

Names = str | Iterable[str]
ARROW = re.compile(r"(<->|->|<-)")
NO_NAME = re.compile(r"^$|^[\s-]|[\s-]$|--|\s-\s|[<>,;\n]")  # what would make a text ambiguous


def names(x: Names) -> frozenset[str]:
    """Return one name or several as a set."""
    return frozenset([x] if isinstance(x, str) else x)


class Independence(NamedTuple):
    """What a graph says of data: x is independent of y given a set."""

    x: str
    y: str
    given: frozenset[str]

    def __str__(self) -> str:
        return f"{self.x} ⊥ {self.y}" + (f" | {', '.join(sorted(self.given))}" * bool(self.given))


class Graph:
    """A causal graph: an arrow for each direct cause, none where an effect is ruled out.

    Parameters: `edges`, a text such as ``"Z -> A; A -> Y; A <-> Y"`` (chains as in
    ``Z -> A -> Y`` and lone nodes are allowed; ``A <-> Y`` says that something unseen causes
    both), or pairs (cause, effect); `latent`, names of nodes that no data hold.
    Raises ValueError for a cycle (named), a self-loop, an edge that cannot be read, an unknown
    latent.
    Source: Pearl (2009, sections 1.2 and 1.4).
    """

    def __init__(self, edges: str | Iterable[tuple[str, str]], latent: Names = ()) -> None:
        arrows = _read(edges) if isinstance(edges, str) else _pairs(edges)
        order = dict.fromkeys(name for u, _, v in arrows for name in (u, v) if name)
        self.nodes: tuple[str, ...] = tuple(order)
        self.edges: tuple[tuple[str, str], ...] = tuple(
            dict.fromkeys((u, v) for u, kind, v in arrows if kind == "->")
        )
        self.bidirected: tuple[tuple[str, str], ...] = tuple(
            dict.fromkeys((min(u, v), max(u, v)) for u, kind, v in arrows if kind == "<->")
        )
        self.latent: frozenset[str] = names(latent)
        if unknown := self.latent - set(order):
            raise ValueError(f"latent names {_list(unknown)}, of which the edges know nothing")
        if not order:
            raise ValueError("edges is empty: a graph needs at least one node")
        for u, v in (*self.edges, *self.bidirected):
            if u == v:
                raise ValueError(f"edges make {u} a cause of itself: date it (before, after)")
        cycle = find_cycle(self._parents)
        if cycle:
            raise ValueError(
                f"edges make a cycle, {' -> '.join(cycle)}: causes come before effects, so split "
                "a variable by time, or drop an edge"
            )

    @cached_property
    def _parents(self) -> dict[str, frozenset[str]]:
        """Parents in the graph where each bidirected edge is a hidden node of its own."""
        parents: dict[str, set[str]] = {name: set() for name in self.nodes}
        for u, v in self.edges:
            parents[v].add(u)
        for u, v in self.bidirected:
            hidden = f"{u} <-> {v}"
            parents[hidden] = set()
            parents[u].add(hidden)
            parents[v].add(hidden)
        return {name: frozenset(causes) for name, causes in parents.items()}

    @cached_property
    def _children(self) -> dict[str, frozenset[str]]:
        children: dict[str, set[str]] = {name: set() for name in self._parents}
        for v, causes in self._parents.items():
            for u in causes:
                children[u].add(v)
        return {name: frozenset(effects) for name, effects in children.items()}

    @property
    def observed(self) -> tuple[str, ...]:
        """The nodes that data can hold, in the order of the edges."""
        return tuple(name for name in self.nodes if name not in self.latent)

    def parents(self, x: str) -> frozenset[str]:
        """Direct causes of x among the nodes."""
        return self._parents[self._one(x)] & set(self.nodes)

    def children(self, x: str) -> frozenset[str]:
        """Direct effects of x."""
        return self._children[self._one(x)]

    def ancestors(self, x: Names) -> frozenset[str]:
        """All causes of x, direct or not, without x itself."""
        start = self._known("x", x)
        return (closure(self._parents, start) - start) & set(self.nodes)

    def descendants(self, x: Names) -> frozenset[str]:
        """All effects of x, direct or not, without x itself."""
        start = self._known("x", x)
        return closure(self._children, start) - start

    def do(self, x: Names) -> Graph:
        """The graph in which x is set from outside: no arrow into x is left (Pearl 2009, 3.2)."""
        return self._without(into=self._known("x", x))

    def _without(
        self, into: frozenset[str] = frozenset(), out: frozenset[str] = frozenset()
    ) -> Graph:
        """Drop the edges into some nodes and those out of some others."""
        kept = [f"{u} -> {v}" for u, v in self.edges if v not in into and u not in out]
        arcs = [f"{u} <-> {v}" for u, v in self.bidirected if not {u, v} & into]
        return Graph("; ".join([*self.nodes, *kept, *arcs]), self.latent)

    def d_separated(self, x: Names, y: Names, given: Names = ()) -> bool:
        """Whether every path between x and y is blocked by the given nodes.

        A path is blocked by a given node that is no collider on it, and by a collider of which
        neither itself nor an effect is given. Then x is independent of y given them in all data
        that the graph can produce. Raises ValueError if the three sets overlap.
        Source: Pearl (2009, definition 1.2.3).
        """
        a, b, s = self._known("x", x), self._known("y", y), self._known("given", given)
        if both := (a & b) | (a & s) | (b & s):
            raise ValueError(f"{_list(both)} stands in two of x, y and given: each has one place")
        return not connected(self._parents, self._children, a, s) & b

    def paths(self, x: str, y: str, given: Names = ()) -> list[Path]:
        """All paths between two nodes, shortest first, each with what it does given a set.

        Each `Path` prints itself and has `.kind` ("causal", "back door" or "other"), `.open`,
        and `.blocked_by`, the nodes that block it. Source: Pearl (2009, definition 1.2.3).
        """
        s, ends = self._known("given", given), (self._one(x), self._one(y))
        if both := ({x} & {y}) | (s & {x, y}):
            raise ValueError(f"{_list(both)} stands in two of x, y and given: each has one place")
        return simple_paths(self._parents, self._children, *ends, s)

    def independences(self) -> list[Independence]:
        """The independences that the graph implies: one for each observed pair that has one.

        Each comes with the smallest set that separates the pair, ties in alphabetical order. A
        pair without any, adjacent or confounded, is left out. Source: Pearl (2009, section 1.2.3).
        """
        found = []
        for x, y in combinations(self.observed, 2):
            if not criteria.separable(self, x, y, self.observed):
                continue
            others = sorted(set(self.observed) & self.ancestors({x, y}))
            separators = criteria.subsets(others)
            given = next(s for s in separators if self.d_separated(x, y, s))
            found.append(Independence(x, y, given))
        return found

    def is_backdoor(self, a: str, y: str, s: Names) -> bool:
        """Whether s meets the back-door criterion: then adjusting for s gives a's effect on y.

        No node of s is an effect of a, and s blocks every path between a and y that enters a
        through an arrow into it. Latent nodes cannot be adjusted for: False. The criterion is
        sufficient, not necessary: some sets that fail it are valid too.
        Source: Pearl (2009, definition 3.3.1).
        """
        return criteria.is_backdoor(self, self._one(a), self._one(y), self._known("s", s))

    def backdoor_sets(self, a: str, y: str) -> list[frozenset[str]]:
        """The minimal observed sets that satisfy the back-door criterion, smallest first."""
        return criteria.backdoor_sets(self, self._one(a), self._one(y))

    def is_frontdoor(self, a: str, y: str, s: Names) -> bool:
        """Whether s meets the front-door criterion: then its formula gives a's effect on y.

        s intercepts every directed path from a to y (there is at least one), no back-door path
        is open from a to s, and a blocks every back-door path from s to y (for several mediators:
        s and y are separated by a once the edges out of s are deleted).
        Source: Pearl (2009, definition 3.3.3).
        """
        return criteria.is_frontdoor(self, self._one(a), self._one(y), self._known("s", s))

    def frontdoor_sets(self, a: str, y: str) -> list[frozenset[str]]:
        """The minimal observed sets that satisfy the front-door criterion, smallest first."""
        return criteria.frontdoor_sets(self, self._one(a), self._one(y))

    def instruments(self, a: str, y: str) -> dict[str, frozenset[str]]:
        """The observed instruments for a's effect on y, each with the set to condition on.

        z is no effect of a; w holds no effects of a or y; z is connected to a given w, and
        separated from y given w once the edges out of a are deleted. The smallest w, ties in
        alphabetical order. Source: Pearl (2009, definition 7.4.1 and section 7.4.5).
        """
        return criteria.instruments(self, self._one(a), self._one(y))

    def draw(
        self,
        a: str | None = None,
        y: str | None = None,
        given: Names = (),
        at: dict[str, tuple[float, float]] | None = None,
    ) -> Figure:
        """Draw the graph: latent nodes dashed, the treatment coloured, what is given boxed.

        Parameters: `a` and `y`, treatment and outcome, drawn from left to right; `given`, the set
        that is adjusted for; `at`, places for some nodes where the automatic ones do not please.
        """
        from causalbook.causal_graphs.drawing import draw

        return draw(self, a, y, self._known("given", given), at or {})

    def _one(self, x: str) -> str:
        if len(asked := self._known("node", x)) != 1:
            raise ValueError(f"node names {_list(asked) or 'none'}: one is asked for")
        return next(iter(asked))

    def _known(self, argument: str, x: Names) -> frozenset[str]:
        asked = names(x)
        if unknown := asked - set(self.nodes):
            raise ValueError(
                f"{argument} names {_list(unknown)}: the nodes are {', '.join(self.nodes)}"
            )
        return asked

    def __str__(self) -> str:
        joined = {name for edge in (*self.edges, *self.bidirected) for name in edge}
        lone = [name for name in self.nodes if name not in joined]
        arrows = [f"{u} -> {v}" for u, v in self.edges]
        return "; ".join([*lone, *arrows, *(f"{u} <-> {v}" for u, v in self.bidirected)])

    def __repr__(self) -> str:
        hidden = f", latent={sorted(self.latent)}" if self.latent else ""
        return f'Graph("{self}"{hidden})'

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Graph) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[frozenset[object], ...]:
        parts = (self.nodes, self.edges, self.bidirected, self.latent)
        return tuple(frozenset(part) for part in parts)


def _read(text: str) -> list[tuple[str, str, str]]:
    """Read ``Z -> A -> Y; A <-> Y; B`` as triples (cause, kind, effect), B with no effect."""
    arrows = []
    for statement in filter(None, map(str.strip, re.split(r"[;\n]", text))):
        parts = [part.strip() for part in ARROW.split(statement)]
        if any(NO_NAME.search(name) for name in parts[::2]):
            raise ValueError(
                f"edges hold {statement!r}: write each as cause -> effect or one <-> other, with "
                "semicolons between them"
            )
        if len(parts) == 1:
            arrows.append((parts[0], "", ""))
        for u, kind, v in zip(parts[::2], parts[1::2], parts[2::2], strict=False):
            arrows.append((v, "->", u) if kind == "<-" else (u, kind, v))
    return arrows


def _pairs(edges: Iterable[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Read pairs (cause, effect), whose names a text could hold too."""
    arrows = []
    for pair in edges:
        if isinstance(pair, str) or len(pair) != 2:
            raise ValueError(f"edges hold {pair!r}, which is no pair (cause, effect)")
        for name in pair:
            if not isinstance(name, str) or NO_NAME.search(name):
                raise ValueError(f"edges hold the name {name!r}: use words without , ; < > --")
        arrows.append((pair[0], "->", pair[1]))
    return arrows


def _list(x: Iterable[str]) -> str:
    return ", ".join(sorted(map(repr, x)))
