"""From my table to the estimator: good logs are read as they are, each bad one says what to do."""

import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from causalbook.estimators import Log, dm, dr, effective_sample_size, evaluate, ips, snips

pytestmark = pytest.mark.filterwarnings("ignore:the estimate rests on")

NAMES = {"action": "item", "reward": "click", "pscore": "p"}
POLICY = np.tile([0.5, 0.3, 0.2], (6, 1))


def table(**columns):
    good = {
        "item": [0, 1, 2, 0, 1, 0],
        "click": [0.0, 1.0, 0.0, 1.0, 1.0, 0.0],
        "p": [0.5, 0.3, 0.2, 0.5, 0.3, 0.5],
        "user": ["u", "u", "v", "v", "w", "w"],
    }
    return pd.DataFrame(good | columns)


def read(**columns):
    return Log.from_frame(table(**columns), **NAMES)


def log(**arguments):
    good = {name: table()[column].to_numpy() for name, column in NAMES.items()}
    return Log(**good | arguments)


def policy(row, values, dtype=float):
    changed = POLICY.astype(dtype)
    changed[row] = values
    return changed


BAD = {
    "a column that is not there": (
        lambda: Log.from_frame(table(), action="item", reward="clicks", pscore="prob"),
        r"no column 'clicks', 'prob': its columns are 'item', 'click', 'p', 'user'",
    ),
    "a context column that is not there": (
        lambda: Log.from_frame(table(), **NAMES, context=["user", "age"]),
        r"no column 'age': its columns are",
    ),
    "a missing reward": (
        lambda: read(click=[0, 1, np.nan, 1, np.nan, 0]),
        r"reward \('click'\) is NaN .* 2 of 6 rows \(first: 2, 4\): drop or model those rows",
    ),
    "a missing action": (
        lambda: read(item=[0, 1, np.nan, 0, 1, 0]),
        r"action \('item'\) is NaN .* 1 of 6 rows \(first: 2\): drop or model those rows",
    ),
    "an infinite propensity": (
        lambda: read(p=[0.5, 0.3, np.inf, 0.5, 0.3, 0.5]),
        r"pscore \('p'\) is NaN or infinite in 1 of 6 rows \(first: 2\): drop or model",
    ),
    "a reward of text": (
        lambda: read(click=["no", "yes"] * 3),
        r"reward \('click'\) holds .*, not numbers: convert them",
    ),
    "a propensity of text": (
        lambda: read(p=["0.5"] * 6),
        r"pscore \('p'\) holds .*, not numbers: convert them",
    ),
    "actions by name": (
        lambda: read(item=["film", "song", "film", "song", "film", "song"]),
        r"action \('item'\) holds labels, not numbers: number them in the order of .*map",
    ),
    "actions by half": (
        lambda: read(item=[0, 1, 0.5, 0, 1, 1.5]),
        r"action \('item'\) is not a whole number in 2 of 6 rows \(first: 2, 5\): .* 0, 1, 2",
    ),
    "a negative action": (
        lambda: read(item=[0, 1, -1, 0, 1, 0]),
        r"action \('item'\) is negative in 1 of 6 rows \(first: 2\): number the actions from 0 .*"
        "missing category",
    ),
    "one action only": (
        lambda: read(item=[2] * 6),
        r"action \('item'\) is 2 in every row: .*log a policy that varies what it shows",
    ),
    "a propensity of zero": (
        lambda: read(p=[0.5, 0, 0.2, 0.5, 0.3, 0]),
        r"pscore \('p'\) is 0 or negative in 2 of 6 rows \(first: 1, 5\): .*rounding at ingest",
    ),
    "per cents": (
        lambda: read(p=[50, 30, 20, 50, 30, 50]),
        r"pscore \('p'\) is above 1 in 6 of 6 rows \(first: 0, 1, 2, 3, 4, \.\.\.\) "
        r"\(largest: 50\): pass probabilities, not per cents",
    ),
    "an empty table": (
        lambda: Log.from_frame(table().iloc[:0], **NAMES),
        r"action \('item'\) is empty, so nothing can be averaged: pass at least two rows",
    ),
    "a short reward": (
        lambda: log(reward=[0.0, 1.0]),
        r"unequal lengths: action has 6, reward has 2, pscore has 6; pass one entry for each row",
    ),
    "a short propensity": (
        lambda: log(pscore=[0.5] * 5),
        r"unequal lengths: action has 6, reward has 6, pscore has 5; pass one entry for each row",
    ),
    "rewards in two columns": (
        lambda: log(reward=np.ones((6, 2))),
        r"reward has 2 dimensions, needs 1",
    ),
    "a missing user": (
        lambda: Log.from_frame(
            table(user=["u", None, "v", "v", None, "w"]), **NAMES, cluster="user"
        ),
        r"cluster \('user'\) is missing in 2 of 6 rows \(first: 1, 4\): give each row a group",
    ),
    "a short cluster": (
        lambda: log(cluster=[1, 2]),
        r"unequal lengths: action has 6, .*cluster has 2; pass one entry",
    ),
    "a missing context": (
        lambda: Log.from_frame(
            table(user=["u", None, "v", "v", "w", "w"]), **NAMES, context=["user"]
        ),
        r"context is missing in 1 of 6 rows \(first: 1\): give the missing value a category",
    ),
    "a short context": (
        lambda: log(context=np.ones((5, 3))),
        r"context has 5 rows, the log has 6; one row a round",
    ),
    "policy rows that do not sum to 1": (
        lambda: log(policy=policy([1, 3], [0.5, 0.3, 0.3])),
        r"policy does not sum to 1 in 2 of 6 rows \(first: 1, 3\) \(the first sums to 1\.1\): "
        "divide each row by its sum",
    ),
    "a negative policy": (
        lambda: log(policy=policy(4, [0.8, 0.3, -0.1])),
        r"policy is negative in 1 of 6 rows \(first: 4\)",
    ),
    "a missing policy": (
        lambda: log(policy=policy(5, np.nan)),
        r"policy is NaN in 1 of 6 rows \(first: 5\): give each action a probability",
    ),
    "one row of a policy": (
        lambda: log(policy=POLICY[0]),
        r"policy has 1 dimensions, needs 2: one row for each round, .*numpy\.tile",
    ),
    "a short policy": (
        lambda: log(policy=POLICY[:4]),
        r"policy has 4 rows, the log has 6; pass one row a round",
    ),
    "a policy of text": (
        lambda: log(policy=POLICY.astype(str)),
        r"policy holds <U32 values, not numbers: convert them",
    ),
    "a policy without the last action": (
        lambda: log(policy=np.full((6, 2), 0.5)),
        r"action is 2 in a log whose policy has 2 columns \(1 of 6 rows \(first: 2\)",
    ),
    "a policy in another order": (
        lambda: log(policy=POLICY[:, [0, 2, 1]]),
        r"pscore is not the policy's .* in 3 of 6 rows \(first: 1, 2, 4\): row 1 has 0\.3, policy "
        "says 0.2; are the columns in another order",
    ),
    "an action that the policy never shows, within rounding": (
        lambda: Log([0, 1], [1, 0], [1.0, 1e-7], policy=[[1, 0], [1, 0]]),
        r"pscore is not the policy's .* in 1 of 2 rows \(first: 1\): row 1 has 1e-07, "
        "policy says 0;",
    ),
    "a target that does not sum to 1": (
        lambda: ips(log(), policy(2, [0.5, 0.3, 0.1])),
        r"pi does not sum to 1 in 1 of 6 rows \(first: 2\) \(the first sums to 0\.9\)",
    ),
    "one row of a target": (
        lambda: ips(log(), POLICY[0]),
        r"pi has 1 dimensions, needs 2",
    ),
    "a target the wrong way round": (
        lambda: ips(log(), POLICY.T),
        r"pi has 3 rows, the log has 6",
    ),
    "a missing target": (
        lambda: snips(log(), policy(2, [np.nan, 0.5, 0.5])),
        r"pi is NaN in 1 of 6 rows \(first: 2\)",
    ),
    "a target without the last action": (
        lambda: snips(log(), np.full((6, 2), 0.5)),
        r"action is 2, but pi has 2 columns .*\(first: 2\).*one column for each action",
    ),
    "a target with more actions than the policy": (
        lambda: ips(log(policy=POLICY), np.full((6, 4), 0.25)),
        r"pi has shape \(6, 4\), policy has \(6, 3\)",
    ),
    "a target that wants what was never logged": (
        lambda: ips(log(), np.full((6, 5), 0.2)),
        r"pi wants 2 actions that were never logged \(first: \[3, 4\]\), 40% of its mass: .*"
        r"Nothing finer can be known without the logging policy: pass Log\(\.\.\., policy=\)",
    ),
    "a target that wants what the policy never shows there": (
        lambda: dr(log(policy=policy(3, [0.5, 0.5, 0])), POLICY, POLICY),
        r"pi wants actions that the logging policy never shows there in 1 of 6 rows "
        r"\(first: 3\), 3\.33% of its mass: .*keep pi within the support",
    ),
    "a target that never agrees with the log": (
        lambda: ips(log(), np.eye(3)[[1, 2, 0, 1, 0, 2]]),
        r"pi gives every logged action probability 0: .*never agree",
    ),
    "a model of another shape": (
        lambda: dr(log(), POLICY, np.ones((6, 2))),
        r"q has shape \(6, 2\), pi has \(6, 3\): one reward for each entry",
    ),
    "a model with holes": (
        lambda: evaluate(log(), POLICY, policy(2, [np.nan, 0, 0])),
        r"q is NaN or infinite in 1 of 6 rows \(first: 2\)",
    ),
    "a model of text": (
        lambda: dm(log(), POLICY, POLICY.astype(str)),
        r"q holds <U32 values, not numbers",
    ),
    "a cap of zero": (
        lambda: ips(log(), POLICY, max_weight=0),
        r"max_weight is 0: pass a positive cap, or None",
    ),
    "a cap that is not a number": (
        lambda: ips(log(), POLICY, max_weight=np.nan),
        r"max_weight is nan: pass a positive cap, or None",
    ),
    "weights that are not there": (
        lambda: effective_sample_size([]),
        r"w is empty",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_log_says_what_where_and_what_to_do(name):
    make, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        make()


def test_no_two_bad_logs_get_the_same_message():
    messages = []
    for make, _ in BAD.values():
        with pytest.raises(ValueError) as error:  # noqa: PT011
            make()
        messages.append(str(error.value))
    assert len(set(messages)) == len(BAD)


@pytest.mark.parametrize(
    "arguments",
    [
        {"context": 5},
        {"context": [[1], [1, 2], [1], [1], [1], [1]]},
        {"policy": np.ones((6, 0))},
        {"action": [0, 1, 1e300, 0, 1, 0]},
        {"cluster": "user"},
    ],
    ids=["a scalar context", "a ragged context", "no columns", "a huge action", "a column's name"],
)
def test_an_odd_argument_is_refused_by_its_name(arguments):
    with pytest.raises(ValueError, match=f"^{next(iter(arguments))} "):
        log(**arguments)


def test_a_column_that_is_there_twice_is_refused():
    twice = pd.concat([table(), table()[["click"]]], axis=1)
    with pytest.raises(ValueError, match=r"reward.* has 2 dimensions"):
        Log.from_frame(twice, **NAMES)


# Good logs


def assert_same(one, other):
    for name in ("action", "reward", "pscore"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.sample == other.sample


@pytest.mark.parametrize(
    "columns",
    [
        {"item": [0.0, 1.0, 2.0, 0.0, 1.0, 0.0]},
        {"item": pd.Series([0, 1, 2, 0, 1, 0], dtype="Int64")},
        {"item": pd.Series([0, 1, 2, 0, 1, 0], dtype="category")},
        {"click": [False, True, False, True, True, False]},
        {"click": pd.Series([0, 1, 0, 1, 1, 0], dtype="Int8")},
    ],
    ids=["float-coded", "nullable", "categorical numbers", "bool", "small"],
)
def test_one_log_in_many_types_is_the_same_log(columns):
    assert_same(read(**columns), log())


def test_from_frame_is_the_log_by_hand():
    by_hand = Log(
        [0, 1, 2, 0, 1, 0],
        [0, 1, 0, 1, 1, 0],
        [0.5, 0.3, 0.2, 0.5, 0.3, 0.5],
        context=[["u"], ["u"], ["v"], ["v"], ["w"], ["w"]],
        cluster=["u", "u", "v", "v", "w", "w"],
    )
    from_frame = Log.from_frame(table(), **NAMES, context=["user"], cluster="user")
    assert_same(from_frame, by_hand)
    assert np.asarray(from_frame.context).tolist() == by_hand.context
    assert from_frame.n == 6
    pi = np.tile([0.2, 0.3, 0.5], (6, 1))
    assert ips(from_frame, pi).se == ips(by_hand, pi).se
    assert ips(from_frame, pi).value == pytest.approx((1 + 0.4 + 1) / 6)


def test_rows_are_taken_by_position_whatever_the_index_says():
    shuffled = table().set_index(pd.Index([3, 3, 0, 9, 1, 2]))
    assert_same(Log.from_frame(shuffled, **NAMES), log())


def test_a_propensity_of_exactly_one_is_a_probability():
    assert log(pscore=[1.0] * 6).pscore.max() == 1


def test_propensities_rounded_to_six_decimals_are_still_the_policys():
    third = np.full((6, 3), 1 / 3)
    assert log(pscore=[0.333333] * 6, policy=third).policy.shape == (6, 3)
    with pytest.raises(ValueError, match="6 of 6 rows"):
        log(pscore=[0.33] * 6, policy=third)


def test_one_bad_type_in_a_table_does_not_touch_the_table():
    frame = table()
    Log.from_frame(frame, **NAMES)
    pd.testing.assert_frame_equal(frame, table())


def test_a_log_says_what_it_holds():
    text = repr(log())
    assert "Log of 6 rounds" in text
    assert re.search(r"actions +3 seen, .* 2\n", text)
    assert "mean reward   0.5" in text
    assert "0.2 to 0.5, only that of the action shown" in text
    assert "0.2 to 0.5, all" in repr(log(policy=POLICY))


# Support


def test_with_the_policy_support_is_round_by_round():
    narrow = policy([2, 3], [[0.5, 0.3, 0.2], [0.5, 0.5, 0.0]])
    target = policy(3, [0.9, 0.1, 0.0])
    assert ips(log(policy=narrow), target).n == 6
    with pytest.raises(ValueError, match="never shows there in 1 of 6 rows"):
        ips(log(policy=narrow), policy(3, [0.9, 0.05, 0.05]))
    assert ips(log(), policy(3, [0.9, 0.05, 0.05])).n == 6  # nothing finer can be known


def test_with_the_policy_an_action_that_happened_not_to_be_shown_is_no_obstacle():
    wide = np.tile([0.5, 0.3, 0.15, 0.05], (6, 1))
    p = [0.5, 0.3, 0.15, 0.5, 0.3, 0.5]
    assert ips(log(pscore=p, policy=wide), wide).n == 6
    with pytest.raises(ValueError, match=r"1 actions that were never logged \(first: \[3\]\)"):
        ips(log(pscore=p), wide)


def test_without_the_policy_a_column_for_what_was_never_logged_may_be_empty():
    target = np.column_stack([POLICY, np.zeros(6)])
    assert ips(log(), target).value == pytest.approx(0.5)
    target[5] = [0.49, 0.3, 0.2, 0.01]
    with pytest.raises(ValueError, match=r"never logged \(first: \[3\]\), 0\.167% of its mass"):
        ips(log(), target)


@pytest.mark.parametrize("estimate", [ips, snips, evaluate, lambda *a: dr(*a, POLICY)])
def test_every_estimator_of_the_log_checks_support(estimate):
    bare = log(policy=policy(3, [0.5, 0.5, 0]))
    with pytest.raises(ValueError, match="never shows there"):
        estimate(bare, POLICY)


# What a second reader found


def test_missing_labels_of_any_kind_are_refused_by_name():
    for gap in (None, np.nan, pd.NA):
        with pytest.raises(ValueError, match=r"cluster is missing in 1 of 6 rows \(first: 2\)"):
            log(cluster=pd.Series(["a", "b", gap, "a", "b", "b"], dtype=object))
    mixed = pd.DataFrame(
        {"age": pd.array([1, 2, None, 4, 5, 6], dtype="Int64"), "city": list("abcabc")}
    )
    with pytest.raises(ValueError, match=r"context is missing in 1 of 6 rows \(first: 2\)"):
        log(context=mixed)


def test_nullable_and_decimal_columns_are_numbers_where_nothing_is_missing():
    click = [0, 1, 0, 1, 1, 0]
    for column in (
        pd.array(click, dtype="Int64"),
        pd.array(click, dtype="boolean"),
        [Decimal(c) for c in click],
    ):
        assert log(reward=pd.Series(column)).reward.tolist() == click
    with pytest.raises(ValueError, match=r"reward is missing in 1 of 6 rows \(first: 1\)"):
        log(reward=pd.Series([0, None, 0, 1, 1, 0], dtype="boolean"))


def test_a_frame_of_probabilities_is_not_read_in_another_order():
    right = pd.DataFrame(POLICY)
    assert ips(log(), right).value == ips(log(), POLICY).value
    for columns in ([2, 1, 0], [0, 1, 3]):
        with pytest.raises(ValueError, match=r"pi has the columns .*reindex"):
            ips(log(), pd.DataFrame(POLICY, columns=columns))


def test_masked_entries_are_not_taken_at_face_value():
    with pytest.raises(ValueError, match="reward has masked entries"):
        log(reward=np.ma.array([0, 1, 0, 1, 1, 0], mask=[0, 0, 1, 0, 0, 0]))


def test_one_context_column_may_be_named_alone():
    frame = table().assign(user=range(6))
    one = Log.from_frame(frame, **NAMES, context="user")
    assert one.context["user"].tolist() == list(range(6))
    for odd in ({"context": ["u", "s"]}, {"cluster": ["user"]}):
        with pytest.raises(ValueError, match="frame has no column"):
            Log.from_frame(frame, **NAMES, **odd)
    with pytest.raises(ValueError, match="frame is a dict"):
        Log.from_frame({"item": [0, 1]}, **NAMES)


def test_what_was_checked_cannot_be_changed():
    reward, policy = np.array([0.0, 1, 0, 1, 1, 0]), POLICY.copy()
    mine = log(reward=reward, policy=policy)
    reward[:] = 7
    policy[:] = 7
    assert mine.reward.max() == 1
    assert mine.policy.max() <= 1
    with pytest.raises(ValueError, match="read-only"):
        mine.reward[0] = 5


def test_capped_weights_are_those_reported():
    mine = log()
    with_cap = ips(mine, np.eye(3)[mine.action], max_weight=1.5)
    assert "largest weight 1.5;" in with_cap.notes[1]
