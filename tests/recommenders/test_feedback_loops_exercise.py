"""The checker of the exercise on the page about feedback loops, from the table it prints."""

from fractions import Fraction

import numpy as np

from causalbook.recommenders import click_model
from causalbook.recommenders.answers import swapped

NAME = "recommenders.feedback_loops"
# (item, position): (impressions, clicks), as the page prints them
CELLS = {("A", 1): (200, 60), ("A", 2): (100, 18), ("B", 1): (50, 5), ("B", 2): (400, 24)}


def rate(items, position):
    shows, clicks = (sum(CELLS[i, position][k] for i in items) for k in (0, 1))
    return Fraction(clicks, shows)


def test_the_table_is_the_one_the_page_prints():
    rows = {(r.item, r.position): (r.impressions, r.clicks) for r in swapped().itertuples()}
    assert rows == CELLS


def test_both_items_and_the_click_model_give_one_answer():
    answer = rate("A", 2) / rate("A", 1)
    assert rate("B", 2) / rate("B", 1) == answer
    rows = [(i, j, x < c) for (i, j), (n, c) in CELLS.items() for x in range(n)]
    item, position, click = zip(*rows, strict=True)
    assert np.isclose(click_model(item, position, click).examination[2.0].value, float(answer))


def test_the_checker_knows_the_answer_and_the_mistakes(examine):
    answer = rate("A", 2) / rate("A", 1)
    mistakes = {
        "items pooled": (rate("AB", 2) / rate("AB", 1), "stay within one item"),
        "clicks, not rates": (Fraction(18, 60), "divide by the impressions"),
        "upside down": (1 / answer, "other way round"),
    }
    examine(NAME, answer, mistakes, hint="Take one item")
