"""Small discrete worlds in which every joint outcome is enumerated, in exact fractions."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import combinations_with_replacement
from math import comb, factorial, prod
from typing import TYPE_CHECKING, Any

from causalbook.arrays import dice

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]
Joint = dict[tuple[Any, ...], Fraction]
NOTHING: Mapping[str, Any] = {}
MOST_SAMPLES = 500_000  # that `moments` will enumerate: half a minute of fractions


class ExactWorld:
    r"""A small discrete world whose every probability is an exact fraction.

    $$P(v \mid do(x)) = \prod_{V \notin X} P(v_V \mid \text{its parameters})
      \quad \text{where } v \text{ agrees with } x, \text{ else } 0$$

    Parameters: each keyword is a variable, in causal order. Its mechanism is a Fraction, P(=1); a
    dict {value: Fraction}; or a function that returns one of these and whose parameters name
    earlier variables, its direct causes. Mechanisms have independent noise: whatever two
    variables share stands in the table as a variable of its own, so that A and Y(a) are
    independent given all variables before A.
    Raises ValueError for floats, probabilities outside [0, 1] or that do not sum to 1, parameters
    that name no earlier variable, unknown variables, conditions of probability 0.
    Source: Pearl (2009, section 3.2.3, the truncated factorisation).
    """

    def __init__(self, **mechanisms: Any) -> None:
        self.variables = tuple(mechanisms)
        self.parents: dict[str, tuple[str, ...]] = {}
        self._mechanisms, self._joints = mechanisms, dict[frozenset[Any], Joint]()
        for i, (name, mechanism) in enumerate(mechanisms.items()):
            causes = tuple(inspect.signature(mechanism).parameters) if callable(mechanism) else ()
            for cause in causes:
                if cause not in self.variables[:i]:
                    known = ", ".join(self.variables[:i]) or "none, it is the first"
                    raise ValueError(
                        f"{name} has the parameter {cause}, which is no earlier variable "
                        f"({known}): write the variables in causal order, causes first"
                    )
            self.parents[name] = causes
        self._table({})  # so that a wrong probability is found here and not later

    def joint(self, **do: Any) -> Joint:
        """Probability of each tuple of values (in the order of the variables) under do."""
        return dict(self._table(do))

    def prob(
        self,
        event: Mapping[str, Any],
        given: Mapping[str, Any] = NOTHING,
        do: Mapping[str, Any] = NOTHING,
    ) -> Fraction:
        r"""Return $P(event \mid given, do)$; names outside the world and empty conditions raise."""
        self._know("event", event)
        cells = self._cells(given, do)
        total = sum(cells.values(), Fraction(0))
        return sum((p for v, p in cells.items() if self._fits(v, event)), Fraction(0)) / total

    def mean(
        self, outcome: str, given: Mapping[str, Any] = NOTHING, do: Mapping[str, Any] = NOTHING
    ) -> Fraction:
        r"""Return $E[outcome \mid given, do]$; values that are no numbers raise."""
        self._know("outcome", [outcome])
        k, cells = self.variables.index(outcome), self._cells(given, do)
        for v in cells:
            if not isinstance(v[k], (int, Fraction)):
                raise ValueError(f"{outcome} takes the value {v[k]!r}: a mean needs exact numbers")
        return Fraction(sum(v[k] * p for v, p in cells.items())) / sum(cells.values())

    def cate(self, given: Mapping[str, Any], a: str = "A", y: str = "Y") -> Fraction:
        r"""Average effect of `a` on `y` where `given` holds: $E[Y(1) - Y(0) \mid given]$.

        `given` may name variables before `a`, and `a` itself. Raises for a variable after `a`:
        the average effect among those with one value of it mixes two worlds.
        """
        self._treatment(a)
        return self._potential(y, a, 1, given) - self._potential(y, a, 0, given)

    def estimands(self, a: str = "A", y: str = "Y") -> dict[str, Fraction]:
        r"""Return what a comparison of treated and untreated is made of, all exact.

        $$\underbrace{E[Y|A=1] - E[Y|A=0]}_{naive} = ATE
          + \underbrace{E[Y(0)|A=1] - E[Y(0)|A=0]}_{selection\ bias}
          + \underbrace{(1 - P(A=1))(ATT - ATU)}_{effect\ heterogeneity}$$

        Parameters: names of a treatment with values 0 and 1 and of an outcome; all other variables
        are averaged over: $E[Y(a)|A=a'] = \sum_v P(v|A=a')\, E[Y|do(a), v]$ for v before A.
        Keys: naive, ATE, ATT, ATU, selection bias, effect heterogeneity.
        Raises ValueError unless both treatments have positive probability.
        Source: Cunningham (2021, chapter 4), the decomposition of the simple difference.
        """
        att, atu = self.cate({a: 1}, a, y), self.cate({a: 0}, a, y)
        p = self.prob({a: 1})
        return {
            "naive": self.mean(y, {a: 1}) - self.mean(y, {a: 0}),
            "ATE": p * att + (1 - p) * atu,
            "ATT": att,
            "ATU": atu,
            "selection bias": self._potential(y, a, 0, {a: 1}) - self._potential(y, a, 0, {a: 0}),
            "effect heterogeneity": (1 - p) * (att - atu),
        }

    def mediation(self, a: str = "A", m: str = "M", y: str = "Y") -> dict[str, Any]:
        r"""Effects of taking `a` from 0 to 1, through `m` and around it, all exact.

        $$E[Y(a, M(a'))] = \sum_{w, m} P(w)\, P(m \mid do(a'), w)\, E[Y \mid do(a, m), w]$$

        for w the variables before M that A does not affect. With $Y_{aa'} = E[Y(a, M(a'))]$:
        $TE = Y_{11} - Y_{00}$, $NDE = Y_{10} - Y_{00}$, $NIE = Y_{01} - Y_{00}$,
        $TNDE = Y_{11} - Y_{01}$, $TNIE = Y_{11} - Y_{10}$, so that TE = NDE + TNIE = TNDE + NIE;
        CDE is {m: $E[Y(1, m) - Y(0, m)]$}.
        Raises ValueError where a variable is affected by A and affects both M and Y: then the
        effects depend on how its two potential values go together, which no mechanism says.
        Source: Pearl (2001); Robins and Greenland (1992).
        """
        self._know("a, m, y", (a, m, y))
        affected, before = self._descendants(a), self.variables[: self.variables.index(m)]
        for v in before:
            if v in affected and m in self._descendants(v) and y in self._descendants(v, but=m):
                raise ValueError(
                    f"{v} is affected by {a} and affects both {m} and {y}: the natural effects "
                    "are then not determined by the mechanisms; ask for controlled ones"
                )
        w_names = [v for v in before if v != a and v not in affected]
        values = self._marginal([m], {a: 0}) | self._marginal([m], {a: 1})

        def cross(arm: int, other: int) -> Fraction:
            """$E[Y(a, M(a'))]$."""
            total = Fraction(0)
            for v, p in self._marginal([*w_names, m], {a: other}).items():
                w = dict(zip(w_names, v[:-1], strict=True))
                total += p * self.mean(y, w, {a: arm, m: v[-1]})
            return total

        y11, y10, y01, y00 = cross(1, 1), cross(1, 0), cross(0, 1), cross(0, 0)
        cde = {x: self.mean(y, do={a: 1, m: x}) - self.mean(y, do={a: 0, m: x}) for (x,) in values}
        natural = {"NDE": y10 - y00, "NIE": y01 - y00, "TNDE": y11 - y01, "TNIE": y11 - y10}
        return {"TE": y11 - y00, **natural, "CDE": cde}

    def moments(
        self, estimator: Callable[[list[Row]], Fraction | int | None], n: int
    ) -> tuple[Fraction, Fraction, Fraction]:
        r"""Exact mean and variance of an estimator over all samples of n rows.

        $$P(k_1, ..., k_c) = \frac{n!}{k_1! \cdots k_c!} \prod_j p_j^{k_j}$$

        Parameters: `estimator` takes n rows (dicts), whose order must not matter, and returns an
        exact number, or None where it is undefined. Returns mean and variance given that it is
        defined, and the probability that it is undefined. Raises ValueError for more samples than
        can be enumerated, floats, an estimator that is never defined.
        """
        cells = self._table({})
        count = comb(n + len(cells) - 1, n)
        if n < 1 or count > MOST_SAMPLES:
            raise ValueError(
                f"n is {n}: with {len(cells)} cells that makes {count:,} samples; between 1 and "
                f"{MOST_SAMPLES:,} can be enumerated"
            )
        first = second = undefined = Fraction(0)
        for sample in combinations_with_replacement(cells, n):
            k = Counter(sample)
            p = prod((cells[v] ** k[v] for v in k), start=Fraction(factorial(n)))
            p /= prod(factorial(times) for times in k.values())
            value = estimator([dict(zip(self.variables, v, strict=True)) for v in sample])
            if value is None:
                undefined += p
                continue
            value = _exact("estimator", value)
            first, second = first + p * value, second + p * value**2
        if undefined == 1:
            raise ValueError(f"estimator is undefined in every sample of {n} rows: take larger n")
        mean = first / (1 - undefined)
        return mean, second / (1 - undefined) - mean**2, undefined

    def sample(self, n: int, seed: int) -> pd.DataFrame:
        """Draw n rows as a DataFrame; fractions become floats; n and seed are whole numbers."""
        import pandas as pd

        rng, cells = dice(n, seed, "exact"), self._table({})
        drawn = rng.choice(len(cells), size=n, p=[float(p) for p in cells.values()])
        frame = pd.DataFrame(list(cells), columns=list(self.variables))
        return frame.iloc[drawn].reset_index(drop=True)

    def _table(self, do: Mapping[str, Any]) -> Joint:
        """Multiply the mechanisms in causal order; keep what has positive probability."""
        self._know("do", do)
        key = frozenset(do.items())
        if key not in self._joints:
            cells: Joint = {(): Fraction(1)}
            for name in self.variables:
                cells = {
                    (*v, x): p * q
                    for v, p in cells.items()
                    for x, q in self._distribution(name, v, do).items()
                    if q > 0
                }
            self._joints[key] = cells
        return self._joints[key]

    def _distribution(
        self, name: str, earlier: tuple[Any, ...], do: Mapping[str, Any]
    ) -> dict[Any, Fraction]:
        """Distribution of a variable given the values of the earlier ones."""
        if name in do:
            return {do[name]: Fraction(1)}
        mechanism = self._mechanisms[name]
        if callable(mechanism):
            row = dict(zip(self.variables, earlier, strict=False))
            mechanism = mechanism(**{cause: row[cause] for cause in self.parents[name]})
        if not isinstance(mechanism, dict):
            p = _exact(name, mechanism)
            mechanism = {0: 1 - p, 1: p}
        table = {x: _exact(name, p) for x, p in mechanism.items()}
        if any(not 0 <= p <= 1 for p in table.values()) or sum(table.values()) != 1:
            found = ", ".join(f"{x}: {p}" for x, p in table.items())
            raise ValueError(
                f"{name} has probabilities {found} (sum {sum(table.values())}) where "
                f"{dict(zip(self.variables, earlier, strict=False))}: each must lie in [0, 1] and "
                "their sum be 1"
            )
        return table

    def _cells(self, given: Mapping[str, Any], do: Mapping[str, Any]) -> Joint:
        self._know("given", given)
        cells = {v: p for v, p in self._table(do).items() if self._fits(v, given)}
        if not cells:
            under = f" under do({dict(do)})" if do else ""
            raise ValueError(
                f"given {dict(given)} has probability 0{under}: condition on what can happen"
            )
        return cells

    def _fits(self, v: tuple[Any, ...], event: Mapping[str, Any]) -> bool:
        return all(v[self.variables.index(name)] == x for name, x in event.items())

    def _marginal(
        self, names: Sequence[str], do: Mapping[str, Any], given: Mapping[str, Any] = NOTHING
    ) -> Joint:
        at = [self.variables.index(name) for name in names]
        sums: Joint = {}
        for v, p in self._cells(given, do).items():
            key = tuple(v[i] for i in at)
            sums[key] = sums.get(key, Fraction(0)) + p
        return sums

    def _potential(self, y: str, a: str, arm: int, given: Mapping[str, Any]) -> Fraction:
        r"""$E[Y(a) \mid given] = \sum_v P(v \mid given)\, E[Y \mid do(a), v]$, v before A."""
        self._know("given", given)
        before = self.variables[: self.variables.index(a)]
        for name in given:
            if name != a and name not in before:
                raise ValueError(f"given names {name}, which comes after {a}: it is an outcome too")
        total = Fraction(0)
        for v, p in self._marginal(before, {}, given).items():
            total += p * self.mean(y, dict(zip(before, v, strict=True)), {a: arm})
        return total / self.prob(given)

    def _treatment(self, a: str) -> None:
        self._know("a", [a])
        values = [x for (x,) in self._marginal([a], {})]
        if set(values) != {0, 1}:
            raise ValueError(f"{a} takes the values {values}: an effect needs both 0 and 1")

    def _descendants(self, name: str, but: str | None = None) -> set[str]:
        """Variables that `name` affects, paths through `but` left out."""
        found: set[str] = set()
        for v in self.variables:
            if v != but and any(cause == name or cause in found for cause in self.parents[v]):
                found.add(v)
        return found

    def _know(self, argument: str, names: Any) -> None:
        unknown = [name for name in names if name not in self.variables]
        if unknown:
            raise ValueError(
                f"{argument} names {', '.join(map(str, unknown))}, unknown in this world: its "
                f"variables are {', '.join(self.variables)}"
            )


def _exact(name: str, x: Any) -> Fraction:
    if not isinstance(x, (int, Fraction)):
        raise ValueError(
            f"{name} gives {x!r}, a {type(x).__name__}, not exact: use Fraction, as Fraction(1, 5)"
        )
    return Fraction(x)
