"""100,000 units by 10 times, eight starts: every ATT(g, t) with its error, against csdid.

    python benchmarks/group_time.py [UNITS]

csdid is no dependency of the book: run this where csdid 0.4.3 is installed. Both sides compute all
72 effects with influence values and the average over them, without covariates, controls never
treated, analytic errors, from the same frame, in turns, in one process and on one thread. The clock
is the processor's. Printed are the medians of three runs and their ratio.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import warnings
from importlib import import_module

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is first imported

import numpy as np
import pandas as pd
from turns import keep, seconds

from causalbook.estimators import group_time_att

Pair = tuple[float, float]


def world(units: int, times: int = 10, seed: int = 0) -> pd.DataFrame:
    """Draw a staggered panel: one unit in nine never treated, effects that grow."""
    rng = np.random.default_rng(seed)
    first = rng.choice([np.nan, *range(3, times + 1)], units)
    t = np.arange(1, times + 1)
    y = rng.normal(size=(units, 1)) + rng.normal(size=(units, times)).cumsum(axis=1)
    y += np.where(t >= first[:, None], 1 + t - first[:, None], 0.0)
    index = {"unit": np.repeat(np.arange(units), times), "time": np.tile(t, units)}
    return pd.DataFrame(index | {"first": np.repeat(first, times), "y": y.ravel()})


def package(frame: pd.DataFrame) -> Pair:
    """Average and error through the package, every ATT(g, t) with its error on the way."""
    found = group_time_att(frame, "y", "unit", "time", "first")
    found.table()
    return found.simple().value, found.simple().se


def peer(frame: pd.DataFrame) -> Pair:
    """The same through csdid."""
    coded = frame.assign(first=frame["first"].fillna(0.0))
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = (
            import_module("csdid.att_gt")
            .ATTgt(
                yname="y",
                tname="time",
                idname="unit",
                gname="first",
                data=coded,
                control_group=["nevertreated"],
                bstrap=False,
                cband=False,
            )
            .fit(est_method="reg", bstrap=False)
        )
        found = model.aggte(typec="simple", bstrap=False, cband=False).atte
    return float(found["overall_att"]), float(found["overall_se"])


def main() -> None:
    """Print the numbers of both sides and their times."""
    frame = world(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
    for name, (value, se) in (("causalbook", package(frame)), ("csdid", peer(frame))):
        print(f"{name:11} {value:.12f} ({se:.6e})")
    ours, theirs = seconds(lambda: package(frame), lambda: peer(frame), repeats=3)
    units = frame["unit"].nunique()
    work = f"every ATT(g, t) with its error, {units:,} units at 10 times"
    keep(work, {"causalbook": ours, "csdid": theirs}, peers=["csdid"], clock="processor")
    print(f"{units:,} units: causalbook {ours:.2f} s, csdid {theirs:.2f} s: {theirs / ours:.0f}x")


if __name__ == "__main__":
    main()
