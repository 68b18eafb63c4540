"""The shop: its truth against its own potential outcomes, its switches, its promises on size."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from causalbook import datasets
from causalbook.case_study import build_table, clean_events, funnel_shop, write_shop
from causalbook.case_study.queries import GENRES, NOUNS
from causalbook.estimators import difference_in_means, ipw

SHELVES = range(len(GENRES) + 1)
WORLD = funnel_shop(40_000, seed=5)
DATA, HIDDEN = WORLD.data, WORLD.potential


def table(name, world=WORLD):
    return world.potential[[f"{name}_{k}" for k in SHELVES]].to_numpy()


def at(name, shelf, world=WORLD):
    return table(name, world)[np.arange(len(world.data)), shelf]


def test_the_log_shows_the_potential_outcome_of_the_shelf_that_was_shown():
    shelf = DATA["shelf"].to_numpy()
    for column, name in [("viewed", "view"), ("cart", "cart"), ("purchase", "purchase")]:
        np.testing.assert_array_equal(DATA[column], at(name, shelf))
    np.testing.assert_array_equal(DATA["order_value"], at("value", shelf))
    np.testing.assert_array_equal(DATA["recommended"], shelf > 0)
    np.testing.assert_array_equal(shelf, DATA["recommended"] * HIDDEN["candidate"])


def test_the_columns_are_those_that_the_documentation_names():
    before = [
        "user",
        "visited_at",
        "age",
        "gender",
        "region",
        "views",
        "browsed",
        "carted",
        "query",
    ]
    slot = ["recommended", "shelf", "item", "propensity", "pscore"]
    assert [*DATA] == before + slot + ["viewed", "cart", "purchase", "order_value", "purchased"]
    assert not DATA.drop(columns=["propensity", "pscore"]).isna().any().any()
    assert DATA["visited_at"].between("2026-03-02", "2026-03-30").all()
    assert DATA["age"].between(16, 80).all()


def test_the_truth_is_the_mean_over_the_potential_outcomes():
    candidate, truth = HIDDEN["candidate"].to_numpy(), WORLD.truth
    wait_1, wait_0 = at("wait", candidate), HIDDEN["wait_0"].to_numpy()
    for days in (1, 2, 7, 28):
        effect = np.mean((wait_1 <= days) * 1.0 - (wait_0 <= days))
        assert truth[f"conversion {days} days"] == pytest.approx(effect, abs=1e-12)
    assert truth["conversion"] == truth["conversion 7 days"]
    worth = at("value", candidate) - HIDDEN["value_0"]
    assert truth["revenue"] == pytest.approx(worth.mean(), abs=1e-12)
    treated = DATA["recommended"] == 1
    assert truth["revenue treated"] == pytest.approx(worth[treated].mean(), abs=1e-12)
    bought = at("purchase", candidate) - HIDDEN["purchase_0"]
    for z in range(3):
        group = bought[HIDDEN["urgency"] == z].mean()
        assert truth[f"conversion urgency {z}"] == pytest.approx(group, abs=1e-12)


def test_the_effect_splits_into_its_two_ways_in_both_orders():
    truth = WORLD.truth
    assert truth["NDE"] + truth["TNIE"] == pytest.approx(truth["conversion"], abs=1e-12)
    assert truth["NIE"] + truth["TNDE"] == pytest.approx(truth["conversion"], abs=1e-12)


def test_a_cart_needs_a_view_and_value_needs_a_purchase():
    assert (table("cart") <= table("view")).all()
    np.testing.assert_array_equal(table("value") > 0, table("purchase") == 1)
    np.testing.assert_array_equal(table("purchase"), table("wait") <= 7)


def test_the_logged_probabilities_are_those_of_the_policy_for_a_tenth_of_the_users():
    logged = DATA["propensity"].notna()
    assert abs(logged.mean() - 0.1) < 4 * np.sqrt(0.09 / len(DATA))
    np.testing.assert_array_equal(logged, DATA["pscore"].notna())
    np.testing.assert_array_equal(DATA.loc[logged, "propensity"], HIDDEN.loc[logged, "propensity"])
    np.testing.assert_array_equal(
        DATA.loc[logged, "pscore"], at("pscore", DATA["shelf"].to_numpy())[logged]
    )
    pscore = table("pscore")
    np.testing.assert_allclose(pscore.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(pscore[:, 1:].sum(axis=1), HIDDEN["propensity"], atol=1e-12)
    # As often as they say: the mean of (shown - probability) is zero within its own error.
    for k in SHELVES:
        gap = (DATA["shelf"] == k) - pscore[:, k]
        assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(len(gap))


def test_items_are_films_of_the_shelf():
    films = datasets.load("films")["genres"].to_numpy()
    shown = DATA["recommended"] == 1
    wanted = np.array(GENRES)[DATA.loc[shown, "shelf"] - 1]
    np.testing.assert_array_equal(films[DATA.loc[shown, "item"]], wanted)
    assert (DATA.loc[~shown, "item"] == -1).all()


def test_the_words_tell_the_genre_and_the_urgency_and_hidden_ones_do_not():
    words = DATA["query"].astype(str)
    for k, nouns in enumerate(NOUNS, start=1):
        named = words[HIDDEN["want"] == k]
        assert named.map(lambda text, nouns=nouns: any(noun in text for noun in nouns)).all()
    urgency_of_text = HIDDEN.groupby(words, observed=True)["urgency"].nunique()
    assert urgency_of_text.max() == 1
    silent = funnel_shop(40_000, hidden=1.0, seed=5)
    texts = silent.data["query"].astype(str)
    told = silent.potential.groupby(texts, observed=True)["urgency"].nunique()
    assert (told[texts.value_counts()[lambda n: n > 50].index] == 3).all()


def test_the_same_seed_gives_the_same_users_whatever_the_switches():
    same, other = funnel_shop(1000, seed=7), funnel_shop(1000, seed=8)
    pd.testing.assert_frame_equal(same.data, funnel_shop(1000, seed=7).data)
    assert not same.data["age"].equals(other.data["age"])
    free = funnel_shop(1000, confounding=0, hidden=1, seed=7)
    pd.testing.assert_frame_equal(
        same.data.filter(["age", "gender", "region", "views", "browsed", "carted"]),
        free.data.filter(["age", "gender", "region", "views", "browsed", "carted"]),
    )
    outcomes = [f"purchase_{k}" for k in SHELVES]
    pd.testing.assert_frame_equal(same.potential[outcomes], free.potential[outcomes])


def test_without_confounding_every_user_has_the_same_chance_and_the_difference_is_right():
    world = funnel_shop(40_000, confounding=0, seed=9)
    np.testing.assert_array_equal(world.potential["propensity"], 0.5)
    found = difference_in_means(world.data["purchase"], world.data["recommended"])
    assert abs(found.value - world.truth["conversion"]) < 4 * found.se


def test_with_it_the_difference_is_several_times_the_truth_and_known_weights_are_right():
    naive = difference_in_means(DATA["purchase"], DATA["recommended"])
    assert naive.value > 2 * WORLD.truth["conversion"]
    right = ipw(DATA["purchase"], DATA["recommended"], HIDDEN["propensity"])
    assert abs(right.value - WORLD.truth["conversion"]) < 4 * right.se


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 1}, "n is 1: a shop needs"),
        ({"n": 2.5}, "n is 2.5"),
        ({"seed": -1}, "seed is -1"),
        ({"confounding": -1}, "confounding is -1"),
        ({"confounding": np.nan}, "confounding is nan"),
        ({"hidden": 1.5}, "hidden is 1.5"),
    ],
)
def test_it_names_what_it_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        funnel_shop(**({"n": 10, "seed": 1} | change))


def test_the_files_are_the_shop_part_by_part(tmp_path, monkeypatch):
    monkeypatch.setattr("causalbook.case_study.parquet_shop.PART", 1000)
    truth = write_shop(tmp_path / "long", 3401, seed=3)
    write_shop(tmp_path / "short", 2000, seed=3)
    visits = pd.read_parquet(tmp_path / "long" / "visits")
    hidden = pd.read_parquet(tmp_path / "long" / "potential")
    np.testing.assert_array_equal(visits["user"], np.arange(3401))
    short = pd.read_parquet(tmp_path / "short" / "visits")
    pd.testing.assert_frame_equal(
        visits.head(2000).drop(columns="query"),
        short.drop(columns="query"),
        check_categorical=False,
    )
    assert visits["query"].astype(str).head(2000).equals(short["query"].astype(str))
    # The truth of all, from the rows of all.
    cells = hidden.filter(like="wait_").to_numpy()
    gain = cells[np.arange(3401), hidden["candidate"]]
    effect = (gain <= 7) * 1.0 - (cells[:, 0] <= 7)
    assert truth["conversion"] == pytest.approx(effect.mean(), abs=1e-12)
    shown = visits["recommended"].to_numpy() == 1
    assert truth["conversion treated"] == pytest.approx(effect[shown].mean(), abs=1e-12)
    wanted = (hidden["urgency"] == 2).to_numpy()
    assert truth["conversion urgency 2"] == pytest.approx(effect[wanted].mean(), abs=1e-12)
    # The raw log is that of all users: cleaned, it gives back what they bought.
    write_shop(tmp_path / "exact", 3401, dirt=0, seed=3)
    table = build_table(clean_events(pd.read_parquet(tmp_path / "exact" / "events"))[0])
    np.testing.assert_array_equal(table["purchase"], visits["purchase"])
    np.testing.assert_array_equal(table["user"], visits["user"])
    # No two parts share an event, or a bot.
    parts = [pd.read_parquet(file) for file in sorted((tmp_path / "long" / "events").iterdir())]
    for column in ("event_id", "user", "device"):
        seen = [set(part[column].dropna()) for part in parts]
        assert sum(map(len, seen)) == len(set().union(*seen))
    items = pd.read_parquet(tmp_path / "long" / "items.parquet").set_index("item")
    assert set(visits["item"]) - {-1} <= set(items.index)


@pytest.mark.parametrize("users", [2, 999, 1000, 1001, 2000, 2001, 2999])
def test_the_parts_hold_all_users_and_none_is_too_small(users, monkeypatch):
    from causalbook.case_study import parquet_shop

    monkeypatch.setattr(parquet_shop, "PART", 1000)
    sizes = parquet_shop.part_sizes(users)
    assert sum(sizes) == users
    assert min(sizes) >= 2


def test_a_folder_with_files_is_left_alone(tmp_path):
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds files already"):
        write_shop(tmp_path, 100, seed=1)
    with pytest.raises(ValueError, match=r"folder 'kept\.txt' is a file or holds files"):
        write_shop(tmp_path / "kept.txt", 100, seed=1)
    with pytest.raises(ValueError, match="n is 1"):
        write_shop(tmp_path / "new", 1, seed=1)
    with pytest.raises(ValueError, match="dirt is 2"):
        write_shop(tmp_path / "new", 100, dirt=2, seed=1)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


MAKE = """
import resource, sys
from pathlib import Path
from causalbook.case_study import write_shop
write_shop(sys.argv[1], int(sys.argv[2]), seed=1)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if sys.platform == "linux":  # there getrusage remembers the process that started this one
    peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
print(peak)
"""


def test_three_times_the_users_take_no_more_memory_and_less_than_a_gigabyte(tmp_path):
    def peak(users):
        folder = str(tmp_path / str(users))
        command = [sys.executable, "-c", MAKE, folder, str(users)]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    unit = 1024 if sys.platform != "darwin" else 1  # kilobytes on Linux
    small, large = (unit * peak(users) for users in (100_000, 300_000))
    assert large < 1e9
    assert large < 1.5 * small  # kept parts would make it more than twice
