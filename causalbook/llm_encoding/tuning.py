"""Fine-tuning: a pretrained encoder and a new head, trained on texts and a target."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import Array, Ints, Labels, binary, dice, fingerprint, numbers, same_length
from causalbook.llm_encoding.adapters import add_adapters
from causalbook.llm_encoding.encoder import TextEncoder, readable, warn
from causalbook.llm_encoding.training import Training
from causalbook.llm_encoding.weights import content_hash

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class TunedModel:
    """A tuned encoder with a head: `predict` gives the mean of the target, or the chance of a 1.

    `history` has a row for each epoch, epoch 0 before training: its loss on the rows that train
    (the mean over the epoch) and on those that validate. `best` is the epoch whose weights were
    kept. Of all `parameters` `trained` were free. `encoder` encodes as it was tuned; its torch
    module is `network`.
    """

    encoder: TextEncoder
    network: Any
    head: Any
    history: pd.DataFrame
    best: int
    trained: int
    parameters: int
    _unit: tuple[float, float] | None  # middle and spread of the target; None for chances

    def predict(self, texts: list[str]) -> Array:
        """Predict for each text, (n,), in the unit of the target or as a probability."""
        z = _outputs(self.head, self.encoder.encode(texts))
        return 1 / (1 + np.exp(-z)) if self._unit is None else self._unit[0] + self._unit[1] * z

    def __repr__(self) -> str:
        return f"tuned model: {self.trained:,} of {self.parameters:,} parameters were trained"


def fine_tune(
    texts: list[str],
    target: Any,
    *,
    loss: str = "mse",
    model: str | Path | None = None,
    rank: int | None = None,
    epochs: int = 3,
    batch_size: int = 32,
    learning_rate: float = 1e-4,
    validation: float = 0.2,
    checkpoint: str | Path | None = None,
    seed: int,
) -> TunedModel:
    r"""Train a pretrained encoder and a linear head on texts and their target.

    $$\min_{\theta, w, b} \frac1n \sum_i \ell\big(y_i,\; b + w^\top \phi_\theta(t_i)\big), \qquad
      \phi_\theta(t) = \text{mean of the states of t's tokens}$$

    with $\ell$ the squared error (of the standardised target) or the log loss. AdamW; gradients
    of norm 1 at most; learning rates rise over the first tenth of the steps and then fall to
    zero. After each epoch the loss on held-out rows is taken. The weights of the best epoch are
    kept, and two epochs without a better one end the run. The head starts at zero: before
    training, all predictions are alike.

    What is learned is $E[Y \mid t]$, whatever the target is called. For an effect the target has
    to be one whose mean is the effect: doubly robust scores.

    Parameters: `texts`, n strings; `target` (n,); `loss` "mse", or "bce" for a target of 0 and 1;
    `model` as in `TextEncoder`; `rank` None trains all weights, r adapters of that rank
    (`add_adapters`), 0 the head alone; `learning_rate` of the network (adapters want ten times
    that of all weights; the head learns at 5e-3); `validation`, the share of rows held out;
    `checkpoint`, a file that is written after each epoch: after a kill, the same call goes on
    from there to the same numbers.
    Raises ValueError for what is no text, a target that does not fit the loss, a share that
    leaves nothing, a checkpoint of another run. Warns where texts are too long for the model.
    Source: Devlin et al. (2019, section 3.2); Hu et al. (2022) for the adapters.
    """
    lines, y = readable(texts), _target(target, loss)
    same_length(texts=np.array(lines), target=y)
    _refuse(epochs, batch_size, learning_rate)
    fit, held = _split(len(y), validation, seed)
    if y[fit].min() == y[fit].max():
        raise ValueError(
            f"target is {y[fit][0]:g} in every row that trains: there is nothing to learn"
        )
    encoder = TextEncoder(model, cache=False)  # what is cached is of the weights as they were
    _words, network = encoder._load()
    if rank:
        add_adapters(network, rank, seed=seed)
    else:
        network.requires_grad_(rank is None)
    tokens, cut = encoder._tokens(lines)
    warn(np.array(cut), np.zeros(len(cut)))
    unit = None if loss == "bce" else (float(y[fit].mean()), float(y[fit].std()))
    run: dict[str, Any] = {"loss": loss, "rank": rank, "epochs": epochs, "batch_size": batch_size}
    run |= {"learning_rate": learning_rate, "validation": validation, "seed": seed}
    run |= {"texts": fingerprint(np.array(lines)), "target": fingerprint(y)}
    run |= {"model": content_hash(encoder._folder)}
    z = y if unit is None else (y - unit[0]) / unit[1]
    training = Training(network, tokens, z[fit], fit, run)

    def judge() -> float:
        vectors = [row.vector for row in encoder._encoded([lines[i] for i in held])]
        return _loss(_outputs(training.head, np.stack(vectors)), z[held], loss)

    history, best = training.to_the_end(judge, None if checkpoint is None else Path(checkpoint))
    free = sum(p.numel() for p in training.free)
    total = sum(p.numel() for p in [*network.parameters(), *training.head.parameters()])
    return TunedModel(encoder, network, training.head, history, best, free, total, unit)


def _outputs(head: Any, vectors: Labels) -> Array:
    w, b = (p.detach().double().numpy() for p in head.parameters())
    z: Array = vectors @ w[0] + b[0]
    return z


def _loss(z: Array, y: Array, loss: str) -> float:
    if loss == "mse":
        return float(((y - z) ** 2).mean())
    return float((np.logaddexp(0, z) - y * z).mean())


def _target(target: Any, loss: str) -> Array:
    if loss not in ("mse", "bce"):
        raise ValueError(f"loss is {loss!r}: pass 'mse', or 'bce' for a target of 0 and 1")
    return binary("target", target) if loss == "bce" else numbers("target", target)


def _refuse(epochs: int, batch_size: int, learning_rate: float) -> None:
    if not isinstance(epochs, int) or epochs < 0:
        raise ValueError(f"epochs is {epochs!r}: pass how often to go through the rows, from 0")
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size is {batch_size!r}: pass how many rows make a step, from 1")
    if not 0 < learning_rate < math.inf:
        raise ValueError(f"learning_rate is {learning_rate}: pass a number above 0")


def _split(n: int, share: float, seed: int) -> tuple[Ints, Ints]:
    """Draw the rows that validate; return those that train and those."""
    held = round(share * n)
    if not 0 < held < n:
        raise ValueError(
            f"validation is {share}, which holds out {held} of {n} rows: leave some on both sides"
        )
    order = dice(n, seed).permutation(n)
    return np.sort(order[held:]), np.sort(order[:held])
