"""The checker of the multimodal exercise, its answers worked out by hand with fractions."""

from fractions import Fraction

import numpy as np

from causalbook.exercises import check
from causalbook.llm_encoding.answers_multimodal import practice_blocks

EXERCISE = "llm_encoding.multimodal"
# Standard deviations 1, 2, 3 and 10: the two users differ by 2, 2, 0 and 2 of them.
RIGHT = Fraction(4) / (4 + Fraction(4 + 4 + 0, 3))


def test_right_answers_and_misconceptions(examine):
    mistakes = {
        "columns as they are": (Fraction(400, 400 + 4 + 16), "nearly all of the distance"),
        "columns, not blocks": (Fraction(4, 4 + 4 + 4), "three of them against one"),
        "one half": (Fraction(1, 2), "on average over all pairs"),
    }
    examine(EXERCISE, RIGHT, mistakes, "the roots of the numbers of columns")


def test_blocks_are_even_on_average():
    z = practice_blocks().apply(lambda x: (x - x.mean()) / x.std(ddof=0)).to_numpy()
    gaps = (z[:, None] - z[None]) ** 2
    text, year = gaps[..., :3].sum(axis=2) / 3, gaps[..., 3]
    assert abs(text.mean() - year.mean()) < 1e-12
    assert check(EXERCISE, year[0, 1] / (text + year)[0, 1])
    assert np.unique(text).size > 1  # pairs differ, so one half is no answer for each
