"""The log of any size: its truth by fractions, its parts independent and repeatable."""

import math
from fractions import Fraction

import numpy as np
import pytest

from causalbook.project import (
    TablePolicy,
    Warehouse,
    big_log_part,
    big_log_policy,
    big_log_value,
    bucket_of,
    watched_rates,
    write_big_log,
)


@pytest.fixture(scope="module")
def part():
    return big_log_part(0, seed=3)


def test_the_value_of_a_policy_is_the_sum_over_all_that_can_happen():
    policy = big_log_policy()
    total = Fraction(0)
    for x in range(20):
        for a in range(6):
            share = Fraction(6, 10) * (a == (2 - x) % 6) + Fraction(4, 60)
            for arm in (0, 1):
                for mood in (-1, 1):
                    rate = Fraction(35, 100) + Fraction(5, 100) * ((x + a) % 6)
                    rate += Fraction(15, 100) * mood + Fraction(arm, 100)
                    total += share * rate / (20 * 2 * 2)
    assert big_log_value(policy) == pytest.approx(float(total), rel=1e-12)
    always = TablePolicy({x: np.eye(6)[0] for x in policy.contexts})
    assert big_log_value(always) == pytest.approx(watched_rates()[:, 0].mean() + 0.005)
    assert (watched_rates().argmax(axis=1) != policy.table.argmax(axis=1)).all()


def test_rows_are_drawn_as_the_formula_says(part):
    n = len(part)
    assert n == 1_000_000
    pi = big_log_policy().of(part["context"])
    np.testing.assert_array_equal(pi[np.arange(n), part["action"]], part["pscore"])
    for a in range(6):  # each action as often as its propensities add up to
        drawn = part["action"] == a
        assert abs(drawn.mean() - pi[:, a].mean()) < 4.5 / (2 * math.sqrt(n))
    users = part.groupby("user")
    for name in ("arm", "past", "context", "bucket"):
        assert (users[name].nunique() == 1).all()
    assert set(users.size().iloc[:-1]) == {1, 10, 100}  # the last one's visits are cut
    seen = users[["arm", "past", "bucket"]].first()
    np.testing.assert_array_equal(seen["bucket"], bucket_of(seen.index.to_numpy()))
    assert abs(seen["arm"].mean() - 0.5) < 4.5 * 0.5 / math.sqrt(len(seen))
    # The mood shows in the covariate and in the reward: .15 up or down.
    mood = users["past"].first() > 0.5
    gap = users["reward"].mean()[users.size() == 100].groupby(mood).mean()
    share = 0.9332  # of the moods on their side of .5: noise .1 against .15
    assert gap[True] - gap[False] == pytest.approx(0.3 * (2 * share - 1), abs=0.02)


def test_parts_repeat_differ_and_are_what_the_files_hold(part, tmp_path):
    assert part.equals(big_log_part(0, seed=3))  # assert_frame_equal takes ten seconds
    other = big_log_part(1, seed=3)
    assert part["user"].max() < other["user"].min()
    for name in ("reward", "action"):
        assert abs(np.corrcoef(part[name], other[name])[0, 1]) < 0.005
    write_big_log(tmp_path / "log", 1, seed=3)
    with Warehouse() as w:
        files = w.files(tmp_path / "log")
        sums = w.read(
            files.agg(n=files.count(), reward=files["reward"].sum(), user=files["user"].sum())
        )
        read = w.read(files.limit(1_000))
    assert [int(x) for x in sums.iloc[0]] == [len(part), part["reward"].sum(), part["user"].sum()]
    assert read["context"].tolist() == part["context"][:1_000].tolist()


def test_what_is_no_number_of_a_part_is_refused(tmp_path):
    for bad in (-1, 0.5, None):
        with pytest.raises(ValueError, match="part is"):
            big_log_part(bad, seed=1)
    with pytest.raises(ValueError, match="parts is 0: pass how many million rows"):
        write_big_log(tmp_path, 0, seed=1)
    with pytest.raises(ValueError, match="seed is -1"):
        big_log_part(0, seed=-1)
    with Warehouse() as w, pytest.raises(ValueError, match="there is no parquet file in it"):
        w.files(tmp_path)
