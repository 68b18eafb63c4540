"""What all tests share."""

import os
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import settings

from causalbook.exercises import check

# A busy machine is no error. On CI the same examples in every run: a new one is found by people.
settings.register_profile("patient", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("patient")


@pytest.fixture
def examine():
    """Put answers to the checker of an exercise, all of them worked out by the test itself."""

    def examine(name, right, mistakes, hint):
        """`mistakes`: {misconception: (the answer it leads to, a phrase of its hint)}."""
        answers = [right, *(answer for answer, _ in mistakes.values())]
        assert len(set(answers)) == len(answers), "two of the answers agree"
        for answer in (Fraction(right), float(right), np.float64(right), str(float(right))):
            feedback = check(name, answer)
            assert feedback.correct
            assert feedback.misconception is None
        for mistake, (answer, phrase) in mistakes.items():
            feedback = check(name, answer)
            assert not feedback
            assert feedback.misconception == mistake
            assert phrase in feedback.message
        other = check(name, float(right) + 0.0123)
        assert not other
        assert other.misconception is None
        assert hint in other.message
        assert str(float(right)) not in other.message
        assert "Not answered yet" in check(name).message
        assert "single number" in check(name, [1, 2]).message

    return examine
