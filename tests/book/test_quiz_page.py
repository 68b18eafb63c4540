"""The quizzes in a browser: answered by mouse and keys, read without script, printed."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, Page

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "_ext"))

import quizzes
from book_files import ROOT, pages

from .conftest import SITE

NAMES = [page.name for page in pages() if page.name.endswith("/quiz")]
ONE = "chapters/recommenders/quiz"
MATHS_READY = "() => !window.MathJax || MathJax.startup.promise.then(() => true)"


def asked(name: str) -> list[quizzes.Question]:
    return quizzes.parse((ROOT / f"{name}.md").read_text(encoding="utf-8"))


def opened(context: BrowserContext, address: str) -> Page:
    page = context.new_page()
    page.goto(address)
    page.wait_for_function(MATHS_READY)
    return page


def box(page: Page, question: quizzes.Question) -> Locator:
    return page.locator(f"fieldset#question-{question.name}")


def said(question: Locator) -> str:
    return question.locator("[role=status]").inner_text()


def right(question: quizzes.Question) -> list[int]:
    return [k for k, option in enumerate(question.options) if option.right]


def answer(page: Page, question: quizzes.Question, chosen: list[int]) -> None:
    for k in chosen:
        box(page, question).locator("label").nth(k).click()
    if question.several:
        box(page, question).get_by_role("button", name="Check").click()


def words(text: str) -> list[str]:
    """Words that stand in the source and on the page: no formulas, code or roles."""
    return re.findall(r"\w+", re.sub(r"\$[^$]+\$|`[^`]+`|\{\w+\}", " ", text))


@pytest.mark.parametrize("name", NAMES)
def test_each_answer_gets_its_explanation_and_the_score_counts(
    name: str, site: str, context: BrowserContext
) -> None:
    page = opened(context, f"{site}{name}.html")
    questions = asked(name)
    score = page.locator(".quiz-score")
    for number, question in enumerate(questions):
        # The first two are answered wrong at first; all end right.
        wrong = [k for k, option in enumerate(question.options) if not option.right]
        tries = [wrong[0], *wrong[1:], *right(question)] if number < 2 else right(question)
        for k in [] if question.several else tries:
            answer(page, question, [k])
            text, option = said(box(page, question)), question.options[k]
            assert text.startswith(quizzes.verdict(option))
            assert set(words(option.why)) <= set(words(text))
            assert "See: " in text
            mark = "quiz-right" if option.right else "quiz-wrong"
            assert box(page, question).locator(f"label.{mark}").count() == 1
        if question.several:
            answer(page, question, right(question)[:1])
            assert said(box(page, question)).startswith("✗ Not yet.")
            answer(page, question, right(question)[1:])
            text = said(box(page, question))
            assert text.startswith("✓ Right: these, and no other.")
            for k in right(question):
                assert set(words(question.options[k].why)) <= set(words(text))
    late = sum(question.several for question in questions[2:]) + 2
    assert score.inner_text() == (
        f"{len(questions) - late} of {len(questions)} right at the first try."
    )
    page.get_by_role("button", name="Again").click()
    assert score.inner_text() == f"0 of {len(questions)} answered, 0 right at the first try."
    assert page.locator("fieldset input:checked").count() == 0
    assert all(not said(box(page, question)) for question in questions)


def test_too_many_and_no_answers_are_told_apart(site: str, context: BrowserContext) -> None:
    page = opened(context, f"{site}{ONE}.html")
    question = next(question for question in asked(ONE) if question.several)
    answer(page, question, [])
    assert said(box(page, question)) == "Choose at least one answer."
    answer(page, question, list(range(len(question.options))))
    assert said(box(page, question)).startswith("✗ Not yet. One of these is not right.")


def test_arrows_move_and_enter_answers(site: str, context: BrowserContext) -> None:
    page = opened(context, f"{site}{ONE}.html")
    question = asked(ONE)[0]
    fields = box(page, question).locator("input")
    fields.first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert fields.nth(2).is_checked()
    assert said(box(page, question)) == ""  # what the keys passed is no answer
    page.keyboard.press("Enter")
    assert said(box(page, question)).startswith(quizzes.verdict(question.options[2]))
    page.keyboard.press("ArrowDown")
    assert said(box(page, question)) == ""
    page.keyboard.press("Space")
    assert said(box(page, question)).startswith(quizzes.verdict(question.options[3]))
    assert page.locator(".quiz-score").inner_text().startswith("1 of ")


def test_nothing_is_kept_and_no_server_is_needed(context: BrowserContext) -> None:
    requests: list[str] = []
    page = opened(context, (SITE / f"{ONE}.html").as_uri())
    before = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    page.on("request", lambda request: requests.append(request.url))
    question = asked(ONE)[0]
    answer(page, question, right(question))
    assert said(box(page, question)).startswith("✓ Right.")
    assert requests == []
    assert page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])") == before
    page.reload()
    assert page.locator("fieldset input:checked").count() == 0
    assert said(box(page, question)) == ""


@pytest.mark.parametrize("name", NAMES)
def test_without_script_all_can_be_read(name: str, site: str, browser: Browser) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{site}{name}.html")
        for question in asked(name):
            assert box(page, question).locator("input:visible").count() == 0
            box(page, question).locator("summary").click()
            reasons = box(page, question).locator("details li")
            for k, option in enumerate(question.options):
                assert reasons.nth(k).is_visible()
                assert reasons.nth(k).inner_text().startswith(quizzes.verdict(option))
        assert page.locator(".quiz-hint, .quiz-foot, .quiz-said").count() == 0


def test_print_shows_the_explanations_and_not_what_was_chosen(
    site: str, context: BrowserContext
) -> None:
    page = opened(context, f"{site}{ONE}.html")
    question = asked(ONE)[0]
    answer(page, question, [0])
    page.emulate_media(media="print")
    for question in asked(ONE):
        reasons = box(page, question).locator("details li")
        assert all(reasons.nth(k).bounding_box()["height"] > 0 for k in range(reasons.count()))
    hidden = "fieldset input:visible, fieldset button:visible, .quiz-said:visible"
    assert page.locator(f"{hidden}, .quiz-hint:visible, .quiz-foot:visible").count() == 0
    first = box(page, asked(ONE)[0]).locator("label").first
    assert first.evaluate("e => getComputedStyle(e).borderTopColor") == "rgba(0, 0, 0, 0)"


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_axe_finds_nothing_serious_in_an_answered_quiz(
    mode: str, site: str, context: BrowserContext
) -> None:
    page = opened(context, f"{site}{ONE}.html")
    page.evaluate("mode => { document.documentElement.dataset.theme = mode; }", mode)
    for number, question in enumerate(asked(ONE)):
        answer(page, question, right(question) if number % 2 else [0])
    found = Axe().run(page, context="article").response["violations"]
    assert [fault["id"] for fault in found if fault["impact"] in {"serious", "critical"}] == []
