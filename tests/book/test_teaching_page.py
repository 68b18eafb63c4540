"""The page for those who teach, in a browser: the way to a page is what its needs say."""

import sys
from pathlib import Path

from playwright.sync_api import BrowserContext

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "_ext"))

import course_pages


def test_the_way_to_a_page_is_shown_with_its_minutes(site: str, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{site}chapters/appendix/teaching.html")
    choice, says = page.locator(".way-to select"), page.locator(".way-to [role=status]")
    for name in ("chapters/intro/why_causal", "chapters/estimators/doubly_robust"):
        wanted = course_pages.by_name()[name]
        choice.select_option(label=f"{wanted.part}: {wanted.label}")
        way = sorted([*course_pages.first(name), name], key=course_pages.number)
        links = says.locator("a")
        shown = [links.nth(k).get_attribute("href") for k in range(links.count())]
        assert shown == [f"../{page_of.partition('/')[2]}.html" for page_of in way]
        minutes = sum(course_pages.by_name()[page_of].minutes for page_of in way)
        assert f"{minutes} minutes" in says.inner_text()
        assert page.locator("figure.arcs g.on").count() == len(way)
