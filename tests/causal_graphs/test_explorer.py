"""The explorer: every state it holds against the graph (tests/book presses its buttons)."""

import html
import json
import re
from itertools import combinations, product

import pytest

from causalbook.causal_graphs import Graph, explore

SHOP = Graph(
    "intent -> shown; intent -> bought; shown -> cart -> bought; shown -> review; bought -> review"
)
ARCS = Graph("U -> A; U -> M; M <-> Y; A -> Y; M -> K", latent="U")


def states(shown):
    text = re.search(r'data-states="(.*?)"', shown._repr_html_())[1]
    return json.loads(html.unescape(text))


@pytest.mark.parametrize(("graph", "x", "y"), [(SHOP, "shown", "bought"), (ARCS, "A", "Y")])
def test_each_state_is_what_the_graph_says(graph, x, y):
    free = [v for v in graph.nodes if v not in {x, y, *graph.latent}]
    shown = states(explore(graph, x, y))
    assert len(shown) == 2 ** len(free)
    for switched in product((0, 1), repeat=len(free)):
        given = [v for v, on in zip(free, switched, strict=True) if on]
        says, paths, live = shown[sum(on << i for i, on in enumerate(switched))]
        known = graph.paths(x, y, given)
        separated = not any(path.open for path in known)
        verdict = "are d-separated" if separated else "are not d-separated"
        count = sum(path.open for path in known)
        held = ", ".join(sorted(given)) or "nothing"
        assert says == f"Given {held}: {count} of {len(known)} paths open, {x} and {y} {verdict}."
        assert [text.startswith("open") for text in paths] == [path.open for path in known]
        for text, path in zip(paths, known, strict=True):
            assert all(v in text for v in path.blocked_by)
            for v in path.colliders if path.open else ():
                assert f"collider {v} is given" in text
                assert (f"effect of collider {v} is given" in text) == (v not in given)
        assert bool(live) != separated
        assert live == sorted(set(live))


def test_without_a_script_nothing_is_given():
    page = explore(SHOP, "shown", "bought")._repr_html_()
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert " id=" not in page
    assert page.count("<button") == page.count('aria-pressed="false"') == 3
    assert 'aria-live="polite">Given nothing: 2 of 3 paths open, shown and bought' in page
    assert page.count("<li>") == len(SHOP.paths("shown", "bought"))
    assert "shown → review ← bought (other): <span" in page
    assert "blocked, review is a collider, not given" in page
    assert 'aria-label="condition on U"' not in explore(ARCS, "A", "Y")._repr_html_()


def test_what_cannot_be_looked_over_is_refused():
    wide = Graph("; ".join(f"X{i} -> A; X{i} -> Y" for i in range(7)))
    with pytest.raises(ValueError, match="7 observed nodes beside A and Y, and explore shows at"):
        explore(wide, "A", "Y")
    full = Graph("; ".join(f"{u} -> {v}" for u, v in combinations("ABCDEF", 2)))
    with pytest.raises(ValueError, match="65 paths between A and F, and explore shows at most 20"):
        explore(full, "A", "F")
    with pytest.raises(ValueError, match="x and y are both 'A'"):
        explore(ARCS, "A", "A")
    with pytest.raises(ValueError, match="'Q'"):
        explore(ARCS, "A", "Q")
