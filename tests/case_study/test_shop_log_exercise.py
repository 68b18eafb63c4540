"""The checker of the exercise on the shop's log, worked out from the lines by hand."""

from causalbook.case_study.answers_shop_log import practice_log

EXERCISE = "case_study.shop_log"


def test_right_answers_and_misconceptions(examine):
    # Shown: users 1 and 2 of four buy in time, 3 later. Not shown: user 6 of five, 8 later.
    right = 2 / 4 - 1 / 5
    mistakes = {
        "retry counted": (3 / 4 - 1 / 5, "Users convert, not events"),
        "local time as UTC": (1 / 4 - 1 / 5, "comes before its visit"),
        "refund counted": (2 / 4 - 2 / 5, "money that goes back"),
        "window forgotten": (3 / 4 - 2 / 5, "more than seven days after the visit"),
    }
    examine(EXERCISE, right, mistakes, "count users who buy within seven days")


def test_the_lines_are_those_of_the_story():
    log = practice_log()
    orders = log[log["type"] == "purchase"]
    assert orders["user"].tolist() == [1, 1, 2, 3, 6, 7, 8]
    assert orders["event_id"].iloc[0] == orders["event_id"].iloc[1]
    assert log["event_id"].nunique() == len(log) - 1
    assert orders.loc[orders["user"] == 2, "at"].iloc[0][-6] not in "+-"
    assert (orders.loc[orders["user"] == 7, "value"] < 0).all()
