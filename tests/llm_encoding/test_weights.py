"""A model is known by its content: other weights or tokens, another hash."""

import os

import pytest

from causalbook.llm_encoding import weights
from causalbook.llm_encoding.weights import SMALL_MODEL, content_hash, folder, refuse_pickles


@pytest.fixture
def model(tmp_path):
    (tmp_path / "config.json").write_text('{"a": 1}')
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "README.md").write_text("words")
    return tmp_path


def test_a_folder_is_itself(model):
    assert folder(model) == folder(str(model)) == model
    refuse_pickles(model)


def test_the_weights_of_the_environment_are_there():
    assert (folder(None) / "model.safetensors").exists()
    assert (folder("multilingual") / "weights.npz").exists()
    assert (SMALL_MODEL / "model.safetensors").exists()


def test_the_hash_follows_contents_and_names(model):
    before = content_hash(model)
    (model / "README.md").write_text("other words")
    assert content_hash(model) == before
    (model / "model.safetensors").write_bytes(b"weightz")  # as long as before, a moment later
    os.utime(model / "model.safetensors", ns=(1, 1))
    changed = content_hash(model)
    assert changed != before
    (model / "config.json").rename(model / "other.json")
    assert content_hash(model) not in (before, changed)


def test_the_hash_does_not_depend_on_the_place(model, tmp_path_factory):
    copy = tmp_path_factory.mktemp("copy")
    for path in model.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    assert content_hash(copy) == content_hash(model)


def test_refuses_a_folder_without_weights(tmp_path):
    with pytest.raises(ValueError, match="no weights at all"):
        refuse_pickles(tmp_path)


@pytest.mark.parametrize("name", ["not a name!", "nobody/nothing"])
def test_refuses_an_unknown_name(name):
    with pytest.raises(ValueError, match="no folder here"):
        folder(name)


def test_a_small_model_that_was_not_fetched_says_how(monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "SMALL_MODEL", tmp_path / "none")
    with pytest.raises(ValueError, match=r"python scripts/small_model\.py fetches it"):
        folder(tmp_path / "none")
