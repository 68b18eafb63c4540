"""The built site, page by page, in a real browser. Build it first: python scripts/build.py."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, Route
from sphinx_external_toc.parsing import parse_toc_yaml

from .conftest import SITE, SOURCE

BOOK = [f"{name}.html" for name in parse_toc_yaml(SOURCE / "_toc.yml")]
PAGES = [*BOOK, "search.html"]
# One worker looks at a page for all the tests that share its visit (pytest --dist loadgroup).
VISITED = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in PAGES]
MODES = ["light", "dark"]
# The settings stand in window.MathJax before the script has come that fills in the rest.
MATHS_READY = """() => !window.MathJax
    || (MathJax.startup && MathJax.startup.promise
        ? MathJax.startup.promise.then(() => true) : false)"""

# A page has thousands of words of code in some twenty kinds, and hundreds of table cells and links
# of the sidebar that look alike; axe takes most of its time to measure each. What is of one kind
# has one style: the first that is seen stays.
ONE_OF_EACH_KIND = """() => {
    // What is folded is not looked at, and takes half of the time to be found so.
    for (const box of document.querySelectorAll('article details:not([open])')) {
        for (const part of box.querySelectorAll(':scope > :not(summary)')) part.remove();
    }
    const seen = new Set(), spare = [];  // looked at first, taken out afterwards: one layout
    const look = (nodes, kindOf, judged) => {
        for (const node of document.querySelectorAll(nodes)) {
            if (!node.checkVisibility()) continue;  // folded: axe does not look at it
            const kind = [nodes, node.className, node.parentElement.className, kindOf(node)].join();
            if (!judged(node) || seen.has(kind)) spare.push(node);
            else seen.add(kind);
        }
    };
    const box = word => word.closest('[class*="highlight-"]')?.className;
    look('.highlight pre span', box, word => word.textContent.length > 1);  // no single letter
    const plain = node => node.firstElementChild === null;
    look('article td', cell => cell.closest('tr').className + plain(cell), () => true);
    look('.glossary-list > *', node => node.querySelectorAll('a, .math').length, () => true);
    look('.bd-sidebar-primary li:not(.current) > a', () => '', () => true);
    look('article.entry', entry => entry.dataset.verdict, () => true);
    look('.api-entry', entry => entry.querySelector('dl') !== null, () => true);
    for (const node of spare) {
        if (node.matches('pre span')) node.replaceWith(node.textContent);
        else if (node.matches('a')) node.closest('li').remove();
        else node.replaceChildren();
    }
    for (const code of document.querySelectorAll('pre')) code.normalize();
}"""
# What the theme's own button does, without its animation.
CHANGE_MODE = """async mode => {
    const still = document.createElement('style');
    still.textContent = '* { transition: none !important; animation: none !important; }';
    document.head.append(still);
    document.documentElement.dataset.mode = document.documentElement.dataset.theme = mode;
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""


def outside_requests(page: Page, url: str) -> list[str]:
    """Open the address; return what the page asked of other hosts, none of which got through."""
    host = urlsplit(url).netloc
    asked: list[str] = []

    def note(address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.netloc != host:
            asked.append(address)

    def answer(route: Route) -> None:
        if urlsplit(route.request.url).netloc == host:
            route.fallback()
        else:
            route.abort()

    page.route("**/*", answer)
    page.on("request", lambda request: note(request.url))
    page.on("websocket", lambda socket: note(socket.url))
    page.goto(url, wait_until="networkidle")
    return asked


def in_mode(context: BrowserContext, mode: str) -> Page:
    """Open a page in which the theme finds this mode already chosen, as on a second visit."""
    page = context.new_page()
    chosen = f"localStorage.setItem('mode', '{mode}'); localStorage.setItem('theme', '{mode}')"
    page.add_init_script(chosen)
    return page


@cache
def parsed(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@cache
def anchors(path: Path) -> frozenset[str]:
    return frozenset(re.findall(r'\bid="([^"]+)"', path.read_text(encoding="utf-8")))


@dataclass
class Visit:
    """What one look at a page showed."""

    asked: list[str]
    faults: list[str] = field(default_factory=list)
    headings: int = 0
    formulas: int = 0
    wrong_formulas: int = 0
    width_on_phone: int = 0
    colours: dict[str, str] = field(default_factory=dict)
    serious: dict[str, list[str]] = field(default_factory=dict)


@pytest.fixture(scope="session")
def visit(browser: Browser, site: str) -> Callable[[str], Visit]:
    """Look at a page once, for all the tests that ask about it: loading it is what takes time."""

    @cache
    def look(name: str) -> Visit:
        seen = Visit([])
        with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
            page = in_mode(context, MODES[0])
            faults: list[str] = []
            watch(page, faults)
            seen.asked = outside_requests(page, site + name)
            page.wait_for_function(MATHS_READY)
            seen.headings = page.locator("h1:visible").count()
            seen.formulas = page.locator("article .math > mjx-container").count()
            seen.wrong_formulas = page.locator("mjx-merror").count()
            page.set_viewport_size({"width": 390, "height": 844})
            seen.width_on_phone = page.evaluate("document.documentElement.scrollWidth")
            seen.faults = faults[:]  # axe reads the styles by itself, from addresses it guesses
            page.set_viewport_size({"width": 1440, "height": 900})
            page.evaluate(ONE_OF_EACH_KIND)
            for mode in MODES:
                page.evaluate(CHANGE_MODE, mode)
                seen.colours[mode] = background(page)
                # What does not depend on colours is the same in both modes.
                colours = {"runOnly": {"type": "tag", "values": ["cat.color"]}}
                seen.serious[mode] = serious_faults(page, colours if mode == "dark" else {})
        return seen

    return look


def watch(page: Page, faults: list[str]) -> None:
    """Write down what the page complains of."""

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error":
            faults.append(f"console: {message.text}")

    def received(response: Response) -> None:
        if response.status >= 400:
            faults.append(f"{response.status}: {response.url}")

    page.on("console", heard)
    page.on("pageerror", lambda error: faults.append(f"page error: {error}"))
    page.on("requestfailed", lambda request: faults.append(f"failed: {request.url}"))
    page.on("response", received)


@pytest.mark.parametrize("name", VISITED)
def test_page_asks_no_other_host(name: str, visit: Callable[[str], Visit]) -> None:
    assert visit(name).asked == []


@pytest.mark.parametrize("name", VISITED)
def test_page_has_no_errors_and_one_title(name: str, visit: Callable[[str], Visit]) -> None:
    assert visit(name).faults == []
    assert visit(name).headings == 1


@pytest.mark.parametrize("name", VISITED)
def test_page_fits_a_phone(name: str, visit: Callable[[str], Visit]) -> None:
    assert 0 < visit(name).width_on_phone <= 390


@pytest.mark.parametrize("name", VISITED[: len(BOOK)])
def test_mathematics_is_set(name: str, visit: Callable[[str], Visit]) -> None:
    assert visit(name).formulas == len(parsed(SITE / name).select("article .math"))
    assert visit(name).wrong_formulas == 0


def test_a_script_from_elsewhere_is_reported(site: str, context: BrowserContext) -> None:
    url, script = f"{site}index.html", "https://cdn.jsdelivr.net/npm/mathjax@3/es5/tex-chtml.js"
    html = (SITE / "index.html").read_text(encoding="utf-8")
    spoilt = html.replace("</head>", f'<script src="{script}"></script></head>')
    page = context.new_page()
    page.route(url, lambda route: route.fulfill(body=spoilt, content_type="text/html"))
    assert outside_requests(page, url) == [script]


@pytest.mark.parametrize("name", VISITED[: len(BOOK)])
def test_every_picture_says_what_it_shows(name: str) -> None:
    pictures = parsed(SITE / name).select("article svg, article .output img, article figure img")
    for picture in pictures:
        if picture.name == "svg" and picture.find_parent("svg"):
            continue  # a part of another drawing
        if picture.get("aria-hidden") == "true":
            continue  # an ornament, which must stay silent
        said = picture.get("aria-label" if picture.name == "svg" else "alt", "")
        assert len(said.split()) >= 4, f"{name}: {str(picture)[:120]}"
        assert picture.name == "img" or picture.get("role") == "img", f"{name}: {said}"


def test_no_page_waits_for_a_widget_manager() -> None:
    # Widgets need a kernel or a script from elsewhere; on the site they show nothing at all.
    waiting = [n for n in BOOK if "application/vnd.jupyter.widget" in (SITE / n).read_text()]
    assert not waiting


def background(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def looks(colour: str) -> str:
    red = int(colour.partition("(")[2].split(",")[0])
    return "light" if red > 200 else "dark"


def serious_faults(page: Page, rules: dict[str, object]) -> list[str]:
    found = Axe().run(page, options={"resultTypes": ["violations"], **rules}).response["violations"]
    return [
        f"{v['id']}: {node['html'][:150]} {node['failureSummary'][:300]}"
        for v in found
        if v["impact"] in {"serious", "critical"} or v["id"] in {"region", "empty-table-header"}
        for node in v["nodes"]
    ]


@pytest.mark.parametrize("kind", [".k", ".n", ".c1", ".mi"])
def test_pale_words_of_one_kind_are_found(kind: str, site: str, context: BrowserContext) -> None:
    inputs = f"div:not(.hide) > .cell_input pre {kind}"
    name = next(
        n
        for n in BOOK
        if any(not word.find_parent("details") for word in parsed(SITE / n).select(inputs))
    )
    page = context.new_page()
    page.goto(site + name, wait_until="networkidle")
    page.add_style_tag(content=f".highlight pre {kind} {{ color: #ddd !important; }}")
    page.evaluate(ONE_OF_EACH_KIND)
    assert any("color-contrast" in fault for fault in serious_faults(page, {}))


@pytest.mark.parametrize("kind", ["article td", ".bd-sidebar-primary a", ".bd-content p"])
def test_pale_text_of_one_kind_is_found(kind: str, site: str, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{site}chapters/estimators/off_policy.html", wait_until="networkidle")
    page.wait_for_function(MATHS_READY)
    page.add_style_tag(content=f"{kind} {{ color: #ddd !important; }}")
    page.evaluate(ONE_OF_EACH_KIND)
    assert any("color-contrast" in fault for fault in serious_faults(page, {}))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", VISITED)
def test_axe_finds_nothing_serious(name: str, mode: str, visit: Callable[[str], Visit]) -> None:
    seen = visit(name)
    assert looks(seen.colours[mode]) == mode, f"the page does not look {mode}"
    assert not seen.serious[mode], f"{name} in {mode} mode: " + "\n".join(seen.serious[mode])


@pytest.mark.parametrize("mode", MODES)
def test_a_page_opens_in_the_mode_that_was_chosen(
    mode: str, site: str, context: BrowserContext
) -> None:
    page = in_mode(context, mode)
    page.goto(f"{site}index.html", wait_until="networkidle")
    assert page.evaluate("document.documentElement.dataset.theme") == mode
    assert looks(background(page)) == mode


@pytest.mark.parametrize("name", VISITED)
def test_links_within_the_site_lead_somewhere(name: str) -> None:
    lost = []
    for tag in parsed(SITE / name).select("[href], [src]"):
        address = urlsplit(tag.get("href") or tag.get("src") or "")
        if address.scheme or address.netloc:
            continue
        target = SITE / name
        if address.path:
            target = (target.parent / unquote(address.path)).resolve()
        if not target.is_file():
            lost.append(f"no file {address.geturl()}")
        elif tag.name == "a" and target.suffix == ".html" and address.fragment:
            found = unquote(address.fragment) in anchors(target)
            lost += [] if found else [f"no anchor {address.geturl()}"]
    assert not lost, f"{name}: {lost}"


@pytest.mark.parametrize("name", VISITED[: len(BOOK)])
def test_page_leads_on_and_says_how_to_use_it(name: str) -> None:
    page = parsed(SITE / name)
    position = BOOK.index(name)
    assert bool(page.select_one("a.left-prev")) == (position > 0)
    assert bool(page.select_one("a.right-next")) == (position < len(BOOK) - 1)
    tools = [link.get_text(strip=True) for link in page.select(".page-tools a")]
    notebook = (SOURCE / name).with_suffix(".ipynb").exists()
    assert ("Download this notebook" in tools) == notebook
    assert {"Cite this page", "Report an error"} <= set(tools)


def test_search_finds_a_page(site: str, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{site}search.html")
    page.locator(".bd-search-container input[type=search]").fill("licences")
    page.keyboard.press("Enter")
    results = page.locator("#search-results li a[href*='appendix/about']")
    results.first.wait_for(timeout=10_000)
    results.first.click()
    page.wait_for_url("**/chapters/appendix/about.html*")


def test_sliders_show_the_frame_that_they_name(site: str, context: BrowserContext) -> None:
    page = context.new_page()
    moved = 0
    for name in BOOK:
        if "causalbook-slider" not in (SITE / name).read_text(encoding="utf-8"):
            continue
        page.goto(site + name, wait_until="networkidle")
        for box in page.locator(".causalbook-slider").all():
            says = (box.get_attribute("data-says") or "").split("|")
            for position in (len(says) - 1, 0):
                box.locator("input").press("End" if position else "Home")
                shown = box.locator("[data-frame]:visible")
                assert shown.count() == 1
                assert shown.get_attribute("data-frame") == str(position)
                assert box.locator("output").inner_text() == says[position]
            moved += 1
    assert moved >= 2


def test_explorers_say_what_their_buttons_condition_on(site: str, context: BrowserContext) -> None:
    page = context.new_page()
    pressed = 0
    for name in BOOK:
        if "causalbook-explorer" not in (SITE / name).read_text(encoding="utf-8"):
            continue
        page.goto(site + name, wait_until="networkidle")
        for box in page.locator(".causalbook-explorer").all():
            states = json.loads(box.get_attribute("data-states") or "[]")
            buttons = box.locator("button").all()
            assert len(states) == 2 ** len(buttons)
            for k, button in enumerate(buttons):
                button.press("Space")  # now all up to this one are given
                says, paths, _ = states[2 ** (k + 1) - 1]
                assert box.locator("[role=status]").inner_text() == says
                assert box.locator("[data-path]").all_inner_texts() == paths
                assert button.get_attribute("aria-pressed") == "true"
            pressed += 1
    assert pressed >= 1


def test_theme_button_changes_the_colours(site: str, context: BrowserContext) -> None:
    page = in_mode(context, "light")
    page.goto(f"{site}index.html", wait_until="networkidle")
    seen = set()
    for _ in range(3):  # light, dark, and what the reader's system says
        page.locator(".theme-switch-button:visible").first.click()
        seen.add(page.evaluate("document.documentElement.dataset.theme"))
    assert seen == set(MODES)
