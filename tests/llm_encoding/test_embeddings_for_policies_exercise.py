"""The checker of the exercise on embeddings for policies: by hand, and by the log of all rounds."""

import numpy as np
import pytest

from causalbook.estimators import Log, mips
from causalbook.exercises import check
from causalbook.llm_encoding.answers_embeddings_for_policies import practice_films

EXERCISE = "llm_encoding.embeddings_for_policies"
# By hand, in thousandths: crime as logged (16 + 12 + 6) / 6 of ten, comedy 80; the target gives
# crime 7 tenths: .7 * 340 / 6 + .3 * 80 = 191/3; its value is 4 + 48 + 12 + 8 + 16 = 88.
BIAS = (191 / 3 - 88) / 1000


def test_the_right_answer_passes_and_is_what_mips_does():
    assert check(EXERCISE, BIAS)
    films = practice_films()
    shown = np.repeat(films["film"], (films["logging"] * 1000).round().astype(int))
    clicked = films["click"].to_numpy()[shown]  # the mean rewards in place of clicks
    policy, target = (np.tile(films[c], (1000, 1)) for c in ("logging", "target"))
    log = Log(shown.to_numpy(), clicked, films["logging"].to_numpy()[shown], policy=policy)
    found = mips(log, target, films["cluster"]).value - films["target"] @ films["click"]
    assert found == pytest.approx(BIAS, rel=1e-9)


@pytest.mark.parametrize(
    ("wrong", "name", "hint"),
    [
        (-BIAS, "the other way round", "less the truth"),
        ((0.7 * 220 / 3 + 0.3 * 80 - 88) / 1000, "plain average", "weigh by those"),
        ((16 + 12 + 6 + 24 + 8 - 88) / 1000, "one cluster", "the two clusters apart"),
    ],
)
def test_each_misconception_has_its_own_hint(wrong, name, hint):
    feedback = check(EXERCISE, wrong)
    assert not feedback
    assert feedback.misconception == name
    assert hint in feedback.message


def test_another_wrong_answer_gets_the_way_and_not_the_number():
    feedback = check(EXERCISE, 0.5)
    assert feedback.misconception is None
    assert "as logged" in feedback.message
    assert "0.02" not in feedback.message
