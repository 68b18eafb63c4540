"""Latent classes against plain loops, exact populations and what no data can tell apart."""

import math
import warnings
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalbook.causal_graphs import LatentIntent

F = Fraction

# Two classes, three questions with two answers each: P(class), P(yes | class).
WEIGHTS = (F(1, 3), F(2, 3))
YES = ((F(3, 4), F(5, 6), F(2, 3)), (F(1, 4), F(1, 6), F(1, 2)))


def cells(weights, yes):
    """P(answers) by the law of total probability, exactly."""
    table = {}
    for answers in product((1, 0), repeat=len(yes[0])):
        table[answers] = sum(
            w * math.prod(p if a else 1 - p for p, a in zip(q, answers, strict=True))
            for w, q in zip(weights, yes, strict=True)
        )
    return table


def population(table):
    """The table as users: one column for each answer to each question."""
    common = math.lcm(*(p.denominator for p in table.values()))
    rows = [[x for a in answers for x in (a, 1 - a)] for answers in table]
    return np.repeat(rows, [int(p * common) for p in table.values()], axis=0)


def plain_step(counts, weights, profiles):
    """One step of EM and the log-likelihood before it, in loops."""
    share, seen, loglik = [0.0] * len(weights), [[0.0] * len(counts[0]) for _ in weights], 0.0
    for row in counts:
        joint = [
            w * math.prod(p**c for p, c in zip(profile, row, strict=True))
            for w, profile in zip(weights, profiles, strict=True)
        ]
        loglik += math.log(sum(joint))
        for k, j in enumerate(joint):
            share[k] += j / sum(joint)
            for i, c in enumerate(row):
                seen[k][i] += j / sum(joint) * c
    new = [[s / sum(row) for s in row] for row in seen]
    return loglik, [s / len(counts) for s in share], new


def test_an_exact_population_gives_its_classes_back():
    model = LatentIntent(2).fit(population(cells(WEIGHTS, YES)))
    np.testing.assert_allclose(model.weights_, [2 / 3, 1 / 3], atol=1e-5)
    yes = 3 * model.profiles_[:, ::2]
    np.testing.assert_allclose(yes, np.array(YES, dtype=float)[::-1], atol=1e-5)


def test_two_questions_have_many_answers_and_are_refused():
    """Two worlds, one table of four cells: exact, so no number of users will tell."""
    one = cells((F(1, 2), F(1, 2)), ((F(3, 4), F(3, 4)), (F(1, 4), F(1, 4))))
    other = cells((F(1, 5), F(4, 5)), ((F(1), F(1)), (F(3, 8), F(3, 8))))
    assert one == other
    with pytest.raises(ValueError, match="at most 2 views a user"):
        LatentIntent(2).fit(population(one))
    assert LatentIntent(1).fit(population(one)).profiles_[0] == pytest.approx([1 / 4] * 4)


def test_three_views_of_one_kind_identify_two_classes():
    """The same profile drawn from three times, over three items; all 27 sequences, exactly."""
    profiles = ((F(1, 2), F(1, 3), F(1, 6)), (F(1, 6), F(1, 6), F(2, 3)))
    rows, times = [], []
    for views in product(range(3), repeat=3):
        p = F(1, 4) * math.prod(profiles[0][v] for v in views)
        p += F(3, 4) * math.prod(profiles[1][v] for v in views)
        rows.append([views.count(i) for i in range(3)])
        times.append(int(p * 864))
    assert sum(times) == 864
    model = LatentIntent(2).fit(np.repeat(rows, times, axis=0))
    np.testing.assert_allclose(model.weights_, [3 / 4, 1 / 4], atol=1e-5)
    np.testing.assert_allclose(
        model.profiles_, np.array([profiles[1], profiles[0]], dtype=float), atol=1e-5
    )


COUNTS = np.random.default_rng(1977).poisson(
    np.repeat([[4.0, 1.0, 0.5], [0.5, 2.0, 3.0]], [14, 26], axis=0)
)


def test_a_plain_em_step_finds_nothing_left_to_do():
    model = LatentIntent(2).fit(COUNTS)
    loglik, weights, profiles = plain_step(COUNTS, model.weights_, model.profiles_)
    assert loglik == pytest.approx(model.loglik_[-1], rel=1e-12)
    assert weights == pytest.approx(model.weights_, abs=1e-6)
    assert np.array(profiles) == pytest.approx(model.profiles_, abs=1e-6)


def test_no_plain_em_from_other_starts_climbs_higher():
    best, rng = LatentIntent(2).fit(COUNTS).loglik_[-1], np.random.default_rng(3)
    for _ in range(5):
        weights, profiles = [0.5, 0.5], rng.dirichlet([1, 1, 1], size=2)
        for _ in range(150):
            loglik, weights, profiles = plain_step(COUNTS, weights, profiles)
        assert loglik <= best + 1e-6


def test_no_point_of_a_grid_is_more_likely():
    """Binomial mixture, three parameters: the whole cube in steps of a fortieth."""
    counts = np.repeat([[0, 3], [1, 2], [2, 1], [3, 0]], [30, 14, 11, 25], axis=0)
    best = LatentIntent(2).fit(counts).loglik_[-1]
    grid = (np.arange(40) + 0.5) / 40
    w, p, q = np.meshgrid(grid, grid, grid)
    loglik = sum(
        n * np.log(w * p**a * (1 - p) ** (3 - a) + (1 - w) * q**a * (1 - q) ** (3 - a))
        for n, a in zip([30, 14, 11, 25], range(4), strict=True)
    )
    assert best - 0.1 < loglik.max() <= best


@settings(max_examples=10)
@given(
    st.lists(st.lists(st.integers(0, 5), min_size=4, max_size=4), min_size=6, max_size=20),
    st.integers(0, 99),
)
def test_the_likelihood_never_falls_and_the_order_of_users_does_not_matter(rows, seed):
    counts = np.array([[3, 0, 0, 0], [0, 3, 0, 0], *rows])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # counts at random need not hold two classes
        model = LatentIntent(2).fit(counts, seed=seed)
        again = LatentIntent(2).fit(counts[::-1], seed=seed)
    steps = np.diff(model.loglik_)
    assert (steps >= -1e-9 * abs(model.loglik_[-1])).all()
    assert model.weights_.sum() == pytest.approx(1)
    assert model.weights_[0] >= model.weights_[1] - 1e-6
    np.testing.assert_allclose(again.profiles_, model.profiles_, atol=1e-9)


def test_seeds_items_and_copies_of_users_do_not_matter():
    model = LatentIntent(2).fit(COUNTS)
    for other, order in (
        (LatentIntent(2).fit(COUNTS, seed=9), [0, 1, 2]),
        (LatentIntent(2).fit(COUNTS[:, [2, 0, 1]], seed=4), [2, 0, 1]),
        (LatentIntent(2).fit(np.repeat(COUNTS, 3, axis=0)), [0, 1, 2]),
    ):
        np.testing.assert_allclose(other.weights_, model.weights_, atol=1e-5)
        np.testing.assert_allclose(other.profiles_, model.profiles_[:, order], atol=1e-5)


def test_a_sample_of_a_known_world():
    """World, n, seed and band fixed before looking: three classes, 4,000 users, within .02."""
    rng = np.random.default_rng(2009)
    truth = np.array([[0.6, 0.2, 0.1, 0.1], [0.1, 0.1, 0.6, 0.2], [0.1, 0.5, 0.1, 0.3]])
    of = rng.choice(3, size=4_000, p=[0.5, 0.3, 0.2])
    counts = np.array([rng.multinomial(12, truth[k]) for k in of])
    model = LatentIntent(3).fit(counts)
    assert np.abs(model.weights_ - [0.5, 0.3, 0.2]).max() < 0.02
    assert np.abs(model.profiles_ - truth).max() < 0.02
    assert (model.posterior(counts).argmax(axis=1) == of).mean() > 0.9


def test_the_posterior_is_bayes_rule_in_fractions():
    model = LatentIntent(2).fit(population(cells(WEIGHTS, YES)))
    joint = [
        w * math.prod(p if a else 1 - p for p, a in zip(q, (1, 1, 0), strict=True))
        for w, q in zip(WEIGHTS, YES, strict=True)
    ]
    right = joint[1] / sum(joint)  # the larger class stands first
    found = model.posterior([[1, 0, 1, 0, 0, 1], [0, 0, 0, 0, 0, 0]])
    assert found[0, 0] == pytest.approx(float(right), abs=1e-5)
    assert found[1] == pytest.approx(model.weights_)
    assert found.sum(axis=1) == pytest.approx([1, 1])


def test_many_views_do_not_underflow():
    counts = np.array([[9_000, 1_000], [8_900, 1_100], [1_000, 9_000], [1_200, 8_800]] * 5)
    model = LatentIntent(2).fit(counts)
    assert np.isfinite(model.loglik_).all()
    assert model.posterior(counts).max(axis=1) == pytest.approx(1)


def test_classes_that_rule_items_out():
    counts = np.array([[5, 0, 0], [4, 0, 0], [0, 3, 0], [0, 6, 0], [0, 4, 0]])
    model = LatentIntent(2).fit(counts)
    assert model.profiles_ == pytest.approx(np.array([[0, 1, 0], [1, 0, 0]]), abs=1e-9)
    assert model.posterior([[2, 0, 0]]) == pytest.approx(np.array([[0, 1]]), abs=1e-9)
    with pytest.raises(ValueError, match="no class ever produces in 1 of 2 rows"):
        model.posterior([[1, 0, 0], [0, 0, 1]])


def test_too_many_classes_are_warned_of():
    same = np.repeat([[3, 0], [2, 1], [1, 2], [0, 3]], [1, 3, 3, 1], axis=0)  # fair coins
    with pytest.warns(UserWarning, match="one class fewer fits"):
        LatentIntent(2).fit(same)
    three = population(cells(WEIGHTS, YES))
    with pytest.warns(UserWarning, match="fit these counts as well"):
        LatentIntent(3).fit(three)


def test_too_few_views_for_the_classes_are_warned_of():
    yes = [F(1, 4), F(1, 2), F(3, 4)]  # three classes of users, four views of two items
    shares = [math.comb(4, k) * sum(p**k * (1 - p) ** (4 - k) for p in yes) / 3 for k in range(5)]
    times = [int(p * 768) for p in shares]
    assert sum(times) == 768
    counts = np.repeat([[k, 4 - k] for k in range(5)], times, axis=0)
    few = pytest.warns(UserWarning, match="from 5 views a user; the most that a user has is 4")
    with pytest.warns(UserWarning, match="fit these counts as well"), few:
        LatentIntent(3).fit(counts)


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ([[1, -1, 3]], "negative or no whole number in 1 of 1 rows"),
        ([[1.5, 2, 1]], "no whole number"),
        ([[np.nan, 3, 1]], "NaN or infinite"),
        ([1, 2, 3], "1 dimensions, needs 2"),
        ([[0, 0], [0, 0]], "zero everywhere"),
        ([[1, 1], [2, 0]], "cannot be told apart"),
    ],
)
def test_counts_that_are_refused(counts, says):
    with pytest.raises(ValueError, match=says):
        LatentIntent(2).fit(counts)


def test_other_refusals():
    with pytest.raises(ValueError, match="n_classes is 0"):
        LatentIntent(0)
    with pytest.raises(ValueError, match="fit has not been called"):
        LatentIntent(2).posterior([[1, 2]])
    with pytest.raises(ValueError, match="2 columns, the classes know 3 items"):
        LatentIntent(2).fit(COUNTS).posterior([[1, 2]])


def test_em_that_has_not_come_to_rest_is_warned_of(monkeypatch):
    """Two classes that nearly coincide: EM still moves when its steps are used up."""
    near = ((F(11, 20), F(11, 20), F(11, 20)), (F(9, 20), F(9, 20), F(9, 20)))
    monkeypatch.setattr("causalbook.causal_graphs.mixtures.STEPS", 20)
    with pytest.warns(UserWarning, match="still moves by .* after 20 steps"):
        LatentIntent(2).fit(population(cells((F(1, 2), F(1, 2)), near)))
