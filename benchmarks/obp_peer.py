"""One million rounds by ten actions: IPS, SNIPS and DR with errors, against obp's points alone.

    python -m venv obp
    obp/bin/pip install sb-obp==0.5.10    # a place of its own: it wants other versions
    PYTHONPATH=. obp/bin/python benchmarks/obp_peer.py [ROUNDS]

Both sides take the same arrays, prepared beforehand in the form that each wants, in turns, in one
process and on one thread; the clock is the processor's. obp computes three points; the package
validates once and gives values, errors, intervals and diagnostics of four estimators (DM too).
Printed are medians of seven runs and their ratios: of a log that stands, and with the log read,
checked and copied anew each time.
"""

from __future__ import annotations

import os
import sys
import warnings

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is first imported
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from obp.ope import (
    DoublyRobust,
    InverseProbabilityWeighting,
    SelfNormalizedInverseProbabilityWeighting,
)
from off_policy import package, world
from turns import keep, seconds

from causalbook.estimators import Log


def main() -> None:
    """Print the numbers of both sides and their times."""
    warnings.filterwarnings("ignore")  # obp's own, on import and on types
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    log, pi, q = world(rounds)
    action, reward, pscore = (np.array(x) for x in (log.action, log.reward, log.pscore))
    shared = {
        "reward": reward,
        "action": action,
        "pscore": pscore,
        "action_dist": pi[:, :, None],
        "position": np.zeros(rounds, dtype=int),
    }

    def peer() -> dict[str, float]:
        model = {"estimated_rewards_by_reg_model": q[:, :, None]}
        return {
            "IPS": InverseProbabilityWeighting().estimate_policy_value(**shared),
            "SNIPS": SelfNormalizedInverseProbabilityWeighting().estimate_policy_value(**shared),
            "DR": DoublyRobust().estimate_policy_value(**shared, **model),
        }

    ours, theirs = package(log, pi, q), peer()
    for method, value in theirs.items():
        print(f"{method:6} {ours[method][0]:.12f} ({ours[method][1]:.3e})   obp {value:.12f}")
    slow, fast, fresh = seconds(
        peer,
        lambda: package(log, pi, q),
        lambda: package(Log(action, reward, pscore), pi, q),
    )
    work = f"IPS, SNIPS and DR, {rounds:,} rounds, 10 actions (obp: no errors)"
    keep(work, {"causalbook": fast, "obp": slow}, peers=["sb-obp"], clock="processor")
    print(
        f"{rounds:,} rounds: obp {slow:.3f} s, package {fast:.3f} s, ratio {slow / fast:.2f}; "
        f"with the log read anew {fresh:.3f} s, ratio {slow / fresh:.2f}"
    )


if __name__ == "__main__":
    main()
