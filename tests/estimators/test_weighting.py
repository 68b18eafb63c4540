"""Weighting by the propensity: exact truth, the full sandwich, peers, identities, refusals."""

import warnings
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from causalbook.estimators import Log, ips, ipw, snips
from causalbook.nuisance import logit
from causalbook.potential_outcomes import ab_test

ESTIMANDS = ("ATE", "ATT", "ATO")


def world(seed=2003, n=600):
    """Two covariates, effects that differ, a logit that is right."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    e = 1 / (1 + np.exp(0.3 - 0.6 * x[:, 0] + 0.3 * x[:, 1]))
    a = (rng.random(n) < e).astype(float)
    y = x[:, 0] + a * (1 + 0.5 * x[:, 1]) + rng.normal(size=n)
    return x, a, y, e


def tilt(e, estimand):
    return {"ATE": 1 + 0 * e, "ATT": e, "ATO": e * (1 - e)}[estimand]


def sandwich(x, a, y, estimand, normalize):
    """Value and error from all estimating equations at once: those of the logit, then the means.

    The derivatives are taken in complex arithmetic, Im f(b + ih) / h, which is exact to rounding.
    """
    z = np.column_stack([np.ones(len(a)), (x - x.mean(0)) / x.std(0)])
    p = z.shape[1]

    def equations(theta):
        e = 1 / (1 + np.exp(-z @ theta[:p]))
        w = tilt(e, estimand) / np.where(a == 1, e, 1 - e)
        score = z * (a - e)[:, None]
        if normalize:
            means = [a * w * (y - theta[p]), (1 - a) * w * (y - theta[p + 1])]
        else:
            means = [(2 * a - 1) * w * y - theta[p] * tilt(e, estimand)]
        return np.column_stack([score, *means])

    def jacobian(theta):
        step = 1e-30
        moved = (theta + 1j * step * np.eye(len(theta))[j] for j in range(len(theta)))
        return np.column_stack([equations(t).mean(axis=0).imag / step for t in moved])

    theta = np.zeros(p + (2 if normalize else 1))
    for _ in range(15):  # Newton's method on all equations together
        theta = theta - np.linalg.solve(jacobian(theta), equations(theta).mean(axis=0))
    bread, g = np.linalg.inv(jacobian(theta)), equations(theta)
    covariance = bread @ (g.T @ g) @ bread.T / len(a) ** 2
    pick = np.array([0.0] * p + ([1.0, -1.0] if normalize else [1.0]))
    return pick @ theta, (pick @ covariance @ pick) ** 0.5


def test_horvitz_thompson_is_unbiased_over_every_assignment_of_five_users():
    y1, y0, e = [3, 1, 4, 1, 5], [2, 2, 1, 0, 3], [Fraction(k, 8) for k in (1, 3, 4, 6, 7)]
    expected = Fraction(0)
    for a in product((0, 1), repeat=5):
        chance, score = Fraction(1), Fraction(0)
        for i, arm in enumerate(a):
            p = e[i] if arm else 1 - e[i]
            chance *= p
            score += (y1[i] if arm else -y0[i]) / p
        expected += chance * score / 5
        if 0 < sum(a) < 5:
            seen = [y1[i] if arm else y0[i] for i, arm in enumerate(a)]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # five rows are few
                value = ipw(seen, a, [float(p) for p in e], normalize=False).value
            assert abs(value - float(score / 5)) < 1e-12
    assert expected == Fraction(sum(y1) - sum(y0), 5)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("estimand", ESTIMANDS)
def test_the_error_with_an_estimated_propensity_is_the_full_sandwich(estimand, normalize):
    x, a, y, _ = world()
    ours = ipw(y, a, logit(x, a), estimand=estimand, normalize=normalize)
    value, se = sandwich(x, a, y, estimand, normalize)
    assert abs(ours.value / value - 1) < 1e-10
    assert abs(ours.se / se - 1) < 1e-10


@pytest.mark.parametrize("estimand", ESTIMANDS)
def test_with_known_weights_it_is_weighted_least_squares_with_robust_errors(estimand):
    _, a, y, e = world()
    w = tilt(e, estimand) / np.where(a == 1, e, 1 - e)
    peer = sm.WLS(y, sm.add_constant(a), weights=w).fit(cov_type="HC0")
    ours = ipw(y, a, e, estimand=estimand)
    assert abs(ours.value / peer.params[1] - 1) < 1e-10
    assert abs(ours.se / peer.bse[1] - 1) < 1e-10


def test_nhefs_with_weights_taken_as_known(nhefs):
    # Hernan and Robins (2020), section 12.2: 3.4 kg (95% interval 2.4 to 4.5), from weighted
    # least squares with robust errors (program 12.2).
    x, a, y = nhefs
    e = logit(x, a).values
    known = ipw(y, a, e)
    assert round(known.value, 2) == 3.44
    assert round(known.se, 3) == 0.525
    assert [round(end, 1) for end in known.conf_int()] == [2.4, 4.5]
    peer = sm.WLS(y, sm.add_constant(a), weights=np.where(a == 1, 1 / e, 1 / (1 - e)))
    assert abs(known.se / peer.fit(cov_type="HC0").bse[1] - 1) < 1e-10


def test_nhefs_with_the_propensity_known_to_be_estimated(nhefs):
    x, a, y = nhefs
    ours = ipw(y, a, logit(x, a))
    value, se = sandwich(x.to_numpy(), a, y, "ATE", normalize=True)
    assert abs(ours.value / value - 1) < 1e-10
    assert abs(ours.se / se - 1) < 1e-10
    assert round(ours.se, 3) == 0.487
    assert [round(end, 2) for end in ours.conf_int()] == [2.49, 4.40]


def test_nhefs_propensities_and_weights_are_the_published_ones(nhefs):
    # Section 12.2: the weights range from 1.05 to 16.7, their mean is 2.00.
    x, a, _ = nhefs
    e = logit(x, a).values
    w = np.where(a == 1, 1 / e, 1 / (1 - e))
    assert (round(w.min(), 2), round(w.max(), 1), round(w.mean(), 2)) == (1.05, 16.7, 2.00)
    z = sm.add_constant((x - x.mean()) / x.std())
    peer = sm.Logit(a, z).fit(disp=0, method="newton", tol=1e-12, maxiter=100)
    assert np.abs(e - peer.predict(z)).max() < 1e-10


def test_overlap_weights_of_a_fitted_logit_give_covariates_no_effect():
    x, a, _, _ = world()
    e = logit(x, a)
    for column in x.T:
        placebo = ipw(column, a, e, estimand="ATO")
        assert abs(placebo.value) < 1e-10
        assert placebo.se < 1e-10  # and no spread either: it is zero in every sample
        assert ipw(column, a, e.values, estimand="ATO").se > 0.01


def test_it_is_the_difference_of_two_logged_policies():
    _, a, y, e = world()
    log = Log(a.astype(int), y, np.where(a == 1, e, 1 - e))
    always, never = (np.tile(row, (len(a), 1)) for row in ([0.0, 1.0], [1.0, 0.0]))
    for normalize, value_of in ((True, snips), (False, ips)):
        ours, theirs = (
            ipw(y, a, e, normalize=normalize),
            value_of(log, always) - value_of(log, never),
        )
        assert abs(ours.value / theirs.value - 1) < 1e-10
        assert np.allclose(ours.influence, theirs.influence, rtol=1e-10, atol=1e-10)


def test_a_constant_propensity_gives_the_difference_in_means():
    _, a, y, _ = world()
    expected = y[a == 1].mean() - y[a == 0].mean()
    for estimand in ESTIMANDS:
        assert abs(ipw(y, a, np.full(len(a), 0.2), estimand=estimand).value - expected) < 1e-12


@given(st.integers(0, 10_000), st.floats(-5, 5), st.floats(0.01, 100))
def test_swaps_shifts_and_scales(seed, shift, scale):
    x, a, y, e = world(seed, n=1000)
    for normalize in (True, False):
        one, other = ipw(y, a, e, normalize=normalize), ipw(y, 1 - a, 1 - e, normalize=normalize)
        assert np.isclose(one.value, -other.value, rtol=1e-10, atol=1e-12)
        assert np.isclose(one.se, other.se, rtol=1e-10)
    for estimand in ESTIMANDS:
        fitted = logit(x, a)
        one = ipw(y, a, fitted, estimand=estimand)
        moved = ipw(shift + scale * y, a, fitted, estimand=estimand)
        assert np.isclose(moved.value, scale * one.value, rtol=1e-9, atol=1e-9)
        assert np.isclose(moved.se, scale * one.se, rtol=1e-9)


def test_swapping_the_arms_negates_the_ate_with_an_estimated_propensity_too():
    x, a, y, _ = world()
    one, other = ipw(y, a, logit(x, a)), ipw(y, 1 - a, logit(x, 1 - a))
    assert abs(one.value + other.value) < 1e-10
    assert abs(one.se / other.se - 1) < 1e-10


def test_horvitz_thompson_moves_with_a_shift_of_the_outcome_and_hajek_does_not():
    _, a, y, e = world()
    hajek = ipw(y + 100, a, e).value - ipw(y, a, e).value
    plain = ipw(y + 100, a, e, normalize=False).value - ipw(y, a, e, normalize=False).value
    assert abs(hajek) < 1e-10
    assert abs(plain - 100 * np.mean((a - e) / (e * (1 - e)))) < 1e-10  # 0 on average only
    assert plain != 0


@pytest.mark.parametrize("estimand", ESTIMANDS)
def test_doubled_rows_with_clusters_leave_the_error(estimand):
    x, a, y, e = world()
    g = np.arange(len(a))
    x2, a2, y2, e2, g2 = (np.concatenate([v, v]) for v in (x, a, y, e, g))
    for once, twice in ((e, e2), (logit(x, a), logit(x2, a2))):
        one = ipw(y, a, once, estimand=estimand)
        two = ipw(y2, a2, twice, estimand=estimand, cluster=g2)
        assert abs(one.value - two.value) < 1e-10
        assert abs(one.se / two.se - 1) < 1e-8


def test_estimating_a_known_propensity_makes_the_estimate_more_precise():
    # Hirano, Imbens and Ridder (2003). Both errors are honest about their own spread.
    both = []
    for seed in range(400):
        x, a, y, e = world(seed)
        both.append((ipw(y, a, e), ipw(y, a, logit(x, a))))
    known, fitted = (np.array([pair[k].value for pair in both]).std() for k in (0, 1))
    assert fitted < 0.9 * known
    for k, spread in ((0, known), (1, fitted)):
        assert abs(np.mean([pair[k].se for pair in both]) / spread - 1) < 0.1


def test_a_rare_treatment_in_a_lottery_needs_no_weights():
    rng = np.random.default_rng(2)
    a = rng.permutation(np.repeat([1.0, 0.0], [100, 900]))
    y = rng.normal(size=1000) + a
    ours, peer = ipw(y, a, np.full(1000, 0.1)), ab_test(y, a)
    assert abs(ours.value - peer.value) < 1e-12
    assert abs(ours.se / peer.se - 1) < 0.01  # Welch's factor sqrt(n / (n - 1)) in each arm


def test_clipping_is_asked_for_and_leaves_its_count():
    _, a, y, e = world()
    outside = int(((e < 0.2) | (e > 0.7)).sum())
    clipped = ipw(y, a, e, clip=(0.2, 0.7))
    assert 0 < outside < len(e)
    assert any(f"{outside} of 600 propensities clipped to [0.2, 0.7]" in n for n in clipped.notes)
    assert clipped.value == ipw(y, a, np.clip(e, 0.2, 0.7)).value
    assert not any("clipped" in note for note in ipw(y, a, e).notes)


def test_the_error_with_clipped_estimated_propensities_is_the_derivative_s():
    """A clipped propensity does not move with its model: compare with refits of moved data."""
    x, a, y, _ = world()
    ours = ipw(y, a, logit(x, a), clip=(0.2, 0.7))

    def value(w):
        """The estimate where row i counts w_i times."""
        z = np.column_stack([np.ones(len(a)), x])
        b = np.zeros(3)
        for _ in range(30):
            e = 1 / (1 + np.exp(-z @ b))
            b = b + np.linalg.solve((z * (w * e * (1 - e))[:, None]).T @ z, z.T @ (w * (a - e)))
        e = np.clip(1 / (1 + np.exp(-z @ b)), 0.2, 0.7)
        w1, w0 = w * a / e, w * (1 - a) / (1 - e)
        return w1 @ y / w1.sum() - w0 @ y / w0.sum()

    for i in (0, 17, 301, 599):  # the influence is the derivative by the weight of a row
        up, down = (value(np.ones(len(a)) + h * (np.arange(len(a)) == i)) for h in (1e-4, -1e-4))
        assert abs((up - down) / 2e-4 * len(a) - ours.influence[i]) < 1e-5


def test_notes_say_whether_the_propensity_was_known():
    x, a, y, e = world()
    assert "taken as known" in ipw(y, a, e).notes[0]
    assert "estimated" in ipw(y, a, logit(x, a)).notes[0]
    assert ipw(y, a, e).method == "IPW (Hájek)"
    assert ipw(y, a, e, normalize=False).method == "IPW (Horvitz-Thompson)"
    assert ipw(y, a, e, estimand="ATO").estimand == "ATO"


def test_users_who_can_never_be_treated_are_no_trouble_for_the_att():
    _, a, y, e = world()
    never = np.concatenate([np.zeros(50), a])
    with_them = ipw(np.r_[np.full(50, 9.0), y], never, np.r_[np.zeros(50), e], estimand="ATT")
    assert abs(with_them.value - ipw(y, a, e, estimand="ATT").value) < 1e-12


def test_warns_where_a_few_rows_decide():
    _, a, y, e = world()
    bold = e.copy()
    bold[np.flatnonzero(a)[0]] = 1e-4
    with pytest.warns(UserWarning, match="effective rows"):
        ipw(y, a, bold)


BAD = [0.5] * 600


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"e": [*BAD[:599], 0.0]}, "e is not a probability between 0 and 1"),
        ({"e": [*BAD[:599], 1.0]}, "in 1 of 600 rows"),
        ({"e": [*BAD[:599], 1.2]}, "e is not a probability"),
        ({"e": [*BAD[:599], np.nan]}, "e is NaN or infinite"),
        ({"e": BAD[:599]}, "unequal lengths"),
        ({"e": ["half"] * 600}, "e holds"),
        ({"y": [np.nan] * 600}, "y is NaN or infinite"),
        ({"a": [1] * 600}, "a is 1 in every row"),
        ({"a": [2] * 600}, "a is neither 0 nor 1"),
        ({"estimand": "LATE"}, "estimand is 'LATE'"),
        ({"clip": (0.9, 0.1)}, "clip is"),
        ({"clip": 0.1}, r"clip is 0.1: pass \(low, high\)"),
        ({"clip": (0.1,)}, r"clip is \(0.1,\): pass \(low, high\)"),
        ({"clip": ("low", "high")}, "clip holds"),
        ({"cluster": [1] * 600}, "cluster has one group"),
        ({"cluster": [1] * 5}, "unequal lengths"),
    ],
)
def test_refuses_with_a_message_that_names_the_argument(change, message):
    _, a, y, e = world()
    arguments = {"y": y, "a": a, "e": e} | change
    with pytest.raises(ValueError, match=message):
        ipw(**arguments)


def test_leaves_its_input_alone():
    _, a, y, e = world()
    kept = [v.copy() for v in (a, y, e)]
    ipw(y, a, e, clip=(0.3, 0.6))
    assert all((v == k).all() for v, k in zip((a, y, e), kept, strict=True))
