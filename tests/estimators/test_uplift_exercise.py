"""The checker of the uplift exercise, all answers worked out by hand."""

from fractions import Fraction

from causalbook.estimators.answers import practice_rule

# Chance gave what the rule says in rows 1, 3, 4, 7, 8: outcomes over the chances of that.
PARTS = [
    Fraction(6) / Fraction(1, 2),
    Fraction(2) / Fraction(1, 5),
    Fraction(4) / Fraction(4, 5),
    Fraction(2) / Fraction(1, 2),
    Fraction(8) / Fraction(4, 5),
]


def test_right_answers_and_misconceptions(examine):
    mistakes = {
        "unweighted": (Fraction(6 + 2 + 4 + 2 + 8, 5), "divide each outcome by that chance"),
        "treated only": (sum(PARTS[:2]) / 8, "part of its value too"),
        "divided by those who agree": (sum(PARTS) / 5, "Divide by all eight users"),
    }
    examine("estimators.uplift", sum(PARTS) / 8, mistakes, "divide by all users")


def test_the_table_is_the_one_worked_out():
    users = practice_rule()
    agree = users[users["A"] == users["rule"]]
    assert agree.index.tolist() == [0, 2, 3, 6, 7]
    assert agree["Y"].tolist() == [6, 2, 4, 2, 8]
