"""The companion in a browser: its counts, its filters, and the cells that its links lead to.

Build the site first: python scripts/build.py. Links that lead nowhere are found by test_site.py.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest
import yaml
from playwright.sync_api import Browser, BrowserContext, Page

from .conftest import SITE, SOURCE
from .test_site import MATHS_READY, parsed

NAME = "chapters/appendix/companion.html"
LEDGER = yaml.safe_load((SOURCE / "chapters/appendix/ledger.yaml").read_text(encoding="utf-8"))
SHOWN = "article.entry:visible"
IN_VIEW = """([anchor, height]) => {
    const box = document.getElementById(anchor).closest('.cell').getBoundingClientRect();
    return box.height > 0 && box.top < height && box.bottom > 0;
}"""


@pytest.fixture
def page(site: str, context: BrowserContext) -> Page:
    page = context.new_page()
    page.goto(site + NAME)
    return page


def among(page: Page) -> tuple[int, int]:
    """What the status line says, and how many entries are seen."""
    said, _, rest = page.locator(".entry-filter [role=status]").inner_text().partition(" of ")
    assert rest == f"{len(LEDGER)} entries"
    return int(said), page.locator(SHOWN).count()


def test_every_entry_is_on_the_page_with_a_link_to_each_place() -> None:
    entries = parsed(SITE / NAME).select("article.entry")
    assert [entry["id"] for entry in entries] == [entry["id"].lower() for entry in LEDGER]
    without = [entry["id"] for entry in entries if not entry.select(".entry-places a")]
    assert not without


def test_counts_are_those_of_the_ledger() -> None:
    tables = parsed(SITE / NAME).select("article table")
    for facet, table in zip(("article", "kind"), tables, strict=True):
        rows = {row.th.get_text(): row for row in table.select("tbody tr")}
        numbers = {
            name: [int(cell.get_text().replace("–", "0")) for cell in row.find_all("td")]
            for name, row in rows.items()
        }
        assert numbers["all"][-1] == len(LEDGER)
        assert numbers["all"][:-1] == [
            sum(entry["verdict"] == verdict for entry in LEDGER)
            for verdict in (
                "correct",
                "correct-under-assumptions",
                "vague",
                "wrong",
                "cannot-run",
                "fictitious",
            )
        ]
        of = Counter(e["id"][:2] if facet == "article" else e["kind"] for e in LEDGER)
        assert sorted(row[-1] for name, row in numbers.items() if name != "all") == sorted(
            of.values()
        )
        assert all(sum(row[:-1]) == row[-1] for row in numbers.values())


def test_each_number_of_the_tables_leads_to_that_many_entries(page: Page, site: str) -> None:
    links = page.locator("article table a")
    draw = random.Random(9)
    for k in draw.sample(range(links.count()), 6):
        number = int(links.nth(k).inner_text())
        page.goto(site + NAME + str(links.nth(k).get_attribute("href")))
        assert among(page) == (number, number)


def test_article_and_verdict_choose_and_the_address_keeps_it(page: Page) -> None:
    chosen = [e for e in LEDGER if e["id"].startswith("S2") and e["verdict"] == "wrong"]
    page.get_by_label("Article").select_option("third article")
    page.get_by_label("Verdict").select_option("wrong")
    assert among(page) == (len(chosen), len(chosen))
    assert page.locator("h3:visible").count() == 1  # articles without an entry left are gone
    assert "article=S2&verdict=wrong" in page.url
    page.reload()
    assert among(page) == (len(chosen), len(chosen))
    assert page.get_by_label("Verdict").input_value() == "wrong"
    page.get_by_role("button", name="Show all").press("Enter")
    page.wait_for_function("!location.search")
    assert among(page) == (len(LEDGER), len(LEDGER))


def test_words_and_numbers_are_found_in_both_languages(page: Page, site: str) -> None:
    field = page.get_by_label("Words or number")
    field.press_sequentially("s0-010")
    assert "s0-010" in [entry.get_attribute("id") for entry in page.locator(SHOWN).all()]
    assert among(page)[0] < 10
    for words in ("GRAPH  arrow", "因果"):
        field.fill(words)
        found, seen = among(page)
        assert 0 < found == seen < len(LEDGER)
        for entry in page.locator(SHOWN).all():
            assert all(word in entry.inner_text().lower() for word in words.lower().split())
    field.press("Enter")  # nothing is sent, nothing is lost
    assert among(page)[0] == found
    field.fill("no entry says this")
    assert among(page) == (0, 0)
    page.goto(f"{site}{NAME}?verdict=nonsense&kind=code")
    assert among(page)[0] == sum(entry["kind"] == "code" for entry in LEDGER)


def test_an_address_with_an_entry_shows_it_whatever_is_chosen(page: Page, site: str) -> None:
    first = LEDGER[0]
    other = next(e["verdict"] for e in LEDGER if e["verdict"] != first["verdict"])
    page.goto(f"{site}{NAME}?verdict={other}#{first['id'].lower()}")
    assert page.locator(f"#{first['id'].lower()}").is_visible()
    assert among(page)[0] == len(LEDGER)
    assert page.url.endswith(f"{NAME}#{first['id'].lower()}")


def test_the_keyboard_reaches_the_fields_in_order(page: Page) -> None:
    page.get_by_label("Article").focus()
    names = []
    for _ in range(4):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.name || document.activeElement.type"))
    assert names == ["kind", "verdict", "words", "reset"]


def test_without_script_all_entries_are_there_and_no_filter(browser: Browser, site: str) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(site + NAME)
        assert page.locator(SHOWN).count() == len(LEDGER)
        assert not page.locator(".entry-filter").is_visible()


def test_ten_links_lead_to_a_cell_that_is_in_view(browser: Browser, site: str) -> None:
    # With less motion the browser jumps; else it scrolls for a second or two.
    with browser.new_context(
        viewport={"width": 1440, "height": 900}, reduced_motion="reduce"
    ) as context:
        page = context.new_page()
        page.goto(site + NAME)
        links = page.locator(".entry-places a")
        for k in random.Random(20).sample(range(links.count()), 10):
            with context.expect_page() as opened:
                links.nth(k).click(modifiers=["Control"])
            other = opened.value
            other.wait_for_load_state()
            other.wait_for_function(MATHS_READY)  # formulas above the cell grow
            anchor = other.url.partition("#")[2]
            assert other.evaluate(IN_VIEW, [anchor, 900]), other.url
            cell = other.locator(f".cell:has(#{anchor}), .cell#{anchor}")
            assert cell.locator("pre").first.is_visible(), f"{other.url}: still folded"
            back = str(cell.locator(".entry-back a").first.get_attribute("href"))
            address, _, entry = back.partition("#")
            assert address.endswith("companion.html")
            assert page.locator(f"article#{entry}").is_visible()
            other.close()
