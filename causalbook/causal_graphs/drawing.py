"""Drawing a causal graph as inline SVG in the book's style: small, without ids, scalable.

The picture follows the page's text colour and font. Shapes say what colours say: what is given
is a square box, what is unseen is dashed, the treatment has a thick outline.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from math import hypot
from typing import TYPE_CHECKING

from causalbook.causal_graphs.layout import COLUMN, ROW, Place, find_places, turn
from causalbook.plots import COLOUR, Figure

if TYPE_CHECKING:
    from causalbook.causal_graphs.dag import Graph

SIZE, LINE, GAP, EDGE = 11.0, 13.0, 32.0, 6.0  # points: text, its lines, nodes, the picture's rim
SCALE = 1.4  # pixels a point, as in causalbook.plots
WIDTHS = (("ilj.,:;'|!()[] ", 0.36), ("frtI-/", 0.45), ("mwMW@%", 0.98))
BENDS = (0.0, 0.12, -0.12, 0.25, -0.25, 0.4, -0.4, 0.6, -0.6)  # parts of the edge's length
ARCS = (0.3, -0.3, 0.45, -0.45, 0.15, -0.15, 0.65, -0.65, 0.9, -0.9)
Curve = tuple[Place, Place, Place]  # of second degree: start, control point, end


@dataclass(frozen=True)
class Node:
    """A node as it is drawn: its name in lines, its middle and half its size."""

    name: str
    lines: tuple[str, ...]
    x: float
    y: float
    w: float
    h: float

    def holds(self, p: Place, pad: float = 0.0) -> bool:
        """Whether a point lies in the node's box."""
        return abs(p[0] - self.x) < self.w + pad and abs(p[1] - self.y) < self.h + pad


@dataclass(frozen=True)
class Picture:
    """Nodes and curves, with the corner and the size of the box that holds them."""

    nodes: dict[str, Node]
    curves: dict[tuple[str, str, bool], Curve]
    box: tuple[float, float, float, float]

    def svg(self, inside: str, alt: str) -> str:
        """Frame the parts as an element of the page."""
        x, y, w, h = self.box
        return (
            f'<svg class="causalbook-figure" role="img" aria-label="{escape(alt)}" '
            f'viewBox="{x:.1f} {y:.1f} {w:.1f} {h:.1f}" width="{w * SCALE:.0f}" '
            'style="display:block;max-width:100%;height:auto" xmlns="http://www.w3.org/2000/svg" '
            f'font-size="{SIZE:.0f}" fill="none" stroke="currentColor">{inside}</svg>'
        )


def draw(
    graph: Graph,
    a: str | None,
    y: str | None,
    given: frozenset[str],
    at: dict[str, tuple[float, float]],
) -> Figure:
    """Draw a graph, as `Graph.draw` says; `at` gives places in columns and rows.

    One row is a line of text and an arrow high; nodes side by side stand two columns apart. The
    treatment stands at (0, 0), rows count upwards. Raises ValueError for names that the graph
    does not know, and for a treatment that is the outcome.
    """
    for name in (a, y):
        if name is not None:
            graph._known("a" if name == a else "y", name)
    graph._known("at", at)
    if a is not None and a == y:
        raise ValueError(f"a and y are both {a!r}: an effect needs two nodes")
    picture = compose(graph, a, y, at)
    parts = [edge(curve, key[2]) for key, curve in picture.curves.items()]
    for node in picture.nodes.values():
        kind = "given" if node.name in given else "treated" if node.name == a else ""
        parts.append(shape(node, kind, latent=node.name in graph.latent))
    alt = describe(graph, a, y, given)
    return Figure(picture.svg("".join(parts), alt), alt)


def describe(graph: Graph, a: str | None, y: str | None, given: frozenset[str]) -> str:
    """Say what the picture shows: nodes, arrows, what is unseen, what is given."""
    arrows = []
    for u in graph.nodes:
        effects = [v for c, v in graph.edges if c == u]
        arrows += [f"{u} → {', '.join(effects)}"] if effects else []
    arcs = [f"{u} ↔ {v}" for u, v in graph.bidirected]
    said = [f"Causal graph with the nodes {', '.join(graph.nodes)}."]
    said += [f"Arrows: {'; '.join(arrows)}." if arrows else "It has no arrows."]
    said += [f"Unseen common causes: {'; '.join(arcs)}."] if arcs else []
    said += [f"Not observed: {', '.join(sorted(graph.latent))}."] if graph.latent else []
    said += [f"Treatment {a}."] if a else []
    said += [f"Outcome {y}."] if y else []
    said += [f"Conditioned on: {', '.join(sorted(given))}."] if given else []
    return " ".join(said)


def compose(graph: Graph, a: str | None, y: str | None, at: dict[str, Place]) -> Picture:
    """Place the nodes, then lay the edges: straight where they can, else around the nodes."""
    places = find_places(graph, a, y, tuple(sorted(at.items())))
    nodes = _nodes({name: places[name] for name in graph.nodes})
    wanted = [(u, v, True) for u, v in graph.edges] + [(u, v, False) for u, v in graph.bidirected]

    def length(key: tuple[str, str, bool]) -> tuple[bool, float]:
        u, v = nodes[key[0]], nodes[key[1]]
        return not key[2], hypot(u.x - v.x, u.y - v.y)

    curves: dict[tuple[str, str, bool], Curve] = {}
    for key in sorted(wanted, key=length):
        ends, others = key[:2], [n for n in nodes.values() if n.name not in key[:2]]
        laid = [_points(curve, 8) for other, curve in curves.items() if not {*other[:2]} & {*ends}]
        bends = BENDS if key[2] else ARCS  # the first one is the best where nothing is in the way
        choices = [_curve(nodes[ends[0]], nodes[ends[1]], b) for b in bends]
        costs = [
            _faults(curve, others, laid) + 2 * abs(abs(b) - bends[0])
            for curve, b in zip(choices, bends, strict=True)
        ]
        curves[key] = choices[costs.index(min(costs))]
    clipped = {
        (u, v, arrow): _clip(curve, nodes[u], nodes[v]) for (u, v, arrow), curve in curves.items()
    }
    xs = [n.x + s * n.w for n in nodes.values() for s in (-1, 1)]
    ys = [n.y + s * n.h for n in nodes.values() for s in (-1, 1)]
    for curve in clipped.values():
        xs += [p[0] for p in _points(curve, 16)]
        ys += [p[1] for p in _points(curve, 16)]
    x, top = min(xs) - EDGE, min(ys) - EDGE
    return Picture(nodes, clipped, (x, top, max(xs) + EDGE - x, max(ys) + EDGE - top))


def _nodes(places: dict[str, Place]) -> dict[str, Node]:
    """Turn columns and rows into points; a column is as wide as its names want."""
    lines = {name: _lines(name) for name in places}
    half = {name: max(14.0, max(map(_width, lines[name])) / 2 + 8) for name in places}
    columns = sorted({c for c, _ in places.values()})
    apart: dict[tuple[float, float], float] = {
        (b, c): (c - b) * COLUMN for b, c in pairwise(columns)
    }
    for u, (b, r) in places.items():
        for v, (c, s) in places.items():
            if b < c and abs(r - s) < 0.6:
                apart[b, c] = max(apart.get((b, c), 0.0), half[u] + half[v] + GAP)
    first, last = dict.fromkeys(columns, 0.0), dict[float, float]()
    for c in columns:
        first[c] = max((first[b] + d for (b, e), d in apart.items() if e == c), default=0.0)
    for b in reversed(columns):
        ends = [last[c] - d for (e, c), d in apart.items() if e == b]
        last[b] = min(ends, default=first[columns[-1]])
    return {
        name: Node(
            name,
            lines[name],
            (first[c] + last[c]) / 2,  # as far left as can be, as far right: in the middle
            -r * ROW,
            half[name],
            5.5 + LINE * len(lines[name]) / 2,
        )
        for name, (c, r) in places.items()
    }


def _width(text: str) -> float:
    """Estimate the width of a text in the widest of the usual fonts."""
    total = 0.0
    for letter in text:
        known = [w for letters, w in WIDTHS if letter in letters]
        total += (*known, 1.0 if ord(letter) > 0x2E80 else 0.74 if letter.isupper() else 0.62)[0]
    return total * SIZE


def _lines(name: str) -> tuple[str, ...]:
    """Break a long name once, at the space or underscore next to its middle."""
    breaks = [m.end() for m in re.finditer("[ _]", name)]
    if len(name) <= 11 or not breaks:
        return (name,)
    middle = min(breaks, key=lambda i: abs(2 * i - len(name)))
    return name[:middle].strip(), name[middle:].strip()


def _curve(u: Node, v: Node, bend: float) -> Curve:
    """Curve from middle to middle; a positive bend goes above an edge that lies flat."""
    dx, dy = v.x - u.x, v.y - u.y
    if (dx, dy) < (0, 0):
        bend = -bend  # above is above for an arrow to the left too
    middle = (u.x + v.x) / 2 + 2 * bend * dy, (u.y + v.y) / 2 - 2 * bend * dx
    return (u.x, u.y), middle, (v.x, v.y)


def _blossom(curve: Curve, s: float, t: float) -> Place:
    """Point of the curve at t if s = t; control point of the part from s to t otherwise."""
    weights = ((1 - s) * (1 - t), s * (1 - t) + t * (1 - s), s * t)
    x = sum(w * p[0] for w, p in zip(weights, curve, strict=True))
    return x, sum(w * p[1] for w, p in zip(weights, curve, strict=True))


def _points(curve: Curve, n: int) -> list[Place]:
    return [_blossom(curve, i / n, i / n) for i in range(n + 1)]


def _faults(curve: Curve, others: list[Node], laid: list[list[Place]]) -> float:
    """Cost of a curve: the nodes that it hits, the edges that it crosses, whether it sags."""
    hits = sum(any(n.holds(p, 4) for p in _points(curve, 32)) for n in others)
    mine = _points(curve, 8)
    crossings = sum(
        any(_meet(p, q, s, t) for p, q in pairwise(mine) for s, t in pairwise(line))
        for line in laid
    )
    (_, y0), (_, ym), (_, y1) = curve
    return 100 * hits + 3 * crossings + 0.01 * (ym > (y0 + y1) / 2)


def _meet(p: Place, q: Place, s: Place, t: Place) -> bool:
    return turn(p, q, s) * turn(p, q, t) < 0 and turn(s, t, p) * turn(s, t, q) < 0


def _clip(curve: Curve, u: Node, v: Node) -> Curve:
    """Cut the curve where it leaves the first node and where it comes to the second."""
    steps = [i / 400 for i in range(401)]
    start = next(t for t in steps if not u.holds(_blossom(curve, t, t), 1.5))
    end = next(t for t in reversed(steps) if not v.holds(_blossom(curve, t, t), 1.5))
    return _blossom(curve, start, start), _blossom(curve, start, end), _blossom(curve, end, end)


def edge(curve: Curve, arrow: bool, attributes: str = "", width: float = 1.3) -> str:
    """Draw an arrow, or a dashed arc with two heads; the line ends inside the heads."""
    start, (xm, ym), end = curve
    (x1, y1), head = _head((xm, ym), end)
    (x0, y0), tail = (start, "") if arrow else _head((xm, ym), start)
    dashes = "" if arrow else ' stroke-dasharray="4 3"'
    return (
        f'<g{attributes}><path d="M{x0:.1f} {y0:.1f}Q{xm:.1f} {ym:.1f} {x1:.1f} {y1:.1f}" '
        f'stroke-width="{width}"{dashes}/><path d="{head}{tail}" fill="currentColor" '
        'stroke="none"/></g>'
    )


def _head(back: Place, tip: Place) -> tuple[Place, str]:
    """Middle and outline of an arrow's head."""
    size = hypot(tip[0] - back[0], tip[1] - back[1]) or 1.0
    dx, dy = (tip[0] - back[0]) / size, (tip[1] - back[1]) / size
    x, y = tip[0] - 7.5 * dx, tip[1] - 7.5 * dy
    corners = (tip, (x - 3.4 * dy, y + 3.4 * dx), (x + 3.4 * dy, y - 3.4 * dx))
    outline = "L".join(f"{x:.1f} {y:.1f}" for x, y in corners)
    return (tip[0] - 4 * dx, tip[1] - 4 * dy), f"M{outline}Z"


def shape(node: Node, kind: str, *, latent: bool, attributes: str = "") -> str:
    """Draw a node: a green square box if given, a thick vermilion outline if treated."""
    look = {
        "given": f'stroke="{COLOUR["right"]}" stroke-width="2.6" fill="{COLOUR["right"]}" '
        'fill-opacity="0.15"',
        "treated": f'stroke="{COLOUR["treated"]}" stroke-width="2.6"',
        "end": 'stroke-width="2.6"',
    }.get(kind, 'stroke-width="1"')
    dashes = ' stroke-dasharray="4 3"' if latent else ""
    rounding = 0 if kind == "given" else min(node.h, 12)
    top = node.y - LINE * (len(node.lines) - 1) / 2 + 0.35 * SIZE
    texts = "".join(
        f'<text x="{node.x:.1f}" y="{top + i * LINE:.1f}" text-anchor="middle" '
        f'fill="currentColor" stroke="none">{escape(line)}</text>'
        for i, line in enumerate(node.lines)
    )
    return (
        f'<g{attributes}><rect x="{node.x - node.w:.1f}" y="{node.y - node.h:.1f}" '
        f'width="{2 * node.w:.1f}" height="{2 * node.h:.1f}" rx="{rounding:.0f}" {look}{dashes}/>'
        f"{texts}</g>"
    )
