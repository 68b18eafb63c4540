"""The dictionary: the shop's table keeps to it through a file, and each breach is counted."""

import io

import numpy as np
import pandas as pd
import pytest

from causalbook.case_study import dictionary, funnel_shop, raw_events, validate
from causalbook.case_study.cleaning import build_table

WORLD = funnel_shop(3000, seed=6)
TABLE = build_table(raw_events(WORLD, dirt=0, seed=6).data)


def broken(table):
    report = validate(table)
    return report[report["rows"] > 0].set_index("rule")


def test_the_dictionary_names_the_columns_of_the_shop_in_their_order():
    assert [v.name for v in dictionary()] == [*WORLD.data]
    assert len({v.meaning for v in dictionary()}) == len(dictionary())


def test_a_table_written_to_a_file_comes_back_to_the_bit_by_its_dictionary():
    read = pd.read_csv(io.StringIO(TABLE.to_csv(index=False)))
    bare = broken(read)  # text is no category, a moment is text
    assert {"region: category", "visited_at: datetime64[us]", "query: category"} <= set(bare.index)
    assert (bare["rows"] == len(TABLE)).all()
    typed = pd.DataFrame({v.name: v.typed(read[v.name]) for v in dictionary()})
    pd.testing.assert_frame_equal(typed, TABLE, check_exact=True)
    assert broken(typed).empty


def test_what_comes_before_the_slot_does_not_move_with_how_it_is_filled():
    other = funnel_shop(3000, confounding=0.0, seed=6).data
    for v in dictionary():
        same = WORLD.data[v.name].equals(other[v.name])
        assert same == (v.when == "before"), v.name


def spoil(name, values, *, rows=(1, 4, 7)):
    table = TABLE.copy()
    table.loc[list(rows), name] = values
    return table


@pytest.mark.parametrize(
    ("table", "rule"),
    [
        (spoil("age", 7.0), "age: 10 to 110"),
        (spoil("views", -1), "views: 0 to inf"),
        (spoil("region", np.nan), "region: not missing"),
        (spoil("propensity", 1.2), "propensity: 0 to 1"),
        (spoil("user", 2, rows=(3, 4, 7)), "one row a user"),
        (spoil("item", -1, rows=TABLE.index[TABLE["item"] >= 0][:3]), "a film where the slot"),
        (spoil("viewed", 0, rows=TABLE.index[TABLE["cart"] == 1][:3]), "no cart without a view"),
        (
            spoil("order_value", 0.0, rows=TABLE.index[TABLE["purchase"] == 1][:3]),
            "money where there is a purchase",
        ),
        (
            spoil("purchased", "none", rows=TABLE.index[TABLE["purchase"] == 1][:3]),
            "a genre where there is a purchase",
        ),
    ],
)
def test_each_breach_is_counted_with_its_first_rows(table, rule):
    report = broken(table)
    assert len(report) == 1
    assert report.index[0].startswith(rule)
    assert report["rows"].tolist() == [3]
    assert report["share"].tolist() == [3 / len(TABLE)]
    both = pd.concat([table, TABLE]).astype(object).fillna("gap")
    rows = TABLE.index[(both.iloc[: len(TABLE)] != both.iloc[len(TABLE) :]).any(axis=1)]
    assert report["first"].iloc[0] == ", ".join(map(str, rows))


def test_other_types_and_labels_are_breaches():
    assert "age: float64" in broken(TABLE.assign(age=TABLE["age"].astype(int))).index
    more = TABLE["region"].cat.add_categories("Nrth")
    table = TABLE.assign(region=more.where(TABLE.index != 5, "Nrth"))
    assert broken(table).loc["region: declared labels", ["rows", "first"]].tolist() == [1, "5"]


def test_an_absent_column_breaks_its_rules_in_every_row():
    report = broken(TABLE.drop(columns="cart"))
    assert set(report.index) == {"cart: int8", "no cart without a view"}
    assert (report["rows"] == len(TABLE)).all()


def test_a_label_that_is_not_declared_becomes_missing():
    (region,) = (v for v in dictionary() if v.name == "region")
    typed = region.typed(np.array(["north", "Nrth", "unknown"]))
    assert typed.isna().tolist() == [False, True, False]
    assert typed.iloc[[0, 2]].tolist() == ["north", "unknown"]


def test_refusals():
    with pytest.raises(ValueError, match="table is a list: pass a DataFrame"):
        validate([1])
    with pytest.raises(ValueError, match="table has no rows"):
        validate(TABLE.iloc[:0])
