"""The exercise of the page on data: its answer by hand, in a warehouse, and its misconceptions."""

from fractions import Fraction

import pandas as pd
import pytest

from causalbook.exercises import check
from causalbook.project import TablePolicy, Warehouse
from causalbook.project.answers_data import practice_tables

NAME = "project.data"
DAY = pd.Timestamp("2026-03-02", tz="UTC")


def test_the_answer_by_hand():
    assert check(NAME, (1 / Fraction(1, 4) + 1 / Fraction(1, 2)) / 8)


def test_the_answer_in_a_warehouse():
    shown, came = practice_tables()
    shown = shown.assign(user=0, at=DAY, context="all", item=-1, policy="old")
    at = DAY + pd.to_timedelta(came["days"], unit="D")
    came = came.assign(at=at, outcome=came["impression"], kind="purchase", value=1.0)
    with Warehouse() as w:
        w.ingest("users", pd.DataFrame({"user": [0], "first_seen": DAY, "region": "n", "past": 0}))
        assert w.ingest("impressions", shown).duplicates == 1
        w.ingest("outcomes", came.drop(columns="days"))
        rounds = w.read(w.rounds(window=7))
    weight = TablePolicy({"all": [0, 1]}).of(rounds["context"])[range(8), rounds["action"]]
    assert check(NAME, (weight * rounds["reward"] / rounds["pscore"]).mean())


@pytest.mark.parametrize(
    ("answer", "misconception"),
    [
        ((4 + 2 + 4) / 8, "a purchase after the window"),
        ((4 + 4 + 2) / 9, "a line counted twice"),
        (2 / 5, "the mean where it was shown"),
    ],
)
def test_mistakes_are_known_by_name(answer, misconception):
    said = check(NAME, answer)
    assert not said
    assert said.misconception == misconception


def test_another_number_gets_the_general_hint():
    assert "one over the propensity" in check(NAME, 0.9).message
