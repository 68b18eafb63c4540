"""One table over all estimators: what each refuses, with a message that names the argument."""

import copy

import numpy as np
import pandas as pd
import pytest

from causalbook import estimators as est
from causalbook import nuisance
from causalbook import potential_outcomes as po

N = 240
RNG = np.random.default_rng(1949)
Z = np.arange(N) % 2
A = np.where(RNG.random(N) < 0.8, Z, 1 - Z)
X = RNG.normal(size=(N, 2))
Y = X[:, 0] + A + RNG.normal(size=N)
E = np.full(N, 0.4)
G = np.arange(N) // 3
U = np.repeat(np.arange(20), 30)
T = np.tile(np.arange(30), 20)
START = np.where(U % 3 == 0, np.nan, 20.0 + (U % 3 == 1))
PANEL = pd.DataFrame(
    {
        "y": RNG.normal(size=600) + U,
        "unit": U,
        "time": T,
        "first": START,
        "on": (START <= T) * 1.0,
        "region": U // 2,
    }
)
PI = np.tile([0.5, 0.5], (N, 1))
NAMED = pd.DataFrame(X, columns=["age", "visits"])


def policy(method):
    """Estimate from a log, taking the log's columns and the target apart."""

    def estimate(action, reward, pscore, pi, **more):
        return method(est.Log(action, reward, pscore), pi, **more)

    return estimate


# Each estimator with arguments that it takes; those that are arrays are spoilt in turn.
ROUNDS = {"action": A, "reward": Y, "pscore": E, "pi": PI}
CALLS = {
    "ab_test": (po.ab_test, {"y": Y, "a": A, "cluster": G}),
    "cuped": (po.cuped, {"y": Y, "a": Z, "x": X[:, 0]}),
    "ratio_metric": (po.ratio_metric, {"num": Y, "den": Y - Y.min() + 1, "a": A}),
    "mediate": (po.mediate, {"y": Y, "a": A, "m": Z, "X": X}),
    "bounds": (po.bounds, {"y": (Y > 0) * 1.0, "a": A}),
    "confidence_sequence": (po.confidence_sequence, {"y": Y, "a": A}),
    "difference_in_means": (est.difference_in_means, {"y": Y, "a": A, "cluster": G}),
    "regression_adjustment": (
        est.regression_adjustment,
        {"y": Y, "a": A, "X": X, "cluster": G},
    ),
    "ipw": (est.ipw, {"y": Y, "a": A, "e": E, "cluster": G}),
    "ipw, ATT": (est.ipw, {"y": Y, "a": A, "e": E, "estimand": "ATT"}),
    "ipw, ATO": (est.ipw, {"y": Y, "a": A, "e": E, "estimand": "ATO", "normalize": False}),
    "aipw": (est.aipw, {"y": Y, "a": A, "e": E, "mu0": Y / 2, "mu1": Y / 2, "cluster": G}),
    "aipw, ATT": (
        est.aipw,
        {"y": Y, "a": A, "e": E, "mu0": Y / 2, "mu1": Y / 2, "estimand": "ATT"},
    ),
    "partially_linear": (est.partially_linear, {"y": Y, "a": A, "X": X, "cluster": G}),
    "matching": (est.matching, {"y": Y, "a": A, "X": X}),
    "matching, adjusted": (est.matching, {"y": Y, "a": A, "X": X, "bias_adjust": True}),
    "wald": (est.wald, {"y": Y, "a": A, "z": Z}),
    "two_stage_least_squares": (
        est.two_stage_least_squares,
        {"y": Y, "a": A, "z": Z, "X": X, "cluster": G},
    ),
    "first_stage": (est.first_stage, {"a": A, "z": Z, "X": X}),
    "anderson_rubin": (est.anderson_rubin, {"y": Y, "a": A, "z": Z, "X": X}),
    "overlap": (est.overlap, {"e": E, "a": A}),
    "balance": (est.balance, {"X": X, "a": A, "weights": 1 / E}),
    "effective_sample_size": (est.effective_sample_size, {"w": E}),
    "benchmark": (est.benchmark, {"y": Y, "a": A, "X": NAMED, "covariate": "visits"}),
    "placebo": (
        est.placebo,
        {
            "estimator": est.regression_adjustment,
            "y": Y,
            "a": A,
            "X": X,
            "seed": 0,
            "draws": 19,
        },
    ),
    "negative_control": (
        est.negative_control,
        {"estimator": est.regression_adjustment, "outcome": Y, "a": A, "X": X},
    ),
    "leave_one_out": (
        est.leave_one_out,
        {"estimator": est.regression_adjustment, "y": Y, "a": A, "X": NAMED},
    ),
    "ips": (policy(est.ips), ROUNDS),
    "snips": (policy(est.snips), ROUNDS),
    "dm": (policy(est.dm), ROUNDS | {"q": PI}),
    "dr": (policy(est.dr), ROUNDS | {"q": PI}),
    "evaluate": (policy(est.evaluate), ROUNDS | {"q": PI}),
    "switch_dr": (policy(est.switch_dr), ROUNDS | {"q": PI, "tau": 1.0}),
    "mips": (
        lambda reward, pi, embedding: est.mips(
            est.Log(A, reward, np.full(N, 0.5), policy=PI), pi, embedding
        ),
        {"reward": Y, "pi": PI, "embedding": np.arange(2)},
    ),
    "position_ips": (est.position_ips, {"reward": X, "pscore": PI, "pi": PI, "cluster": G}),
    "slate_ips": (est.slate_ips, {"reward": X, "pscore": PI, "pi": PI, "cluster": G}),
    "pool": (
        lambda loggers: est.pool([est.Log(A, Y, E)] * 2, [loggers, loggers]),
        {"loggers": np.tile(E, 2)},
    ),
    "support": (policy(est.support), ROUNDS),
    "interval_check": (policy(est.interval_check), ROUNDS | {"seed": 0, "replications": 3}),
    "learn_policy": (
        lambda reward, X, q: est.learn_policy(est.Log(A, reward, E), X, q, ridge=1.0),
        {"reward": Y, "X": X, "q": PI},
    ),
    "s_learner": (est.s_learner, {"X": X, "a": A, "y": Y}),
    "t_learner": (est.t_learner, {"X": X, "a": A, "y": Y}),
    "x_learner": (est.x_learner, {"X": X, "a": A, "y": Y}),
    "r_learner": (est.r_learner, {"X": X, "a": A, "y": Y, "e": E, "cluster": G}),
    "dr_learner": (est.dr_learner, {"X": X, "a": A, "y": Y, "e": E, "cluster": G}),
    "causal_tree": (
        est.causal_tree,
        {"X": X, "a": A, "y": Y, "e": E, "min_leaf": 5, "cluster": G},
    ),
    "policy_value": (est.policy_value, {"treat": Z, "y": Y, "a": A, "e": E, "cluster": G}),
    "qini": (est.qini, {"effect": Y, "y": Y, "a": A, "e": E, "cluster": G}),
    "calibration": (est.calibration, {"effect": Y, "y": Y, "a": A, "e": E, "cluster": G}),
    "within_budget": (est.within_budget, {"effect": Y, "cost": E, "budget": 9.0}),
    "logit": (nuisance.logit, {"X": X, "a": A}),
    "linear": (nuisance.linear, {"X": X, "y": Y}),
    "cross_fit": (
        nuisance.cross_fit,
        {"learner": nuisance.Linear(), "X": X, "target": Y, "cluster": G},
    ),
}
ARRAYS = [
    (name, argument)
    for name, (_, good) in CALLS.items()
    for argument, value in good.items()
    if isinstance(value, np.ndarray | pd.DataFrame)
]
LABELS = ("cluster", "folds", "strata", "embedding")  # any label will do, text too


def first(column, value):
    """The column with another first entry (of the first column, in a table)."""
    spoilt = np.array(column, dtype=object if isinstance(value, str) else float)
    spoilt.reshape(len(spoilt), -1)[0, 0] = value
    if isinstance(column, pd.DataFrame):
        return pd.DataFrame(spoilt, columns=column.columns)
    return spoilt


DEFECTS = {
    "nan": lambda column: first(column, np.nan),
    "infinite": lambda column: first(column, np.inf),
    "infinite both ways": lambda column: first(first(column, np.inf)[::-1], -np.inf),
    "text": lambda column: first(column, "many"),
    "empty": lambda column: column[:0],
    "too short": lambda column: column[:-1],
}


@pytest.mark.parametrize("name", CALLS)
def test_good_input_is_taken_and_left_as_it_was(name):
    call, good = CALLS[name]
    before = copy.deepcopy(good)
    call(**good)
    for argument, value in good.items():
        if isinstance(value, np.ndarray | pd.DataFrame):
            np.testing.assert_array_equal(value, before[argument])


ANY_LABEL = {"text", "infinite", "infinite both ways"}  # are labels like others
SPOILS = [
    (name, argument, defect)
    for name, argument in ARRAYS
    for defect in DEFECTS
    if not (argument in LABELS and defect in ANY_LABEL)
    and not (len(CALLS[name][1]) == 1 and defect == "too short")  # than what?
]


@pytest.mark.parametrize(("name", "argument", "defect"), SPOILS)
def test_a_spoilt_argument_is_refused_by_its_name(name, argument, defect):
    call, good = CALLS[name]
    spoilt = DEFECTS[defect](good[argument])
    before = copy.deepcopy(spoilt)
    with pytest.raises(ValueError, match=rf"\b{argument}\b"):
        call(**good | {argument: spoilt})
    assert np.array_equal(np.asarray(spoilt).astype(str), np.asarray(before).astype(str))


ONE_ARM = [
    (name, argument)
    for name, argument in ARRAYS
    if argument == "a" or (argument == "z" and name != "anderson_rubin")
]


@pytest.mark.parametrize(("name", "argument"), ONE_ARM)
@pytest.mark.parametrize("arm", [0.0, 1.0])
def test_one_arm_is_refused(name, argument, arm):
    call, good = CALLS[name]
    with pytest.raises(ValueError, match=rf"\b({argument}|target)\b"):
        call(**good | {argument: np.full(N, arm)})


DEPENDENT = np.column_stack([X, X[:, 0] - 2 * X[:, 1]])


# Balance and the tree take columns one by one, cross_fit leaves it to the learner, a policy has
# more parameters than it needs; mediate is tested apart.
LEVELLED = [
    name
    for name, argument in ARRAYS
    if argument == "X"
    and "estimator" not in CALLS[name][1]
    and name not in ("balance", "causal_tree", "cross_fit", "learn_policy", "mediate")
]


@pytest.mark.parametrize("name", LEVELLED)
def test_columns_that_depend_on_each_other_are_refused(name):
    call, good = CALLS[name]
    bad = pd.DataFrame(DEPENDENT, columns=["age", "visits", "both"])
    with pytest.raises(ValueError, match=r"\bX\b.*depend.*both"):
        call(**good | {"X": bad})
    with pytest.raises(ValueError, match=r"\bX\b.*constant in column"):
        call(**good | {"X": bad.assign(both=1.0)})


@pytest.mark.parametrize("name", [name for name, argument in ARRAYS if argument == "cluster"])
def test_one_cluster_is_refused(name):
    call, good = CALLS[name]
    with pytest.raises(ValueError, match="cluster has one group"):
        call(**good | {"cluster": np.zeros(N)})


@pytest.mark.parametrize("name", ["ipw", "ipw, ATT", "ipw, ATO", "aipw", "aipw, ATT", "overlap"])
@pytest.mark.parametrize("wrong", [0.0, 1.0, -0.1, 1.1])
def test_a_propensity_out_of_range_is_refused(name, wrong):
    call, good = CALLS[name]
    e = E.copy()
    e[np.flatnonzero(A == 0)[:2]] = wrong
    if name.endswith("ATT") and wrong == 0:
        call(**good | {"e": e})  # a control that could not be treated resembles no treated
        e[np.flatnonzero(A == 1)[0]] = 0
    with pytest.raises(ValueError, match=r"\be is .* in \d of 240 rows|\be is .* in 3 of 240"):
        call(**good | {"e": e})


@pytest.mark.parametrize("name", ["ips", "snips", "dm", "dr", "evaluate"])
@pytest.mark.parametrize("wrong", [0.0, -0.1, 1.1])
def test_a_logged_propensity_out_of_range_is_refused(name, wrong):
    call, good = CALLS[name]
    with pytest.raises(ValueError, match=r"pscore .* in 1 of 240 rows"):
        call(**good | {"pscore": first(E, wrong)})


@pytest.mark.parametrize("name", ["wald", "two_stage_least_squares", "first_stage"])
def test_an_instrument_that_moves_nothing_is_refused(name):
    call, good = CALLS[name]
    still = {"a": np.tile([0.0, 0.0, 1.0, 1.0], N // 4), "z": np.tile([0.0, 1.0], N // 2)}
    with pytest.raises(ValueError, match="z does not move a"):
        call(**{k: v for k, v in good.items() if k != "X"} | still)


@pytest.mark.parametrize("name", ["two_stage_least_squares", "first_stage", "anderson_rubin"])
def test_an_instrument_that_the_covariates_explain_is_refused(name):
    call, good = CALLS[name]
    with pytest.raises(ValueError, match="z does not vary beyond what X explains"):
        call(**good | {"z": X[:, 0] + X[:, 1]})


@pytest.mark.parametrize(
    ("call", "argument"), [(est.effective_sample_size, "w"), (est.balance, "weights")]
)
def test_weights_that_are_all_zero_or_negative_are_refused(call, argument):
    good = {"X": X, "a": A} if call is est.balance else {}
    for weights, found in ((np.zeros(N), "0 in every row"), (first(E, -1), "negative in 1 of")):
        with pytest.raises(ValueError, match=rf"{argument} (is|are) {found}"):
            call(**good | {argument: weights})


# Panels: the frame is spoilt, the message names the column's part


PANELS = {
    "did": (est.did, ["y", "unit", "time", "on"]),
    "event_study": (est.event_study, ["y", "unit", "time", "first"]),
    "group_time_att": (est.group_time_att, ["y", "unit", "time", "first"]),
    "synthetic_control": (est.synthetic_control, ["y", "unit", "time", 1, 25]),
}
SPOILT = {
    "outcome": lambda f: f.assign(y=first(f["y"], np.nan)),
    "outcome ": lambda f: f.assign(y=first(f["y"], np.inf)),
    "outcome  ": lambda f: f.assign(y=first(f["y"], "many")),
    "unit": lambda f: f.assign(unit=first(f["unit"], np.nan)),
    "time": lambda f: f.assign(time=first(f["time"], np.nan)),
    "frame has no column 'y'": lambda f: f.drop(columns="y"),
    "frame has 600 rows too many": lambda f: pd.concat([f, f]),
    "unit has 1 of 20 units with a single row": lambda f: f.drop(index=range(29)),
    "unit has one value": lambda f: f[f["unit"] == 1],
    "time has one value": lambda f: f[f["time"] == 1],
    "outcome   ": lambda f: f.iloc[:0],
    "frame is a list": lambda f: list(f),
}


@pytest.mark.parametrize("spoil", SPOILT)
@pytest.mark.parametrize("name", PANELS)
def test_a_spoilt_panel_is_refused(name, spoil):
    call, columns = PANELS[name]
    before = PANEL.copy()
    with pytest.raises(ValueError, match=spoil.strip()):
        call(SPOILT[spoil](PANEL), *columns)
    pd.testing.assert_frame_equal(PANEL, before)


@pytest.mark.parametrize("name", ["did", "event_study", "group_time_att"])
def test_a_panel_in_which_nobody_or_everybody_starts_is_refused(name):
    call, columns = PANELS[name]
    for start in (np.nan, 20.0, 0.0):
        frame = PANEL.assign(first=start, on=(start <= T) * 1.0)
        with pytest.raises(ValueError, match=r"treated|first"):
            call(frame, *columns)


@pytest.mark.parametrize("name", ["did", "event_study"])
def test_one_cluster_of_units_is_refused(name):
    call, columns = PANELS[name]
    with pytest.raises(ValueError, match=r"cluster \('region'\) has one group"):
        call(PANEL.assign(region=1), *columns, cluster="region")
    with pytest.raises(ValueError, match="changes within"):
        call(PANEL.assign(region=T), *columns, cluster="region")


@pytest.mark.parametrize("name", PANELS)
def test_a_good_panel_is_taken_and_left_as_it_was(name):
    call, columns = PANELS[name]
    before = PANEL.copy()
    call(PANEL, *columns)
    pd.testing.assert_frame_equal(PANEL, before)


# Numbers


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: est.e_value(np.nan), "rr is nan"),
        (lambda: est.e_value(-1.0), "rr is -1"),
        (lambda: est.e_value(0.0), "rr is 0"),
        (lambda: est.e_value(2.0, (3.0, 4.0)), "ci"),
        (lambda: est.robustness_value(np.inf, 100), "t is inf"),
        (lambda: est.robustness_value(2.0, 0), "dof is 0"),
        (lambda: est.robustness_value(2.0, 100, q=0.0), "q is 0"),
        (lambda: est.robustness_value(2.0, 100, level=1.0), "level is 1"),
        (lambda: est.omitted_variable_bias(0.0, 100, r2_a=0.1, r2_y=0.1), "se is 0"),
        (lambda: est.omitted_variable_bias(1.0, 100, r2_a=1.0, r2_y=0.1), "r2_a is 1"),
        (lambda: est.omitted_variable_bias(1.0, 100, r2_a=0.1, r2_y=1.1), "r2_y is 1.1"),
    ],
)
def test_numbers_out_of_range_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_table_leaves_out_no_public_estimator():
    spoilt = {name.split(",")[0] for name in CALLS} | set(PANELS)
    numbers = {"e_value", "robustness_value", "omitted_variable_bias"}
    takes_results = {"love_plot", "pretrend_test"}  # of balance and event_study, tested there
    types = {name for name in est.__all__ if name[0].isupper()}
    assert set(est.__all__) <= spoilt | numbers | takes_results | types
