"""Where it stood and what it is: a click model that parts the two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import Array, Ints, codes, fingerprint, label, numbers, rows, same_length
from causalbook.estimate import Estimate

if TYPE_CHECKING:
    import pandas as pd

SETTLED, STEPS = 1e-10, 20_000  # EM stops when no parameter moves by a larger share of itself
EDGE = 1e-6  # so close to 1, an item is clicked at every look


@dataclass(frozen=True, eq=False)
class ClickModel:
    """What `click_model` found.

    `examination`: for each position how often it is looked at, relative to the first one;
    `attraction`: for each item the probability of a click in the first position.
    """

    examination: dict[float, Estimate]
    attraction: pd.Series


def click_model(item: Any, position: Any, click: Any, *, cluster: Any = None) -> ClickModel:
    r"""Position-based click model: a click needs a look, which is the position's, and attraction.

    $$P(C = 1 \mid i, j) = \theta_j \gamma_i, \qquad \theta_1 = 1$$
    $$\theta_j \leftarrow \frac{\sum_i c_{ij} + (n_{ij} - c_{ij}) \frac{\theta_j (1 - \gamma_i)}
      {1 - \theta_j \gamma_i}}{\sum_i n_{ij}}, \qquad
      \gamma_i \leftarrow \frac{\sum_j c_{ij} + (n_{ij} - c_{ij}) \frac{\gamma_i (1 - \theta_j)}
      {1 - \theta_j \gamma_i}}{\sum_j n_{ij}}$$

    Expectation maximisation, over the n impressions of item i at position j, of which c clicked.
    Only the products are identified, so the smallest position sets the scale, and a position that
    is looked at more often has theta above 1. Positions can be compared only through items that
    stood in both, and all must hang together that way. The attraction is the item's whoever looks:
    where the ranking is personal, let the item be a pair of item and kind of user. No log tells
    whether a higher position also makes an item more attractive (trust). In the log of a ranker
    that learns from its clicks, places follow earlier luck: with few clicks an item, too few looks
    are found far down.

    Parameters: `item` (n,) labels; `position` (n,) numbers; `click` (n,) 0 or 1, or an expected
    share; `cluster` (n,) labels. The influence of a row on log theta is its score, less what the
    attractions take of it, over the information.

    Raises ValueError for NaN, unequal lengths, clicks outside [0, 1], one position, a first
    position without clicks, positions that no clicked item ties to the first, and where EM does
    not settle. Source: Chuklin, Markov and de Rijke (2015); Wang et al. (2018).
    """
    import pandas as pd

    i, which = _labels(item)
    place, j = np.unique(numbers("position", position), return_inverse=True)
    c = numbers("click", click)
    same_length(item=i, position=j, click=c)
    if (bad := (c < 0) | (c > 1)).any():
        raise ValueError(f"{label('click', click)} is outside [0, 1] in {rows(bad)}: code it 0/1")
    shape, cell = (len(which), len(place)), i * len(place) + j
    n = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape).astype(float)
    clicks = np.bincount(cell, c, minlength=n.size).reshape(shape).astype(float)
    _refuse(n, clicks, place)
    theta, gamma = _em(n, clicks)
    edge = bool(theta.max() * gamma.max() > 1 - EDGE)
    gamma, theta = gamma * theta[0], theta / theta[0]
    psi, why = _influence(i, j, c, n, theta, gamma, edge)
    examination = {
        float(at): Estimate(
            float(theta[k]),
            psi[:, k],
            f"looks at position {at:g} for one at {place[0]:g}",
            "position-based click model (EM)",
            cluster=cluster,
            sample=fingerprint(c),
            notes=why[k],
        )
        for k, at in enumerate(place)
    }
    attraction = pd.Series(gamma, pd.Index(which, name="item"), name="attraction")
    return ClickModel(examination, attraction)


def _em(n: Array, c: Array) -> tuple[Array, Array]:
    """Maximise the likelihood; what was never clicked is 0 from the start and stays so.

    Steps of EM are short where clicks are rare, so pairs of them are extrapolated (Varadhan and
    Roland 2008), where that stays in the model and raises the likelihood.
    """
    items = len(n)

    def step(x: Array) -> Array:
        gamma, theta = x[:items], x[items:]
        # Missed impressions over the chance of a miss; none are missed where the chance is 0.
        missed = np.divide(n - c, 1 - np.outer(gamma, theta), out=np.zeros_like(n), where=n > c)
        liked = (c + missed * gamma[:, None] * (1 - theta)).sum(axis=1) / n.sum(axis=1)
        looked = (c + missed * theta * (1 - gamma)[:, None]).sum(axis=0) / n.sum(axis=0)
        return np.concatenate([liked, looked])

    x = 0.5 * np.concatenate([c.sum(axis=1) > 0, c.sum(axis=0) > 0])
    for _ in range(STEPS):
        once = step(x)
        twice = step(once)
        first, second = once - x, twice - 2 * once + x
        moved = np.abs(twice - once)
        if (moved <= SETTLED * twice).all():
            return twice[items:], twice[:items]
        bend = np.linalg.norm(second)
        length = float(np.linalg.norm(first) / bend) if bend > 0 else 1.0
        far = x + 2 * length * first + length**2 * second
        inside = bool((far >= 0).all() and (far <= 1).all())
        x = far if inside and _fit(far, n, c) > _fit(twice, n, c) else twice
    raise ValueError(
        f"click: EM still moves by {moved.max():.1e} after {STEPS:,} steps: too few clicks tie the "
        "positions together; merge positions or items, or log more"
    )


def _fit(x: Array, n: Array, c: Array) -> float:
    """Log-likelihood of attractions and examinations in one array."""
    p = np.outer(x[: len(n)], x[len(n) :])
    with np.errstate(divide="ignore"):
        hit, miss = np.log(p, where=c > 0, out=np.zeros_like(p)), np.zeros_like(p)
        np.log(1 - p, where=n > c, out=miss)
    return float((c * hit + (n - c) * miss).sum())


def _influence(
    i: Ints, j: Ints, c: Array, n: Array, theta: Array, gamma: Array, edge: bool
) -> tuple[Array, list[tuple[str, ...]]]:
    """Influence of each row on theta, and notes where there is none."""
    p = np.outer(gamma, theta)
    psi = np.zeros((len(c), len(theta)))
    why: list[tuple[str, ...]] = [() for _ in theta]
    why[0] = ("the scale: the others are relative to this position",)
    if edge:
        psi[:, 1:] = np.nan
        text = "no standard error: an item is clicked at every look, which is the edge of the model"
        return psi, [why[0], *((text,) for _ in theta[1:])]
    weight = n * p / (1 - p)  # information on log p
    total = weight.sum(axis=1, keepdims=True)
    share = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
    free = np.flatnonzero(theta > 0)[1:]
    score = ((c - p[i, j]) / (1 - p[i, j]))[:, None] * (np.eye(len(theta))[j] - share[i])
    if len(free):
        information = (np.diag(weight.sum(axis=0)) - weight.T @ share)[np.ix_(free, free)]
        psi[:, free] = theta[free] * (len(c) * score[:, free] @ np.linalg.inv(information))
        psi -= psi.mean(axis=0)  # what EM left where it stopped
    for k in np.flatnonzero(theta == 0):
        psi[:, k], why[k] = np.nan, ("no standard error: not one click in this position",)
    return psi, why


def _refuse(n: Array, c: Array, place: Array) -> None:
    """Refuse what leaves the positions incomparable."""
    if len(place) < 2:
        raise ValueError(f"position is {place[0]:g} in every row: nothing to compare it with")
    if not c[:, 0].any():
        raise ValueError(
            f"click is 0 in every row at position {place[0]:g}, which sets the scale: leave that "
            "position out, or log more"
        )
    stood = (n > 0)[c.sum(axis=1) > 0].astype(float)
    tied = stood.T @ stood > 0
    for _ in place:
        tied = tied @ tied
    if not tied[0].all():
        lost = ", ".join(f"{at:g}" for at in place[~tied[0]][:5])
        raise ValueError(
            f"position: no clicked item ties {(~tied[0]).sum()} of {len(place)} positions (first: "
            f"{lost}) to position {place[0]:g}, so a better place and better items look the same; "
            "swap items between positions at random, or leave these positions out"
        )


def _labels(item: Any) -> tuple[Ints, Any]:
    """Number the items and keep their labels."""
    i = codes("item", item)
    return i, np.asarray(item)[np.unique(i, return_index=True)[1]]
