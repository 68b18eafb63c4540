"""Private training against arithmetic by hand, its account against the exact one, exposure."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.stats import norm

from causalbook.project import exposure, train_privately, training_epsilon

ORDINARY = {"clip": math.inf, "noise": 0.0}
rng = np.random.default_rng(1)
X, Y = rng.normal(size=(60, 3)), rng.integers(2, size=60).astype(float)
DATA = torch.tensor(np.column_stack([X, Y]))
START = {"w": torch.tensor([0.3, -0.2, 0.1], dtype=torch.float64), "b": torch.zeros(1).double()}


def loss(p, row):
    score = row[:3] @ p["w"] + p["b"][0]
    return torch.nn.functional.softplus(score) - row[3] * score


def by_hand(clip, lot, epochs, rate):
    theta, Z = np.array([0.3, -0.2, 0.1, 0.0]), np.column_stack([X, np.ones(60)])
    for _ in range(epochs):
        for k in range(0, 60, lot):
            z, y = Z[k : k + lot], Y[k : k + lot]
            g = (1 / (1 + np.exp(-z @ theta)) - y)[:, None] * z
            g /= np.maximum(1, np.linalg.norm(g, axis=1, keepdims=True) / clip)
            theta = theta - rate * g.sum(axis=0) / lot
    return theta


def flat(p):
    return np.concatenate([p["w"].numpy(), p["b"].numpy()])


@pytest.mark.parametrize(("clip", "lot"), [(math.inf, 60), (math.inf, 20), (0.4, 60), (0.4, 15)])
def test_steps_are_those_of_the_formula(clip, lot):
    how = {"clip": clip, "noise": 0.0, "lot": lot, "epochs": 3, "rate": 0.5}
    found = flat(train_privately(loss, START, DATA, **how, seed=1))
    np.testing.assert_allclose(found, by_hand(clip, lot, 3, 0.5), rtol=1e-10)
    np.testing.assert_array_equal(flat(START), [0.3, -0.2, 0.1, 0.0])


def test_without_clip_and_noise_it_is_what_torch_does_by_itself():
    w = {name: value.clone().requires_grad_() for name, value in START.items()}
    descent = torch.optim.SGD(w.values(), lr=0.5)
    for _ in range(4):
        descent.zero_grad()
        torch.stack([loss(w, row) for row in DATA]).mean().backward()
        descent.step()
    found = train_privately(loss, START, DATA, **ORDINARY, lot=60, epochs=4, rate=0.5, seed=1)
    np.testing.assert_allclose(
        flat(found), flat({name: value.detach() for name, value in w.items()}), rtol=1e-10
    )


@pytest.mark.parametrize("at_once", [1, 7, 59])
def test_accumulating_changes_the_memory_and_not_the_result(at_once):
    how = {"clip": 0.5, "noise": 2.0, "lot": 30, "epochs": 3, "rate": 0.5, "seed": 3}
    whole = flat(train_privately(loss, START, DATA, **how))
    parts = flat(train_privately(loss, START, DATA, **how, at_once=at_once))
    np.testing.assert_allclose(parts, whole, rtol=1e-12)


def test_noise_has_the_deviation_of_the_formula_and_enters_once_a_step():
    flat_loss = lambda p, row: 0.0 * row.sum() * p["w"].sum()  # noqa: E731
    start = {"w": torch.zeros(40_000).double()}
    how = {"clip": 0.3, "noise": 4.0, "lot": 10, "epochs": 5, "rate": 2.0, "seed": 8}
    told = train_privately(flat_loss, start, DATA[:20], **how, at_once=5)["w"].numpy()
    right = 2.0 / 10 * 4.0 * 0.3 * math.sqrt(5 * 2)  # two lots in each of five epochs
    assert abs(told.std() / right - 1) < 5 / math.sqrt(2 * len(told))
    again = train_privately(flat_loss, start, DATA[:20], **how, at_once=5)["w"].numpy()
    np.testing.assert_array_equal(told, again)
    other = train_privately(flat_loss, start, DATA[:20], **how | {"seed": 9})["w"].numpy()
    assert (told != other).any()


def test_a_user_moves_a_step_by_no_more_than_the_clip():
    how = {"clip": 0.2, "noise": 0.0, "lot": 60, "epochs": 1, "rate": 1.5, "seed": 1}
    with_user = flat(train_privately(loss, START, DATA, **how))
    blank = DATA.clone()
    blank[4, :3] = 0  # no features, and an answer that the model expects half of the time
    wild = DATA.clone()
    wild[4, :3] = torch.tensor([1e3, -1e3, 5e2])
    for other in (blank, wild):
        moved = flat(train_privately(loss, START, other, **how)) - with_user
        assert np.linalg.norm(moved) <= 2 * 1.5 / 60 * 0.2 + 1e-12


def test_epsilon_by_hand_and_never_below_the_exact_one():
    # rho = 1 and ln(1 / delta) = 4: an epsilon of 1 + 2 * 2.
    assert training_epsilon(3.0, 18, delta=math.exp(-4)) == pytest.approx(5.0, rel=1e-12)
    assert training_epsilon(0, 10, delta=1e-5) == math.inf
    for noise, epochs in ((5.0, 20), (20.0, 20), (1.0, 1), (50.0, 100)):
        mu = math.sqrt(epochs) / noise  # the exact trade-off of Gaussian noise (Balle, Wang 2018)

        def failure(epsilon, mu=mu):
            return norm.cdf(mu / 2 - epsilon / mu) - math.exp(epsilon) * norm.cdf(
                -mu / 2 - epsilon / mu
            )

        exact = brentq(lambda e, failure=failure: failure(e) - 1e-5, 1e-9, 200)
        assert exact <= training_epsilon(noise, epochs, delta=1e-5) <= 1.6 * exact + 0.1


def test_exposure_is_bits_of_rank():
    losses = np.arange(1_024.0)
    assert exposure(losses, 0) == 10
    assert exposure(losses, 1_023) == 0
    assert exposure(losses, 255) == 2
    assert exposure(np.zeros(7), 3) == pytest.approx(math.log2(7) - 2)  # ties: the middle rank
    blind = np.mean([exposure(losses, k) for k in range(1_024)])
    assert blind == pytest.approx(10 - math.log2(math.factorial(1_024)) / 1_024)
    assert abs(blind - 1 / math.log(2)) < 0.01  # 1.44, the mean where the secret is unknown


def test_refuses_what_is_no_training():
    how = {"lot": 10, "epochs": 1, "rate": 1.0, "seed": 1}
    for clip, noise in ((0, 1), (-1, 0), (1, -0.1), (math.nan, 0)):
        with pytest.raises(ValueError, match="clip is"):
            train_privately(loss, START, DATA, clip=clip, noise=noise, **how)
    with pytest.raises(ValueError, match="clip is infinite"):
        train_privately(loss, START, DATA, clip=math.inf, noise=1.0, **how)
    wild = DATA.clone()
    wild[4, 0] = math.nan
    with pytest.raises(ValueError, match="loss has a gradient that is no finite number"):
        train_privately(loss, START, wild, clip=1.0, noise=1.0, **how)
    for delta in (0, 1):
        with pytest.raises(ValueError, match="delta is"):
            training_epsilon(1.0, 1, delta=delta)
    for noise, epochs in ((-1, 1), (1, 0)):
        with pytest.raises(ValueError, match="noise is"):
            training_epsilon(noise, epochs, delta=0.1)
    for secret in (3, -1):
        with pytest.raises(ValueError, match=f"secret is {secret}"):
            exposure([1.0, 2.0, 3.0], secret)
