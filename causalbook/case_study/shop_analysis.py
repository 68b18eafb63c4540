"""The analysis of the shop's slot: its covariates, its six artefacts, and a test by lottery."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import Array, Labels, as_frame, numbers, rows, same_length
from causalbook.averages import mean_of
from causalbook.case_study.decisions import Decision, decide
from causalbook.causal_graphs import Graph, Identification, identify
from causalbook.estimate import Estimate
from causalbook.estimators import Check, aipw, balance, ipw, overlap
from causalbook.nuisance import linear, logit

if TYPE_CHECKING:
    import pandas as pd

# Words that tell how near a visitor is to buying; where several occur, the first row decides.
TELLS = {
    "buys": {"buy", "order", "purchase", "basket"},
    "compares": {"which", "compare", "rated", "worth"},
    "looks": {"what", "looking", "ideas", "any"},
}
WORD = re.compile(r"\w+")
AGES = np.arange(20, 80, 5)  # where one band of ages ends and the next begins
BANDS = np.array(["under 20", *(f"from {age}" for age in AGES)])


def read_query(query: Any) -> Labels:
    """Read from the words of each query how near its writer is to buying.

    Parameters: `query` (n,) texts. Returns (n,) labels: "buys" where a word such as *order* occurs,
    else "compares" (*which*, *rated*), else "looks" (*ideas*), else "untold". Each different text
    is read once; capitals and punctuation do not count. Raises ValueError for missing texts, and
    for one text alone. Source: ours, a dictionary of twelve words.
    """
    import pandas as pd

    if isinstance(query, str):
        raise ValueError(f"query is one text ({query!r}): pass a list of them, one a user")
    texts = pd.Categorical(query)
    if (gone := texts.codes < 0).any():
        raise ValueError(f"query is missing in {rows(gone)}: say what an absent query means")

    def told(text: str) -> str:
        words = set(WORD.findall(str(text).lower()))
        return next((tells for tells, any_of in TELLS.items() if words & any_of), "untold")

    read: Labels = np.array([told(text) for text in texts.categories])[texts.codes]
    return read


def shop_covariates(frame: Any) -> pd.DataFrame:
    """Turn columns of the shop's log into numbers that a linear model can use.

    The query becomes what `read_query` reads, age becomes bands of five years, a number stays as
    it is. Any label becomes one column for each level that occurs but the most frequent: with
    another order or other names of the levels, a model fits the same.

    Parameters: `frame`, one row a user, columns from before the slot is filled. Returns a DataFrame
    of numbers with the rows of `frame`. Raises ValueError for missing values, for points in time
    and for two columns of one name, naming the column. Source: ours.
    """
    import pandas as pd

    if (twice := as_frame("frame", frame).columns.duplicated()).any():
        raise ValueError(f"frame has two columns {frame.columns[twice][0]!r}: give each its name")
    columns: dict[str, Array] = {}
    for name, values in frame.items():
        if (gone := values.isna().to_numpy()).any():
            raise ValueError(
                f"{name} is missing in {rows(gone)}: keep the users, with a level of its own for "
                "what is not known"
            )
        if pd.api.types.is_datetime64_any_dtype(values):
            raise ValueError(
                f"{name} holds points in time, almost as many as rows: pass what matters of them, "
                "such as the day of the week"
            )
        levels: Any = values
        if name == "query":
            levels = read_query(values)
        elif name == "age":
            levels = BANDS[np.searchsorted(AGES, values.to_numpy(), side="right")]
        elif pd.api.types.is_numeric_dtype(values):
            columns[name] = values.to_numpy(dtype=np.float64)
            continue
        found = pd.Categorical(levels).remove_unused_categories()
        usual = np.bincount(found.codes).argmax()
        own = {f"{name} {x}": found.codes == k for k, x in enumerate(found.categories)}
        columns |= {column: v for k, (column, v) in enumerate(own.items()) if k != usual}
    return pd.DataFrame(columns, index=frame.index).astype(np.float64)


def _columns(frame: Any, *needed: str) -> Any:
    """Return the frame if it has these columns; refuse it otherwise, by their names."""
    if absent := [name for name in needed if name not in as_frame("frame", frame)]:
        raise ValueError(
            f"frame has no column {', '.join(map(repr, absent))}: its columns are "
            f"{', '.join(map(str, frame.columns))}"
        )
    return frame


@dataclass(frozen=True)
class Outcome:
    """What is measured: the `name` of a column and the `levels` it may take (None: any number).

    `at_least` makes a yes or no of a column of other values: 1 where it reaches that value.
    """

    name: str
    levels: tuple[float, ...] | None = (0, 1)
    at_least: float | None = None

    def __post_init__(self) -> None:
        """Refuse a threshold that is no number: nothing would reach it, or everything."""
        if self.at_least is not None and not math.isfinite(self.at_least):
            raise ValueError(f"at_least is {self.at_least}: pass the value that counts as a yes")

    def of(self, frame: Any) -> Array:
        """Return the outcome of each row; raise ValueError for values outside the levels."""
        y = numbers(self.name, _columns(frame, self.name)[self.name])
        if self.at_least is not None:
            y = (y >= self.at_least).astype(np.float64)
        if self.levels is not None and (bad := ~np.isin(y, self.levels)).any():
            raise ValueError(
                f"{self.name} takes other values, such as {y[bad][0]:g}, in {rows(bad)}; "
                f"declared are the levels {', '.join(map('{:g}'.format, self.levels))}: "
                "declare those it has, or state the value from which it counts as a yes (at_least)"
            )
        return y


def lottery_check(estimate: Estimate, y: Any, a: Any, e: Any) -> Check:
    r"""Compare a modelled effect with that of the same units by their logged propensities.

    $$\hat\Delta = \frac1{n_S} \sum_{i \in S} (\hat\tau + \psi_i) - \hat\tau_{IPW}(S; e), \qquad
      H_0: \; E[\hat\Delta] = 0$$

    S are the rows whose propensity e was logged. There weighting needs no model and knows of every
    cause the treatment had, also those that no column tells. Failed if p is below .01, which
    happens to one sound analysis in a hundred; passed says no more than the interval.

    Parameters: `estimate` of the ATE with one influence value a row; `y` (n,) its outcome; `a` (n,)
    0 or 1; `e` (n,) in (0, 1), NaN where not logged. Columns of the table: rows, modelled, lottery,
    difference, se, low, high, p.
    Raises ValueError for another estimand or unequal lengths, where nothing is logged, and as `ipw`
    does. Source: ours; a Hausman (1978) test on the influence values.
    """
    import pandas as pd

    if estimate.estimand != "ATE":
        raise ValueError(f"estimate is of the {estimate.estimand}: the lottery speaks of the ATE")
    outcome, treated, logged = numbers("y", y), np.asarray(a), np.asarray(e, dtype=np.float64)
    same_length(estimate=estimate.influence, y=outcome, a=treated, e=logged)
    s = ~np.isnan(logged)
    if not s.any():
        raise ValueError("e is logged nowhere: without it there is no lottery to compare with")
    lottery = ipw(outcome[s], treated[s], logged[s])
    score, of = (estimate.value + estimate.influence)[s], "ATE where logged"
    modelled = mean_of(score, estimand=of, method=estimate.method, sample=lottery.sample)
    gap = modelled - lottery
    (low, high), p = gap.conf_int(), gap.pvalue()
    table = {"rows": int(s.sum()), "modelled": modelled.value, "lottery": lottery.value}
    table |= {"difference": gap.value, "se": gap.se, "low": low, "high": high, "p": p}
    said = (
        "The model and the lottery agree as far as these rows can tell."
        if p >= 0.01
        else "The model misses something that decided who was treated."
    )
    return Check("logged propensities", bool(p >= 0.01), pd.DataFrame([table]), said)


@dataclass(frozen=True)
class Study:
    """The six things that an analysis leaves behind, in the order in which they are settled.

    Parameters: `estimand`, in words; `graph`; `identification` in it; `estimate`; `refutation`,
    the checks that could have overturned it; `policy`, the decision.
    """

    estimand: str
    graph: Graph = field(repr=False)
    identification: Identification
    estimate: Estimate
    refutation: tuple[Check, ...]
    policy: Decision

    @property
    def stands(self) -> bool:
        """Whether every check passed; if not, do not act on `policy`."""
        return all(self.refutation)

    def summary(self) -> pd.DataFrame:
        """Return the six artefacts as six rows of text."""
        import pandas as pd

        said = [f"{check.name}: {'passed' if check else 'failed'}" for check in self.refutation]
        found = {"estimand": self.estimand, "graph": f"{len(self.graph.edges)} arrows"}
        found |= {"identification": self.identification.why}
        found |= {"estimate": f"{self.estimate.value:.4f}, standard error {self.estimate.se:.4f}"}
        found |= {"refutation": "; ".join(said), "policy": repr(self.policy)}
        return pd.DataFrame(found.items(), columns=["step", "artefact"])


def study(
    frame: Any,
    graph: Graph,
    treatment: str,
    outcome: Outcome,
    *,
    encode: Callable[[Any], pd.DataFrame],
    margin: float,
    cost: float,
    units: float,
    estimand: str = "ATE",
    propensity: str | None = None,
) -> Study:
    r"""Go from a log and a graph to a decision: identify, estimate, try to refute, decide.

    $$m = \text{margin} \cdot \hat\tau_{AIPW} - \text{cost}$$

    The graph chooses the columns: its smallest back-door set, made into numbers by `encode`.

    Parameters: `frame`, one row a unit; `treatment`, a 0/1 column and node of `graph`; `outcome`,
    likewise; `margin`, money for one unit of outcome; `cost` of treating one of the `units` that
    the decision concerns; `estimand`, "ATE" (treat everyone, against no one) or "ATT" (go on as
    now, against no one); `propensity`, a column, NaN where not logged: then `lottery_check` is
    among the refutations, of the ATE for either estimand. The balance is that of the estimand:
    for the ATT the treated as they are, the others weighted by e / (1 - e).
    Raises ValueError where the graph has no back-door set, where a column is absent or the outcome
    not as declared, and as `aipw` does. Source: ours.
    """
    if not all(map(math.isfinite, (margin, cost))):
        raise ValueError(f"margin is {margin} and cost {cost}: both are amounts of money")
    identification = identify(graph, treatment, outcome.name)
    if identification.strategy != "back door":
        raise ValueError(
            f"graph: the effect of {treatment} on {outcome.name} has no back-door set "
            f"({identification.why}): observe more, or randomise"
        )
    before, logged = sorted(identification.sets[0]), [] if propensity is None else [propensity]
    _columns(frame, treatment, *before, *logged)
    y, a, X = outcome.of(frame), frame[treatment].to_numpy(), encode(frame[before])
    e, mu0, mu1 = logit(X, a), linear(X, y, where=a == 0), linear(X, y, where=a == 1)
    effect = aipw(y, a, e, mu0, mu1, estimand=estimand)
    aim = e.values if estimand == "ATT" else np.ones(len(a))  # how much each row's kind counts
    weights = aim / np.where(a == 1, e.values, 1 - e.values)
    checks = [balance(X, a, weights), overlap(e, a)]
    if propensity is not None:
        average = effect if estimand == "ATE" else aipw(y, a, e, mu0, mu1)
        checks.append(lottery_check(average, y, a, frame[propensity]))
    said = f"{estimand} of {treatment} on {outcome.name}"
    policy = decide(margin * effect - cost, units=units)
    return Study(said, graph, identification, effect, tuple(checks), policy)
