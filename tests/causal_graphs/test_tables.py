"""Joint tables: what is summed out, what is read from a Series, and what is refused."""

from fractions import Fraction

import pandas as pd
import pytest

from causalbook.causal_graphs.tables import Table, as_series, read_joint

F = Fraction
CELLS = {(0, "a"): F(1, 2), (0, "b"): F(1, 4), (1, "b"): F(1, 4)}


def test_marginals_and_masses_sum_cells():
    table = Table(["A", "B"], CELLS)
    assert table.values == {"A": (0, 1), "B": ("a", "b")}
    assert table.marginal(("A",)) == {(0,): F(3, 4), (1,): F(1, 4)}
    assert table.marginal(("B", "A"))["b", 1] == F(1, 4)
    assert table.mass(["B"], {"B": "b", "A": 7}) == F(1, 2)
    assert table.mass(["A", "B"], {"A": 1, "B": "a"}) == 0  # no such cell
    assert table.mass([], {}) == 1


def test_a_series_keeps_fractions_and_names():
    series = as_series(["A", "B"], CELLS)
    assert list(series.index.names) == ["A", "B"]
    assert series[0, "a"] == F(1, 2)
    assert isinstance(series.iloc[0], Fraction)
    assert as_series(["A"], {(0,): 0.25, (1,): 0.75}).dtype == float


def test_a_frame_counted_by_pandas_is_a_joint_table():
    frame = pd.DataFrame({"A": [0, 0, 1, 1], "B": [0, 1, 1, 1], "C": [0, 1, 0, 1]})
    table = read_joint(frame.value_counts(normalize=True), {"A", "B"})
    assert set(table.names) == {"A", "B"}
    assert table.mass(["A", "B"], {"A": 1, "B": 1}) == 0.5
    one = read_joint(frame["A"].value_counts(normalize=True), {"A"})  # a plain index
    assert one.cells == {(0,): 0.5, (1,): 0.5}


def test_cells_of_probability_zero_are_no_values():
    index = pd.MultiIndex.from_tuples([(0, 0), (1, 1), (2, 2)], names=["A", "B"])
    assert read_joint(pd.Series([0.5, 0.5, 0.0], index), {"A", "B"}).values["A"] == (0, 1)


@pytest.mark.parametrize(
    ("joint", "says"),
    [
        ({(0,): 1.0}, "joint is a dict: pass a Series"),
        (
            pd.Series([0.5, 0.5], pd.Index([0, 1], name="B")),
            "joint lacks A: its index levels are B",
        ),
        (pd.Series([3, 1], pd.Index([0, 1], name="A")), "joint sums to 4, .*counts"),
        (pd.Series([1.5, -0.5], pd.Index([0, 1], name="A")), "smallest entry is -0.5"),
        (pd.Series([1.0, float("nan")], pd.Index([0, 1], name="A")), "joint sums to nan"),
        (pd.Series([0.5, 0.5], pd.Index([0, 0], name="A")), "joint has the same cell twice"),
    ],
)
def test_what_is_no_joint_table_is_refused(joint, says):
    with pytest.raises(ValueError, match=says):
        read_joint(joint, {"A"})
