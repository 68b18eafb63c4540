"""One million rows, two instruments, ten covariates, robust errors: 2SLS against linearmodels.

    python benchmarks/two_stage.py [ROWS]

Both sides get the same arrays and compute the same estimate and error (HC0, no small-sample
factor), in turns, in one process and on one thread. The clock is the processor's, so that what
else runs on the machine does not count. The peer builds its model, fits and reads off value and
error; the package checks its input, estimates, and computes the effective F for its note. Printed
are the medians of three runs and their ratio, which should be at least 6.
"""

from __future__ import annotations

import os
import sys
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is first imported

import numpy as np
from linearmodels.iv import IV2SLS
from turns import keep, seconds

from causalbook.estimators import two_stage_least_squares

COVARIATES = 10


def world(rows: int, seed: int = 0) -> tuple[Any, Any, Any, Any]:
    """Draw an outcome, a treatment that shares its cause, two instruments, and covariates."""
    rng = np.random.default_rng(seed)
    X, u = rng.normal(size=(rows, COVARIATES)), rng.normal(size=rows)
    z = rng.normal(size=(rows, 2)) + 0.3 * X[:, :2]
    a = z @ [0.5, 0.3] + X.sum(axis=1) / 10 + u + rng.normal(size=rows)
    y = 0.2 * a + X.sum(axis=1) / 5 + u + rng.normal(size=rows) * (1 + np.abs(z[:, 0]))
    return y, a, z, X


def package(y: Any, a: Any, z: Any, X: Any) -> tuple[float, float]:
    estimate = two_stage_least_squares(y, a, z, X)
    return estimate.value, estimate.se


def peer(y: Any, a: Any, z: Any, X: Any) -> tuple[float, float]:
    exogenous = np.column_stack([np.ones(len(y)), X])
    fit = IV2SLS(y, exogenous, a, z).fit(cov_type="robust", debiased=False)
    return float(fit.params.iloc[-1]), float(fit.std_errors.iloc[-1])


def main() -> None:
    """Print the numbers of both sides and their times."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    arguments = world(rows)
    for side, (value, se) in {"package": package(*arguments), "peer": peer(*arguments)}.items():
        print(f"{side:8} {value:.12f} ({se:.6e})")
    fast, slow = seconds(lambda: package(*arguments), lambda: peer(*arguments), repeats=3)
    work = f"2SLS with robust errors, {rows:,} rows, {COVARIATES} covariates, 2 instruments"
    sides = {"causalbook": fast, "linearmodels": slow}
    keep(work, sides, peers=["linearmodels"], clock="processor")
    print(
        f"{rows:,} rows, {COVARIATES} covariates, 2 instruments, HC0: package {fast:.2f} s, "
        f"linearmodels {slow:.2f} s, ratio {slow / fast:.1f}"
    )


if __name__ == "__main__":
    main()
