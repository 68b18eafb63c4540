"""The shop's covariates, outcomes, the test by lottery, and the six artefacts of a study."""

import numpy as np
import pandas as pd
import pytest

from causalbook.case_study import (
    Outcome,
    decide,
    funnel_shop,
    lottery_check,
    read_query,
    shop_covariates,
    study,
)
from causalbook.causal_graphs import Graph
from causalbook.estimators import aipw, balance
from causalbook.nuisance import linear, logit
from causalbook.potential_outcomes import World, ab_test, cuped

ARROWS = """urgency -> query; urgency -> views; query -> recommended; views -> recommended;
age -> recommended; region -> recommended; age -> cart; region -> cart; urgency -> viewed;
urgency -> cart; urgency -> purchase; recommended -> viewed -> cart -> purchase;
recommended -> purchase"""
GRAPH = Graph(ARROWS, latent=["urgency"])
BEFORE = ["age", "query", "region", "views"]
TELLS = np.array(["looks", "compares", "buys"])
COLUMNS = "recommended", "order_value"
MONEY = {"margin": 0.3, "cost": 0.02, "units": 1_000}


@pytest.fixture(scope="module")
def world():
    return funnel_shop(20_000, seed=11)


# ---------------------------------------------------------------------------------- words


def test_the_words_tell_the_urgency_of_every_text_and_nothing_where_they_are_silent(world):
    assert (read_query(world.data["query"]) == TELLS[world.potential["urgency"]]).all()
    silent = funnel_shop(500, hidden=1.0, seed=3).data["query"]
    assert set(read_query(silent)) == {"untold"}


def test_the_word_nearest_to_buying_decides_and_parts_of_words_do_not_count():
    texts = ["compare and BUY", "what is worth it", "any drama", "bordering many", "a film"]
    assert list(read_query(texts)) == ["buys", "compares", "looks", "untold", "untold"]


def test_a_missing_query_is_refused():
    with pytest.raises(ValueError, match=r"query is missing in 1 of 2 rows .first: 1."):
        read_query(["buy a film", None])
    with pytest.raises(ValueError, match=r"query is one text .'buy a film'.: pass a list"):
        read_query("buy a film")


def test_punctuation_does_not_hide_a_word():
    assert list(read_query(["Buy! now", "which?", "(ideas)", "re-ordered"])) == [
        "buys",
        "compares",
        "looks",
        "untold",
    ]


# ----------------------------------------------------------------------------- covariates


def test_other_names_and_another_order_of_the_levels_leave_the_fit_as_it_was(world):
    frame = world.data[[*BEFORE, "gender", "browsed", "carted"]]
    names = dict(zip(frame["region"].cat.categories, "fbdace", strict=True))
    other = frame.assign(region=frame["region"].astype(str).map(names))
    y = world.data["order_value"].to_numpy()
    first, second = (linear(shop_covariates(x), y).values for x in (frame, other))
    assert np.abs(first - second).max() < 1e-10
    # Codes in the order of the alphabet, as the source articles take them, do move.
    coded = [x.assign(region=x["region"].astype("category").cat.codes) for x in (frame, other)]
    first, second = (linear(shop_covariates(x), y).values for x in coded)
    assert np.abs(first - second).max() > 0.01


def test_each_level_but_the_most_frequent_has_its_column_and_numbers_stay():
    frame = pd.DataFrame({"views": [3, 0, 1], "region": ["b", "a", "b"], "age": [19, 20, 24]})
    frame["gender"] = pd.Categorical(["x"] * 3, categories=["x", "y"])  # y does not occur
    X = shop_covariates(frame)
    assert list(X.columns) == ["views", "region a", "age under 20"]
    assert X.to_numpy().tolist() == [[3, 0, 1], [0, 1, 0], [1, 0, 0]]


def test_a_missing_covariate_is_refused_by_name():
    frame = pd.DataFrame({"region": ["north", None, "south"]})
    with pytest.raises(ValueError, match=r"region is missing in 1 of 3 rows.*level of its own"):
        shop_covariates(frame)
    with pytest.raises(ValueError, match="frame is a list"):
        shop_covariates([1, 2])


def test_points_in_time_and_columns_of_one_name_are_refused():
    when = pd.DataFrame({"visited_at": pd.date_range("2026-03-02", periods=3, freq="s")})
    with pytest.raises(ValueError, match=r"visited_at holds points in time.*day of the week"):
        shop_covariates(when)
    with pytest.raises(ValueError, match="frame has two columns 'age'"):
        shop_covariates(pd.DataFrame([[30, 40]], columns=["age", "age"]))


# -------------------------------------------------------------------------------- outcomes


def test_an_outcome_takes_the_levels_it_declares():
    frame = pd.DataFrame({"rating": [5, 1, 4, 3], "bought": [0, 1, 1, 0], "paid": [0.0, 2.5, 1, 0]})
    stars = (1, 2, 3, 4, 5)
    assert Outcome("bought").of(frame).tolist() == [0, 1, 1, 0]
    assert Outcome("rating", levels=stars).of(frame).tolist() == [5, 1, 4, 3]
    assert Outcome("rating", at_least=4).of(frame).tolist() == [1, 0, 1, 0]
    assert Outcome("paid", levels=None).of(frame).tolist() == [0, 2.5, 1, 0]


def test_a_rating_is_no_yes_or_no_until_a_threshold_is_stated():
    frame = pd.DataFrame({"rating": [1, 5, 4]})
    with pytest.raises(
        ValueError, match=r"rating .* such as 5, in 2 of 3 rows .*levels 0, 1.*at_least"
    ):
        Outcome("rating").of(frame)
    with pytest.raises(ValueError, match=r"rating.*NaN"):
        Outcome("rating", at_least=4).of(frame.assign(rating=[np.nan, 1, 2]))
    with pytest.raises(ValueError, match="at_least is nan"):
        Outcome("rating", at_least=np.nan)
    with pytest.raises(ValueError, match="frame has no column 'stars': its columns are rating"):
        Outcome("stars").of(frame)


# ------------------------------------------------------------------------- test by lottery


def small_log(rng, n=800):
    """A log with one covariate, propensities logged for about half of it, no hidden cause."""
    x = rng.integers(0, 2, n)
    e = np.where(x == 1, 0.7, 0.3)
    a = (rng.random(n) < e).astype(int)
    y = x + a * (1 + x) + rng.normal(size=n)
    return x[:, None].astype(float), a, y, np.where(rng.random(n) < 0.5, e, np.nan)


def modelled(X, a, y):
    arms = [linear(X, y, where=a == arm) for arm in (0, 1)]
    return aipw(y, a, logit(X, a), *arms)


def test_the_difference_and_its_error_are_those_of_the_scores_by_hand():
    X, a, y, e = small_log(np.random.default_rng(5))
    estimate = modelled(X, a, y)
    (found,) = lottery_check(estimate, y, a, e).table.to_dict("records")
    s = ~np.isnan(e)
    n, w1, w0 = s.sum(), a[s] / e[s], (1 - a[s]) / (1 - e[s])
    m1, m0 = (w1 * y[s]).sum() / w1.sum(), (w0 * y[s]).sum() / w0.sum()
    score = estimate.value + estimate.influence[s]
    gap = score.mean() - (m1 - m0)
    psi = score - score.mean() - n * w1 * (y[s] - m1) / w1.sum() + n * w0 * (y[s] - m0) / w0.sum()
    assert abs(found["difference"] - gap) < 1e-10
    assert abs(found["se"] - np.sqrt((psi**2).sum()) / n) < 1e-10
    assert abs(found["modelled"] - found["lottery"] - gap) < 1e-10
    assert found["rows"] == n
    assert found["low"] < gap < found["high"]


def test_without_a_hidden_cause_it_rejects_as_rarely_as_it_says():
    rng, z, false_alarms = np.random.default_rng(7), [], 0
    for _ in range(600):
        X, a, y, e = small_log(rng)
        check = lottery_check(modelled(X, a, y), y, a, e)
        z.append(float(check.table["difference"].iloc[0] / check.table["se"].iloc[0]))
        false_alarms += not check
    assert abs(np.mean(z)) < 4 / np.sqrt(600)
    assert 0.88 < np.std(z) < 1.12  # four standard errors of a standard deviation
    assert false_alarms <= 16  # P(more | one in a hundred) < .001


def test_it_finds_what_the_words_no_longer_tell():
    for hidden, sound in ((0.0, True), (1.0, False)):
        log = funnel_shop(60_000, hidden=hidden, seed=21).data
        y, a = log["purchase"].to_numpy(dtype=float), log["recommended"].to_numpy()
        check = lottery_check(modelled(shop_covariates(log[BEFORE]), a, y), y, a, log["propensity"])
        assert bool(check) is sound
        assert ("misses something" in check.sentence) is not sound


def test_the_lottery_is_refused_without_propensities_or_for_another_estimand():
    X, a, y, e = small_log(np.random.default_rng(1), 200)
    estimate = modelled(X, a, y)
    with pytest.raises(ValueError, match="e is logged nowhere"):
        lottery_check(estimate, y, a, np.full(len(y), np.nan))
    with pytest.raises(ValueError, match="lengths"):
        lottery_check(estimate, y, a, e[:-1])
    treated = aipw(y, a, logit(X, a), linear(X, y, where=a == 0), None, estimand="ATT")
    with pytest.raises(ValueError, match="estimate is of the ATT"):
        lottery_check(treated, y, a, e)


# ----------------------------------------------------------------------------------- study


def run(world, **changes):
    given = dict(encode=shop_covariates, propensity="propensity", **MONEY) | changes
    outcome = given.pop("outcome", Outcome("purchase"))
    graph = given.pop("graph", GRAPH)
    return study(world.data, graph, "recommended", outcome, **given)


def test_a_study_records_six_artefacts_that_belong_together(world):
    found = run(world)
    X, a = shop_covariates(world.data[BEFORE]), world.data["recommended"].to_numpy()
    own = modelled(X, a, world.data["purchase"].to_numpy(dtype=float))
    assert found.estimate.value == own.value
    assert found.estimate.se == own.se
    assert found.identification.sets == [frozenset(BEFORE)]
    assert found.graph is GRAPH
    assert found.policy == decide(0.3 * own - 0.02, units=1_000)
    names = [check.name for check in found.refutation]
    assert names == ["balance", "overlap", "logged propensities"]
    assert found.stands
    steps = ["estimand", "graph", "identification", "estimate", "refutation", "policy"]
    assert list(found.summary()["step"]) == steps
    said = dict(found.summary().to_numpy())
    assert said["estimand"] == "ATE of recommended on purchase"
    assert said["graph"] == "15 arrows"
    assert f"{own.value:.4f}" in said["estimate"]
    assert "passed" in said["refutation"]
    assert "failed" not in said["refutation"]


def test_a_study_of_those_who_are_shown_now(world):
    value = Graph(ARROWS.replace("purchase", "order_value"), latent=["urgency"])
    amount = Outcome("order_value", levels=None)
    found = run(world, estimand="ATT", outcome=amount, graph=value)
    X, a, y = (shop_covariates(world.data[BEFORE]), *(world.data[k] for k in COLUMNS))
    own = aipw(y, a, logit(X, a), linear(X, y, where=a == 0), None, estimand="ATT")
    assert found.estimate.value == own.value
    assert found.refutation[-1].name == "logged propensities"  # of the average effect
    bare = run(world, propensity=None)
    assert [check.name for check in bare.refutation] == ["balance", "overlap"]


def test_a_study_with_a_hidden_cause_does_not_stand():
    found = run(funnel_shop(60_000, hidden=1.0, seed=21))
    assert not found.stands
    assert found.policy.act  # the figures alone would have said so
    assert "logged propensities: failed" in found.summary()["artefact"].iloc[4]


def test_the_weights_of_the_balance_are_those_of_the_propensity(world):
    table = run(world).refutation[0].table
    assert (table["smd_before"].abs().max()) > 0.4
    assert (table["smd_after"].abs().max()) < 0.05


def test_the_balance_of_a_study_is_that_of_its_estimand(world):
    """Of those who are treated: they as they are, the others weighted to look like them."""
    X, a = shop_covariates(world.data[BEFORE]), world.data["recommended"].to_numpy()
    e = logit(X, a).values
    own = balance(X, a, np.where(a == 1, 1.0, e / (1 - e))).table
    found = run(world, estimand="ATT").refutation[0].table
    assert np.abs(found["smd_after"] - own["smd_after"]).max() < 1e-10
    average = run(world).refutation[0].table
    assert np.abs(average["smd_after"] - own["smd_after"]).max() > 1e-4
    whole = balance(X, a, np.where(a == 1, 1 / e, 1 / (1 - e))).table
    assert np.abs(average["smd_after"] - whole["smd_after"]).max() < 1e-10


def test_absent_columns_are_named(world):
    with pytest.raises(ValueError, match="frame has no column 'e': its columns are user"):
        run(world, propensity="e")
    less = World(world.data.drop(columns=["views", "region"]), {}, world.potential)
    with pytest.raises(ValueError, match="frame has no column 'region', 'views'"):
        run(less)


def test_a_graph_without_a_back_door_set_is_refused(world):
    seen = Graph(ARROWS + "; urgency -> recommended", latent=["urgency"])
    with pytest.raises(ValueError, match=r"recommended on purchase has no back-door set.*hedge"):
        run(world, graph=seen)


def test_an_outcome_or_money_that_does_not_fit_is_refused(world):
    value = Graph(ARROWS.replace("purchase", "order_value"), latent=["urgency"])
    with pytest.raises(ValueError, match=r"order_value takes .* declared are the levels 0, 1"):
        run(world, graph=value, outcome=Outcome("order_value"))
    with pytest.raises(ValueError, match="margin is nan"):
        run(world, margin=np.nan)
    with pytest.raises(ValueError, match="units is 0"):
        run(world, units=0)


# ------------------------------------------------------------- the articles' variables (S0)


def test_the_shop_has_the_articles_columns_a_treatment_propensities_and_both_outcomes(world):
    variables = {"age", "gender", "region", "browsed", "carted", "purchased"}
    assert variables <= set(world.data)
    assert {"recommended", "propensity", "purchase"} <= set(world.data)
    row = np.arange(len(world.data))
    both = world.potential[[f"purchase_{k}" for k in range(6)]].to_numpy()
    y1, y0 = both[row, world.potential["candidate"]], both[:, 0]
    a = world.data["recommended"]
    assert (world.data["purchase"] == np.where(a == 1, y1, y0)).all()
    assert (y1.astype(float) - y0).mean() == pytest.approx(world.truth["conversion"], abs=1e-12)


def test_cuped_takes_the_squared_correlation_off_the_variance():
    """The shares by hand: no code shared with cuped."""
    log = funnel_shop(20_000, confounding=0.0, seed=4).data
    y, a = log["order_value"].to_numpy(), log["recommended"].to_numpy()
    x = (read_query(log["query"]) == "buys").astype(float)
    arms = [np.cov(x[a == arm], y[a == arm]) / (a == arm).sum() for arm in (0, 1)]
    v = arms[0] + arms[1]
    rho2 = v[0, 1] ** 2 / (v[0, 0] * v[1, 1])
    assert 0.01 < rho2 < 0.5
    left = (cuped(y, a, x).se / ab_test(y, a).se) ** 2
    assert abs(left - (1 - rho2)) < 1e-10
