"""Which variables give an effect: back door, front door, instruments."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from causalbook.causal_graphs.dag import Graph


def subsets(candidates: Iterable[str]) -> Iterator[frozenset[str]]:
    """Yield all subsets, smallest first, ties in alphabetical order."""
    pool = sorted(candidates)
    for size in range(len(pool) + 1):
        yield from map(frozenset, combinations(pool, size))


def minimal(
    candidates: Iterable[str], good: Callable[[frozenset[str]], bool]
) -> list[frozenset[str]]:
    """Return the good subsets none of whose proper subsets is good, smallest first."""
    found: list[frozenset[str]] = []
    for s in subsets(candidates):
        if not any(smaller <= s for smaller in found) and good(s):
            found.append(s)
    return found


def is_backdoor(graph: Graph, a: str, y: str, s: frozenset[str]) -> bool:
    """No effect of a in s; a and y are separated by s once the edges out of a are deleted."""
    if s & (graph.descendants(a) | graph.latent | {a, y}):
        return False
    return graph._without(out=frozenset([a])).d_separated(a, y, s)


def separable(graph: Graph, x: str, y: str, allowed: Collection[str]) -> bool:
    """Whether any of the allowed sets separates two nodes: then all allowed causes of the two do.

    Source: Tian, Paz and Pearl (1998); it spares a search through all subsets.
    """
    return graph.d_separated(x, y, graph.ancestors({x, y}) & frozenset(allowed))


def backdoor_sets(graph: Graph, a: str, y: str) -> list[frozenset[str]]:
    """A minimal separating set holds only causes of the two (Tian, Paz and Pearl 1998).

    A node without which the others do not separate is in every set, and is not searched over.
    """
    cut = graph._without(out=frozenset([a]))
    pool = (cut.ancestors({a, y}) & set(graph.observed)) - graph.descendants(a)
    if not separable(cut, a, y, pool):
        return []
    needed = frozenset(v for v in pool if not separable(cut, a, y, pool - {v}))
    rest = minimal(pool - needed, lambda s: cut.d_separated(a, y, s | needed))
    return [s | needed for s in rest]


def is_frontdoor(graph: Graph, a: str, y: str, s: frozenset[str]) -> bool:
    """All directed paths pass s; no back door is open from a to s, nor from s to y given a."""
    if y not in graph.descendants(a) or s & (graph.latent | {a, y}):
        return False
    intercepts = y not in graph._without(out=s).descendants(a)
    into_s = graph._without(out=frozenset([a])).d_separated(a, s)
    from_s = graph._without(out=s).d_separated(s, y, a)
    return intercepts and into_s and from_s


def frontdoor_sets(graph: Graph, a: str, y: str) -> list[frozenset[str]]:
    """Candidates are causes of y to which no back-door path leads from a.

    Beside mediators these may be covariates that confound a mediator with y.
    """
    cut = graph._without(out=frozenset([a]))
    causes = (graph.ancestors(y) & set(graph.observed)) - {a}
    candidates = [m for m in causes if cut.d_separated(a, m)]
    return minimal(candidates, lambda s: is_frontdoor(graph, a, y, s))


def instruments(graph: Graph, a: str, y: str) -> dict[str, frozenset[str]]:
    """Instruments: z moves a, and reaches y no other way: separated once a's arrows are cut.

    Pearl cuts the arrows into a. As w holds no effect of a, no path passes a either way.
    """
    cut = graph._without(out=frozenset([a]))
    allowed = set(graph.observed) - graph.descendants({a, y}) - {a, y}
    found = {}
    for z in sorted(set(graph.observed) - graph.descendants(a) - {a, y}):
        if not separable(cut, z, y, allowed - {z}):
            continue
        for w in subsets(allowed - {z}):
            if not graph.d_separated(z, a, w) and cut.d_separated(z, y, w):
                found[z] = w
                break
    return found
