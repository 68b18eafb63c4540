"""How probable it was that a user met an item and rated it."""

from __future__ import annotations

from typing import Any

import numpy as np

from causalbook.arrays import Array, codes, label, numbers, same_length
from causalbook.recommenders.interactions import Ratings

TOLERANCE = 1e-10  # of the expected counts, relative to those observed
ROUNDS = 10_000


def exposure_propensity(user: Any, item: Any) -> Array:
    r"""Probability that a pair is observed, from the user's activity and the item's popularity.

    $$\operatorname{logit} P_{ui} = \alpha_u + \beta_i, \qquad
      \sum_i P_{ui} = n_u, \quad \sum_u P_{ui} = n_i$$

    Maximum likelihood: each user and each item is expected to have as many ratings as it has.
    Where the ratings are few, P is nearly $n_u n_i / n$, which can exceed 1 for an active user
    and a popular item; this P cannot. It rests on who rated what and never on the ratings:
    selection on taste is invisible to it. A user or an item without a rating has P = 0 and moves
    no other.

    Parameters: `user` and `item` (n,), labels of the pairs observed, each pair once. Returns (n,)
    the P of these pairs, in their order.
    Raises ValueError for a pair that stands there twice, unequal lengths, a missing label, and
    where no finite maximum exists: a user with a rating of every item, say.
    Source: Schnabel et al. (2016, section on propensity estimation), logistic regression with an
    offset for each user and each item and no covariates.
    """
    u, i = codes("user", user), codes("item", item)
    same_length(user=u, item=i)
    if not len(u):
        raise ValueError("user is empty: pass one row for each rating")
    ones, shape = np.ones(len(u)), (int(u.max()) + 1, int(i.max()) + 1)
    Ratings(u, i, ones, ones, shape).matrix()  # refuses a pair that stands there twice
    # Users with equal counts have equal alpha, items likewise: solve for the distinct counts.
    n_u, of_user, users = _distinct(u)
    n_i, of_item, items = _distinct(i)
    alpha, beta = np.zeros(len(n_u)), np.zeros(len(n_i))
    for _ in range(ROUNDS):
        P = 1 / (1 + np.exp(-alpha[:, None] - beta))
        more_u = n_u / (P @ items)
        alpha += np.log(more_u)
        P = 1 / (1 + np.exp(-alpha[:, None] - beta))
        more_i = n_i / (users @ P)
        beta += np.log(more_i)
        if max(np.abs(more_u - 1).max(), np.abs(more_i - 1).max()) < TOLERANCE:
            fitted: Array = P[of_user, of_item]
            return fitted
    raise ValueError(
        f"user, item: after {ROUNDS:,} rounds some expected count is still off by "
        f"{max(np.abs(more_u - 1).max(), np.abs(more_i - 1).max()):.2g} of itself, as where a user "
        "has rated every item or an item was rated by every user (its P runs to 1); leave those "
        "out and say so"
    )


def rating_propensity(rating: Any, uniform: Any, *, pairs: int) -> Array:
    r"""Probability that a pair is observed given its rating, with the help of a random slice.

    $$P(O = 1 \mid Y = r) = \frac{P(Y = r \mid O = 1)\, P(O = 1)}{P(Y = r)}
      = \frac{n_r / N}{m_r / m}$$

    Here $n_r$ of the log's ratings and $m_r$ of the slice's m are r, and N is the number of all
    pairs. It sees selection on the rating and nothing else: not that some items are more popular.

    Parameters: `rating` (n,) of the log; `uniform` (m,), ratings of pairs drawn at random, which
    users gave because they were asked to; `pairs`, N. Returns (n,) for the rows of the log.
    Raises ValueError for NaN, text, a rating of the log that the slice lacks, fewer pairs than
    ratings, and where the quotient exceeds 1: then log and slice are not of the same pairs.
    Source: Schnabel et al. (2016, section on propensity estimation), naive Bayes; Marlin and Zemel
    (2009) for the slice.
    """
    y, random = numbers("rating", rating), numbers("uniform", uniform)
    if not pairs >= len(y):
        raise ValueError(f"pairs is {pairs}: all pairs are at least the {len(y):,} with a rating")
    values, of_row, n_r = np.unique(y, return_inverse=True, return_counts=True)
    m_r = (random == values[:, None]).sum(axis=1)
    if not m_r.all():
        lost = values[m_r == 0]
        raise ValueError(
            f"{label('uniform', uniform)} has no rating of {', '.join(f'{v:g}' for v in lost)}, "
            f"the log has {n_r[m_r == 0].sum():,}: take a larger slice, or merge ratings"
        )
    P = (n_r / pairs) / (m_r / len(random))
    if P.max() > 1:
        r = int(P.argmax())
        raise ValueError(
            f"{label('rating', rating)} is {values[r]:g} in {n_r[r]:,} rows of the log, which is "
            f"{P[r]:.3g} times what the slice leaves room for among {pairs:,} pairs: the slice is "
            "too small, or it is no random sample of the pairs"
        )
    naive_bayes: Array = P[of_row]
    return naive_bayes


def _distinct(labels: Any) -> tuple[Array, Any, Array]:
    """Distinct counts of the labels, the place of each row's count, how many labels have each."""
    counts = np.bincount(labels)
    distinct, of_label, times = np.unique(counts, return_inverse=True, return_counts=True)
    return distinct.astype(np.float64), of_label[labels], times.astype(np.float64)
