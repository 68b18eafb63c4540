"""The checker of the shop's exercise: right answers pass, mistakes meet their own hint."""

from fractions import Fraction

import pytest

from causalbook.case_study.answers_shop import slot_report
from causalbook.exercises import check

EXERCISE = "case_study.shop"
M, C = Fraction(3, 10), Fraction(2, 100)
# By hand from the three rows: effects .30, .50, -.20 on 4,000, 6,000, 6,000 users with the slot.
RIGHT = (
    4000 * (M * Fraction(3, 10) - C)
    + 6000 * (M * Fraction(1, 2) - C)
    + 6000 * (M * Fraction(-1, 5) - C)
)
OTHERS = (
    16000 * (M * Fraction(3, 10) - C)
    + 6000 * (M * Fraction(1, 2) - C)
    + 2000 * (M * Fraction(-1, 5) - C)
)
SHOWN = Fraction(4000 * 1 + 15000 + 30000, 16000)
EMPTY = Fraction(11200 + 12000 + 10400, 24000)


def test_the_report_holds_what_the_question_asks_about():
    assert list(slot_report()["shown"]) == [4000, 6000, 6000]
    assert list(slot_report().columns[-2:]) == ["value if shown", "value if not"]


def test_the_right_answer_passes_in_every_form():
    assert RIGHT == 580
    for answer in (RIGHT, float(RIGHT), 580):
        assert check(EXERCISE, answer)


@pytest.mark.parametrize(
    ("answer", "mistake", "hint"),
    [
        (16000 * (M * (SHOWN - EMPTY) - C), "arms as they are", "within each row"),
        (RIGHT + OTHERS, "everyone", "count the shown"),
        (OTHERS, "the others", "opening the slot"),
        (RIGHT + 16000 * C, "no cost", "two cents"),
    ],
)
def test_each_misconception_has_its_own_hint(answer, mistake, hint):
    feedback = check(EXERCISE, answer)
    assert not feedback
    assert feedback.misconception == mistake
    assert hint in feedback.message


def test_another_wrong_answer_gets_the_way_and_not_the_number():
    feedback = check(EXERCISE, 12.5)
    assert feedback.misconception is None
    assert "who would lose the slot" in feedback.message
    assert "580" not in feedback.message
