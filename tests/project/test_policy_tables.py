"""A policy as a table: exact, hashed, saved and read again."""

import json

import numpy as np
import pytest

from causalbook.case_study import asked, funnel_shop, read_query
from causalbook.project import TablePolicy, shop_context

PI = {"new": [0.5, 0.25, 0.25], "old": [0.0, 1.0, 0.0]}


def test_each_context_gets_its_own_row():
    expected = [PI["old"], PI["new"], PI["old"]]
    np.testing.assert_array_equal(TablePolicy(PI).of(["old", "new", "old"]), expected)


def test_version_depends_on_the_probabilities_and_on_nothing_else():
    policy = TablePolicy(PI)
    assert policy.version == TablePolicy(dict(reversed(PI.items()))).version
    assert policy.version != TablePolicy(PI | {"old": [0.0, 0.0, 1.0]}).version
    assert policy.version != TablePolicy({"New": PI["new"], "old": PI["old"]}).version


def test_exploring_mixes_with_the_uniform_policy():
    mixed = TablePolicy(PI).explore(0.3).of(["old"])[0]
    np.testing.assert_allclose(mixed, [0.1, 0.8, 0.1], rtol=1e-12)
    assert TablePolicy(PI).explore(0).version == TablePolicy(PI).version


def test_frame_holds_every_pair_once():
    q = np.arange(6.0).reshape(2, 3)
    frame = TablePolicy(PI).frame(q).set_index(["context", "action"])
    assert frame.index.is_unique
    assert len(frame) == 6
    assert frame.loc[("new", 2), "pi"] == 0.25
    assert frame.loc[("old", 1), "q"] == 4


def test_a_saved_policy_is_the_same_and_a_changed_one_is_refused(tmp_path):
    TablePolicy(PI).save(tmp_path / "policy.json")
    assert TablePolicy.load(tmp_path / "policy.json").version == TablePolicy(PI).version
    told = json.loads((tmp_path / "policy.json").read_text())
    told["probabilities"]["old"] = [1.0, 0.0, 0.0]
    (tmp_path / "policy.json").write_text(json.dumps(told))
    with pytest.raises(ValueError, match="was changed by hand"):
        TablePolicy.load(tmp_path / "policy.json")
    (tmp_path / "policy.json").write_text("{}")
    with pytest.raises(ValueError, match="is no saved policy"):
        TablePolicy.load(tmp_path / "policy.json")


def test_what_is_no_policy_is_refused():
    with pytest.raises(ValueError, match="probabilities is empty"):
        TablePolicy({})
    with pytest.raises(ValueError, match="does not sum to 1"):
        TablePolicy({"new": [0.5, 0.4]})
    with pytest.raises(ValueError, match="rows of unequal length"):
        TablePolicy({"new": [0.5, 0.5], "old": [1.0]})
    with pytest.raises(ValueError, match=r"unknown to policy \w+ in 1 of 2 rows .*'young'"):
        TablePolicy(PI).of(["old", "young"])
    with pytest.raises(ValueError, match="epsilon is 2"):
        TablePolicy(PI).explore(2)
    with pytest.raises(ValueError, match=r"q has shape \(1, 3\)"):
        TablePolicy(PI).frame([[0, 0, 0]])


def test_context_of_the_shop_is_what_the_words_tell():
    log = funnel_shop(500, seed=3).data
    context = shop_context(log)
    genres = ("Action", "Comedy", "Documentary", "Drama", "Horror")
    words = [
        f"{sounds} {genres[shelf - 1]}"
        for sounds, shelf in zip(read_query(log["query"]), asked(log["query"]), strict=True)
    ]
    assert list(context) == words
    log["query"] = log["query"].astype(object)
    log.loc[3, "query"] = None
    with pytest.raises(ValueError, match=r"query is missing in 1 of 500 rows \(first: 3\)"):
        shop_context(log)
