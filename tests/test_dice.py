"""What a simulator draws is independent of what a reader draws with the same seed."""

import numpy as np
import pytest

from causalbook.arrays import dice
from causalbook.case_study import ad_campaign, banners, funnel_shop
from causalbook.llm_encoding import film_shop
from causalbook.potential_outcomes import shop

N = 20_000


@pytest.mark.parametrize(
    "treated",
    [
        lambda seed: shop(N, confounding=0, seed=seed).data["offered"],
        lambda seed: film_shop(N, confounding=0, seed=seed).data["shown"],
        lambda seed: funnel_shop(N, confounding=0, seed=seed).data["recommended"],
        lambda seed: banners(N, seed=seed).data["bandit"][::3],
        lambda seed: ad_campaign(N, seed=seed).data["assigned"],
    ],
    ids=["shop", "film_shop", "funnel_shop", "banners", "ad_campaign"],
)
def test_a_coin_with_the_same_seed_does_not_know_who_was_treated(treated):
    # In each of these worlds a fair coin decides. Ten draws of a reader, one after the other.
    rng, a = np.random.default_rng(11), treated(11).to_numpy()
    for _ in range(10):
        agree = ((rng.random(N) < 0.5) == a).mean()
        assert abs(agree - 0.5) < 4.5 * 0.5 / np.sqrt(N)


def test_two_worlds_with_one_seed_are_independent_and_each_repeats():
    a, b = dice(N, 7, "one").normal(size=N), dice(N, 7, "other").normal(size=N)
    assert abs(np.corrcoef(a, b)[0, 1]) < 4.5 / np.sqrt(N)
    np.testing.assert_array_equal(a, dice(N, 7, "one").normal(size=N))
