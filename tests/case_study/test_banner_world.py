"""The simulated page: its truth by enumeration, its switches, and what it hands out."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from causalbook import mean_of
from causalbook.case_study import banners

ITEMS = 12
APPEAL = [Fraction(2, 100) + Fraction(6, 100) * Fraction(k, 11) for k in range(ITEMS)]
SLOT, KEEN = (
    [Fraction(12, 10), Fraction(1), Fraction(8, 10)],
    [(Fraction(3, 4), Fraction(6, 10)), (Fraction(1, 4), Fraction(22, 10))],
)
UNIFORM = [Fraction(1, ITEMS)] * ITEMS
LEARNED = [a**3 / sum(b**3 for b in APPEAL) for a in APPEAL]


def enumerate_page(pi, interference, clickbait, new):
    """Clicks and purchases per impression, over all pages and visitors, in exact fractions."""
    clicks = bought = Fraction(0)
    for page in itertools.product(range(ITEMS), repeat=3):
        chance = pi[0][page[0]] * pi[1][page[1]] * pi[2][page[2]]
        for j, k in enumerate(page):
            others = sum(APPEAL[page[i]] for i in range(3) if i != j) / 2
            click = APPEAL[k] * SLOT[j] * (1 - interference * others / APPEAL[-1])
            click *= sum(share * keen for share, keen in KEEN)
            click *= sum(1 + new * Fraction(1, 2**day) for day in range(7)) / 7
            clicks += chance * click / 3
            bought += chance * click * Fraction(1, 5) * (1 - clickbait * APPEAL[k] / APPEAL[-1]) / 3
    return clicks, bought


@pytest.mark.parametrize(
    "switches", [(0, 0, 0), (1, 0, 0), (Fraction(1, 2), Fraction(3, 4), Fraction(1, 4))]
)
def test_truth_is_that_of_every_page(switches):
    c, d, e = switches
    world = banners(1, interference=float(c), novelty=float(d), clickbait=float(e), seed=1)
    uniform, uniform_bought = enumerate_page([UNIFORM] * 3, c, e, Fraction(0))
    bandit, bought = enumerate_page([LEARNED] * 3, c, e, d)
    later, _ = enumerate_page([LEARNED] * 3, c, e, Fraction(0))
    exact = {"uniform": uniform, "bandit": bandit, "lift": bandit - uniform}
    exact |= {"later lift": later - uniform, "purchase lift": bought - uniform_bought}
    for name, value in exact.items():
        assert world.truth[name] == pytest.approx(float(value), rel=1e-10, abs=1e-14), name
    # One slot follows the bandit, its neighbours do not: clicks of that slot.
    one = Fraction(0)
    for j, k, i in itertools.product(range(3), range(ITEMS), range(ITEMS)):
        click = APPEAL[k] * SLOT[j] * (1 - c * APPEAL[i] / APPEAL[-1])  # linear in the neighbours
        one += LEARNED[k] * Fraction(1, ITEMS) * click / 3
    assert world.truth["bandit in one slot"] == pytest.approx(float(one), rel=1e-10)


@pytest.mark.parametrize("name", ["interference", "novelty", "clickbait"])
def test_each_switch_turns_one_thing(name):
    plain, turned = banners(500, seed=4), banners(500, seed=4, **{name: 0.8})
    drawn = ["page", "day", "keen", "bandit", "slot", "item", "pscore"]
    assert plain.data[drawn].equals(turned.data[drawn])
    if name == "clickbait":
        assert plain.data["click"].equals(turned.data["click"])
        assert (turned.data["purchase"] <= plain.data["purchase"]).all()
    else:
        less = turned.potential["chance"] <= plain.potential["chance"]
        more = turned.potential["chance"] >= plain.potential["chance"]
        assert less.all() if name == "interference" else more.all()
    off = plain.truth
    assert off["lift"] == off["later lift"]
    assert off["bandit"] == off["bandit in one slot"]
    assert off["purchase lift"] == pytest.approx(0.2 * off["lift"], rel=1e-12)


def test_the_log_is_drawn_with_the_probabilities_it_gives():
    world = banners(20_000, interference=0.5, novelty=0.5, clickbait=0.5, seed=11)
    data, hidden = world.data, world.potential
    row = np.arange(len(data))
    tables = hidden[[f"click_{k}" for k in range(ITEMS)]].to_numpy()
    assert (tables[row, data["item"]] == data["click"]).all()
    assert (data["purchase"] <= data["click"]).all()
    for arm, pi in ((0, UNIFORM), (1, LEARNED)):
        rows = data[data["bandit"] == arm]
        expected = len(rows) * np.array([float(p) for p in pi])
        counts = np.bincount(rows["item"], minlength=ITEMS)
        assert stats.chisquare(counts, expected).pvalue > 1e-3
        logged = rows.groupby("item")["pscore"].agg(["min", "max"])
        assert np.allclose(logged, np.array([float(p) for p in pi])[logged.index][:, None])
    z = (data["click"] - hidden["chance"]).sum() / np.sqrt(
        (hidden["chance"] * (1 - hidden["chance"])).sum()
    )
    assert abs(z) < 4
    assert (data.groupby("page")[["day", "keen", "bandit"]].nunique() == 1).all().all()


@pytest.mark.parametrize("switch", ["interference", "novelty", "clickbait"])
def test_arms_earn_their_truth(switch):
    world = banners(40_000, seed=7, **{switch: 1.0})
    for arm, name in ((0, "uniform"), (1, "bandit")):
        rows = world.data[world.data["bandit"] == arm]
        earned = mean_of(rows["click"], estimand="clicks", method="mean", cluster=rows["page"])
        assert abs(earned.value - world.truth[name]) < 4 * earned.se


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
def test_refuses_switches_out_of_range(bad):
    with pytest.raises(ValueError, match=r"novelty.*a switch lies between 0 .off. and 1"):
        banners(10, novelty=bad, seed=1)


def test_refuses_no_pages_and_no_seed():
    with pytest.raises(ValueError, match="n is 0"):
        banners(0, seed=1)
    with pytest.raises(ValueError, match="seed is 'a'"):
        banners(10, seed="a")
