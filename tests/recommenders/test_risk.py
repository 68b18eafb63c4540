"""Risk over all pairs: every observation pattern of a small matrix, identities, each refusal."""

from fractions import Fraction
from itertools import product

import numpy as np
import pandas as pd
import pytest

from causalbook.estimators import Log, dr, ips, snips
from causalbook.recommenders import dr_risk, ips_risk, snips_risk

# Two users, three items. The last pair is always observed, so that no pattern is empty.
P = [
    [Fraction(1, 2), Fraction(1, 4), Fraction(1, 5)],
    [Fraction(3, 4), Fraction(1, 3), Fraction(1)],
]
LOSS = [[Fraction(1), Fraction(4), Fraction(9)], [Fraction(0), Fraction(1, 4), Fraction(1)]]
GUESS = [[Fraction(2), Fraction(2), Fraction(5)], [Fraction(1), Fraction(1), Fraction(0)]]
WRONG = [
    [Fraction(1, 3), Fraction(1, 3), Fraction(1, 3)],
    [Fraction(1, 2), Fraction(1, 2), Fraction(1, 2)],
]
CELLS = [(u, i) for u in range(2) for i in range(3)]
TRUTH = sum(LOSS[u][i] for u, i in CELLS) / 6
pytestmark = pytest.mark.filterwarnings("ignore:the estimate rests on the losses")  # of 6 pairs


def patterns():
    """Every set of observed pairs with its probability."""
    for bits in product((0, 1), repeat=6):
        seen = [cell for cell, bit in zip(CELLS, bits, strict=True) if bit]
        chance = Fraction(1)
        for (u, i), bit in zip(CELLS, bits, strict=True):
            chance *= P[u][i] if bit else 1 - P[u][i]
        if chance:
            yield seen, chance


def of(table, seen):
    return [float(table[u][i]) for u, i in seen]


def arrays(seen, p=P):
    user, item = np.transpose(seen)
    return {"loss": of(LOSS, seen), "propensity": of(p, seen), "user": user}, item


def weighted(seen, p, guess=None):
    """IPS, or DR with a guess, as fractions."""
    total = Fraction(0) if guess is None else sum(guess[u][i] for u, i in CELLS)
    for u, i in seen:
        total += (LOSS[u][i] - (0 if guess is None else guess[u][i])) / p[u][i]
    return total / 6


def test_ips_is_unbiased_over_all_patterns():
    expected = Fraction(0)
    for seen, chance in patterns():
        expected += chance * weighted(seen, P)
        data, _ = arrays(seen)
        found = ips_risk(**data, shape=(2, 3))
        assert found.value == pytest.approx(float(weighted(seen, P)), rel=1e-12)
    assert expected == TRUTH


def test_dr_is_unbiased_if_the_propensities_or_the_guesses_are_right():
    cases = {"propensities": (P, GUESS), "guesses": (WRONG, LOSS), "neither": (WRONG, GUESS)}
    expected = dict.fromkeys(cases, Fraction(0))
    for seen, chance in patterns():
        for name, (p, guess) in cases.items():
            expected[name] += chance * weighted(seen, p, guess)
            data, item = arrays(seen, p)
            found = dr_risk(**data, item=item, imputed=np.array(guess, dtype=float))
            assert found.value == pytest.approx(float(weighted(seen, p, guess)), rel=1e-12)
    assert expected["propensities"] == expected["guesses"] == TRUTH
    # The bias where neither is right: the product of the two mistakes, averaged.
    gap = [(P[u][i] / WRONG[u][i] - 1) * (LOSS[u][i] - GUESS[u][i]) for u, i in CELLS]
    assert expected["neither"] - TRUTH == sum(gap) / 6 != 0


def test_the_plain_mean_is_off_by_the_covariance_of_propensity_and_loss():
    # In a log of many such matrices the plain mean tends to sum(P loss) / sum(P).
    mean_p = sum(P[u][i] for u, i in CELLS) / 6
    limit = sum(P[u][i] * LOSS[u][i] for u, i in CELLS) / (6 * mean_p)
    covariance = sum((P[u][i] - mean_p) * (LOSS[u][i] - TRUTH) for u, i in CELLS) / 6
    assert limit - TRUTH == covariance / mean_p < 0


def test_the_error_is_that_of_independent_users():
    """E[se^2] = (1 - 1/U) Var + the spread of the users' own risks / U^2, exactly."""
    first = second = squared = Fraction(0)
    for seen, chance in patterns():
        value = weighted(seen, P)
        first, second = first + chance * value, second + chance * value**2
        data, _ = arrays(seen)
        squared += chance * Fraction(ips_risk(**data, shape=(2, 3)).se ** 2)
    own = [sum(LOSS[u]) / 3 for u in range(2)]
    spread = sum((r - TRUTH) ** 2 for r in own) / 4
    assert float(squared) == pytest.approx(float((second - first**2) / 2 + spread), rel=1e-12)


def test_the_bias_of_snips_falls_as_the_log_grows():
    """k pairs with P = 4/5 and loss 1, k pairs with P = 1/5 and loss 5: all counts enumerated."""
    from math import comb

    bias = []
    for k in (10, 20, 40):
        expected = none = Fraction(0)
        for a, b in product(range(k + 1), repeat=2):
            chance = comb(k, a) * Fraction(4, 5) ** a * Fraction(1, 5) ** (k - a)
            chance *= comb(k, b) * Fraction(1, 5) ** b * Fraction(4, 5) ** (k - b)
            if a + b:
                w = a * Fraction(5, 4) + b * 5
                expected += chance * (a * Fraction(5, 4) + b * 25) / w
            else:
                none += chance
        bias.append(abs(expected / (1 - none) - 3))
    assert Fraction(19, 10) < bias[0] / bias[1] < Fraction(26, 10)
    assert Fraction(19, 10) < bias[1] / bias[2] < Fraction(26, 10)


def a_log(seed=5, shape=(60, 25)):
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.05, 0.9, size=shape)
    loss = rng.exponential(size=shape) / p
    user, item = np.nonzero(rng.random(shape) < p)
    user, item = user[user != 3], item[user != 3]  # user 3 rated nothing and counts
    return loss[user, item], p[user, item], user, item, rng.exponential(size=shape)


def test_equals_the_table_of_all_pairs_with_zeros_where_nothing_was_seen():
    loss, p, user, item, guess = a_log()
    w, z = np.zeros((60, 25)), np.zeros((60, 25))
    w[user, item], z[user, item] = 1 / p, loss
    scores = {"IPS": (w * z).mean(axis=1), "DR": (guess + w * (z - guess)).mean(axis=1)}
    found = {
        "IPS": ips_risk(loss, p, user, shape=(60, 25)),
        "DR": dr_risk(loss, p, user, item, guess),
    }
    for name, s in scores.items():
        np.testing.assert_allclose(found[name].value, s.mean(), rtol=1e-12)
        np.testing.assert_allclose(found[name].influence, s - s.mean(), atol=1e-10)
        np.testing.assert_allclose(found[name].se, s.std() / 60**0.5, rtol=1e-12)
    snips = snips_risk(loss, p, user, shape=(60, 25))
    np.testing.assert_allclose(snips.value, (w * z).sum() / w.sum(), rtol=1e-12)
    psi = (w * (z - snips.value)).sum(axis=1) / w.sum()
    np.testing.assert_allclose(snips.se, (psi @ psi) ** 0.5, rtol=1e-12)
    assert snips.n == found["IPS"].n == found["DR"].n == 60


def test_equals_off_policy_evaluation_with_being_observed_as_the_action():
    loss, p, user, item, guess = a_log()
    a, y = np.zeros((60, 25)), np.zeros((60, 25))
    pscore = np.full((60, 25), 0.5)  # of pairs not observed: nothing depends on it
    a[user, item], y[user, item], pscore[user, item] = 1, loss, p
    log = Log(a.ravel(), y.ravel(), pscore.ravel(), cluster=np.repeat(np.arange(60), 25))
    pi = np.tile([0.0, 1.0], (log.n, 1))
    q = np.column_stack([np.zeros(log.n), guess.ravel()])
    for risk, value in (
        (ips_risk(loss, p, user, shape=(60, 25)), ips(log, pi)),
        (snips_risk(loss, p, user, shape=(60, 25)), snips(log, pi)),
        (dr_risk(loss, p, user, item, guess), dr(log, pi, q)),
    ):
        assert (risk.value, risk.se) == pytest.approx((value.value, value.se), rel=1e-10)


def test_equal_propensities_leave_the_plain_mean():
    loss, _, user, item, _ = a_log()
    p = len(loss) / (60 * 25)
    for found in (
        ips_risk(loss, np.full_like(loss, p), user, shape=(60, 25)),
        snips_risk(loss, np.full_like(loss, 0.3), user, shape=(60, 25)),
        dr_risk(loss, np.full_like(loss, p), user, item, np.zeros((60, 25))),
    ):
        assert found.value == pytest.approx(loss.mean(), rel=1e-12)


def test_a_shift_of_the_loss_moves_snips_and_leaves_its_error():
    loss, p, user, _, _ = a_log()
    plain, shifted = (snips_risk(x, p, user, shape=(60, 25)) for x in (loss, loss + 100))
    assert shifted.value - plain.value == pytest.approx(100, rel=1e-12)
    assert shifted.se == pytest.approx(plain.se, rel=1e-10)
    scaled = snips_risk(loss, 0.2 * p, user, shape=(60, 25))  # a part of the log
    assert (scaled.value, scaled.se) == pytest.approx((plain.value, plain.se), rel=1e-12)


def test_two_models_or_two_methods_are_compared_on_the_same_pairs():
    loss, p, user, item, _ = a_log()
    a, b = (ips_risk(x, p, user, shape=(60, 25)) for x in (loss, 2 * loss))
    assert (b - a).se == pytest.approx(a.se, rel=1e-10)
    assert (a - dr_risk(loss, p, user, item, np.zeros((60, 25)))).se < 1e-12
    assert (a - snips_risk(loss, p, user, shape=(60, 25))).se > 0
    with pytest.raises(ValueError, match="not the same rows"):
        _ = a - ips_risk(loss[1:], p[1:], user[1:], shape=(60, 25))


def test_a_log_of_all_pairs_gives_their_mean():
    loss, user, item = np.arange(6.0), np.repeat([0, 1], 3), np.tile(range(3), 2)
    for found in (
        ips_risk(loss, np.ones(6), user, shape=(2, 3)),
        snips_risk(loss, np.ones(6), user, shape=(2, 3)),
        dr_risk(loss, np.ones(6), user, item, np.full((2, 3), 7.0)),
    ):
        assert found.value == pytest.approx(2.5, rel=1e-12)


def test_the_note_says_what_the_weights_leave():
    p = [0.5] * 8 + [0.1] * 2
    (note,) = ips_risk(np.ones(10), p, [0, 1] * 5, shape=(2, 18)).notes
    # weights 2 and 10: (16 + 20)^2 / (32 + 200) = 5.6 effective ratings, 36 of 36 pairs
    assert "effective ratings 6 of 10; largest weight 10;" in note
    assert "stand for 1.000 of all pairs" in note


@pytest.mark.filterwarnings("error")
def test_warns_where_few_ratings_decide():
    user, p = np.arange(200) % 20, np.tile([0.5, 0.25], 100)
    loss = np.where(np.arange(200) < 49, p, 0.0)  # loss / p is 1 for 49 of them
    with pytest.warns(UserWarning, match=r"losses of 49\.0 effective ratings: below 50"):
        ips_risk(loss, p, user, shape=(20, 30))
    with pytest.warns(UserWarning, match=r"losses of 49\.0 effective"):
        ips_risk(-loss, p, user, shape=(20, 30))
    with pytest.warns(UserWarning, match=r"losses of 0\.0 effective"):
        snips_risk(np.zeros(200), p, user, shape=(20, 30))
    ips_risk(np.where(np.arange(200) < 50, p, 0.0), p, user, shape=(20, 30))


GOOD = {"loss": [1.0, 2.0, 0.5], "propensity": [0.5, 0.2, 1.0], "user": [0, 0, 2]}
REFUSED = {
    "loss is NaN or infinite in 1 of 3 rows": {"loss": [1.0, np.nan, 0.5]},
    "unequal lengths: loss has 2": {"loss": [1.0, 2.0]},
    r"propensity \('p'\) is outside \(0, 1\] in 2 of 3 rows \(first: 0, 2\)": {
        "propensity": pd.Series([0.0, 0.2, 1.5], name="p")
    },
    "user is negative in 1 of 3 rows": {"user": [0, -1, 2]},
    "user is 3 or more in 1 of 3 rows": {"user": [0, 3, 2]},
    "user holds float64 values": {"user": [0.0, 1.5, 2.0]},
}


@pytest.mark.parametrize("message", REFUSED)
def test_refuses_bad_input(message):
    bad = GOOD | REFUSED[message]
    for risk in (ips_risk, snips_risk):
        with pytest.raises(ValueError, match=message):
            risk(**bad, shape=(3, 4))
    with pytest.raises(ValueError, match=message):
        dr_risk(**bad, item=[0, 1, 1], imputed=np.ones((3, 4)))


def test_refuses_a_shape_or_a_table_without_room():
    with pytest.raises(ValueError, match=r"loss has 3 rows, shape \(3, 0\) has 0 pairs"):
        ips_risk(**GOOD, shape=(3, 0))
    with pytest.raises(ValueError, match="item is 1 or more in 2 of 3 rows"):
        dr_risk(**GOOD, item=[0, 1, 1], imputed=np.ones((3, 1)))
    with pytest.raises(ValueError, match="unequal lengths: loss has 3, item has 2"):
        dr_risk(**GOOD, item=[0, 1], imputed=np.ones((3, 4)))
    gap = np.ones((3, 4))
    gap[2, 0] = np.nan
    with pytest.raises(ValueError, match=r"imputed is NaN or infinite in 1 of 3 rows \(first: 2\)"):
        dr_risk(**GOOD, item=[0, 1, 1], imputed=gap)
    with pytest.raises(ValueError, match="imputed has 1 dimensions, needs 2"):
        dr_risk(**GOOD, item=[0, 1, 1], imputed=np.ones(4))
