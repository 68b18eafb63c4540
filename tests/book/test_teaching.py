"""Courses from the book: no circle in what pages need, minutes that are counted, budgets held."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "_ext"))

import book_files  # noqa: E402
import course_pages  # noqa: E402
import page_minutes  # noqa: E402

PAGES = list(course_pages.by_name())
COURSES = course_pages.syllabi()


def test_what_pages_need_goes_in_no_circle():
    order = [page.name for page in book_files.pages()]
    for page in PAGES:
        before = course_pages.first(page)
        assert page not in before
        assert before == sorted(set(before), key=before.index)
        # And the table of contents is an order in which the book can be read.
        assert all(order.index(name) < order.index(page) for name in before), page


def test_a_circle_is_found_and_named():
    circle = {"a": ("b",), "b": ("c",), "c": ("a",)}
    with pytest.raises(ValueError, match="a -> b -> c -> a"):
        course_pages.first("a", circle)
    with pytest.raises(ValueError, match="a -> a"):
        course_pages.first("a", {"a": ("a",)})


def test_the_way_to_a_page_is_in_an_order_in_which_it_can_be_read():
    tree = {"a": (), "b": ("a",), "c": ("a",), "d": ("c", "b")}
    assert course_pages.first("d", tree) == ["a", "c", "b"]


def test_each_page_but_the_first_ones_says_what_it_needs():
    roots = [page for page, needs in course_pages.needs().items() if not needs]
    assert roots == [
        "chapters/intro/why_causal",
        "chapters/intro/how_to_use",
        "chapters/potential_outcomes/science_table",
    ]


def test_only_direct_needs_are_drawn():
    drawn = course_pages.direct("chapters/estimators/doubly_robust")
    assert "chapters/potential_outcomes/science_table" not in drawn
    assert set(drawn) <= set(course_pages.needs()["chapters/estimators/doubly_robust"])
    for page in PAGES:  # and nothing is lost by it
        reached = {name for near in course_pages.direct(page) for name in course_pages.first(near)}
        reached |= set(course_pages.direct(page))
        assert reached == set(course_pages.first(page))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_states_the_minutes_that_are_counted(page):
    said, counted = course_pages.by_name()[page].minutes, page_minutes.counted(page)
    assert abs(said - counted.stated) <= 5, f"{page} says {said}, counted are {counted.stated}"
    text = "\n".join(book_files.source(page))
    assert f"{said} minutes" in text, "the page's own line says something else"
    opening = book_files.source(f"{page.rpartition('/')[0]}/index")[0]
    name = page.rpartition("/")[2]
    row = next(line for line in opening.splitlines() if re.match(rf"\| .*\b{name}>?`", line))
    assert row.rstrip(" |").endswith(f"| {said}"), f"the part's list says something else: {row}"


def test_minutes_follow_the_rule():
    work = page_minutes.Work(words=400, lines=30, formulas=1, figures=3, exercises=3)
    assert work.reading == 2 + 2 + 2
    assert work.practice == 18
    assert work.stated == 10  # 6 + 6, to the next five
    assert (work + work).reading == 12


def test_folds_checks_and_solutions_are_not_counted(monkeypatch):
    def cell(kind, source, *tags):
        import nbformat

        make = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}
        return make[kind](source, metadata={"tags": list(tags)})

    folded = '<details class="solution"><summary>Solution</summary>\n\nhidden words\n\n</details>'
    page = [
        cell("markdown", "# Title\n\nthree plain words"),
        cell("code", "a = 1\nb = 2"),
        cell("code", "assert a", "check", "hide-cell"),
        cell("markdown", f"## Exercises\n\n### 1. One\n\n{folded}"),
        cell("code", "answer = 1", "solution", "hide-cell"),
    ]
    monkeypatch.setattr(book_files, "cells", lambda name: page)
    (_, opening), (heading, exercises) = page_minutes.sections("any")
    assert (opening.words, opening.lines) == (5, 2)
    assert heading == "Exercises"
    assert (exercises.words, exercises.lines, exercises.exercises) == (5, 0, 1)


@pytest.mark.parametrize("course", COURSES)
def test_no_page_of_a_course_comes_before_what_it_needs(course):
    read: list[str] = []
    for session in COURSES[course]["sessions"]:
        for page in session["pages"]:
            assert page in PAGES
            missing = set(course_pages.first(page)) - set(read)
            assert not missing, f"{page} in {session['title']!r} needs {sorted(missing)}"
            read.append(page)
    assert len(set(read)) == len(read)


@pytest.mark.parametrize("course", COURSES)
def test_each_session_keeps_its_budget(course):
    for session in COURSES[course]["sessions"]:
        minutes, _ = course_pages.times(session)
        assert 0 < minutes <= COURSES[course]["budget"], session["title"]


def test_the_longest_course_is_the_whole_book():
    pages = [p for s in COURSES["fourteen_weeks"]["sessions"] for p in s["pages"]]
    assert sorted(pages) == sorted(PAGES)
    quizzes = {part for s in COURSES["fourteen_weeks"]["sessions"] for part in s["quiz"]}
    assert quizzes == {page.split("/")[1] for page in PAGES}
    assert [len(course["sessions"]) for course in COURSES.values()] == [4, 6, 14]


@pytest.mark.parametrize("course", COURSES)
def test_a_quiz_comes_when_its_part_has_been_met(course):
    read: set[str] = set()
    for session in COURSES[course]["sessions"]:
        read |= {page.split("/")[1] for page in session["pages"]}
        assert set(session["quiz"]) <= read, session["title"]


def test_the_book_is_cited_with_the_version_it_has():
    import edition

    import causalbook

    entry = edition.bibtex()
    assert f"version = {{{causalbook.__version__}}}" in entry
    assert entry.startswith("@software{causalbook")
    assert entry.count("{") == entry.count("}")
