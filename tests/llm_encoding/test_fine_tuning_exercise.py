"""The exercise of the page on fine-tuning, recomputed with fractions."""

from fractions import Fraction

import pytest

from causalbook.exercises import check
from causalbook.llm_encoding.answers_fine_tuning import practice_lines

NAME = "llm_encoding.fine_tuning"


def test_the_right_answer_is_the_back_door():
    log = practice_lines()
    assert len(log) == 40
    effect = Fraction(0)
    for kind in ("loyal", "new"):
        own = log[log["kind"] == kind]
        arms = [own[own["shown"] == a]["bought"] for a in (0, 1)]
        without, shown = (Fraction(int(arm.sum()), len(arm)) for arm in arms)
        effect += Fraction(len(own), 40) * (shown - without)
    assert effect == Fraction(-19, 100)
    assert check(NAME, effect)


@pytest.mark.parametrize(
    ("answer", "misconception"),
    [
        (Fraction(10, 16) - Fraction(12, 24), "seeing for doing"),
        ((Fraction(-1, 4) + Fraction(-3, 20)) / 2, "kinds counted the same"),
        (
            Fraction(3, 4) * Fraction(-1, 4) + Fraction(1, 4) * Fraction(-3, 20),
            "of those who were shown it",
        ),
    ],
)
def test_each_mistake_gets_its_own_hint(answer, misconception):
    feedback = check(NAME, answer)
    assert not feedback
    assert feedback.misconception == misconception


def test_another_number_gets_the_general_hint():
    feedback = check(NAME, 0.5)
    assert feedback.misconception is None
    assert "within each kind" in feedback.message
