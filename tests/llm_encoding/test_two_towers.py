"""Two towers against known truths, scikit-learn's losses, and what a log must not be."""

import numpy as np
import pandas as pd
import pytest
import torch

from causalbook.llm_encoding import InterestRelevance
from causalbook.recommenders import top_k

USERS, ITEMS, SEED = 400, 60, 11


def sigma(z):
    return 1 / (1 + np.exp(-z))


def world(n, seed=SEED):
    """Vectors of 8 numbers, of which two matter; the last ten items are never shown."""
    rng = np.random.default_rng(seed)
    x, v = rng.normal(size=(USERS, 8)), rng.normal(size=(ITEMS, 8))
    q = sigma(1.5 * x[:, :2] @ v[:, :2].T - 1 + 0.5 * v[:, 2])
    u, i = rng.integers(USERS, size=n), rng.integers(ITEMS - 10, size=n)
    log = pd.DataFrame({"user": u, "item": i, "click": (rng.random(n) < q[u, i]).astype(int)})
    return x, v, log, q


@pytest.fixture(scope="module")
def fitted():
    x, v, log, q = world(20_000)
    weights = 0.5 + (log["item"] % 3)
    return InterestRelevance(dim=4, seed=3).fit(x, v, log, weights), log, weights, q


def raw(model, u, i):
    """Score before the calibration, from the published parts alone."""
    return (model.interest[u] * model.relevance[i]).sum(axis=1) + model.item_bias[i]


def on_held_out(model, log, weights):
    rows = log["user"].isin(model.held_out)
    s = raw(model, log["user"][rows].to_numpy(), log["item"][rows].to_numpy())
    return s, log["click"][rows].to_numpy(), weights[rows].to_numpy()


def test_finds_the_truth_on_items_that_were_shown_and_on_new_ones(fitted):
    model, *_, q = fitted
    p = model.scores(np.arange(USERS))
    for part in (np.s_[:, :-10], np.s_[:, -10:]):
        assert np.abs(p[part] - q[part]).mean() < 0.06
        assert np.corrcoef(p[part].ravel(), q[part].ravel())[0, 1] > 0.95
    assert np.abs(q - q.mean()).mean() > 0.2  # a constant would be this far off


def test_a_new_item_is_ranked_for_whom_it_suits(fitted):
    model, *_, q = fitted
    old = np.tile(np.arange(ITEMS) < ITEMS - 10, (USERS, 1))
    first = top_k(model.scores(np.arange(USERS)), 1, exclude=old)
    value = np.take_along_axis(q, first, axis=1).mean()
    best, chance = q[:, -10:].max(axis=1).mean(), q[:, -10:].mean()
    assert value > best - 0.1 * (best - chance)


def test_user_and_item_interact_in_dim_dimensions(fitted):
    model, *_ = fitted
    p = model.scores(np.arange(USERS))
    s = (np.log(p / (1 - p)) - model.level) / model.slope - model.item_bias
    assert np.linalg.matrix_rank(s, tol=1e-6) == 4
    assert len({tuple(order) for order in np.argsort(p, axis=1)}) > USERS / 2


def test_the_held_out_loss_is_the_weighted_log_loss(fitted):
    from sklearn.metrics import log_loss

    model, log, weights, _ = fitted
    s, y, w = on_held_out(model, log, weights)
    expected = log_loss(y, sigma(s), sample_weight=w)
    assert model.loss[:, 1].min() == pytest.approx(expected, rel=1e-5)


def test_stops_after_twenty_steps_without_a_better_loss_and_keeps_the_best(fitted):
    model, *_ = fitted
    assert len(model.loss) == model.loss[:, 1].argmin() + 21 < 300
    assert model.loss[-1, 0] < model.loss[0, 0]


def test_the_calibration_is_a_weighted_logistic_regression(fitted):
    from sklearn.linear_model import LogisticRegression

    model, log, weights, _ = fitted
    s, y, w = on_held_out(model, log, weights)
    oracle = LogisticRegression(C=np.inf, tol=1e-10).fit(s[:, None], y, sample_weight=w)
    assert model.slope == pytest.approx(oracle.coef_[0, 0], rel=1e-5)
    assert model.level == pytest.approx(oracle.intercept_[0], rel=1e-4, abs=1e-5)
    rows = log[log["user"].isin(model.held_out)]
    p = model.predict(rows["user"].to_numpy(), rows["item"].to_numpy())
    assert w @ (y - p) == pytest.approx(0, abs=1e-8 * w.sum())  # right on average


def test_a_fifth_of_the_users_is_held_out_whole(fitted):
    model, *_ = fitted
    assert len(model.held_out) == USERS // 5


def test_weights_make_a_lopsided_log_speak_for_all_pairs():
    # Half of the pairs would click more and are shown nine times as often; the vectors see part.
    rng = np.random.default_rng(SEED)
    x, v, _, q = world(1)
    liked = rng.random(q.shape) < 0.5
    q, shown = np.where(liked, 0.3 + 0.7 * q, 0.3 * q), np.where(liked, 0.9, 0.1)
    u, i = np.nonzero(rng.random(q.shape) < shown)
    log = pd.DataFrame({"user": u, "item": i, "click": (rng.random(len(u)) < q[u, i]).astype(int)})
    model, everyone = InterestRelevance(dim=2, seed=1), np.arange(USERS)
    plain = model.fit(x, v, log).scores(everyone).mean()
    weighted = model.fit(x, v, log, 1 / shown[u, i]).scores(everyone).mean()
    assert abs(weighted - q.mean()) < 0.03
    assert plain > q.mean() + 0.1


def test_only_ratios_of_weights_matter_and_a_weight_of_two_is_two_rows():
    x, v, log, _ = world(4_000)
    model, twice = InterestRelevance(dim=3, seed=2), 1 + (log["item"] < 20)
    once = model.fit(x, v, log, twice).scores([0, 5])
    assert np.allclose(model.fit(x, v, log, 7 * twice).scores([0, 5]), once, atol=1e-4)
    rows = log.loc[log.index.repeat(twice)]
    assert np.allclose(model.fit(x, v, rows).scores([0, 5]), once, atol=1e-4)


def test_order_of_rows_and_numbers_of_items_change_nothing():
    x, v, log, _ = world(4_000)
    model = InterestRelevance(dim=3, seed=2)
    p = model.fit(x, v, log).scores([1, 7])
    mixed = log.sample(frac=1, random_state=SEED)
    assert np.allclose(model.fit(x, v, mixed).scores([1, 7]), p, atol=1e-4)
    back = v[::-1], log.assign(item=ITEMS - 1 - log["item"])
    assert np.allclose(model.fit(x, *back).scores([1, 7])[:, ::-1], p, atol=1e-4)


def test_the_scale_and_the_origin_of_the_vectors_change_nothing():
    x, v, log, _ = world(4_000)
    model = InterestRelevance(dim=3, seed=2)
    p = model.fit(x, v, log).scores([1, 7])
    assert np.allclose(model.fit(100 * x + 5, v / 9 - 1, log).scores([1, 7]), p, atol=1e-4)


def test_the_seed_decides():
    x, v, log, _ = world(4_000)
    one, same, other = (InterestRelevance(seed=s).fit(x, v, log).scores([0]) for s in (1, 1, 2))
    assert (one == same).all()
    assert not np.allclose(one, other, atol=1e-4)


def test_leaves_the_threads_as_they_were():
    before = torch.get_num_threads()
    x, v, log, _ = world(1_000)
    InterestRelevance(epochs=1).fit(x, v, log)
    assert torch.get_num_threads() == before


def test_predict_is_an_entry_of_scores(fitted):
    model, *_ = fitted
    assert model.predict([3, 3, 0], [1, 2, 59]) == pytest.approx(
        [model.scores([3])[0, 1], model.scores([3])[0, 2], model.scores([0])[0, 59]], abs=1e-12
    )
    with pytest.raises(ValueError, match="user is 400 or more"):
        model.scores([400])


def test_warns_where_held_out_clicks_do_not_rise_with_the_score():
    x, v, log, _ = world(4_000)
    model = InterestRelevance(dim=3, seed=2)
    held = log["user"].isin(model.fit(x, v, log).held_out)
    turned = log.assign(click=np.where(held, 1 - log["click"], log["click"]))
    with pytest.warns(UserWarning, match="do not rise with the score"):
        assert model.fit(x, v, turned).slope < 0


def test_refuses_scores_that_separate_clicks_from_misses():
    # The likelihood of the calibration rises for ever: probabilities of 0 and 1, tied lists.
    x, v, log, _ = world(1_000)
    with pytest.raises(ValueError, match="separates the held-out clicks from the misses"):
        InterestRelevance().fit(x, v, log.assign(click=(log["item"] < 25).astype(int)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda log: log.drop(columns="click"), "log has no column click"),
        (lambda log: log.to_numpy(), "log is a ndarray: pass a DataFrame"),
        (lambda log: log.assign(user=log["user"] - 1), r"log\['user'\] is negative"),
        (lambda log: log.assign(item=log["item"] + 30), r"log\['item'\] is 60 or more in .* rows"),
        (lambda log: log.assign(user="a"), r"log\['user'\] holds"),
        (lambda log: log.assign(click=1), "is 1 in every row: a constant fits that"),
        (lambda log: log.assign(click=0), "is 0 in every row"),
        (lambda log: log.assign(click=log["click"] * 2), "neither 0 nor 1"),
        (lambda log: log.assign(click=np.nan), "click is NaN or infinite"),
        (lambda log: log.head(0), r"log\['user'\] has shape"),
        (lambda log: log[log["user"] == 0], "too few to hold out a fifth"),
    ],
)
def test_refuses_logs_that_teach_nothing(change, message):
    x, v, log, _ = world(1_000)
    with pytest.raises(ValueError, match=message):
        InterestRelevance().fit(x, v, change(log))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.zeros(1_000), "weights is not positive in 1,000 of 1,000"),
        (np.ones(999), "unequal lengths: log has 1,000, weights has 999"),
        (np.full(1_000, np.nan), "weights is NaN"),
    ],
)
def test_refuses_other_weights(weights, message):
    x, v, log, _ = world(1_000)
    with pytest.raises(ValueError, match=message):
        InterestRelevance().fit(x, v, log, weights)


def test_refuses_vectors_that_are_all_alike_or_missing():
    x, v, log, _ = world(1_000)
    with pytest.raises(ValueError, match="items has 60 equal rows"):
        InterestRelevance().fit(x, np.ones_like(v), log)
    x[3, 2] = np.nan
    with pytest.raises(ValueError, match="users is NaN or infinite in 1 of 400 rows"):
        InterestRelevance().fit(x, v, log)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dim": 0}, "dim is 0"),
        ({"epochs": 2.5}, "epochs is 2.5"),
        ({"penalty": -1}, "penalty is -1"),
        ({"penalty": np.inf}, "penalty is inf"),
    ],
)
def test_refuses_other_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        InterestRelevance(**settings)
