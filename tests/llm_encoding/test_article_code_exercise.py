"""The checker of the article_code exercise, its answers worked out by hand with fractions."""

from fractions import Fraction

from causalbook.estimators import matching
from causalbook.exercises import check
from causalbook.llm_encoding.answers_article_code import MAX_LEN, practice_texts

EXERCISE = "llm_encoding.article_code"
# Horror: 3 - (2 + 2 + 3 + 3)/4; comedy: (7 + 7 + 8)/3 - (6 + 6)/2; five users each.
RIGHT = Fraction(1, 2) * Fraction(1, 2) + Fraction(1, 2) * Fraction(4, 3)


def test_right_answers_and_misconceptions(examine):
    # By position the texts are C C H H C H C H: comedy has (0, 2), (1, 7), (0, 2), (0, 3), horror
    # (0, 6), (1, 3), (1, 7), (1, 8).
    position = Fraction(1, 2) * (7 - Fraction(7, 3)) + Fraction(1, 2) * (6 - 6)
    # Short texts: horror 3 - (2 + 3 + 3)/3, comedy (7 + 7)/2 - 6, four users each.
    short = Fraction(1, 2) * Fraction(1, 3) + Fraction(1, 2) * 1
    unadjusted = Fraction(3 + 7 + 7 + 8, 4) - Fraction(2 + 2 + 3 + 3 + 6 + 6, 6)
    mistakes = {
        "paired by position": (position, "another user's text"),
        "long texts dropped": (short, "two users are gone"),
        "unadjusted": (unadjusted, "without the text"),
    }
    examine(EXERCISE, RIGHT, mistakes, "the kinds' shares of all ten")


def test_the_package_gives_the_right_answer():
    users = practice_texts()
    assert (users["tokens"] >= MAX_LEN).sum() == 2
    # Matched on the kind, ties averaged: each user is compared with the other arm's mean there.
    kind = (users["text"] == "comedy") * 1.0
    assert check(EXERCISE, matching(users["spend"], users["shown"], kind, estimand="ATE"))
