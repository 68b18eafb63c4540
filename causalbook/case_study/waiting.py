"""Decide now or test on: what a longer test is expected to earn before anybody runs it."""

from __future__ import annotations

import math

from causalbook.case_study.decisions import decide
from causalbook.estimate import Estimate


def gain_from_testing(profit: Estimate, *, units: float, more: float) -> float:
    r"""Money that testing k units more is expected to earn, compared with deciding now.

    $$G(k) = (N - k)\, \tilde s \, [\varphi(z) - |z| \, \Phi(-|z|)] - \tfrac12 k\, |\hat m|,
      \qquad \tilde s = s \sqrt{\frac{k}{n + k}}, \qquad z = \hat m / \tilde s$$

    The first term is what the better informed decision is expected to earn on the N - k units that
    are left, where $\tilde s$ is how far the estimate is expected to move; the second what the test
    costs: half of its units get what now looks worse. `profit` is that of acting on one unit, from
    n rows, as in `decide`, which takes the unknown profit in the same way; `units` is N, the test's
    own among them; `more` is k, in rows as informative as those of `profit`. Where no k gives a
    positive number, decide now.

    Raises ValueError as `decide` does, and for `more` that is not between 0 and `units`.
    Source: Raiffa and Schlaifer (1961), preposterior analysis of a normal mean; Feit and Berman
    (2019), for tests whose own units count.
    """
    if not 0 < more < units:
        raise ValueError(
            f"more is {more} and units {units}: pass how many units to test, above 0 and below all "
            "that the decision concerns"
        )
    decide(profit, units=units)  # refuses what is no profit
    moves = math.sqrt(more / (profit.n + more))
    foreseen = moves * profit + (1 - moves) * profit.value  # the same value, a smaller error
    better = decide(foreseen, units=units - more).expected_regret
    return better - more * abs(profit.value) / 2
