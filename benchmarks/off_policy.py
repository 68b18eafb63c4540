"""One million rounds by ten actions: IPS, SNIPS, DM, DR with errors, against plain numpy.

    python benchmarks/off_policy.py [ROUNDS]

Both sides compute the same numbers from the same arrays, in turns, in one process and on one
thread; the numpy side checks nothing. The clock is the processor's, so that what else runs on the
machine does not count. Printed are the medians of seven runs and their ratio, which a test holds
under 2.
"""

from __future__ import annotations

import os
import sys
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is first imported

import numpy as np
from turns import keep, seconds

from causalbook.estimators import Log, evaluate


def world(rounds: int, actions: int = 10, seed: int = 0) -> tuple[Log, Any, Any]:
    """Draw a log of a uniform policy, a target policy and a reward model."""
    rng = np.random.default_rng(seed)
    pi = rng.gamma(1.0, size=(rounds, actions))
    pi /= pi.sum(axis=1, keepdims=True)
    q = rng.random((rounds, actions))
    action = rng.integers(actions, size=rounds)
    reward = (rng.random(rounds) < 0.1 + 0.01 * action).astype(float)
    return Log(action, reward, np.full(rounds, 1 / actions)), pi, q


def package(log: Log, pi: Any, q: Any) -> dict[str, tuple[float, float]]:
    """Value and error of each method through the package, which validates and reports too."""
    table = evaluate(log, pi, q)
    return {m: (table.loc[m, "value"], table.loc[m, "se"]) for m in ("IPS", "SNIPS", "DM", "DR")}


def plain(log: Log, pi: Any, q: Any) -> dict[str, tuple[float, float]]:
    """The same numbers in the numpy that one would write by hand, and fast."""
    action, reward, pscore = log.action, log.reward, log.pscore
    n = len(action)
    i = np.arange(n)
    w = pi[i, action] / pscore
    wr = w * reward
    ips = wr.mean()
    snips = wr.sum() / w.sum()
    model = np.einsum("ia,ia->i", pi, q)
    scores = model + w * (reward - q[i, action])
    psi = (wr - snips * w) / w.mean()
    return {
        "IPS": (ips, wr.std() / np.sqrt(n)),
        "SNIPS": (snips, np.sqrt(psi @ psi) / n),
        "DM": (model.mean(), np.nan),
        "DR": (scores.mean(), scores.std() / np.sqrt(n)),
    }


def main() -> None:
    """Print the numbers of both sides and their times."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    arguments = world(rounds)
    ours, theirs = package(*arguments), plain(*arguments)
    for method, (value, se) in ours.items():
        print(
            f"{method:6} {value:.12f} ({se:.3e})   numpy {theirs[method][0]:.12f} "
            f"({theirs[method][1]:.3e})"
        )
    slow, fast = seconds(lambda: package(*arguments), lambda: plain(*arguments))
    work = f"IPS, SNIPS, DM and DR with errors, {rounds:,} rounds, 10 actions"
    keep(work, {"causalbook": slow, "numpy by hand": fast}, peers=["numpy"], clock="processor")
    print(f"{rounds:,} rounds: evaluate {slow:.3f} s, numpy {fast:.3f} s, ratio {slow / fast:.2f}")


if __name__ == "__main__":
    main()
