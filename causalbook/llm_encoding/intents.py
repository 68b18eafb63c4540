"""What a user wants as a vector, and what a vector knows: intents and linear probes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import (
    Array,
    Ints,
    as_array,
    as_frame,
    codes,
    design,
    dice,
    fingerprint,
    missing,
    same_length,
)
from causalbook.averages import mean_of
from causalbook.cross_fitting import numbered_folds
from causalbook.estimate import Estimate
from causalbook.llm_encoding.encoder import refuse

if TYPE_CHECKING:
    import pandas as pd

PENALTY = 1.0  # of a probe, in units of a column's mean sum of squares


def intent_vectors(
    events: pd.DataFrame, vectors: Any, *, now: Any, half_life: Any, weight: Mapping[Any, float]
) -> pd.DataFrame:
    r"""Average the vectors of what each user did, the recent and the telling more than the rest.

    $$v_u = \frac{\sum_{k \in u} w_k\, \phi(i_k)}{\sum_{k \in u} w_k}, \qquad
      w_k = c(\text{action}_k)\, 2^{-(\text{now} - t_k) / h}$$

    A weighted mean of item vectors lies where the items lie, so users and items can be compared.
    It does not depend on `now`, which cancels; `now` is the moment of the decision, and no event
    from then on may enter: what came after the treatment is no covariate.

    Parameters: `events` with the columns user, item (a row of `vectors`), time, action; `vectors`
    (items, d); `now` in the type of the times; `half_life` h, a difference of times; `weight` c of
    each action, positive. Returns one row a user, indexed and sorted by user, in d columns.
    Raises ValueError for events from `now` on, unknown items, actions without a weight, gaps.
    """
    import pandas as pd

    absent = {"user", "item", "time", "action"} - set(as_frame("events", events).columns)
    if absent or not len(events):
        raise ValueError(f"events has {len(events)} rows and lacks {sorted(absent)}: pass them")
    for name in ("user", "time", "action"):
        gaps = missing(as_array(name, events[name]))
        refuse(f"events: {name} is missing", gaps, "drop those rows on purpose")
    phi, item = design("vectors", vectors), as_array("item", events["item"])
    if item.dtype.kind not in "iu":
        raise ValueError(f"item holds {item.dtype} values: pass row numbers of vectors")
    refuse("item is no row of vectors", (item < 0) | (item >= len(phi)), "pass 0, 1, ...")
    if events["time"].dtype.kind not in "iufM":
        raise ValueError(
            f"time holds {events['time'].dtype} values: convert them, as with pandas.to_datetime"
        )
    late = ~np.asarray(events["time"] < now)  # not >=: that would let all through for a NaN
    refuse(f"time is not before now ({now})", late, "use events before the decision alone")
    c = events["action"].map(dict(weight)).to_numpy(dtype=np.float64)
    refuse("action has no positive finite weight", ~((c > 0) & (c < np.inf)), "give each one")
    # Counted from each user's last event: the same means, and nobody's weights become 0.
    age = events.groupby("user")["time"].transform("max") - events["time"]
    unit = pd.Series([half_life]).dtype.kind
    unlike = (unit == "m") != (age.dtype.kind == "m")  # 7 would be seven nanoseconds
    if unit not in "iufm" or unlike or not half_life > 0 * half_life:
        raise ValueError(
            f"half_life is {half_life}: pass a positive difference of times, of their type, such "
            "as pandas.Timedelta for timestamps"
        )
    w = c * np.exp2(-(age / half_life).to_numpy(dtype=np.float64))
    users, at = np.unique(events["user"].to_numpy(), return_inverse=True)
    sums = np.zeros((len(users), phi.shape[1]))
    np.add.at(sums, at, w[:, None] * phi[item])
    return pd.DataFrame(sums / np.bincount(at, w)[:, None], index=pd.Index(users, name="user"))


@dataclass(frozen=True, eq=False)
class Probe:
    """What a linear probe found: its accuracy, that on permuted labels, and the largest class.

    `accuracy` and `permuted` are of the same rows, so that their difference has an error; so have
    the accuracies of two encoders. The errors are those of judging the fitted rules on such rows.
    `majority` is the share of the most frequent label.
    """

    accuracy: Estimate
    permuted: Estimate
    majority: float


def probe(vectors: Any, labels: Any, *, groups: Any = None, folds: int = 5, seed: int) -> Probe:
    r"""Ask how well a label can be read off vectors by a linear rule, on rows it has not seen.

    $$\hat\ell_i = \arg\max_\ell\; (1, v_i^\top)\, \hat B^{(-k(i))}_\ell, \qquad
      \hat B = \arg\min_B \lVert 1[L = \ell] - (1, V) B \rVert^2 + \lambda \lVert B \rVert^2$$

    with $\lambda$ the mean sum of squares of a (centred) column of V, and $\hat B^{(-k)}$ fitted
    without fold k. The **permuted** accuracy is the same with labels exchanged between distinct
    vectors: equal vectors keep equal labels. Its mean is at most the share of the largest class
    (less where the rule follows noise), unless the probe meets again what it has learnt by heart;
    then pass `groups`, such as the titles. It warns of copies of whole vectors, of nothing else.

    Parameters: `vectors` (n, d); `labels` (n,) of two kinds or more; `groups` (n,), each held out
    as a whole (errors are clustered by them); `folds`; `seed` of the folds and the permutation.
    Raises ValueError for NaN, unequal lengths, a single label, vector or group, and for labels of
    which most rows have their own.
    Source: Alain and Bengio (2016) for the probe; Hewitt and Liang (2019) for the control.
    """
    v, y = design("vectors", vectors), codes("labels", labels)
    same_length(vectors=v, labels=y)
    if y.max() == 0:
        raise ValueError("labels has one value in every row: there is nothing to tell apart")
    if y.max() + 1 > len(y) / 2:
        raise ValueError(
            f"labels has {y.max() + 1:,} values in {len(y):,} rows: a probe names kinds that come "
            "back; cut numbers into groups"
        )
    rng, fold = dice(1, seed), numbered_folds(folds, len(y), None, groups, seed)
    distinct, which = np.unique(v, axis=0, return_inverse=True)
    if len(distinct) == 1:
        raise ValueError("vectors has one vector in every row: there is nothing to read off")
    own = np.empty(len(distinct), dtype=np.int64)
    own[which] = y  # one label for each, its last
    permuted = rng.permutation(own)[which]
    accuracy, control = (
        mean_of(
            1.0 * (_read_off(v, target, fold) == target),
            estimand="accuracy",
            method=method,
            cluster=groups,
            sample=fingerprint(y),
        )
        for target, method in ((y, "linear probe"), (permuted, "linear probe, labels permuted"))
    )
    return Probe(accuracy, control, float(np.bincount(y).max() / len(y)))


def _read_off(v: Array, y: Ints, fold: Ints) -> Ints:
    """The label of each row that the ridge regressions of the other folds put first."""
    said = np.empty(len(y), dtype=np.int64)
    for k in range(fold.max() + 1):
        learn = fold != k
        center = v[learn].mean(axis=0)
        z, one = v[learn] - center, np.eye(y.max() + 1)[y[learn]]
        gram = z.T @ z
        penalty = PENALTY * np.trace(gram) / len(gram) * np.eye(len(gram))
        B = np.linalg.solve(gram + penalty, z.T @ one)
        said[~learn] = ((v[~learn] - center) @ B + one.mean(axis=0)).argmax(axis=1)
    return said
