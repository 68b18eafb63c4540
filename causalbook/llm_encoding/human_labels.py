"""Labels of a model for all rows and of people for some, together and with the right error."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from causalbook.arrays import Array, as_array, missing, numbers, rows, same_length
from causalbook.arrays import label as called
from causalbook.averages import mean_of
from causalbook.estimate import Estimate

Mask = npt.NDArray[np.bool_]
FEW = 30  # labels under which a line fitted to them looks better than it is


def pseudo_labels(predicted: Any, label: Any, probability: Any, *, tuned: bool = False) -> Array:
    r"""Predicted labels, corrected where people looked: right on average whatever the model.

    $$s_i = f_i + \frac{L_i}{p_i}\,(Y_i - f_i), \qquad E[s_i \mid X_i] = E[Y_i \mid X_i]$$

    with $L_i = 1$ where a person gave the label $Y_i$, which had the known probability $p_i$. So an
    estimator that is linear in the outcome takes s for Y, and its standard error is right. With
    `tuned`, $\beta_0 + \beta_1 f_i$ replaces $f_i$, with the $\beta$ that make the variance least:

    $$\min_\beta \sum_i L_i \frac{1 - p_i}{p_i^2}\, (Y_i - \beta_0 - \beta_1 f_i)^2$$

    Parameters: `predicted` f (n,), a label of 0 and 1, a probability or a number, from a model that
    has not seen the labels; `label` Y (n,), NaN where nobody looked; `probability` p in (0, 1], a
    number or (n,). s is no label: it may be negative or above one.
    Raises ValueError for NaN in `predicted`, infinite labels, fewer than two labels, probabilities
    outside (0, 1], rows with p = 1 and no label, unequal lengths. Warns where the number of labels
    is not what the probabilities promise, and for tuning by fewer than 30 labels.
    Source: Angelopoulos et al. (2023); Egami, Hinck, Stewart and Wei (2023) for s as an outcome;
    Angelopoulos, Duchi and Zrnic (2023) for tuning; the difference and regression estimators of
    Cochran (1977, chapter 7).
    """
    f, found = numbers("predicted", predicted), as_array("label", label)
    seen = ~missing(found)
    y = numbers(called("label", label), np.where(seen, found, 0))
    p = numbers(
        "probability",
        np.broadcast_to(probability, f.shape) if np.ndim(probability) == 0 else probability,
    )
    same_length(predicted=f, label=y, probability=p)
    _refuse(called("label", label), called("probability", probability), p, seen)
    w = seen / p
    if tuned:
        if seen.sum() < FEW:
            warnings.warn(
                f"tuned fits a line to {seen.sum()} labels: the error is too small for so few; "
                f"have {FEW} rows or more labelled",
                stacklevel=2,
            )
        z, root = np.column_stack([np.ones_like(f), f]), seen * np.sqrt(1 - p) / p
        f = z @ np.linalg.lstsq(root[:, None] * z, root * y)[0]
    s: Array = f + w * (y - f)
    return s


def prediction_powered(
    predicted: Any,
    label: Any,
    probability: Any,
    *,
    tuned: bool = False,
    estimand: str = "mean label",
    cluster: Any = None,
) -> Estimate:
    r"""Mean of a label that people gave to some rows and a model to all.

    $$\hat\theta = \frac1n \sum_i \Big[f_i + \frac{L_i}{p_i}\,(Y_i - f_i)\Big]$$

    This is the doubly robust estimate of a mean, where the treatment is to be labelled by a person.

    Parameters and errors: see `pseudo_labels`; `cluster` (n,) labels of rows drawn together.
    Source: Angelopoulos, Bates, Fannjiang, Jordan and Zrnic (2023); Robins, Rotnitzky and Zhao
    (1994).
    """
    s = pseudo_labels(predicted, label, probability, tuned=tuned)
    method = "prediction-powered, tuned" if tuned else "prediction-powered"
    by_hand = int((~missing(as_array("label", label))).sum())
    note = f"{by_hand:,} of {len(s):,} rows labelled by a person, with probabilities taken as known"
    return replace(mean_of(s, estimand=estimand, method=method, cluster=cluster), notes=(note,))


def _refuse(label: str, probability: str, p: Array, seen: Mask) -> None:
    """Refuse too few labels and probabilities that cannot be those of the draw."""
    if seen.sum() < 2:
        raise ValueError(
            f"{label} is there in {seen.sum()} rows: the model's error is learned from labels that "
            "people gave; have more rows labelled"
        )
    bad = (p <= 0) | (p > 1)
    if bad.any():
        raise ValueError(
            f"{probability} is outside (0, 1] in {rows(bad)}: pass for each row the probability "
            "with which it was drawn for labelling, which must not be 0"
        )
    lost = (p == 1) & ~seen
    if lost.any():
        raise ValueError(
            f"{label} is missing in {rows(lost)} whose probability is 1: labels were lost, or this "
            "is not the probability of the draw"
        )
    if abs(seen.sum() - p.sum()) > 5 * math.sqrt(float((p * (1 - p)).sum())):
        warnings.warn(
            f"{probability} promises about {p.sum():,.0f} labels, and there are {seen.sum():,}: "
            "where labels were lost or chosen, not drawn, the correction is for other rows",
            stacklevel=3,
        )
