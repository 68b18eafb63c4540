"""One million rows, three covariates: nearest-neighbour matching, against scikit-learn's trees.

    python benchmarks/matching.py [ROWS]

Both sides compute the same effect on the treated (k = 1, Mahalanobis, with replacement, half of the
rows treated) and its Abadie-Imbens error from the same arrays, in one process. scikit-learn finds
the neighbours (`NearestNeighbors(algorithm="kd_tree", n_jobs=-1)`), numpy does the rest: it checks
nothing and knows no ties. The clock is the wall's, since both use all cores. Printed are the
medians of three runs in turns, and their ratio.
"""

from __future__ import annotations

import sys
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors
from turns import keep, seconds

from causalbook.estimators import matching


def world(rows: int, columns: int = 3, seed: int = 0) -> tuple[Any, Any, Any]:
    """Draw covariates, a treatment that leans on the first, and an outcome."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns))
    a = (rng.random(rows) < 1 / (1 + np.exp(-x[:, 0]))).astype(float)
    return x.sum(axis=1) + a + rng.normal(size=rows), a, x


def package(y: Any, a: Any, x: Any) -> tuple[float, float]:
    """Value and error through the package, which validates, averages ties and reports."""
    estimate = matching(y, a, x)
    return estimate.value, estimate.se


def by_trees(y: Any, a: Any, x: Any) -> tuple[float, float]:
    """The same through scikit-learn's neighbours."""
    z = x @ np.linalg.cholesky(np.linalg.inv(np.cov(x.T)))
    treated, control = a == 1, a == 0
    tree = NearestNeighbors(algorithm="kd_tree", n_jobs=-1).fit(z[control])
    near = tree.kneighbors(z[treated], 1, return_distance=False)[:, 0]
    gap = y[treated] - y[control][near]
    served = np.bincount(near, minlength=int(control.sum()))
    used = served > 1  # those who serve once add nothing
    trio = tree.kneighbors(z[control][used], 3, return_distance=False)
    spread = y[control][trio].var(axis=1, ddof=1)
    v = ((gap - gap.mean()) ** 2).sum() + (served[used] * (served[used] - 1) * spread).sum()
    return float(gap.mean()), float(np.sqrt(v) / len(gap))


def main() -> None:
    """Print the numbers of both sides and their times."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    arguments = world(rows)
    ours, theirs = package(*arguments), by_trees(*arguments)
    # Among half a million, two distances agree to 1e-8 by chance: the package takes them for a tie.
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    print(f"{rows:,} rows: effect on the treated {ours[0]:.5f}, error {ours[1]:.5f} on both sides")
    p, s = seconds(
        lambda: package(*arguments), lambda: by_trees(*arguments), repeats=3, clock=perf_counter
    )
    work = f"nearest-neighbour matching with its error, {rows:,} rows, 3 covariates"
    sides = {"causalbook": p, "scikit-learn's trees and numpy": s}
    keep(work, sides, peers=["scikit-learn", "numpy"], clock="wall")
    print(f"package {p:.2f} s, scikit-learn {s:.2f} s, ratio {p / s:.2f}")


if __name__ == "__main__":
    main()
