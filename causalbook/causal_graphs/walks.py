"""Walking a graph that is given as a dictionary of parents: closures, paths, separation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

Links = Mapping[str, frozenset[str]]


def closure(links: Links, start: Iterable[str]) -> frozenset[str]:
    """Return the start and all that can be reached from it along the links."""
    reached, todo = set(start), list(start)
    while todo:
        new = links[todo.pop()] - reached
        reached |= new
        todo += new
    return frozenset(reached)


def find_cycle(parents: Links) -> list[str]:
    """Return a cycle as its nodes in the direction of the arrows, the first one twice."""
    try:
        TopologicalSorter(parents).prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1]  # each node is a parent of the next one
        start = cycle.index(min(cycle))  # the same name for the same cycle
        return [*cycle[start:-1], *cycle[:start], cycle[start]]
    return []


def order(parents: Links) -> list[str]:
    """Order the nodes, causes before effects, ties as in the dictionary."""
    done: list[str] = []
    todo = list(parents)
    while todo:
        done.append(next(node for node in todo if parents[node] <= set(done)))
        todo.remove(done[-1])
    return done


def connected(
    parents: Links, children: Links, start: frozenset[str], given: frozenset[str]
) -> frozenset[str]:
    """Return the nodes that some open path joins to the start, given a set.

    A ball rolls along the arrows. It passes a node that is not given from wherever it came, and
    a collider (into which it came down) only if the node or an effect of it is given.
    Source: Koller and Friedman (2009, algorithm 3.1).
    """
    opened = closure(parents, given)  # what is given, and all of which it is an effect
    todo, seen = [(node, "up") for node in start], set[tuple[str, str]]()
    while todo:
        node, came = todo.pop()
        if (node, came) in seen:
            continue
        seen.add((node, came))
        if node not in given:
            todo += [(child, "down") for child in children[node]]
        if (came == "up" and node not in given) or (came == "down" and node in opened):
            todo += [(parent, "up") for parent in parents[node]]
    return frozenset(node for node, _ in seen) - given


@dataclass(frozen=True)
class Path:
    """A path between two nodes, and what it does."""

    text: str
    nodes: tuple[str, ...]
    kind: str
    blocked_by: tuple[str, ...]
    colliders: tuple[str, ...]

    @property
    def open(self) -> bool:
        """Whether the path carries association."""
        return not self.blocked_by

    def __str__(self) -> str:
        return self.text


def simple_paths(
    parents: Links, children: Links, x: str, y: str, given: frozenset[str]
) -> list[Path]:
    """Return all paths from x to y, shortest first, then by name."""
    effects = {node: closure(children, [node]) for node in parents}

    def path(walk: tuple[str, ...]) -> Path:
        into = [u in parents[v] for u, v in pairwise(walk)]  # the arrow points ahead
        inner = [(v, *ways) for v, ways in zip(walk[1:-1], pairwise(into), strict=True)]
        colliders = tuple(v for v, ahead, onward in inner if ahead and not onward)
        blocked = tuple(
            v
            for v, ahead, onward in inner
            if (not effects[v] & given if ahead and not onward else v in given)
        )
        kind = "causal" if all(into) else "back door" if not into[0] else "other"
        text = walk[0]
        for v, ahead in zip(walk[1:], into, strict=True):
            text += f" -> {v}" if ahead else f" <- {v}"
        for hidden in (v for v in walk if " <-> " in v):
            text = text.replace(f"<- {hidden} ->", "<->")
        shown = tuple(v for v in walk if " <-> " not in v)
        return Path(text, shown, kind, blocked, colliders)

    found = [path(walk) for walk in _walks(parents, children, (x,), y)]
    return sorted(found, key=lambda p: (len(p.nodes), p.text))


def _walks(
    parents: Links, children: Links, walk: tuple[str, ...], y: str
) -> Iterator[tuple[str, ...]]:
    if walk[-1] == y:
        yield walk
        return
    for node in sorted((parents[walk[-1]] | children[walk[-1]]) - set(walk)):
        yield from _walks(parents, children, (*walk, node), y)
