"""What two recommenders learn from cells whose numbers are known."""

import numpy as np
import pandas as pd
import pytest

from causalbook.project import Learned, TablePolicy, learn

SHELVES = ["", "Drama", "Horror"]


def cells(profit, bought, n=100, w=None):
    """Cells (contexts, actions) with given mean profit, purchases and weights."""
    rows = []
    for context, means in profit.items():
        for action, mean in enumerate(means):
            weight = n if w is None else w[context][action]
            row = [context, action, n, n * bought[context][action], weight, weight * mean]
            rows.append([*row, weight**2 / n])
    return pd.DataFrame(rows, columns=["context", "action", "n", "bought", "w", "wr", "ww"])


PROFIT = {  # additive in the words for each role: no shelf, the one asked for, another
    "buys Drama": [1.0, 0.9, 0.5],
    "buys Horror": [1.2, 0.7, 1.1],
    "looks Drama": [0.1, 0.4, 0.0],
    "looks Horror": [0.3, 0.2, 0.6],
}
BOUGHT = {
    "buys Drama": [0.5, 0.6, 0.3],
    "buys Horror": [0.5, 0.3, 0.6],
    "looks Drama": [0.01, 0.1, 0.0],
    "looks Horror": [0.01, 0.0, 0.1],
}


def test_cells_that_are_additive_in_their_words_come_back_exactly():
    learned = learn(cells(PROFIT, BOUGHT), SHELVES)
    assert list(learned.contexts) == sorted(PROFIT)
    assert np.allclose(learned.profit, [PROFIT[x] for x in learned.contexts], atol=1e-10)
    assert np.allclose(learned.bought, [BOUGHT[x] for x in learned.contexts], atol=1e-10)
    assert learned.filled == pytest.approx(2 / 3)


def test_the_weighted_mean_of_a_cell_is_what_is_fitted():
    """With one word a context, each role's line passes through the pooled weighted mean."""
    profit = {"a": [1.0, 2.0, 4.0], "b": [0.0, 1.0, 3.0]}
    w = {"a": [100, 300, 100], "b": [50, 100, 100]}
    learned = learn(cells(profit, profit, w=w), SHELVES)
    # Shelves that no context names share a role; n of a cell is (sum w)^2 / sum w^2 = 100.
    assert np.allclose(learned.profit, [[1, 3, 3], [0, 2, 2]], atol=1e-10)


def test_the_baseline_fills_where_a_purchase_is_likely_and_the_other_where_it_pays():
    learned = learn(cells(PROFIT, BOUGHT), SHELVES)
    baseline, effect = learned.baseline(), learned.effect_driven()
    # Two thirds of the log's slots were filled: the two likeliest contexts, and one more.
    assert [p[0] for p in baseline.of(["buys Drama", "buys Horror"])] == [0, 0]
    assert baseline.table[:, 0].sum() == 1
    best = {"buys Drama": 0, "buys Horror": 0, "looks Drama": 1, "looks Horror": 2}
    assert all(effect.of([x])[0, k] == 1 for x, k in best.items())
    assert learned.always(0).table[:, 0].tolist() == [1, 1, 1, 1]


def test_no_policy_on_these_contexts_earns_more_than_the_effect_driven_one():
    learned = learn(cells(PROFIT, BOUGHT), SHELVES)
    best = (learned.effect_driven().table * learned.profit).sum(axis=1)
    rng = np.random.default_rng(1)
    for table in rng.dirichlet(np.ones(3), (200, len(best))):
        other = TablePolicy(dict(zip(learned.contexts, table, strict=True)))
        assert ((other.table * learned.profit).sum(axis=1) <= best + 1e-12).all()


def test_what_json_keeps_reads_back():
    learned = learn(cells(PROFIT, BOUGHT), SHELVES)
    told = {k: getattr(learned, k) for k in ("contexts", "bought", "profit", "share", "filled")}
    again = Learned.read({k: getattr(v, "tolist", lambda v=v: v)() for k, v in told.items()})
    assert again.baseline().version == learned.baseline().version


def test_an_action_that_nobody_was_shown_or_that_has_no_name_is_refused():
    never = cells(PROFIT, BOUGHT)
    with pytest.raises(ValueError, match=r"action \[3\] is in no row"):
        learn(never, [*SHELVES, "Comedy"])
    with pytest.raises(ValueError, match="shelves has 2 names, action goes up to 2"):
        learn(never, SHELVES[:2])
