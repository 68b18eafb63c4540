"""Pages for those who teach: how long pages take, what each needs, and courses made of them.

Directives `work`, `prerequisites` and `syllabus`; nothing in them is typed twice: minutes are
counted from the pages (page_minutes), needs are read from the lines "You need", courses stand in
chapters/appendix/syllabi.yaml.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cache
from html import escape
from typing import Any

import book_files
import page_minutes
import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

SYLLABI = book_files.ROOT / "chapters" / "appendix" / "syllabi.yaml"
MINUTES_A_QUESTION = 2  # of a quiz, with the talk about it


@cache
def by_name() -> dict[str, book_files.Page]:
    """Pages that one works through, by name."""
    return {page.name: page for page in book_files.pages() if page.notebook and page.needs_work}


def needs() -> dict[str, tuple[str, ...]]:
    """For each page the pages that it says one needs first."""
    return {name: page.needs for name, page in by_name().items()}


def first(name: str, needed: Mapping[str, tuple[str, ...]] | None = None) -> list[str]:
    """All pages that one needs before this one, in an order in which they can be read.

    Raises ValueError where a page needs itself, however long the way.
    """
    graph = needs() if needed is None else needed
    order: list[str] = []
    open_pages: list[str] = []

    def visit(page: str) -> None:
        if page in open_pages:
            raise ValueError(f"pages need each other: {' -> '.join([*open_pages, page])}")
        if page not in order:
            open_pages.append(page)
            for before in graph[page]:
                visit(before)
            open_pages.pop()
            order.append(page)

    visit(name)
    return order[:-1]


def direct(name: str) -> list[str]:
    """Pages that a page needs, without those that another of them needs already."""
    own = by_name()[name].needs
    return [page for page in own if not any(page in first(other) for other in own if other != page)]


@cache
def syllabi() -> dict[str, Any]:
    """Courses, with full names of pages."""
    courses = yaml.safe_load(SYLLABI.read_text(encoding="utf-8"))
    for course in courses.values():
        for session in course["sessions"]:
            session["pages"] = [f"chapters/{page}" for page in session["pages"]]
            session.setdefault("quiz", [])
    return dict(courses)


def questions(part: str) -> int:
    """Number of questions in the quiz of a part."""
    text = "\n".join(book_files.source(f"chapters/{part}/quiz"))
    return len(re.findall(r"^[`:]{3,}\{question\}", text, re.M)) + text.count("<details")


def times(session: Mapping[str, Any]) -> tuple[int, int]:
    """Minutes of a session: pages with their checked exercise; then other exercises and quiz."""
    work = [page_minutes.counted(page) for page in session["pages"]]
    others = sum(w.practice - page_minutes.MINUTES_AN_EXERCISE for w in work)
    quiz = MINUTES_A_QUESTION * sum(questions(part) for part in session["quiz"])
    return sum(w.stated for w in work), round(others + quiz)


def link(name: str) -> str:
    """A page as a link with its short name."""
    return f"{{doc}}`{by_name()[name].label} </{name}>`"


class Syllabus(SphinxDirective):
    """One course as a table."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write a row a session, with its minutes."""
        self.env.note_dependency(str(SYLLABI))
        course = syllabi()[self.arguments[0]]
        heads = ["no.", "session", f"pages, read {course['read']}", "minutes", "then", "in class"]
        rows = [f"| {' | '.join(heads)} |", "|---:|---|---|---:|---:|---|"]
        total = [0, 0]
        for number, session in enumerate(course["sessions"], 1):
            read, then = times(session)
            total = [total[0] + read, total[1] + then]
            pages = ", ".join(link(page) for page in session["pages"])
            rows.append(
                f"| {number} | **{session['title']}** | {pages} | {read} | {then} "
                f"| {session['class']} |"
            )
        rows.append(f"| | together | | {total[0]} | {total[1]} | |")
        return self.parse_text_to_nodes("\n".join(rows))


class WorkTable(SphinxDirective):
    """What a page takes, part by part."""

    def run(self) -> list[nodes.Node]:
        """Add up the pages of each part."""
        parts: dict[str, list[page_minutes.Work]] = {}
        for name, page in by_name().items():
            parts.setdefault(page.part, []).append(page_minutes.counted(name))
        heads = [
            "part",
            "pages",
            "words",
            "lines of code",
            "exercises",
            "hours to read",
            "with all",
        ]
        rows = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * 6]
        everything = [work for part in parts.values() for work in part]
        for part, works in [*parts.items(), ("**the book**", everything)]:
            total = sum(works, page_minutes.Work())
            both = total.reading + total.practice
            rows.append(
                f"| {part} | {len(works)} | {total.words:,} | {total.lines:,} | {total.exercises} "
                f"| {total.reading / 60:.1f} | {both / 60:.1f} |"
            )
        return self.parse_text_to_nodes("\n".join(rows))


class Prerequisites(SphinxDirective):
    """The pages, each hanging on those that it needs, and the way to each."""

    def run(self) -> list[nodes.Node]:
        """Draw the arcs, offer a choice, and list every way in a fold."""
        rows = ["| page | needs | minutes | with all that it needs |", "|---|---|---:|---:|"]
        for name in by_name():
            before = ", ".join(link(page) for page in direct(name)) or "nothing"
            way = sum(by_name()[page].minutes for page in [*first(name), name])
            rows.append(f"| {link(name)} | {before} | {by_name()[name].minutes} | {way} |")
        table = self.parse_text_to_nodes("\n".join(rows))
        return [
            nodes.raw("", self.choice(), format="html"),
            nodes.raw("", arcs(), format="html"),
            nodes.raw("", "<details class='all-ways'><summary>All pages</summary>", format="html"),
            *table,
            nodes.raw("", "</details>", format="html"),
        ]

    def choice(self) -> str:
        """A list to choose a page from; the script shows the way to it."""
        options = []
        for name, page in by_name().items():
            address = self.env.app.builder.get_relative_uri(self.env.docname, name)
            before = " ".join(str(k) for k in sorted(map(number, first(name))))
            options.append(
                f'<option value="{number(name)}" data-first="{before}" '
                f'data-minutes="{page.minutes}" data-href="{escape(address)}">'
                f"{escape(page.part)}: {escape(page.label)}</option>"
            )
        return (
            '<div class="way-to" hidden><label>The way to '
            f"<select><option value=''>choose a page</option>{''.join(options)}</select></label>"
            '<div role="status"></div></div>'
        )


def number(name: str) -> int:
    """Place of a page among the pages."""
    return list(by_name()).index(name)


def arcs() -> str:
    """Draw the pages in the order of reading, and an arc from each to those that need it."""
    step, left, top = 19, 120, 14
    parts: list[str] = []
    place: dict[str, float] = {}
    labels = []
    y = float(top)
    for name, page in by_name().items():
        if page.part not in parts:
            parts.append(page.part)
            y += step * 0.4 if len(parts) > 1 else 0
            labels.append(f'<text class="part" x="{left + 12}" y="{y}">{escape(page.part)}</text>')
            y += step
        place[name] = y
        k = number(name)
        labels.append(
            f'<g class="page" data-page="{k}"><circle cx="{left}" cy="{y - 4}" r="3.5"/>'
            f'<text x="{left + 12}" y="{y}">{escape(page.label)}</text></g>'
        )
        y += step
    lines = []
    for name in by_name():
        for before in direct(name):
            y0, y1 = place[before] - 4, place[name] - 4
            bulge = 10 + 1.3 * (left - 16) * math.sqrt((y1 - y0) / y)
            lines.append(
                f'<path data-from="{number(before)}" data-to="{number(name)}" d="M{left - 5},{y0} '
                f'C{left - bulge:.0f},{y0} {left - bulge:.0f},{y1} {left - 5},{y1}"/>'
            )
    start = [page.label for name, page in by_name().items() if not page.needs]
    told = (
        f"{len(by_name())} pages in the order of reading, and {len(lines)} arcs from a page to one "
        f"that needs it. No arc leads back. {len(start)} need nothing: {', '.join(start)}."
    )
    return (
        f'<figure class="arcs"><svg role="img" aria-label="{escape(told)}" '
        f'viewBox="0 0 {left + 240} {y:.0f}">{"".join(lines)}{"".join(labels)}</svg></figure>'
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Offer the directives."""
    app.add_directive("syllabus", Syllabus)
    app.add_directive("work", WorkTable)
    app.add_directive("prerequisites", Prerequisites)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
