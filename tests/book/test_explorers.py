"""Two explorers on a page, in a real browser: mouse, keys, and what the reader then sees."""

import json

import pytest
from axe_playwright_python.sync_playwright import Axe

from causalbook.causal_graphs import Graph, explore

SHOP = Graph(
    "intent -> shown; intent -> bought; shown -> cart -> bought; shown -> review; bought -> review"
)
ARCS = Graph("U -> A; U -> M; M <-> Y; A -> Y; M -> K", latent="U")
ASKED = [(SHOP, "shown", "bought"), (ARCS, "A", "Y")]


@pytest.fixture
def page(browser):
    boxes = "".join(explore(*asked)._repr_html_() for asked in ASKED)
    with browser.new_context(viewport={"width": 390, "height": 844}) as context:
        page = context.new_page()
        page.set_content(f"<!doctype html><html lang=en><title>two</title><main>{boxes}</main>")
        yield page


def status(page, which=0):
    return page.locator("[role=status]").nth(which).inner_text()


@pytest.mark.parametrize("key", ["Enter", "Space", "mouse"])
def test_a_node_is_pressed_by_key_and_mouse_in_its_own_box_only(page, key):
    button = page.get_by_role("button", name="condition on intent")
    before = status(page, 1)
    for given, pressed in (("intent: 1", "true"), ("nothing: 2", "false")):
        if key == "mouse":
            button.click()
        else:
            button.press(key)
        says = f"Given {given} of 3 paths open, shown and bought are not d-separated."
        assert status(page) == says
        assert button.get_attribute("aria-pressed") == pressed
    assert status(page, 1) == before


def test_pictures_and_paths_follow_each_state(page):
    box = page.locator(".causalbook-explorer").first
    shown = json.loads(box.get_attribute("data-states"))
    order = ["intent", "cart", "review"]
    for i in (0, 1, 0, 2, 1, 0):  # walks through states with several nodes given
        box.get_by_role("button", name=f"condition on {order[i]}").click()
        pressed = [b.get_attribute("aria-pressed") == "true" for b in box.locator("button").all()]
        says, paths, live = shown[sum(on << k for k, on in enumerate(pressed))]
        assert box.locator("[role=status]").inner_text() == says
        assert box.locator("[data-path]").all_inner_texts() == paths
        for k, on in enumerate(pressed):
            for given in (0, 1):
                drawn = box.locator(f'[data-node="{k}"][data-given="{given}"]')
                assert drawn.evaluate("g => g.style.display") == ("" if given == on else "none")
        for edge in box.locator("[data-edge]").all():
            width = edge.evaluate("g => getComputedStyle(g.firstChild).strokeWidth")
            assert (width == "2.6px") == (int(edge.get_attribute("data-edge")) in live)


def test_buttons_lie_on_their_nodes_and_fit_a_phone(page):
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for box in page.locator(".causalbook-explorer").all():
        for k, button in enumerate(box.locator("button").all()):
            place = button.bounding_box()
            node = box.locator(f'[data-node="{k}"][data-given="0"] rect').bounding_box()
            for side in ("x", "y", "width", "height"):
                assert abs(place[side] - node[side]) < 2.5, side


def test_axe_finds_nothing_serious(page):
    found = Axe().run(page).response["violations"]
    assert not [v["id"] for v in found if v["impact"] in {"serious", "critical"}]
