"""Pictures of graphs, read back from their SVG: nothing of the drawing code is used here."""

import re
import time
import xml.etree.ElementTree as ET
from itertools import combinations
from math import hypot

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.textpath import TextPath

from causalbook.causal_graphs import Graph
from causalbook.plots import COLOUR, Figure

SHOP = (
    "intent -> shown; intent -> bought; shown -> cart -> bought; popular -> shown; shown -> bought"
)
GRAPHS = {
    "shop": (Graph(SHOP), "shown", "bought", ["intent"]),
    "M-bias": (Graph("U1 -> A; U1 -> M; U2 -> M; U2 -> Y; A -> Y", ["U1", "U2"]), "A", "Y", ["M"]),
    "front door": (Graph("U -> A; U -> Y; A -> M -> Y", ["U"]), "A", "Y", []),
    "front door, arc": (Graph("A <-> Y; A -> M -> Y"), "A", "Y", []),
    "napkin": (Graph("W -> Z -> A -> Y; W <-> A; W <-> Y"), "A", "Y", []),
    "bow": (Graph("A -> Y; A <-> Y"), "A", "Y", []),
    "instrument": (Graph("Z -> A -> Y; A <-> Y"), "A", "Y", []),
    "two causes": (
        Graph("X -> A; X -> Y; W -> A; W -> Y; A -> Y; A -> C; Y -> C"),
        "A",
        "Y",
        ["X", "W"],
    ),
    "collider": (Graph("quality -> click; position -> click"), "position", "quality", ["click"]),
    "chain": (Graph("X1 -> X2 -> X3 -> Y"), None, None, []),
    "long names": (
        Graph("interest in the category -> item recommended -> purchase within a week"),
        "item recommended",
        "purchase within a week",
        [],
    ),
    "two parts": (Graph("user input -> action; encoder -> model"), None, None, []),
    "alone": (Graph("A"), None, None, []),
    "many": (
        Graph("Z -> A; X -> A; X -> M; W -> M; W -> Y; V -> A; V -> Y; A -> M -> N -> Y; N -> C"),
        "A",
        "Y",
        ["X", "W"],
    ),
}


class Read:
    """Boxes by name (left, top, right, bottom, rectangle), curves as points, from an SVG."""

    def __init__(self, figure):
        self.root = ET.fromstring(figure.svg)
        self.view = [float(v) for v in self.root.get("viewBox").split()]
        self.boxes, self.curves, self.dashed, self.texts = {}, [], [], {}
        for group in self.root:
            parts = [(part.tag.rpartition("}")[2], part) for part in group]
            if parts[0][0] == "rect":
                rect, lines = parts[0][1], [part.text for tag, part in parts if tag == "text"]
                x, y, w, h = (float(rect.get(k)) for k in ("x", "y", "width", "height"))
                name = re.sub("_ ", "_", " ".join(lines))
                self.boxes[name], self.texts[name] = (x, y, x + w, y + h, rect), lines
            else:
                d = [float(v) for v in re.findall(r"-?[\d.]+", parts[0][1].get("d"))]
                self.curves.append([self.at(d, i / 50) for i in range(51)])
                tips = re.findall(r"M(-?[\d.]+) (-?[\d.]+)", parts[1][1].get("d"))
                self.curves[-1] += [(float(x), float(y)) for x, y in tips]
                self.dashed.append(len(tips) == 2)

    @staticmethod
    def at(d, t):
        weights = ((1 - t) ** 2, 2 * t * (1 - t), t * t)
        return tuple(sum(w * v for w, v in zip(weights, d[k::2], strict=True)) for k in (0, 1))

    def middle(self, name):
        x0, y0, x1, y1, _ = self.boxes[name]
        return (x0 + x1) / 2, (y0 + y1) / 2


def inside(p, box, pad=0.0):
    return box[0] - pad < p[0] < box[2] + pad and box[1] - pad < p[1] < box[3] + pad


@pytest.fixture(params=GRAPHS)
def drawn(request):
    graph, a, y, s = GRAPHS[request.param]
    return graph, Read(graph.draw(a, y, s)), a, y, s


def test_all_nodes_and_edges_are_there_and_within_the_frame(drawn):
    graph, seen, *_ = drawn
    assert set(seen.boxes) == set(graph.nodes)
    assert len(seen.curves) == len(graph.edges) + len(graph.bidirected)
    assert sum(seen.dashed) == len(graph.bidirected)
    x, y, w, h = seen.view
    for box in seen.boxes.values():
        assert inside(box[:2], (x, y, x + w, y + h)), "a node leaves the picture"
        assert inside(box[2:4], (x, y, x + w, y + h)), "a node leaves the picture"
    assert all(inside(p, (x, y, x + w, y + h)) for curve in seen.curves for p in curve)


def test_nodes_lie_apart_and_edges_end_at_their_borders(drawn):
    graph, seen, *_ = drawn
    for b, c in combinations(seen.boxes.values(), 2):
        assert b[2] < c[0] or c[2] < b[0] or b[3] < c[1] or c[3] < b[1]
    wanted = sorted([*map(frozenset, graph.edges), *map(frozenset, graph.bidirected)], key=sorted)
    found = []
    for curve in seen.curves:
        ends = [
            min(seen.boxes, key=lambda name: distance(p, seen.boxes[name]))
            for p in (curve[0], curve[50])
        ]
        found.append(frozenset(ends))
        assert max(distance(curve[0], seen.boxes[ends[0]]), 0) < 7.6
        assert distance(curve[-1], seen.boxes[ends[1] if len(curve) == 52 else ends[0]]) < 3
        assert not any(inside(p, seen.boxes[e]) for p in curve for e in ends)
    assert sorted(found, key=sorted) == wanted


def distance(p, box):
    dx, dy = max(box[0] - p[0], p[0] - box[2], 0), max(box[1] - p[1], p[1] - box[3], 0)
    return hypot(dx, dy)


def test_edges_run_through_no_node(drawn):
    _, seen, *_ = drawn
    for curve in seen.curves:
        assert not any(inside(p, box) for p in curve for box in seen.boxes.values())


def test_names_fit_into_their_boxes(drawn):
    _, seen, *_ = drawn
    for name, lines in seen.texts.items():
        x0, _, x1, *_ = seen.boxes[name]
        wide = max(TextPath((0, 0), line, size=11).get_extents().width for line in lines)
        assert wide < x1 - x0 - 4, f"{name} needs {wide} points"
        assert x1 - x0 < wide + 40, f"{name} stands in too wide a box"


def test_treatment_and_outcome_on_one_row_with_causes_above_and_effects_below(drawn):
    graph, seen, a, y, _ = drawn
    if a is None:
        return
    (xa, row), (xy, other) = seen.middle(a), seen.middle(y)
    assert row == other
    assert xa < xy
    for v in graph.nodes:
        x, height = seen.middle(v)
        if v in graph.descendants(a) & graph.ancestors(y):
            assert xa < x < xy
        elif {a, y} <= graph.descendants(v) and len(graph.nodes) < 9:  # one of many may lie below
            assert height < row or y not in graph.do(a).descendants(v)
        elif v in graph.descendants(a) & graph.descendants(y):
            assert height > row


def test_shapes_say_what_colours_say(drawn):
    graph, seen, a, _, s = drawn
    for name, (*_, rect) in seen.boxes.items():
        assert (rect.get("stroke-dasharray") is not None) == (name in graph.latent)
        assert (rect.get("rx") == "0") == (name in s)
        assert (rect.get("stroke") == COLOUR["right"]) == (name in s)
        assert (rect.get("stroke") == COLOUR["treated"]) == (name == a and name not in s)
    assert all(
        (rect.get("stroke") is None) == (n not in s and n != a)
        for n, (*_, rect) in seen.boxes.items()
    )


def test_the_alternative_text_tells_the_whole_picture():
    graph, a, y, s = GRAPHS["M-bias"]
    assert graph.draw(a, y, s).alt == (
        "Causal graph with the nodes U1, A, M, U2, Y. Arrows: U1 → A, M; A → Y; U2 → M, Y. "
        "Not observed: U1, U2. Treatment A. Outcome Y. Conditioned on: M."
    )
    arcs = Graph("A -> Y; A <-> Y").draw()
    assert arcs.alt.endswith("Arrows: A → Y. Unseen common causes: A ↔ Y.")
    assert 'role="img" aria-label="Causal graph with the nodes A, Y.' in arcs.svg


def test_a_figure_is_small_without_ids_and_the_same_each_time():
    graph, a, y, s = GRAPHS["many"]
    figure = graph.draw(a, y, s)
    assert isinstance(figure, Figure)
    assert figure == Graph(str(graph)).draw(a, y, s)
    assert len(figure.svg) < 6_000
    assert "id=" not in figure.svg
    assert "currentColor" in figure.svg
    assert "#000" not in figure.svg
    assert "&amp;" in Graph("R&D -> 'Y'").draw().svg


def test_places_can_be_given():
    seen = Read(Graph("A -> B -> C").draw(at={"A": (0, 0), "B": (2, 1), "C": (2, -1)}))
    (xa, ya), (xb, yb), (xc, yc) = (seen.middle(v) for v in "ABC")
    assert xa < xb == xc
    assert yb < ya < yc
    assert ya - yb == yc - ya


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda g: g.draw("Q", "Y"), "a names 'Q'"),
        (lambda g: g.draw("A", "Q"), "y names 'Q'"),
        (lambda g: g.draw(given="Q"), "given names 'Q'"),
        (lambda g: g.draw(at={"Q": (0, 0)}), "at names 'Q'"),
        (lambda g: g.draw("A", "A"), "a and y are both 'A'"),
    ],
)
def test_what_cannot_be_drawn_is_refused(ask, message):
    with pytest.raises(ValueError, match=message):
        ask(Graph("A -> Y"))


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(["", "", "->", "->", "<->"]), min_size=10, max_size=10), st.booleans()
)
def test_no_edge_runs_through_a_node_of_any_graph_of_five(kinds, asked):
    pairs = [f"{u} {k} {v}" for (u, v), k in zip(combinations("VWAXY", 2), kinds, strict=True) if k]
    seen = Read(Graph("; ".join([*"VWAXY", *pairs])).draw(*(("A", "Y") if asked else ())))
    for curve in seen.curves:
        assert not any(inside(p, box) for p in curve for box in seen.boxes.values())


def test_fifteen_nodes_are_drawn_while_one_waits():
    nodes = [f"V{i}" for i in range(15)]
    pairs = [(u, v) for i, u in enumerate(nodes) for v in nodes[i + 1 :]]
    begin = time.process_time()
    Graph(pairs[::4]).draw()  # 27 edges: 13 seconds where every start is tried to its end
    assert time.process_time() - begin < 8
