"""Bayesian networks: a graph with a table for each node, and any question answered exactly."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING, Any

from causalbook.arrays import as_frame
from causalbook.causal_graphs.dag import Graph
from causalbook.causal_graphs.do_calculus import identify
from causalbook.causal_graphs.tables import Cell, Number, Table
from causalbook.causal_graphs.walks import order

if TYPE_CHECKING:
    import pandas as pd

At = dict[str, Any]  # values of some nodes
Row = dict[Any, Number]  # {value: probability}
Cpt = dict[Cell, Row]  # values of the parents -> {value: probability}


class BayesNet:
    r"""A causal Bayesian network: seeing and doing, computed exactly.

    $$P(v) = \prod_i P(v_i \mid pa_i), \qquad
      P(v \mid do(x)) = \prod_{i:\, V_i \notin X} P(v_i \mid pa_i)
      \ \text{ for } v \text{ that agree with } x$$

    Parameters: `graph`; `cpts`, for each node (latent ones too) a table
    ``{values of the parents: {value: probability}}``, parents in alphabetical order, a tuple where
    there are several, ``()`` or no such level where there are none. A probability in place of
    ``{value: probability}`` is that of 1, the other value being 0. Floats or Fractions.
    Raises ValueError for a missing node, row or column, rows that do not sum to 1, an edge
    ``A <-> Y``, which has no table (name what causes both, and give it one).
    Source: Pearl (2009, definition 1.3.1 and section 3.2.3).
    """

    def __init__(self, graph: Graph, cpts: Mapping[str, Any]) -> None:
        self.graph = graph
        if graph.bidirected:
            raise ValueError(
                f"graph has {' <-> '.join(graph.bidirected[0])}, for which there is no table: make "
                "the common cause a node, and name it in latent"
            )
        if set(cpts) != set(graph.nodes):
            odd = ", ".join(sorted(set(cpts) ^ set(graph.nodes)))
            raise ValueError(f"cpts and graph disagree on {odd}: give each node one table")
        self._cpts: dict[str, Cpt] = {}
        self._seen: Table | None = None  # the observed joint table, where latent nodes have none
        for node in order(graph._parents):
            parents = {p: self._domain(p) for p in self._parents(node)}
            self._cpts[node] = _read_cpt(node, cpts[node], parents)

    def _parents(self, node: str) -> list[str]:
        return sorted(self.graph.parents(node))

    def _domain(self, node: str) -> list[Any]:
        """The values that a node can have, in the order of its table."""
        if self._seen is not None:
            return sorted(self._seen.values[node])
        return list(next(iter(self._cpts[node].values())))

    @classmethod
    def fit(cls, graph: Graph, frame: pd.DataFrame, smoothing: float = 0.0) -> BayesNet:
        r"""Estimate the tables by counting.

        $$\hat P(v \mid pa) = \frac{n(v, pa) + s}{n(pa) + s\,|V|}$$

        Parameters: `frame`, one row a unit, one discrete column for each observed node;
        `smoothing` s is added to every count. With latent nodes or bidirected edges the tables
        behind the data are unknown: the observed joint table is kept instead (s is added to the
        count of each of its cells), and `query` with `do` goes through `identify`, or refuses.
        Raises ValueError for missing columns or values, and, once it is needed, for P(. | cell)
        of a cell that holds no row.
        """
        if absent := set(graph.observed) - set(as_frame("frame", frame).columns):
            raise ValueError(f"frame lacks the columns {', '.join(sorted(absent))}")
        rows = frame[list(graph.observed)]
        if gaps := [name for name in graph.observed if rows[name].isna().any()]:
            raise ValueError(f"frame is missing values in {', '.join(gaps)}: drop or model them")
        if rows.empty:
            raise ValueError("frame has no rows: there is nothing to count")
        if not 0 <= smoothing < math.inf:
            raise ValueError(f"smoothing is {smoothing}: it is added to counts, so 0 or more")
        values = {name: sorted(rows[name].unique().tolist()) for name in graph.observed}
        net = cls.__new__(cls)
        net.graph, net._cpts, net._seen = graph, {}, None
        if graph.latent or graph.bidirected:
            counts = _counts(rows, list(graph.observed), values, smoothing)
            total = sum(counts.values())
            net._seen = Table(graph.observed, {c: k / total for c, k in counts.items() if k})
            return net
        for node in order(graph._parents):
            parents = net._parents(node)
            counts = _counts(rows, [*parents, node], values, smoothing)
            net._cpts[node] = {}
            for cell in product(*(values[p] for p in parents)):
                row = {v: counts[(*cell, v)] for v in values[node]}
                if n := sum(row.values()):
                    net._cpts[node][cell] = {v: k / n for v, k in row.items()}
        return net

    def query(
        self, y: str, given: Mapping[str, Any] | None = None, do: Mapping[str, Any] | None = None
    ) -> dict[Any, Number]:
        """Distribution of y among those seen with `given`, after setting `do`.

        Parameters: `y`, a node; `given` and `do`, values of nodes. `given` is what is seen after
        the intervention. Returns {value: probability}.
        Raises ValueError for unknown nodes or values, for a `given` of probability 0, and, for
        tables estimated without the latent causes, where the effect is not identified.
        """
        given, do = dict(given or {}), dict(do or {})
        self._check(y, given, do)
        cells = self._cells if self._seen is None else self._identified_cells
        total: Row = dict.fromkeys(self._domain(y), 0)
        for at, p in cells({y}, given, do):
            total[at[y]] += p
        if not (mass := sum(total.values())):
            raise ValueError(
                f"given is {given}, which has probability 0 under do = {do}: ask what can be seen"
            )
        return {v: p / mass for v, p in total.items()}

    def joint(self) -> pd.Series:
        """Joint table of the observed nodes: what infinitely many rows of data would show.

        Returns a Series of probabilities whose index levels are the variables.
        """
        if self._seen is not None:
            return self._seen.series()
        names = self.graph.observed
        table: dict[Cell, Number] = {}
        for at, p in self._cells(set(names), {}, {}):
            cell = tuple(at[name] for name in names)
            table[cell] = table.get(cell, 0) + p
        return Table(names, table).series()

    def _cells(self, asked: set[str], given: At, do: At) -> list[tuple[At, Number]]:
        """The truncated factorisation: all that agrees with given and do, with probabilities.

        Nodes that are no cause of what is asked or given sum to 1, and are left out.
        """
        graph = self.graph.do(do)
        needed = asked | set(given) | graph.ancestors(asked | set(given))
        cells: list[tuple[At, Number]] = [({}, 1)]
        for node in (n for n in order(graph._parents) if n in needed):
            cells = [
                ({**at, node: v}, p * q)
                for at, p in cells
                for v, q in ({do[node]: 1} if node in do else self._row(node, at)).items()
                if q and given.get(node, v) == v
            ]
        return cells

    def _row(self, node: str, at: At) -> Row:
        cell = tuple(at[p] for p in self._parents(node))
        if cell not in self._cpts[node]:
            said = ", ".join(f"{p} = {at[p]}" for p in self._parents(node))
            raise ValueError(f"no row of the frame has {said}, so P({node} | {said}) is unknown")
        return self._cpts[node][cell]

    def _identified_cells(self, asked: set[str], given: At, do: At) -> Iterator[tuple[At, Number]]:
        """The same from the observed table alone, through a formula for P(asked, given | do).

        Where there is none, a node that is seen may as well be set, if rule 2 of the do-calculus
        allows it: so all is found that can be. Source: Shpitser and Pearl (2006, UAI, IDC).
        """
        assert self._seen is not None
        table = self._seen
        if do:
            found = identify(self.graph, set(do), asked | set(given))
            for z in () if found.identifiable else given:
                rest = {name: v for name, v in given.items() if name != z}
                cut = self.graph._without(into=frozenset(do), out=frozenset([z]))
                if cut.d_separated(asked, z, {*do, *rest}):
                    yield from self._identified_cells(asked, rest, {**do, z: given[z]})
                    return
            series = found._evaluate(table.series(), {**given, **do})  # no cell else is needed
            table = Table(
                map(str, series.index.names), dict(zip(series.index, series, strict=True))
            )
        for cell, p in table.cells.items():
            at = dict(zip(table.names, cell, strict=True))
            if all(at[name] == v for name, v in {**given, **do}.items()):
                yield at, p

    def _check(self, y: str, given: At, do: At) -> None:
        self.graph._known("y, given and do", {y, *given, *do})
        if self._seen is not None and (hidden := {y, *given, *do} & self.graph.latent):
            raise ValueError(f"{', '.join(sorted(hidden))} is latent: the data do not hold it")
        if both := ({y} | set(given)) & set(do) or {y} & set(given):
            raise ValueError(f"{', '.join(sorted(both))} stands in two of y, given and do")
        for node, v in {**given, **do}.items():
            if v not in self._domain(node):
                raise ValueError(f"{node} = {v!r}: its values are {self._domain(node)}")


def _counts(
    rows: pd.DataFrame, names: list[str], values: dict[str, list[Any]], smoothing: float
) -> dict[Cell, float]:
    found = rows.groupby(names, observed=True).size()
    keys = [key if isinstance(key, tuple) else (key,) for key in found.index]
    counts = dict.fromkeys(product(*(values[n] for n in names)), smoothing)
    for key, k in zip(keys, found, strict=True):
        counts[key] += k
    return counts


def _read_cpt(node: str, table: Any, parents: Mapping[str, list[Any]]) -> Cpt:
    """Bring a table into its full form, and refuse one that is not complete."""
    rows: dict[Cell, Any]
    if not parents and not (isinstance(table, Mapping) and () in table):
        rows = {(): table}
    elif isinstance(table, Mapping):
        rows = {key if isinstance(key, tuple) else (key,): row for key, row in table.items()}
    else:
        raise ValueError(f"cpts[{node!r}] is {table!r}: give it a row for each {_said(parents)}")
    wanted = set(product(*parents.values()))
    if odd := wanted - set(rows) or set(rows) - wanted:
        what = "lacks" if odd <= wanted else "has, beyond the values of its parents,"
        raise ValueError(
            f"cpts[{node!r}] {what} the row {_said(parents)} = {_said(min(odd, key=str))}"
        )
    cpt: Cpt = {}
    for cell, row in rows.items():
        where = f"cpts[{node!r}]" + (f", {_said(parents)} = {_said(cell)}," if cell else "")
        cpt[cell] = _read_row(row, where)
        if cpt[cell].keys() != (first := next(iter(cpt.values()))).keys():
            raise ValueError(f"{where} has the values {[*cpt[cell]]}, another row {[*first]}")
    return cpt


def _read_row(row: Any, where: str) -> Row:
    try:
        full = dict(row) if isinstance(row, Mapping) else {0: 1 - row, 1: row}
        right = all(p >= 0 for p in full.values()) and _sums_to_one(full.values())
    except TypeError:  # a text, None, one dictionary too many
        right = False
    if not right:
        raise ValueError(f"{where} is {row!r}: probabilities of 0 or more that sum to 1, please")
    return full


def _sums_to_one(row: Any) -> bool:
    total = sum(row)
    return total == 1 if isinstance(total, Fraction) else math.isclose(total, 1, abs_tol=1e-9)


def _said(several: Iterable[Any]) -> str:
    words = [str(one) for one in several]
    return words[0] if len(words) == 1 else f"({', '.join(words)})"
