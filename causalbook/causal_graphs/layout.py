"""Places for the nodes of a drawing: treatment and outcome on one row, causes above, effects below.

Places are columns and rows. Nodes on one row stand at least two columns apart, so that a third
one, above or below, fits between them.
"""

from __future__ import annotations

import random
from functools import lru_cache
from itertools import product
from math import hypot, inf
from statistics import fmean
from typing import TYPE_CHECKING

from causalbook.causal_graphs.walks import order

if TYPE_CHECKING:
    from causalbook.causal_graphs.dag import Graph

Place = tuple[float, float]
Places = dict[str, Place]
Edge = tuple[str, str, bool]  # from, to, whether it is an arrow and no double one
COLUMN, ROW = 42.0, 50.0  # points
CROSSING, THROUGH, BAND = 5.0, 8.0, 7.0  # what a fault costs, in lengths of a short arrow
STARTS = 12  # more were no better on the graphs of the book
MANY = 12  # free nodes from which every start costs seconds: then two starts have to do


@lru_cache(maxsize=256)
def find_places(
    graph: Graph, a: str | None, y: str | None, at: tuple[tuple[str, Place], ...]
) -> Places:
    """Return a place for each node: of a few pictures, each improved, the one with least cost."""
    steps, fixed = _steps(graph, a), dict(at)
    if a and y:
        fixed = {a: (0, 0), y: (2 * max(1, steps.get(y, 0)), 0)} | fixed
    free = [v for v in order(graph._parents) if v in graph.nodes and v not in fixed]
    sides = {v: _side(graph, v, a, y) for v in graph.nodes}
    edges = [(u, v, True) for u, v in graph.edges] + [(u, v, False) for u, v in graph.bidirected]
    best, least = fixed, inf
    for start in range((STARTS if len(free) < MANY else 2) if free else 1):
        chance = random.Random(start)  # the same picture in every run
        turn = sorted(free, key=lambda v: chance.random()) if start else free
        begin = _by_side(graph, free, fixed, sides, steps) if start < 2 else fixed
        begin = _scatter(turn, fixed, chance) if start % 2 else begin
        places = _improve(turn, begin, sides, edges)
        cost = round(sum(_cost(v, places, sides[v], edges) for v in places), 6)
        if cost < least:
            best, least = places, cost
    return best


def _spots(fixed: Places, free: int) -> list[Place]:
    """All places a node may take, the middle row first."""
    columns = [c for c, _ in fixed.values()]
    low, high = (min(columns) - 3, max(columns) + 3) if columns else (-2, 2 * free)
    return list(product(range(int(low), int(high) + 1), (0, 1, -1, 2, -2)))


def _room(spot: Place, places: Places) -> bool:
    return all(r != spot[1] or abs(c - spot[0]) >= 2 for c, r in places.values())


def _by_side(
    graph: Graph, free: list[str], fixed: Places, sides: dict[str, str], steps: dict[str, int]
) -> Places:
    """Put mediators between, causes above their effects, effects below their causes."""
    places = dict(fixed)
    for v in sorted(free, key=lambda v: sides[v] != "between"):
        row = {"between": 0, "left": 0, "below": -1}.get(sides[v], 1)
        near = graph.parents(v) if row < 0 else graph.children(v) | graph.parents(v)
        columns = [places[u][0] for u in sorted(near) if u in places] or [0.0]
        column = {"between": 2.0 * steps.get(v, 0), "left": -2.0}.get(sides[v], fmean(columns))
        spots = [spot for spot in _spots(fixed, len(free)) if _room(spot, places)]
        places[v] = min(spots, key=lambda s: abs(s[0] - column) + 3 * abs(s[1] - row))
    return places


def _scatter(turn: list[str], fixed: Places, chance: random.Random) -> Places:
    """Put each node anywhere: from some pictures no single node wants to move, and two should."""
    places = dict(fixed)
    for v in turn:
        places[v] = chance.choice([s for s in _spots(fixed, len(turn)) if _room(s, places)])
    return places


def _improve(turn: list[str], begin: Places, sides: dict[str, str], edges: list[Edge]) -> Places:
    """Put each node where it costs least, again and again until none wants to move."""
    places = dict(begin)
    spots = _spots({v: place for v, place in begin.items() if v not in turn}, len(turn))
    for _ in range(8):
        before = dict(places)
        for v in turn:
            places.pop(v, None)
            least, chosen = inf, (0.0, 0.0)
            drawn = [e for e in edges if all(u == v or u in places for u in e[:2])]
            for spot in [s for s in spots if _room(s, places)]:
                places[v] = spot
                cost = round(_cost(v, places, sides[v], drawn, least), 6)
                del places[v]
                if cost < least:
                    least, chosen = cost, spot
            places[v] = chosen
        if places == before:
            break
    return places


def _cost(v: str, places: Places, side: str, drawn: list[Edge], enough: float = inf) -> float:
    """What a node costs where it stands: its side, its edges, what they cross and run through."""
    column, row = places[v]
    total = 0.2 * abs(row) + 0.02 * abs(column)
    faults = {"above": row <= 0, "below": row >= 0, "between": abs(row) / 2, "left": abs(row) / 2}
    total += BAND * faults.get(side, 0)
    mine = [e for e in drawn if v in e[:2]]
    for u, w, arrow in mine:
        (c0, r0), (c1, r1) = places[u], places[w]
        total += hypot((c1 - c0) * COLUMN, (r1 - r0) * ROW) / 60
        total += arrow * _against(c1 - c0, r1 - r0, side)
    # The rest is slow, and nothing that is seen in it lowers the cost: stop once it is too much.
    if total < enough:
        total += THROUGH * sum(e[2] and _through(e, v, places) for e in drawn)
    for e in mine:
        if total >= enough:
            break
        total += CROSSING * sum(_cross(e, f, places) for f in drawn)
        total += THROUGH * sum(e[2] and _through(e, w, places) for w in places)
    return total


def _against(columns: float, rows: float, side: str) -> float:
    """What an arrow costs that does not lead to the right, or that leads up."""
    if side == "between" and columns <= 0:
        return BAND
    back = 0.8 if side == "free" else 0.3
    free = 1 * (columns == 0) + 0.8 * abs(rows) if side == "free" else 0.2 * (columns == 0)
    return back * max(0, -columns) + 1.5 * max(0, rows) + free


def _cross(e: Edge, f: Edge, places: Places) -> bool:
    if e[0] in f[:2] or e[1] in f[:2]:
        return False
    p, q, s, t = places[e[0]], places[e[1]], places[f[0]], places[f[1]]
    return turn(p, q, s) * turn(p, q, t) < 0 and turn(s, t, p) * turn(s, t, q) < 0


def turn(p: Place, q: Place, r: Place) -> float:
    """Positive if the way from p by q to r turns left."""
    return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])


def _through(e: Edge, w: str, places: Places) -> bool:
    """Whether a straight edge comes closer to a node than an ellipse about its name."""
    if w in e[:2]:
        return False
    (c, r), (c0, r0), (c1, r1) = places[w], places[e[0]], places[e[1]]
    x0, y0 = (c0 - c) * COLUMN / 34, (r0 - r) * ROW / 18
    x1, y1 = (c1 - c) * COLUMN / 34, (r1 - r) * ROW / 18
    dx, dy = x1 - x0, y1 - y0
    nearest = min(1.0, max(0.0, -(x0 * dx + y0 * dy) / (dx * dx + dy * dy or 1)))
    return hypot(x0 + nearest * dx, y0 + nearest * dy) < 1


def _steps(graph: Graph, a: str | None) -> dict[str, int]:
    """Arrows on the longest directed path from the treatment to each of its effects."""
    steps = {a: 0} if a else {}
    for v in order(graph._parents):
        reached = [steps[u] + 1 for u in graph._parents[v] if u in steps]
        if reached:
            steps[v] = max(reached)
    return steps


def _side(graph: Graph, v: str, a: str | None, y: str | None) -> str:
    """Where a node belongs: between treatment and outcome, left of them, above or below."""
    if not (a and y):
        return "free"
    if v in (a, y):
        return ""
    effects, causes = graph.descendants(a), graph.ancestors(y)
    if v in effects and v in causes:
        return "between"
    if v in graph.descendants({a, y}):
        return "below"
    if v in graph.ancestors(a) and graph.descendants(v) <= graph.ancestors(a) | {a} | effects:
        return "left"
    return "above" if v in graph.ancestors({a, y}) else ""
