"""What each judge says of a launch before it happens, and how often it is right."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from causalbook.arrays import Array, Ints, as_frame, dice, numbers, rows
from causalbook.case_study import funnel_shop
from causalbook.estimators import Log, dm, dr, ips, snips
from causalbook.project.launches import Launch, People, cell_means, launch

if TYPE_CHECKING:
    import pandas as pd

CONFOUNDING = (0.5, 1.5, 2.5)  # of the old recommender, in three shops in turn
PEOPLE = 10_000  # users of each shop


def judge_launch(launched: Launch) -> pd.DataFrame:
    """Ask every judge which of the two candidates of a launch is better.

    Rows, more is better in each: "AUC" of the score of what was shown, for the purchase; "hit rate"
    and "NDCG" of the genre bought, among the five by score (tied ones take their middle rank); "own
    promise", the profit that a candidate's model predicts of its policy; "views replayed" and
    "profit replayed", means over the visits where log and candidate agree; "DM", its model the
    mean profit by context and shelf in the other half of the log; "IPS"; "SNIPS"; "DR", with that
    model; "A/B test". Columns: first, second (the candidates' numbers), gap (second less first),
    true_gap, fragile (whether the estimator warned, for either candidate, that few rounds carry
    its number: these warnings are kept here and not raised).

    Parameters: `launched`, a Launch. Raises ValueError for anything else. Source: ours; Li et al.
    (2011) for the replay, which is right where the log is uniform.
    """
    import pandas as pd

    if not isinstance(launched, Launch):
        raise ValueError(
            f"launched is a {type(launched).__name__}: pass what simulate_launch returned"
        )
    (first, warned), (second, also_warned) = (_numbers(launched, i) for i in (0, 1))
    table = pd.DataFrame({"first": first, "second": second}).rename_axis("judge")
    true_gap = float(launched.truth[1] - launched.truth[0])
    table = table.assign(gap=table["second"] - table["first"], true_gap=true_gap)
    return table.assign(fragile=table.index.isin(warned | also_warned))


def simulate_launches(n: int = 50, *, visits: int = 4_000, seed: int) -> pd.DataFrame:
    """Judge n launches in three shops, whose old recommenders follow the visitors more and more.

    Parameters: `n`; `visits` in the log of each launch; `seed`. Returns one row a launch and
    judge: launch; about, "whom" where both candidates rank the genres alike in every context, else
    "what"; judge, gap, true_gap and fragile, as in `judge_launch`.
    Raises ValueError for numbers that are not whole. Source: ours.
    """
    import pandas as pd
    from scipy.stats import rankdata

    rng = dice(n, seed, "simulate_launches")
    dice(visits, seed)
    shops = [
        People(funnel_shop(PEOPLE, confounding=c, seed=int(rng.integers(2**31))))
        for c in CONFOUNDING[:n]
    ]
    told = {}
    for i, chance in enumerate(rng.spawn(n)):
        launched = launch(shops[i % len(shops)], chance, visits)
        ranks = [rankdata(c.score[:, 1:], axis=1) for c in launched.candidates]
        about = "whom" if (ranks[0] == ranks[1]).all() else "what"
        told[i] = judge_launch(launched).assign(about=about)
    every = pd.concat(told, names=["launch"]).reset_index()
    return every[["launch", "about", "judge", "gap", "true_gap", "fragile"]]


def right_choices(told: pd.DataFrame, *, units: float, level: float = 0.95) -> pd.DataFrame:
    r"""How often each judge picks the better candidate, and what its picks cost.

    $$\text{right} = \frac1n \sum_j \Big[1\{g_j d_j > 0\} + \tfrac12 1\{g_j = 0\}\Big], \qquad
      \text{regret} = \frac{N}{n} \sum_j |d_j| \Big[1\{g_j d_j < 0\} + \tfrac12 1\{g_j = 0\}\Big]$$

    with $g_j$ the gap that a judge sees in launch j and $d_j$ the true one: a judge who sees no
    difference tosses a coin. Columns: right, low, high (Clopper and Pearson's interval), regret (in
    money over `units` visits, for each launch), rank_correlation (Spearman's, of g and d).

    Parameters: `told` from `simulate_launches`; `units` N; `level`. Raises ValueError for a table
    without the columns, a true gap of 0, missing gaps, `units` or `level` out of range.
    Source: ours; Clopper and Pearson (1934).
    """
    import pandas as pd
    from scipy.special import betaincinv
    from scipy.stats import rankdata

    if absent := [c for c in ("judge", "gap", "true_gap") if c not in as_frame("told", told)]:
        raise ValueError(
            f"told has no column {', '.join(absent)}: pass what simulate_launches gave"
        )
    if not 0 < level < 1 or not 0 < units < np.inf:
        raise ValueError(f"units is {units} and level {level}: pass a number above 0, and a share")
    table = {}
    for judge, own in told.groupby("judge", sort=False):
        g, d = numbers("gap", own["gap"]), numbers("true_gap", own["true_gap"])
        if (d == 0).any():
            raise ValueError(f"true_gap is 0 in {rows(d == 0)}: there is nothing to choose there")
        n, wrong = len(g), np.where(g == 0, 0.5, np.sign(g) != np.sign(d))
        k, tail = n - wrong.sum(), (1 - level) / 2
        table[judge] = {
            "right": k / n,
            "low": betaincinv(k, n - k + 1, tail) if k > 0 else 0.0,
            "high": betaincinv(k + 1, n - k, 1 - tail) if k < n else 1.0,
            "regret": units * float((np.abs(d) * wrong).mean()),
            "rank_correlation": _correlation(rankdata(g), rankdata(d)),
        }
    return pd.DataFrame.from_dict(table, orient="index").rename_axis("judge")


def _correlation(u: Array, v: Array) -> float:
    """Correlation; NaN where one of them does not vary."""
    return float(np.corrcoef(u, v)[0, 1]) if u.std() > 0 < v.std() else float("nan")


def _numbers(launched: Launch, which: int) -> tuple[dict[str, float], set[str]]:
    """Every judge's number for one candidate, and the judges that warned."""
    candidate, visits, test = launched.candidates[which], launched.log, launched.test
    log = Log.from_frame(visits, action="action", reward="profit", pscore="pscore")
    x = np.asarray(visits["context"].cat.codes, dtype=np.int64)  # in the order of the policies
    pi, shown = candidate.policy.table[x], log.action
    agree = pi[np.arange(log.n), shown] > 0
    q = _crossed(x, log, pi.shape[1])
    found = _accuracy(candidate.score[x], visits)
    found["own promise"] = float((pi * candidate.promise[x]).sum(axis=1).mean())
    found["views replayed"] = float(visits["view"][agree].mean())
    found["profit replayed"] = float(visits["profit"][agree].mean())
    warned = set()
    for estimator, model in ((dm, (q,)), (ips, ()), (snips, ()), (dr, (q,))):
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            e = estimator(log, pi, *model)
        found[e.method] = e.value
        warned |= {e.method} if heard else set()
    return found | {"A/B test": float(test["profit"][test["arm"] == which].mean())}, warned


def _accuracy(score: Array, visits: pd.DataFrame) -> dict[str, float]:
    """How well scores (n, n_shelves) foretell the log: who buys, and which genre."""
    from scipy.stats import rankdata

    shown, bought = visits["action"].to_numpy(), visits["bought"].to_numpy()
    buys, row = bought > 0, np.arange(len(visits))
    places = rankdata(score[row, shown])[buys] - (1 + buys.sum()) / 2
    of_bought = score[row, bought][:, None]
    above, alike = score[:, 1:] > of_bought, score[:, 1:] == of_bought
    rank = ((1 + alike.sum(axis=1)) / 2 + above.sum(axis=1))[buys]  # of ties the middle
    return {
        "AUC": float(places.mean() / (~buys).sum()),
        "hit rate": float((rank == 1).mean()),
        "NDCG": float((1 / np.log2(1 + rank)).mean()),
    }


def _crossed(x: Ints, log: Log, n_actions: int) -> Array:
    """Mean profit of each context and action (n, n_actions), from the other half of the log."""
    at, half = x * n_actions + log.action, np.arange(log.n) % 2
    size = (x.max() + 1) * n_actions
    tables = [
        cell_means(log.reward[half != h], at[half != h], np.ones(log.n)[half != h], size)
        for h in (0, 1)
    ]
    q: Array = np.stack(tables).reshape(2, -1, n_actions)[half, x]
    return q
