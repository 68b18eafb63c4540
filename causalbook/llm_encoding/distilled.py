"""A static encoder, distilled: the teacher reads each word once, and never a text."""

from __future__ import annotations

import math
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from causalbook.arrays import Array, rows
from causalbook.llm_encoding.encoder import TextEncoder, readable
from causalbook.llm_encoding.vector_cache import Vectors


@dataclass(frozen=True, eq=False)
class StaticEncoder:
    r"""An encoder without a network: a text is the weighted mean of its words' vectors.

    $$\phi(t) = \frac{\sum_{w \in t} \omega_w v_w}{\sum_{w \in t} \omega_w}$$

    Words are runs of letters and digits, in lower case; the sums run over all their occurrences.
    Order and context are lost: "dog bites man" is "man bites dog".

    Parameters: `vocabulary`, the row of each word; `vectors` (words, d), the $v_w$; `weights`
    (words,), the $\omega_w$. `distil` makes one.
    """

    vocabulary: dict[str, int]
    vectors: Vectors
    weights: Array

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Encode texts: float32 (n, d), rows in the order of the texts.

        Raises ValueError for texts none of whose words are in the vocabulary, and for what is no
        list of texts. Warns where some words of a text are not: they are left out.
        """
        found = [[self.vocabulary.get(w) for w in words] for words in _split(texts)]
        known = [[j for j in row if j is not None] for row in found]
        unknown = np.array([not row for row in known], dtype=bool)
        if unknown.any():
            raise ValueError(
                f"texts hold no word of the vocabulary in {rows(unknown)}: a mean of no words is "
                "no evidence; distil from texts like these, or use the teacher for them"
            )
        partly = sum(len(a) < len(b) for a, b in zip(known, found, strict=True))
        if partly:
            warnings.warn(
                f"{partly:,} of {len(found):,} texts hold words outside the vocabulary, which are "
                "left out",
                stacklevel=2,
            )
        vectors = np.empty((len(known), self.vectors.shape[1]), dtype=np.float32)
        for i, row in enumerate(known):
            vectors[i] = self.weights[row] @ self.vectors[row] / self.weights[row].sum()
        return vectors


def distil(
    texts: Sequence[str], teacher: TextEncoder | None = None, *, smoothing: float = 1e-3
) -> StaticEncoder:
    r"""Distil an encoder into one vector a word: each word of the texts passes the teacher once.

    $$v_w = \phi_{\text{teacher}}(w), \qquad \omega_w = \frac{a}{a + p(w)}$$

    Frequent words count less: $p(w)$ is the word's share of all words in the texts.

    Parameters: `texts`, a list in the language that will be encoded; `teacher`, any object with
    `encode` (by default `TextEncoder()`); `smoothing` a > 0.
    Raises ValueError for what is no list of texts, texts without a word, a that is not positive.
    Source: Arora, Liang and Ma (2017) for the weights; the vocabulary passed through a sentence
    encoder is the idea of the library model2vec.
    """
    if not 0 < smoothing < math.inf:
        raise ValueError(f"smoothing is {smoothing}: pass a number above 0, such as 1e-3")
    if isinstance(teacher, str):
        raise ValueError(
            f"teacher is {teacher!r}: pass an encoder, such as TextEncoder({teacher!r})"
        )
    counts = Counter(word for words in _split(texts) for word in words)
    if not counts:
        raise ValueError("texts hold no word at all: pass texts like those to be encoded")
    vocabulary = {word: j for j, word in enumerate(sorted(counts))}
    share = np.array([counts[word] for word in vocabulary]) / counts.total()
    vectors = np.asarray((teacher or TextEncoder()).encode(list(vocabulary)), dtype=np.float32)
    return StaticEncoder(vocabulary, vectors, smoothing / (smoothing + share))


def _split(texts: Sequence[str]) -> list[list[str]]:
    """Split each text into its words; refuse what is no list of texts."""
    return [re.findall(r"\w+", text.lower()) for text in readable(texts)]
