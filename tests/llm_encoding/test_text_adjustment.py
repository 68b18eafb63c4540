"""Text from before, two readings of one confounder, and a network trained to what confounds."""

from fractions import Fraction
from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from linearmodels.iv import IV2SLS

from causalbook.estimators import aipw, difference_in_means
from causalbook.llm_encoding import film_shop, proximal, require_before, trained_nuisances

# --- two readings ------------------------------------------------------------------------------


def rows_of(shares):
    """A log in which each cell of an enumerated world stands as often as its probability says."""
    whole = np.lcm.reduce([p.denominator for p in shares.values()])
    cells, counts = zip(*((cell, int(p * whole)) for cell, p in shares.items()), strict=True)
    assert sum(counts) == whole
    return np.repeat(np.array(cells, dtype=float), counts, axis=0)


def two_readings(right_w=Fraction(4, 5), right_z=Fraction(7, 10), effect=Fraction(1, 4)):
    """U fair, treated 3/4 or 1/4, w and z right so often, Y binary: 1/8 + effect A + U/2."""
    shares = {}
    for u, a, w, z, y in product((0, 1), repeat=5):
        p = Fraction(1, 2) * (Fraction(3, 4) if a == u else Fraction(1, 4))
        p *= (right_w if w == u else 1 - right_w) * (right_z if z == u else 1 - right_z)
        p_y = Fraction(1, 8) + effect * a + Fraction(1, 2) * u
        shares[a, w, z, y, u] = p * (p_y if y else 1 - p_y)
    return rows_of(shares)


def test_two_readings_of_the_confounder_give_the_effect_exactly():
    a, w, z, y, u = two_readings().T
    assert proximal(y, a, w, z).value == pytest.approx(1 / 4, abs=1e-12)
    assert proximal(y, a, z, w).value == pytest.approx(1 / 4, abs=1e-12)
    assert proximal(y, a, u, u).value == pytest.approx(1 / 4, abs=1e-12)


def test_one_reading_leaves_the_share_of_the_bias_that_the_formula_says():
    a, w, _, y, u = two_readings().T
    naive = difference_in_means(y, a).value - 1 / 4
    adjusted = proximal(y, a, w, w).value - 1 / 4
    r2, rho2 = np.corrcoef(u, w)[0, 1] ** 2, np.corrcoef(u, a)[0, 1] ** 2
    assert naive == pytest.approx(1 / 4, abs=1e-12)
    assert adjusted / naive == pytest.approx((1 - r2) / (1 - rho2 * r2), abs=1e-12)


def simulated(n=500, k=2, m=3, seed=7):
    rng = np.random.default_rng(seed)
    u = rng.normal(size=(n, 2))
    a = (rng.random(n) < 1 / (1 + np.exp(-u.sum(axis=1)))).astype(float)
    w = u @ np.array([[1.0, 0.3], [0.2, 1.0]])[:, :k] + 0.7 * rng.normal(size=(n, k))
    z = u @ np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]])[:, :m] + 0.7 * rng.normal(size=(n, m))
    y = 0.7 * a + u @ [1.0, 0.5] + rng.normal(size=n)
    return y, a, w, z


def test_is_two_stage_least_squares_of_linearmodels():
    y, a, w, z = simulated()
    exogenous = pd.DataFrame({"one": np.ones(len(y)), "a": a})
    peer = IV2SLS(y, exogenous, pd.DataFrame(w), pd.DataFrame(z)).fit(cov_type="robust")
    ours = proximal(y, a, w, z)
    assert ours.value == pytest.approx(peer.params["a"], rel=1e-10)
    assert ours.se == pytest.approx(peer.std_errors["a"], rel=1e-10)
    g = np.arange(len(y)) // 5
    peer = IV2SLS(y, exogenous, pd.DataFrame(w), pd.DataFrame(z)).fit(
        cov_type="clustered", clusters=g, debiased=False
    )
    clustered = proximal(y, a, w, z, cluster=g)
    assert clustered.se == pytest.approx(peer.std_errors["a"], rel=1e-10)


def test_the_f_in_the_note_is_that_of_the_first_stage():
    y, a, w, z = simulated(k=1)
    full, less = np.column_stack([np.ones(len(a)), a, z]), np.column_stack([np.ones(len(a)), a])
    left = [w[:, 0] - X @ np.linalg.lstsq(X, w[:, 0])[0] for X in (full, less)]
    f = (left[1] @ left[1] / (left[0] @ left[0]) - 1) * (len(y) - 5) / 3
    assert f"F of {f:,.0f};" in proximal(y, a, w, z).notes[0]


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 2))
def test_units_and_order_of_the_readings_do_not_matter(seed, k):
    y, a, w, z = simulated(n=200, k=k, seed=seed % 50)
    rng = np.random.default_rng(seed)
    base = proximal(y, a, w, z)
    mixed = proximal(y, a, w @ (np.eye(k) + 0.3 * rng.normal(size=(k, k))) - 5, 3 * z[:, ::-1] + 1)
    assert mixed.value == pytest.approx(base.value, abs=1e-8)
    assert mixed.se == pytest.approx(base.se, rel=1e-7)
    swapped = proximal(2 * y + 3, 1 - a, w, z)
    assert swapped.value == pytest.approx(-2 * base.value, abs=1e-9)
    assert swapped.se == pytest.approx(2 * base.se, rel=1e-9)


def test_with_one_reading_twice_it_is_least_squares():
    y, a, w, _ = simulated()
    X = np.column_stack([a, np.ones(len(a)), w])
    assert proximal(y, a, w, w).value == pytest.approx(np.linalg.lstsq(X, y)[0][0], abs=1e-10)


def test_warns_where_one_reading_hardly_tells_the_other():
    y, a, w, _ = simulated(k=1)
    noise = np.random.default_rng(1).normal(size=len(y))
    with pytest.warns(UserWarning, match=r"F of \d\.\d: below 10 the estimate is drawn"):
        proximal(y, a, w, noise)
    # Two columns of w, of which z tells one.
    with pytest.warns(UserWarning, match="z tells some combination of w"):
        proximal(y, a, np.column_stack([w, noise]), np.column_stack([w, w**2]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"z": np.arange(500.0)}, r"z has 1 columns for the 2 of w"),
        ({"w": np.ones((500, 2))}, r"w does not vary within the arms in 2 of 2 columns"),
        ({"w": "a"}, r"w does not vary within the arms in 1 of 1 columns"),
        # A constant whose mean is not exactly itself: rounding is no variation.
        ({"w": np.full(500, 1e8 / 3)}, r"w does not vary within the arms in 1 of 1 columns"),
        ({"z": "twice"}, "z has columns that depend on each other"),
        ({"y": np.full(500, np.nan)}, "y is NaN or infinite in 500 of 500 rows"),
        ({"a": np.zeros(500)}, "a is 0 in every row"),
        ({"w": np.ones((4, 2))}, "unequal lengths"),
        ({"cluster": np.ones(4)}, "unequal lengths"),
    ],
)
def test_proximal_refuses(change, message):
    y, a, w, z = simulated()
    given_ = {"y": y, "a": a, "w": w, "z": z} | change
    if isinstance(given_["w"], str):
        given_["w"] = a
    if isinstance(given_["z"], str):
        given_["z"] = np.column_stack([z, z[:, 0]])
    with pytest.raises(ValueError, match=message):
        proximal(given_["y"], given_["a"], given_["w"], given_["z"], cluster=given_.get("cluster"))


def test_proximal_refuses_a_reading_that_tells_nothing():
    a, w = np.repeat([0, 1], 4), np.tile([1.0, -1.0], 4)
    z = np.tile([1.0, 1.0, -1.0, -1.0], 2)  # at right angles to w in both arms
    with pytest.raises(ValueError, match="z tells nothing of some combination of w"):
        proximal(np.arange(8.0), a, w, z)


def test_z_may_depend_on_the_treatment_but_w_may_not():
    a, w, z, y, _ = two_readings().T
    # A treated row has two copies: z is as it was in one, and 1 in the other.
    both = {
        v: np.concatenate([x[a == 0], x[a == 0], x[a == 1], x[a == 1]])
        for v, x in {"a": a, "w": w, "z": z, "y": y}.items()
    }
    moved = both["z"].copy()
    moved[-int(a.sum()) :] = 1.0
    assert proximal(both["y"], both["a"], both["w"], moved).value == pytest.approx(1 / 4, abs=1e-12)
    assert abs(proximal(both["y"], both["a"], moved, both["w"]).value - 1 / 4) > 0.05


def test_a_named_column_lends_its_name():
    y, a, w, _ = simulated()
    with pytest.raises(ValueError, match=r"z \('second half'\) does not vary"):
        proximal(y, a, w[:, 0], pd.Series(a, name="second half"))


# --- text from before --------------------------------------------------------------------------


def test_text_from_before_passes_and_text_from_afterwards_is_refused():
    log = film_shop(50, seed=1).data
    require_before(log["watched_at"], log["shown_at"])
    require_before(log["watched_at"], log["shown_at"].iloc[0])
    with pytest.raises(
        ValueError,
        match=r"text_time \('review_at'\) is not before the treatment in 50 of 50 rows \(first: 0, "
        r"1, 2, 3, 4, \.\.\.\): such a text may be an effect",
    ):
        require_before(log["review_at"], log["shown_at"])


def test_one_late_text_of_several_is_enough_and_the_same_moment_is_late():
    at = [5.0, 5.0, 5.0]
    require_before([[1, 2], [4.9], [0]], at)
    with pytest.raises(ValueError, match=r"in 2 of 3 rows \(first: 0, 2\)"):
        require_before([[1, 7, 8], [4], [5]], at)


@pytest.mark.parametrize(
    ("text_time", "at", "message"),
    [
        ([[1.0], []], [2.0, 2.0], r"text_time is empty in 1 of 2 rows \(first: 1\)"),
        ([1.0, np.nan], [2.0, 2.0], "text_time is missing in 1 of 2 rows"),
        ([1.0, 1.0], [2.0, None], "treatment_time is missing in 1 of 2 rows"),
        (pd.Series([pd.NaT, pd.Timestamp("2026")]), pd.Timestamp("2027"), "text_time is missing"),
        ([1.0, 1.0], [2.0, 2.0, 2.0], "unequal lengths"),
        ([1.0, 1.0], pd.Timestamp("2026"), "cannot be compared"),
        (pd.to_datetime(["2026"], utc=True), pd.Timestamp("2027"), "cannot be compared"),
        # As words the ninth of March comes before the tenth of February.
        (["09/03/2026"], ["10/02/2026"], "text_time holds strings: .* pandas.to_datetime"),
        ([1.0], ["2"], "treatment_time holds strings"),
        (3.0, [4.0], "text_time is one value: pass, for each row,"),
        ("2026", [4.0], "text_time is one value"),
        ([], [], "text_time is empty"),
        ([4.0, 4.0], [[1.0, 2.0], [3.0]], "several times in a row: pass one for each row"),
        ([4.0, 4.0], [[1.0, 2.0], [3.0, 5.0]], "several times in a row: pass one for each row"),
    ],
)
def test_require_before_refuses(text_time, at, message):
    with pytest.raises(ValueError, match=message):
        require_before(text_time, at)


# --- features trained to what confounds --------------------------------------------------------


@pytest.fixture(scope="module")
def vectors():
    """Two groups told by one of 20 columns; the group decides who is treated and adds to Y."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(2020)
    n, g = 2_000, rng.integers(2, size=2_000)
    x = rng.normal(size=(n, 20)) * 0.3
    x[:, 0] += 4 * g
    e = np.where(g == 1, 0.8, 0.3)
    a = (rng.random(n) < e).astype(float)
    y = 0.5 * a + 2 * g + rng.normal(size=n)
    return x, a, y, e, g


def test_the_nuisances_are_those_of_the_world(vectors):
    x, a, y, e, g = vectors
    found = trained_nuisances(x, a, y, seed=1)
    assert np.abs(found.e - e).mean() < 0.06
    assert np.abs(found.mu0 - 2 * g).mean() < 0.2
    assert np.abs(found.mu1 - 2 * g - 0.5).mean() < 0.2
    estimate = aipw(y, a, *found[:3])
    assert abs(estimate.value - 0.5) < 4 * estimate.se < 0.25
    assert difference_in_means(y, a).value > 1.2


def test_features_that_are_kept_alike_in_the_arms_have_lost_the_confounder(vectors):
    x, a, y, _, _ = vectors
    free, balanced = (trained_nuisances(x, a, y, balance=b, seed=1) for b in (0.0, 1000.0))
    assert balanced.gap < free.gap / 10
    assert balanced.e.std() < 0.1 < free.e.std()
    assert aipw(y, a, *balanced[:3]).value > 1.0  # back towards the comparison, 1.2 and more


def test_a_row_is_predicted_by_a_network_that_has_not_seen_it(vectors):
    x, a, y, _, _ = (v[:300] for v in vectors)
    folds, other = np.arange(300) % 3, y.copy()
    other[folds == 1] += 100.0
    was, now = (trained_nuisances(x, a, t, folds=folds, seed=1) for t in (y, other))
    for before, after in zip(was[:3], now[:3], strict=True):
        assert (before[folds == 1] == after[folds == 1]).all()
    assert not (was.mu0[folds == 0] == now.mu0[folds == 0]).any()


def test_the_seed_decides_and_units_of_the_outcome_do_not(vectors):
    x, a, y, _, _ = (v[:300] for v in vectors)
    one, again, two = (trained_nuisances(x, a, y, seed=s) for s in (4, 4, 5))
    assert (one.e == again.e).all()
    assert one.gap == again.gap
    assert not (one.e == two.e).any()
    scaled = trained_nuisances(10 * x + 3, a, 7 * y - 2, seed=4)
    assert scaled.mu1 == pytest.approx(7 * one.mu1 - 2, abs=1e-6)
    assert scaled.e == pytest.approx(one.e, abs=1e-8)


def test_torch_s_own_dice_are_left_alone(vectors):
    x, a, y, _, _ = (v[:300] for v in vectors)
    state = torch.get_rng_state()
    trained_nuisances(x, a, y, seed=4)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"balance": -1.0}, "balance is -1.0: a penalty is a number from 0"),
        ({"balance": np.nan}, "balance is nan"),
        ({"a": np.ones(40)}, "a is 1 in every row"),
        ({"y": np.full(40, np.inf)}, "y is NaN or infinite"),
        ({"vectors": np.zeros((3, 2))}, "unequal lengths"),
        ({"folds": 1}, "folds is 1"),
        ({"y": np.ones(40)}, "y does not vary in all but fold 0: nothing to learn"),
        ({"y": np.eye(40)[1]}, r"y does not vary in all but fold \d: nothing to learn"),
        ({"vectors": np.ones((40, 3))}, "vectors does not vary in all but fold 0"),
        ({"folds": np.arange(40) % 2}, "a in fold 0 is 0 in every row"),
    ],
)
def test_trained_nuisances_refuses(change, message):
    a = np.arange(40) % 2.0
    given_ = {"vectors": np.eye(40), "a": a, "y": np.arange(40.0), "seed": 1} | change
    with pytest.raises(ValueError, match=message):
        trained_nuisances(**given_)
