"""The checker of the exercise on evaluation: by hand, and through the package."""

import pandas as pd

from causalbook.exercises import check
from causalbook.project import right_choices
from causalbook.project.answers_evaluation import practice_launches

EXERCISE = "project.evaluation"
# By hand. AUC takes the worse model in launch 2 (6 cents), 4 (1), 5 (8) and 6 (6); in launch 3 it
# is a tie, and a coin loses 2 of the 4 cents.
LOST = 6 + 1 + 8 + 6 + 2


def test_right_answers_and_misconceptions(examine):
    mistakes = {
        "only the wrong ones": (LOST / 5, "divide by all eight"),
        "in all launches together": (LOST, "mean for each launch"),
        "how often it is wrong": (4.5 / 8, "Weigh each by what it costs"),
        "the first where they are equal": ((LOST + 2) / 8, "It is a coin"),
    }
    examine(EXERCISE, LOST / 8, mistakes, "In each launch")


def test_the_package_gives_the_right_answer():
    table = practice_launches()
    gaps = [table[f"{x}, second"] - table[f"{x}, first"] for x in ("AUC", "value")]
    told = pd.DataFrame({"judge": "AUC", "gap": gaps[0], "true_gap": gaps[1]})
    assert check(EXERCISE, right_choices(told, units=1)["regret"]["AUC"])
