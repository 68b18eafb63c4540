"""Who gets one of few places: equal rates, and equal opportunity, between groups."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from causalbook.arrays import Array, codes, label, numbers, rows, same_length


def equal_rates(effect: Any, group: Any, budget: int) -> npt.NDArray[np.bool_]:
    r"""Whom to treat with a number of places, so that each group gets its share of them.

    $$\max_d \sum_i d_i \hat\tau_i \quad\text{so that}\quad \sum_i d_i = B, \qquad
      \frac{1}{n_g} \sum_{i \in g} d_i \text{ equal for all } g$$

    up to one place, since people are whole. Within a group the largest effects come first, and of
    tied rows the first in the table. This is demographic parity.

    Parameters: `effect` (n,) predicted effects; `group` (n,) labels; `budget` B, how many places.
    Returns (n,) True where treated.
    Raises ValueError for NaN, unequal lengths, a budget that is no whole number from 0 to n.
    Source: Dwork et al. (2012), statistical parity.
    """
    tau = numbers("effect", effect)
    return _in_step(tau, np.ones_like(tau), group, budget)


def equal_opportunity(effect: Any, group: Any, budget: int) -> npt.NDArray[np.bool_]:
    r"""Whom to treat, so that those who would gain have the same chance in each group.

    $$\max_d \sum_i d_i \hat\tau_i \quad\text{so that}\quad \sum_i d_i = B, \qquad
      \frac{\sum_{i \in g} d_i \hat\tau_i}{\sum_{i \in g} \hat\tau_i} \text{ equal for all } g$$

    up to one place. If the outcome is 0 or 1 and treatment harms nobody, the effect at X is the
    probability of being one whom it helps. The ratio is then the chance of a place for those
    who would be helped. That nobody is harmed is an assumption that no data check.

    Parameters and what it returns as in `equal_rates`; `effect` positive.
    Raises ValueError as `equal_rates` does, and for an effect that is not positive.
    Source: Hardt, Price and Srebro (2016), with being helped in the place of the label.
    """
    tau = numbers("effect", effect)
    if (bad := tau <= 0).any():
        raise ValueError(
            f"{label('effect', effect)} is not above 0 in {rows(bad)}: opportunity is about those "
            "who would gain; leave these rows out, and say so"
        )
    return _in_step(tau, tau, group, budget)


def _in_step(tau: Array, worth: Array, group: Any, budget: int) -> npt.NDArray[np.bool_]:
    """Give places by effect, at each moment to the group whose share of its worth is least."""
    g = codes("group", group)
    same_length(effect=tau, group=g)
    if not isinstance(budget, (int, np.integer)) or not 0 <= budget <= len(tau):
        raise ValueError(f"budget is {budget!r}: pass how many places, from 0 to {len(tau):,}")
    order = np.argsort(-tau, kind="stable")
    served = np.empty_like(tau)  # the share of its group's worth that is served once i is treated
    for k in range(g.max() + 1):
        own = order[g[order] == k]
        served[own] = np.cumsum(worth[own]) / worth[own].sum()
    treat = np.zeros(len(tau), dtype=bool)
    treat[np.lexsort((np.argsort(order), served))[:budget]] = True
    return treat
