"""The shop with real titles: what each switch turns off, and that truth, log and titles agree."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from causalbook import datasets
from causalbook.llm_encoding import film_shop
from causalbook.llm_encoding.film_shop_world import GENRES, MORE, PULL

N = 20_000
ALL_ON = {"confounding": 0.8, "era": 0.5, "heterogeneity": 1.0}


def same(x, y):
    """Tell whether two frames agree, also in columns of arrays."""
    return all(str(list(x[c])) == str(list(y[c])) for c in x.columns) and list(x) == list(y)


@pytest.fixture(scope="module")
def films():
    return datasets.load("films")


@pytest.fixture(scope="module")
def world():
    return film_shop(N, seed=11, **ALL_ON)


def test_one_seed_one_world():
    a, b, c = (film_shop(400, seed=seed, **ALL_ON) for seed in (3, 3, 4))
    for x, y in ((a.data, b.data), (a.potential, b.potential)):
        assert same(x, y)
    assert a.truth == b.truth
    assert not a.data["spend"].equals(c.data["spend"])


def test_the_log_is_the_potential_outcome_of_the_arm(world):
    y = np.where(world.data["shown"] == 1, world.potential["spend_1"], world.potential["spend_0"])
    assert (world.data["spend"] == y).all()


def test_the_truth_is_the_mean_of_the_effects_of_these_users(world):
    effect = (world.potential["spend_1"] - world.potential["spend_0"]).to_numpy()
    intent, shown = world.potential["intent"].to_numpy(), world.data["shown"] == 1
    assert world.truth["ATE"] == pytest.approx(effect.mean(), abs=1e-12)
    assert world.truth["ATT"] == pytest.approx(effect[shown].mean(), abs=1e-12)
    for k, genre in enumerate(GENRES):
        assert world.truth[f"CATE {genre}"] == pytest.approx(0.3 + 0.4 * MORE[k], abs=1e-12)
        assert effect[intent == genre] == pytest.approx(0.3 + 0.4 * MORE[k], abs=1e-12)


def test_propensity_and_spending_follow_the_equations(world):
    s = world.potential["intent"].map(dict(zip(GENRES, PULL, strict=True))).to_numpy()
    r = np.where(world.potential["new"], 1, -1)
    odds = scipy.special.logit(world.potential["propensity"].to_numpy())
    assert odds == pytest.approx(0.8 * s + 0.5 * r, abs=1e-12)
    noise = world.potential["spend_0"] - 0.45 * s - 0.45 * 0.5 * r
    assert abs(noise.mean()) < 4 * 0.5 / math.sqrt(N)
    assert abs(noise.std() - 0.5) < 4 * 0.5 / math.sqrt(2 * N)
    assert abs(np.corrcoef(noise, s)[0, 1]) < 4 / math.sqrt(N)


def test_the_lot_draws_as_often_as_the_propensity_says(world):
    e, shown = world.potential["propensity"], world.data["shown"]
    for _, group in world.data.groupby(e.round(6)):
        p = e[group.index[0]]
        assert abs(shown[group.index].mean() - p) < 4.5 * math.sqrt(p * (1 - p) / len(group))


def test_each_user_watched_films_of_the_intent_and_the_age(world, films):
    history = np.stack(world.data["history"])
    assert history.shape == (N, 5)
    genre, year = films["genres"].to_numpy()[history], films["year"].to_numpy()[history]
    assert (genre == world.potential["intent"].to_numpy()[:, None]).all()
    assert ((year >= 2000) == world.potential["new"].to_numpy()[:, None]).all()
    titles = films["title"].to_numpy()
    assert world.data["text"][7] == "; ".join(titles[history[7]])
    assert len(np.unique(history)) == 1_541  # as many as a page can encode


def test_times_are_in_order_and_the_review_is_from_afterwards(world):
    watched = np.stack(world.data["watched_at"])
    assert (np.diff(watched, axis=1) >= np.timedelta64(0)).all()
    assert (watched.max(axis=1) < world.data["shown_at"].to_numpy()).all()
    assert watched.min() >= np.datetime64("2026-01-01")
    assert (world.data["review_at"] > world.data["shown_at"]).all()
    told = world.data["review"].str.contains("banner")
    assert (told == (world.data["shown"] == 1)).all()


def test_without_confounding_the_arms_are_alike_and_the_comparison_is_right():
    w = film_shop(N, confounding=0.0, seed=5)
    assert (w.potential["propensity"] == 0.5).all()
    y, a = w.data["spend"], w.data["shown"] == 1
    se = math.sqrt(y[a].var() / a.sum() + y[~a].var() / (~a).sum())
    assert abs(y[a].mean() - y[~a].mean() - 0.3) < 4 * se
    on = film_shop(N, seed=5)
    y, a = on.data["spend"], on.data["shown"] == 1
    assert y[a].mean() - y[~a].mean() > 0.7


def test_a_switch_changes_its_thing_and_no_other():
    plain = film_shop(3_000, seed=8)
    for name in ("confounding", "era", "heterogeneity"):
        other = film_shop(3_000, seed=8, **{name: 2.0})
        kept = ["user", "text", "visits", "watched_at"]
        assert same(plain.data[kept], other.data[kept])
        assert plain.potential[["intent", "new"]].equals(other.potential[["intent", "new"]])
        lot = plain.data["shown"].equals(other.data["shown"])
        assert lot == (name == "heterogeneity")
        spend = plain.potential["spend_0"].equals(other.potential["spend_0"])
        assert spend == (name != "era")
    assert plain.truth["ATE"] == pytest.approx(0.3, abs=1e-12)
    new = plain.potential["new"]
    assert (plain.potential["propensity"][new].mean()) == pytest.approx(
        plain.potential["propensity"][~new].mean(), abs=0.03
    )


def test_visits_are_a_weak_sign_of_the_intent(world):
    s = world.potential["intent"].map(dict(zip(GENRES, PULL, strict=True)))
    assert 0.2 < np.corrcoef(s, world.data["visits"])[0, 1] < 0.5


@pytest.mark.parametrize("titles", [1, 2, 10])
def test_titles_says_how_many_each_user_watched(titles):
    w = film_shop(200, titles=titles, seed=2)
    assert {len(h) for h in w.data["history"]} == {titles}
    assert {len(t) for t in w.data["watched_at"]} == {titles}


@pytest.mark.parametrize(
    ("n", "switches", "message"),
    [
        (1, {"seed": 1}, "n is 1: a shop needs at least two users"),
        (2.5, {"seed": 1}, "n is 2.5"),
        (10, {"seed": 1, "titles": 0}, "titles is 0"),
        (10, {"seed": 1, "titles": 1.5}, "titles is 1.5"),
        (10, {"seed": 1, "confounding": -1.0}, "confounding is -1.0: a switch is 0 .off. or"),
        (10, {"seed": 1, "era": math.inf}, "era is inf"),
        (10, {"seed": 1, "heterogeneity": math.nan}, "heterogeneity is nan"),
        (10, {"seed": 1.5}, "seed is 1.5"),
    ],
)
def test_refuses(n, switches, message):
    with pytest.raises(ValueError, match=message):
        film_shop(n, **switches)


def test_an_empty_arm_has_no_truth_of_its_own():
    worlds = [film_shop(2, seed=seed) for seed in range(12)]
    empty = [w for w in worlds if w.data["shown"].sum() == 0]
    assert empty
    assert all(math.isnan(w.truth["ATT"]) and w.truth["ATE"] == 0.3 for w in empty)
    assert isinstance(worlds[0].data, pd.DataFrame)
