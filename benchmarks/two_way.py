"""Clustered two-way fixed effects on a million rows, against pyfixest.

    PYTHONPATH=. python benchmarks/two_way.py [ROWS]

Needs pyfixest, which is no dependency of the book: run it in an environment of its own. Both sides
read the same frame (100,000 units at 10 times, a third of them treated from the sixth), in turns,
in one process, and cluster by unit. The clock is the wall's, since pyfixest uses several threads.
pyfixest compiles at its first call, which is not timed. Printed are values, errors on one
convention (the plain sum over clusters), medians of seven runs and their ratio.
"""

from __future__ import annotations

import math
import os
import sys
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from turns import keep, seconds

from causalbook.estimators import did


def world(rows: int, times: int = 10, seed: int = 0) -> pd.DataFrame:
    """Draw a balanced panel with unit and time effects, errors that hang together, effect .5."""
    rng = np.random.default_rng(seed)
    n = rows // times
    unit, time = np.repeat(np.arange(n), times), np.tile(np.arange(times), n)
    treated = ((unit % 3 == 0) & (time >= times // 2)).astype(int)
    slope = rng.normal(size=n)[unit] * time / times
    y = rng.normal(size=n)[unit] + 0.1 * time + slope + 0.5 * treated + rng.normal(size=len(unit))
    return pd.DataFrame({"unit": unit + 1_000, "time": time + 2_000, "treated": treated, "y": y})


def ours(frame: pd.DataFrame) -> tuple[float, float]:
    """Value and error of `did`, its factor taken out: the plain sum over clusters."""
    e = did(frame, "y", "unit", "time", "treated")
    return e.value, e.se * math.sqrt((e.n - 1) / e.n)


def theirs(frame: pd.DataFrame) -> tuple[float, float]:
    """The same through pyfixest, all small-sample factors off."""
    import pyfixest as pf

    plain = pf.ssc(k_adj=False, G_adj=False)
    fit: Any = pf.feols(
        "y ~ treated | unit + time", frame, vcov={"CRV1": "unit"}, ssc=plain, copy_data=False
    )
    return float(fit.coef().iloc[0]), float(fit.se().iloc[0])


def main() -> None:
    """Print the numbers of both sides and their times."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    frame = world(rows)
    a, b = ours(frame), theirs(frame)
    print(f"did      {a[0]:.10f}  se {a[1]:.10f}\npyfixest {b[0]:.10f}  se {b[1]:.10f}")
    mine, peer = seconds(lambda: ours(frame), lambda: theirs(frame), clock=perf_counter)
    work = f"two-way fixed effects, clustered errors, {rows:,} rows"
    keep(work, {"causalbook": mine, "pyfixest": peer}, peers=["pyfixest"], clock="wall")
    print(
        f"{rows:,} rows, {os.cpu_count()} cores: did {mine:.3f} s, pyfixest {peer:.3f} s, "
        f"ratio {mine / peer:.2f}"
    )


if __name__ == "__main__":
    main()
