"""The static encoder: what it is by hand, against scikit-learn's counts, and what it refuses."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from causalbook.llm_encoding import distil

TEXTS = ["The Dog bites the man", "A cat!", "The cat; the dog", "2001", "Amélie dog"]


class Teacher:
    """Gives each text a vector of its own, and remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def encode(self, texts):
        self.asked += texts
        own = [sum(ord(c) * 31**k for k, c in enumerate(text)) for text in texts]
        return np.array([np.random.default_rng(seed).normal(size=5) for seed in own])


def test_by_hand():
    # Four words, of which "the" is two: shares 1/2, 1/4, 1/4; with a = 1/4 weights 1/3, 1/2, 1/2.
    static = distil(["the dog", "The cat"], Teacher(), smoothing=0.25)
    the, dog = Teacher().encode(["the", "dog"])
    expected = (the / 3 + dog / 2) / (1 / 3 + 1 / 2)
    assert np.allclose(static.encode(["dog, the!"])[0], expected, atol=1e-6)
    twice = (2 * the / 3 + dog / 2) / (2 / 3 + 1 / 2)
    assert np.allclose(static.encode(["the dog the"])[0], twice, atol=1e-6)


def test_the_teacher_reads_each_word_once():
    teacher = Teacher()
    distil(TEXTS, teacher)
    words = {"the", "dog", "bites", "man", "a", "cat", "2001", "amélie"}
    assert sorted(teacher.asked) == sorted(words)


def test_a_word_alone_is_the_teachers_vector_and_order_is_lost():
    static = distil(TEXTS, Teacher())
    alone = static.encode(["man", "CAT?"])
    assert alone.dtype == np.float32
    assert np.allclose(alone, Teacher().encode(["man", "cat"]), atol=1e-6)
    one, other = static.encode(["dog bites man", "man bites dog"])
    assert np.allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("smoothing", [1e-3, 1.0])
def test_agrees_with_counts_of_scikit_learn(smoothing):
    static = distil(TEXTS, Teacher(), smoothing=smoothing)
    counter = CountVectorizer(token_pattern=r"\w+")
    counts = counter.fit_transform(TEXTS).toarray()
    share = counts.sum(axis=0) / counts.sum()
    weighted = counts * (smoothing / (smoothing + share))
    vectors = Teacher().encode(list(counter.get_feature_names_out()))
    expected = weighted @ vectors / weighted.sum(axis=1, keepdims=True)
    assert np.allclose(static.encode(TEXTS), expected, atol=1e-5)


@given(
    st.lists(st.lists(st.sampled_from(["the", "dog", "bites", "a", "cat"]), min_size=1), min_size=1)
)
def test_a_text_lies_among_its_words_and_alone_in_its_row(lists):
    static = distil(TEXTS, Teacher())
    texts = [" ".join(words) for words in lists]
    vectors = static.encode(texts)
    for text, words, vector in zip(texts, lists, vectors, strict=True):
        own = Teacher().encode(words)
        assert (vector > own.min(axis=0) - 1e-5).all()
        assert (vector < own.max(axis=0) + 1e-5).all()
        assert (vector == static.encode([text])[0]).all()


def test_words_that_were_never_seen():
    static = distil(TEXTS, Teacher())
    with pytest.warns(UserWarning, match="1 of 2 texts hold words outside the vocabulary"):
        vectors = static.encode(["zebra dog", "dog"])
    assert (vectors[0] == vectors[1]).all()
    with pytest.raises(ValueError, match=r"no word of the vocabulary in 2 of 3 rows .first: 0, 2"):
        static.encode(["zebra", "dog", "动作片"])


@pytest.mark.parametrize("smoothing", [0, -1.0, np.inf, np.nan])
def test_refuses_a_smoothing_that_weighs_nothing(smoothing):
    with pytest.raises(ValueError, match=r"smoothing is .*pass a number above 0"):
        distil(TEXTS, Teacher(), smoothing=smoothing)


def test_refuses_the_name_of_a_teacher():
    with pytest.raises(ValueError, match=r"teacher is 'multilingual': pass an encoder"):
        distil(TEXTS, "multilingual")


def test_refuses_what_is_no_list_of_texts():
    static = distil(TEXTS, Teacher())
    for call in (static.encode, lambda texts: distil(texts, Teacher())):
        with pytest.raises(ValueError, match="texts is one text: pass a list"):
            call("dog")
        with pytest.raises(ValueError, match=r"texts holds int in 1 of 2 rows \(first: 1\)"):
            call(["dog", 3])
    with pytest.raises(ValueError, match="texts hold no word at all"):
        distil(["?!", "..."], Teacher())


def test_needs_no_network_when_it_is_used():
    code = """
import sys
import numpy as np
from causalbook.llm_encoding.distilled import StaticEncoder
static = StaticEncoder({"dog": 0}, np.ones((1, 3), dtype=np.float32), np.ones(1))
assert (static.encode(["Dog"]) == 1).all()
assert not {"torch", "transformers"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_distils_the_default_encoder():
    # Related words stay nearer than unrelated ones, which random vectors would not do.
    static = distil(["cheerful dog", "happy puppy", "tax law"])
    dog, puppy, tax = static.encode(["cheerful dog", "happy puppy", "tax law"])

    def cosine(a, b):
        return a @ b / np.sqrt(a @ a * (b @ b))

    assert cosine(dog, puppy) > cosine(dog, tax) + 0.2
