"""The checker of the exercise on the page: right answer, three mistakes, all worked on paper."""

from fractions import Fraction

NAME = "causal_graphs.structural_models"
# Of 48 users 18 of high intent are shown: 12 sure, 6 put off. Of low intent 6 are shown: 1
# persuadable, 5 lost. So 13 shown users buy, one of whom would not have unshown.
CAUSED = Fraction(1, 13)
SEEN = Fraction(18, 24)  # unshown: 6 of high intent buy, 18 of low intent do not
DONE = Fraction(1, 2)
UPLIFT = 1 - Fraction(6, 24) / Fraction(13, 24)


def test_the_checker_knows_the_answer_and_the_mistakes(examine):
    mistakes = {
        "seeing": (SEEN, "first rung"),
        "doing": (DONE, "second rung"),
        "uplift in the log": (UPLIFT, "would not have bought"),
    }
    examine(NAME, CAUSED, mistakes, hint="Imagine A = 0")
