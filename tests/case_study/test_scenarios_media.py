"""Five worlds with a threat each: their truth, their switch, and what mends them."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from causalbook.case_study import run_scenario
from causalbook.case_study.scenarios_media import FIVE, posts, sessions, songs, stories

WORLDS = {
    posts: ("position_bias", "clip", "like", "effect per look"),
    stories: ("decay", "lead", "read", "ATE"),
    songs: ("feedback", "charted", "plays", "ATE"),
    sessions: ("prompts", "recommended", "minutes", "ATE"),
}
NAMES = [s.name for s in FIVE]


@pytest.mark.parametrize("world", WORLDS)
def test_truth_is_the_mean_of_the_potential_outcomes_and_the_data_are_one_of_them(world):
    _, a, y, estimand = WORLDS[world]
    w = world(500, seed=7)
    low, high = w.potential[f"{y}_0"], w.potential[f"{y}_1"]
    assert w.truth == pytest.approx({estimand: (high - low).mean()}, abs=1e-12)
    chosen = np.where(w.data[a] == 1, high, low)
    if world is posts:
        chosen = chosen * w.potential["looked"]
    whole = w.data.get("complete", 1) == 1
    assert np.allclose(np.where(whole, w.data[y] - chosen, 0), 0)
    assert (w.data[y] <= chosen + 1e-12).all()  # what was cut off is shorter


@pytest.mark.parametrize("world", WORLDS)
def test_the_same_seed_gives_the_same_units_whatever_the_switch(world):
    switch = WORLDS[world][0]
    on, off = world(500, seed=3), world(500, **{switch: 0.0}, seed=3)
    assert on.data.equals(world(500, seed=3).data)
    first = on.data.columns[0]
    if world is not songs:
        assert on.data[first].equals(off.data[first])
    assert on.truth == pytest.approx(off.truth, abs=0.08)


@pytest.mark.parametrize("world", WORLDS)
def test_refusals(world):
    switch = WORLDS[world][0]
    with pytest.raises(ValueError, match=f"{switch} is -1"):
        world(10, **{switch: -1.0}, seed=1)
    with pytest.raises(ValueError, match="n is 0"):
        world(0, seed=1)
    with pytest.raises(ValueError, match="seed is None"):
        world(10, seed=None)


def test_each_switch_turns_its_threat_off_exactly():
    d = posts(300, position_bias=0, seed=1)
    assert (d.data["examination"] == 1).all()
    assert (d.potential["looked"] == 1).all()
    d = songs(300, feedback=0, seed=1).data
    assert (d["propensity"] == 0.5).all()
    d = sessions(300, prompts=0, seed=1).data
    assert (d["complete"] == 1).all()
    assert (d["kept"] == 1).all()
    young = stories(200_000, decay=0, seed=1).data
    assert abs(np.corrcoef(young["age"], young["lead"])[0, 1]) < 4 / 200_000**0.5


@pytest.mark.parametrize("scenario", FIVE[1:], ids=NAMES[1:])
def test_with_the_switch_off_the_naive_estimate_is_right(scenario):
    world = dict(zip(NAMES[1:], WORLDS, strict=True))[scenario.name]
    switch, *_, estimand = WORLDS[world]
    w = world(40_000, **{switch: 0.0}, seed=5)
    naive, right = scenario.naive(w.data), scenario.estimate(w.data)
    assert abs(naive.value - w.truth[estimand]) < 4 * naive.se
    if scenario.name in ("media", "video"):  # all weights are 1: the two are the same
        assert naive.value == pytest.approx(right.value, abs=1e-12)


@pytest.mark.parametrize("scenario", FIVE, ids=NAMES)
def test_on_average_the_right_estimate_is_right_and_the_naive_one_is_not(scenario):
    """Fixed before looking: 60 worlds of 2,000 units, seeds from 0."""
    worlds = [scenario.simulate(2000, seed) for seed in range(60)]
    truth = np.array([w.truth[scenario.estimand] for w in worlds])
    error = np.array([scenario.estimate(w.data).value for w in worlds]) - truth
    naive = np.array([scenario.naive(w.data).value for w in worlds]) - truth
    assert abs(error.mean()) < 4 * error.std(ddof=1) / 60**0.5
    assert abs(naive.mean()) > 10 * naive.std(ddof=1) / 60**0.5


@pytest.mark.parametrize("scenario", FIVE, ids=NAMES)
def test_each_question_is_identified_from_its_covariates(scenario):
    found = run_scenario(scenario, n=500, seed=1).identification
    assert found.strategy == "back door"
    assert set(found.sets[0]) <= set(scenario.covariates)


def test_the_shop_declares_the_cart_as_a_mediator():
    assert FIVE[0].mediators == ("cart",)
    assert "cart" not in FIVE[0].covariates


def test_the_chance_of_not_being_stopped_is_the_one_that_stops():
    d = sessions(50_000, seed=2).data
    weight = d["complete"] / d["kept"]
    assert abs(weight.mean() - 1) < 4 * weight.std() / len(d) ** 0.5
    assert np.allclose(d["kept"], 2 ** (-d["minutes"] / 30))  # half are stopped in half an hour


def test_the_mean_minutes_of_the_population_are_those_of_the_docstring():
    """E min(60, m E) = m (1 - e^(-60/m)), averaged over the history."""

    def mean(h, a):
        m = np.exp(2.5 + 0.4 * h + 0.5 * a)
        return m * (1 - np.exp(-60 / m)) * norm.pdf(h)

    truth = quad(lambda h: mean(h, 1) - mean(h, 0), -8, 8)[0]
    w = sessions(200_000, seed=4)
    effect = w.potential["minutes_1"] - w.potential["minutes_0"]
    assert abs(w.truth["ATE"] - truth) < 4 * effect.std() / 200_000**0.5


def test_popularity_feeds_itself():
    """The spread of plays before the last chart grows with the feedback."""
    spread = [songs(20_000, feedback=f, seed=6).data["plays_before"].std() for f in (0.0, 0.5, 1.0)]
    assert spread == sorted(spread)
    assert spread[2] > 1.05 * spread[0]
