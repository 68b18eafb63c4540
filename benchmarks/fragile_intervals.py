"""How often the 95% interval of IPS covers, by the number of effective rewarded rounds.

    python benchmarks/fragile_intervals.py

Logs with lognormal weights (effective sample size n/5) and rewards in 4 of 1,000 rounds, drawn
independently of the weights, so that the truth is the rate. The number of rounds is chosen so that
n * rate / 5 effective rewarded rounds are expected. IPS and its error need the weights of the
rewarded rounds alone. The constant ENOUGH of causalbook/estimators/policy_values.py rests on this.
"""

from __future__ import annotations

import numpy as np

RATE, SHARE, LOGS, SEED = 0.004, 1 / 5, 4000, 7


def coverage(expected: int, rng: np.random.Generator) -> float:
    """Share of logs whose interval covers the rate, with so many effective rewarded rounds."""
    n = round(expected / (RATE * SHARE))
    sigma = np.sqrt(-np.log(SHARE))  # lognormal weights of mean 1 have E[w^2] = exp(sigma^2)
    hits = 0
    for rewarded in rng.binomial(n, RATE, size=LOGS):
        w = np.exp(sigma * rng.standard_normal(rewarded) - sigma**2 / 2)
        value = w.sum() / n
        se = np.sqrt(((w @ w) / n - value**2) / n)
        hits += abs(value - RATE) < 1.96 * se
    return hits / LOGS


def main() -> None:
    """Print the coverage for a few to many effective rewarded rounds."""
    rng = np.random.default_rng(SEED)
    for expected in (3, 5, 8, 16, 30, 50, 100, 200):
        print(f"{expected:4} effective rewarded rounds: {coverage(expected, rng):.3f}")


if __name__ == "__main__":
    main()
