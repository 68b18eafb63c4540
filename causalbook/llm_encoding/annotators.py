"""A small language model as an annotator: how likely it finds each label after each text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from causalbook.arrays import Array, numbers
from causalbook.llm_encoding.encoder import readable
from causalbook.llm_encoding.weights import SMALL_MODEL, folder


def label_likelihoods(
    texts: Sequence[str],
    labels: Sequence[str],
    *,
    prompt: str,
    model: str | Path = SMALL_MODEL,
    batch_size: int = 16,
) -> Array:
    r"""Log-likelihood of each label as what comes after each text, (n, K).

    $$\ell_{ik} = \sum_j \log P(w_{kj} \mid \text{prompt}(t_i), w_{k1}, \dots, w_{k,j-1})$$

    with $w_{k1}, w_{k2}, \dots$ the tokens of label k. What the model would say freely is not
    asked: the labels compete among themselves only.

    Parameters: `texts` (n,), `labels` (K,), both lists of strings; `prompt` with `{text}` where the
    text goes, and nothing after it that a label should not follow; `model` a folder or a name on
    the hub that was fetched before; `batch_size` prompts at a time, of similar length. Longer
    labels have smaller likelihoods: compare after calibration, as `annotate` does.
    Raises ValueError for a text or label that is empty or no string, fewer than two labels, two
    alike or with a space at an end, a prompt without `{text}` or with a space at its end, a prompt
    longer than the model reads.
    """
    import torch

    texts = readable(texts)
    said = {w for w in labels if isinstance(w, str) and w and w == w.strip()}
    if isinstance(labels, str) or len(said) < max(2, len(labels)):
        raise ValueError(
            f"labels is {labels!r}: pass a list of at least two words, all different, with no "
            "spaces at their ends"
        )
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}: pass a whole number from 1")
    if "{text}" not in prompt or prompt != prompt.rstrip():
        raise ValueError(
            f"prompt is {prompt!r}: write {{text}} where the text goes, and no space at the end, "
            "since the label brings its own"
        )
    words, network = _load(folder(model))
    prompts = words([prompt.replace("{text}", text) for text in texts])["input_ids"]
    tails = words([f" {label}" for label in labels], add_special_tokens=False)["input_ids"]
    longest = max(map(len, prompts)) + max(map(len, tails))
    if longest > network.config.max_position_embeddings:
        raise ValueError(
            f"texts make prompts of up to {longest:,} tokens with the label, the model reads "
            f"{network.config.max_position_embeddings:,}: shorten them on purpose"
        )
    likelihoods = np.empty((len(texts), len(labels)))
    order = np.argsort([len(p) for p in prompts], kind="stable")
    with torch.inference_mode():
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            likelihoods[rows] = _batch(network, [prompts[i] for i in rows], tails)
    return likelihoods


def annotate(
    texts: Sequence[str],
    labels: Sequence[str],
    *,
    prompt: str,
    content_free: Sequence[str] | None = None,
    model: str | Path = SMALL_MODEL,
    batch_size: int = 16,
) -> Array:
    r"""Probabilities of the labels, (n, K), after taking out what the model says of any text.

    $$\hat p_{ik} \propto \frac{P_{ik}}{\bar P_k}, \qquad
      P_{ik} = \frac{e^{\ell_{ik}}}{\sum_h e^{\ell_{ih}}}, \qquad
      \bar P_k = \frac1m \sum_{j} P_{jk}$$

    The mean runs over `content_free` texts such as "N/A", or, without them, over `texts`
    themselves. The second has a price: the less sure the model is, the more the shares of the
    labels are pulled towards equal ones, and a text's probabilities depend on the others.

    Parameters and errors: see `label_likelihoods`.
    Source: Zhao, Wallace, Feng, Klein and Singh (2021, section 5), content-free texts.
    """

    def read(texts: Sequence[str]) -> Array:
        return label_likelihoods(texts, labels, prompt=prompt, model=model, batch_size=batch_size)

    return calibrate_labels(read(texts), None if content_free is None else read(content_free))


def calibrate_labels(scores: Any, reference: Any = None) -> Array:
    r"""Turn log-likelihoods into probabilities as `annotate` does.

    Parameters: `scores` (n, K); `reference` (m, K), those of content-free texts, by default the
    scores themselves. Raises ValueError for NaN, other shapes, other numbers of labels.
    """
    own = _normalised(numbers("scores", scores, ndim=2))
    free = own if reference is None else _normalised(numbers("reference", reference, ndim=2))
    if free.shape[1] != own.shape[1]:
        raise ValueError(f"reference has {free.shape[1]} labels, scores have {own.shape[1]}")
    # Logarithms, since a label may be too unlikely for its probability to be a number.
    p: Array = np.exp(_normalised(own - np.logaddexp.reduce(free, axis=0)))
    return p


def _batch(network: Any, prompts: list[list[int]], tails: list[list[int]]) -> Array:
    """Read each prompt once, then each label after it."""
    import copy

    import torch

    width = max(map(len, prompts))
    # Padding goes to the left, so that all prompts end together and the labels follow.
    ids = torch.tensor([[0] * (width - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    places = (mask.cumsum(1) - 1).clamp(min=0)
    read = network(ids, attention_mask=mask, position_ids=places, use_cache=True, logits_to_keep=1)
    first = read.logits[:, -1].log_softmax(-1)
    columns = []
    for tail in tails:
        total = first[:, tail[0]].clone()
        if len(tail) > 1:
            t = torch.tensor(tail).expand(len(prompts), -1)
            after = network(
                t[:, :-1],
                attention_mask=torch.cat([mask, torch.ones_like(t[:, :-1])], 1),
                position_ids=places[:, -1:] + torch.arange(1, len(tail)),
                past_key_values=copy.deepcopy(read.past_key_values),
            )
            steps = after.logits.log_softmax(-1)
            total += steps.gather(2, t[:, 1:, None]).sum((1, 2))
        columns.append(total)
    out: Array = torch.stack(columns, 1).double().numpy()
    return out


@lru_cache(maxsize=1)  # a page asks several times
def _load(path: Path) -> Any:
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    safe: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    words = AutoTokenizer.from_pretrained(path, **safe)
    network: Any = AutoModelForCausalLM.from_pretrained(
        path, use_safetensors=True, dtype="float32", **safe
    )
    return words, network.eval()


def _normalised(scores: Array) -> Array:
    """Log-probabilities: shift each row so that its exponentials add up to one."""
    log_p: Array = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
    return log_p
