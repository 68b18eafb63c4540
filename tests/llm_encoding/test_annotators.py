"""The annotator against a plain reading of one text and one label at a time, without a cache."""

import json

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from causalbook.llm_encoding import annotate, calibrate_labels, label_likelihoods
from causalbook.llm_encoding.weights import SMALL_MODEL

WORDS = ["[UNK]", "film", "genre", "is", "a", "the", "horror", "comedy", "war", "funny", "slow"]
WORDS += ["very", "night", "of", "love", "N", "A", ":", "/"]
TEXTS = ["night of the film", "love", "a very very slow night of love", "comedy : war", "the war"]
LABELS = ["horror", "very slow love", "funny", "a comedy"]
PROMPT = "film : {text} genre is"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A random model of two layers that knows nineteen words."""
    folder = tmp_path_factory.mktemp("tiny")
    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="[UNK]").save_pretrained(folder)
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=40,
        initializer_range=0.5,  # far from flat, so that order and place matter
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def plainly(folder, text, label, prompt=PROMPT):
    """Read prompt and label as one line, alone; add up what the label's tokens get."""
    words = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    network = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype="float32")
    head = words(prompt.format(text=text))["input_ids"]
    whole = words(prompt.format(text=text) + " " + label)["input_ids"]
    assert whole[: len(head)] == head, "the label melts into the prompt"
    with torch.no_grad():
        logits = network(torch.tensor([whole])).logits[0].double()
    steps = torch.log_softmax(logits, dim=-1)
    return float(sum(steps[j - 1, whole[j]] for j in range(len(head), len(whole))))


@pytest.mark.parametrize("batch_size", [1, 2, 16])
def test_equals_one_text_and_one_label_at_a_time(tiny, batch_size):
    own = label_likelihoods(TEXTS, LABELS, prompt=PROMPT, model=tiny, batch_size=batch_size)
    other = np.array([[plainly(tiny, text, label) for label in LABELS] for text in TEXTS])
    np.testing.assert_allclose(own, other, atol=1e-5)
    assert other.std(axis=0).min() > 0.1  # the texts do matter to this model


def test_on_the_books_own_model_too(tiny):
    if SMALL_MODEL.is_dir():
        texts, labels = ["Jaws", "The Texas Chain Saw Massacre"], ["comedy", "Horror", "slow film"]
        prompt = 'The film "{text}" is a'
        own = label_likelihoods(texts, labels, prompt=prompt)
        other = [[plainly(SMALL_MODEL, text, label, prompt) for label in labels] for text in texts]
        np.testing.assert_allclose(own, other, atol=1e-3)
        assert own[1, 1] - own[1, 0] > own[0, 1] - own[0, 0]  # the chain saw is more of a horror


def test_all_words_together_have_probability_one(tiny):
    labels = [w for w in WORDS if w != "[UNK]"]
    p = np.exp(label_likelihoods(TEXTS, labels, prompt=PROMPT, model=tiny)).sum(axis=1)
    unknown = np.exp([plainly(tiny, text, "[UNK]") for text in TEXTS])
    np.testing.assert_allclose(p + unknown, 1, atol=1e-5)


def test_order_and_neighbours_change_nothing(tiny):
    own = label_likelihoods(TEXTS, LABELS, prompt=PROMPT, model=tiny)
    turned = label_likelihoods(TEXTS[::-1], LABELS[::-1], prompt=PROMPT, model=tiny)
    np.testing.assert_allclose(turned[::-1, ::-1], own, atol=1e-5)
    alone = label_likelihoods(TEXTS[1:2], LABELS, prompt=PROMPT, model=tiny)
    np.testing.assert_allclose(alone, own[1:2], atol=1e-5)


def test_a_brace_in_a_text_is_a_brace(tiny):
    text = "love {text} night"
    own = label_likelihoods([text], [LABELS[0], "war"], prompt=PROMPT, model=tiny)
    assert own[0, 0] == pytest.approx(plainly(tiny, text, LABELS[0]), abs=1e-5)


def test_calibration_divides_by_the_mean_and_adds_up_to_one(tiny):
    scores = label_likelihoods(TEXTS, LABELS, prompt=PROMPT, model=tiny)
    share = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    odds = share / (sum(share) / len(TEXTS))
    np.testing.assert_allclose(
        annotate(TEXTS, LABELS, prompt=PROMPT, model=tiny),
        odds / odds.sum(axis=1, keepdims=True),
        atol=1e-5,
    )


def test_a_content_free_text_itself_gets_equal_probabilities(tiny):
    p = annotate(["N / A"], LABELS, prompt=PROMPT, model=tiny, content_free=["N / A"])
    np.testing.assert_allclose(p, 0.25, atol=1e-5)


def test_calibration_takes_out_what_the_model_says_of_any_text():
    rng = np.random.default_rng(1)
    free, scores = rng.normal(size=(3, 4)), rng.normal(size=(50, 4))
    liking = np.array([3.0, 0.0, -2.0, 0.5])  # of a label, whatever the text
    plain = calibrate_labels(scores, np.zeros((1, 4)))
    np.testing.assert_allclose(calibrate_labels(scores + liking, liking[None]), plain, atol=1e-12)
    # A constant for each text cancels: only the labels compete.
    np.testing.assert_allclose(
        calibrate_labels(scores + rng.normal(size=(50, 1)), free),
        calibrate_labels(scores, free),
        atol=1e-12,
    )
    np.testing.assert_allclose(calibrate_labels(scores, free).sum(axis=1), 1, atol=1e-12)


def test_code_in_the_folder_is_not_run(tiny, tmp_path):
    for file in tiny.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    config["auto_map"] = {"AutoModelForCausalLM": "own.Model", "AutoConfig": "own.Config"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nraise SystemExit\n")
    own = label_likelihoods(TEXTS, LABELS, prompt=PROMPT, model=tmp_path)
    assert not (tmp_path / "ran").exists()
    np.testing.assert_allclose(own, label_likelihoods(TEXTS, LABELS, prompt=PROMPT, model=tiny))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"texts": "one text"}, "texts is one text: pass a list"),
        ({"texts": []}, "texts is empty"),
        ({"texts": ["war", " "]}, "texts is empty in 1 of 2 .*first: 1"),
        ({"texts": ["war", 3]}, "texts holds int in 1 of 2"),
        ({"labels": ["horror"]}, "at least two words, all different"),
        ({"labels": ["horror", "horror"]}, "all different"),
        ({"labels": ["horror", ""]}, "all different"),
        ({"labels": "horror"}, "labels is 'horror'"),
        ({"labels": ["horror", 3]}, "at least two words"),
        ({"labels": [" horror", " war"]}, "no spaces at their ends"),
        ({"batch_size": -1}, "batch_size is -1: pass a whole number from 1"),
        ({"prompt": "film : genre is"}, r"write \{text\} where the text goes"),
        ({"prompt": "film : {text} genre is "}, "no space at the end"),
        ({"texts": ["war", "very " * 60]}, "up to 6. tokens with the label, the model reads 40"),
    ],
)
def test_refuses_what_has_no_likelihood(tiny, change, says):
    good = {"texts": TEXTS, "labels": LABELS, "prompt": PROMPT, "model": tiny}
    with pytest.raises(ValueError, match=says):
        label_likelihoods(**(good | change))


def test_the_longest_prompt_that_fits_is_read(tiny):
    # 4 words of the prompt, 33 of the text, 3 of the longest label: 40.
    text = "very " * 33
    own = label_likelihoods([text], LABELS, prompt=PROMPT, model=tiny)
    assert own[0, 1] == pytest.approx(plainly(tiny, text, LABELS[1]), abs=1e-5)
    with pytest.raises(ValueError, match="41 tokens"):
        label_likelihoods([text + "very"], LABELS, prompt=PROMPT, model=tiny)


def test_calibration_refuses_other_labels():
    with pytest.raises(ValueError, match="reference has 3 labels, scores have 4"):
        calibrate_labels(np.zeros((2, 4)), np.zeros((1, 3)))
    with pytest.raises(ValueError, match="scores has 1 dimensions, needs 2"):
        calibrate_labels(np.zeros(4))


def test_without_the_weights_it_says_so(tmp_path):
    with pytest.raises(ValueError, match="no folder here"):
        label_likelihoods(TEXTS, LABELS, prompt=PROMPT, model="nobody/has-this")


def test_likelihoods_of_long_labels_do_not_vanish():
    scores = np.array([[-2000.0, -2001.0], [-3000.0, -2999.0]])
    p = calibrate_labels(scores, np.zeros((1, 2)))
    e = np.exp(1.0)
    np.testing.assert_allclose(p, [[e / (1 + e), 1 / (1 + e)], [1 / (1 + e), e / (1 + e)]])


def test_calibration_of_labels_too_unlikely_for_a_probability():
    # One label is e^-900 as likely as the other, which no float holds; odds to the mean are.
    p = calibrate_labels([[0.0, -900.0], [0.0, -901.0]])
    mean = (1 + np.exp(-1.0)) / 2  # of the second label, over e^-900
    odds = np.array([1.0, np.exp(-1.0)]) / mean  # second label to first
    assert np.allclose(p[:, 1], odds / (1 + odds), rtol=1e-12)
