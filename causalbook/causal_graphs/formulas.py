"""Formulas made of observed probabilities: written for people, evaluated on a joint table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

from causalbook.causal_graphs.tables import Number, Table


@dataclass(frozen=True)
class P:
    """P(of | given), a probability that the observed joint table holds."""

    of: frozenset[str]
    given: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Product:
    """Factors multiplied."""

    factors: tuple[Formula, ...]


@dataclass(frozen=True)
class Sum:
    """A term summed over all values of some variables."""

    over: frozenset[str]
    term: Formula


@dataclass(frozen=True)
class Ratio:
    """One formula divided by another one."""

    top: Formula
    bottom: Formula


Formula = P | Product | Sum | Ratio
ONE = Product(())


def free(f: Formula) -> frozenset[str]:
    """Return the variables whose values the formula asks for."""
    match f:
        case P(of, given):
            return of | given
        case Product(factors):
            return frozenset().union(*map(free, factors))
        case Sum(over, term):
            return free(term) - over
        case Ratio(top, bottom):
            return free(top) | free(bottom)


def times(factors: Iterable[Formula]) -> Formula:
    """Multiply, without products inside products."""
    flat: list[Formula] = []
    for f in factors:
        flat += f.factors if isinstance(f, Product) else [f]
    return flat[0] if len(flat) == 1 else Product(tuple(flat))


def sum_over(over: frozenset[str], f: Formula) -> Formula:
    """Sum a formula over variables; what sums to 1 vanishes, what does not vary stands outside."""
    if isinstance(f, Sum):  # a sum of a sum is one sum
        return sum_over(over | f.over, f.term)
    factors = list(f.factors) if isinstance(f, Product) else [f]
    left = set(over)
    for v in sorted(over) * len(over):  # one variable less may free another one
        holders = [g for g in factors if v in free(g)]
        if v in left and len(holders) == 1 and isinstance(g := holders[0], P) and v in g.of:
            place = factors.index(g)
            factors[place : place + 1] = [P(g.of - {v}, g.given)] if g.of != {v} else []
            left.remove(v)
    inside = [g for g in factors if free(g) & left]
    outside = [g for g in factors if not free(g) & left]
    if left and len(inside) == 1 and isinstance(g := inside[0], Sum):
        return times([*outside, sum_over(g.over | left, g.term)])
    return times([*outside, Sum(frozenset(left), times(inside))] if left else outside)


def divide(top: Formula, bottom: Formula) -> Formula:
    """Divide, after cancelling the factors that both have."""
    above: list[Formula] = list(top.factors) if isinstance(top, Product) else [top]
    below = []
    for f in bottom.factors if isinstance(bottom, Product) else [bottom]:
        if f in above:
            above.remove(f)
        else:
            below.append(f)
    return Ratio(times(above), times(below)) if below else times(above)


def write(f: Formula) -> str:
    """Write a formula; a summed variable that also stands outside its sum gets a prime."""
    return _write(f, {v: v for v in free(f)})


def _write(f: Formula, shown: Mapping[str, str]) -> str:
    match f:
        case P(of, given):
            said = ", ".join(sorted(shown[v] for v in of))
            return (
                f"P({said} | {', '.join(sorted(shown[v] for v in given))})"
                if given
                else f"P({said})"
            )
        case Product(factors):
            ordered = sorted(factors, key=lambda g: [P, Product, Ratio, Sum].index(type(g)))
            words = [_write(g, shown) for g in ordered]
            wide = [not isinstance(g, P) for g in ordered]  # the last one needs no brackets
            inner = [f"({w})" if s else w for w, s in zip(words[:-1], wide, strict=False)]
            return " ".join([*inner, *words[-1:]]) or "1"
        case Sum(over, term):
            own = {v: v + "'" * _primes(v, shown) for v in sorted(over)}
            index = ",".join(own.values())
            return (
                f"Σ_{index if len(own) == 1 else f'{{{index}}}'} {_write(term, {**shown, **own})}"
            )
        case Ratio(top, bottom):
            return f"[{_write(top, shown)}] / [{_write(bottom, shown)}]"


def _primes(v: str, shown: Mapping[str, str]) -> int:
    k = 0
    while v + "'" * k in shown.values():
        k += 1
    return k


class Gap(str):
    """A probability that the table does not determine: nothing has the values it is given."""


def value(f: Formula, table: Table, at: Mapping[str, Any]) -> Number:
    """Evaluate a formula at values of its free variables; a `Gap` times 0 is 0."""
    match f:
        case P(of, given):
            below = table.mass(given, at)
            if not below:
                said = ", ".join(f"{v} = {at[v]}" for v in sorted(given))
                return Gap(f"P({', '.join(sorted(of))} | {said})")
            return table.mass(of | given, at) / below
        case Product(factors):
            values = [value(g, table, at) for g in factors]
            gaps = [v for v in values if isinstance(v, Gap)]
            if any(not isinstance(v, Gap) and v == 0 for v in values):
                return 0
            return gaps[0] if gaps else prod(values)
        case Sum(over, term):
            names = sorted(over)
            cells = product(*(table.values[v] for v in names))
            terms = [value(term, table, {**at, **dict(zip(names, c, strict=True))}) for c in cells]
            gaps = [t for t in terms if isinstance(t, Gap)]
            return gaps[0] if gaps else sum(terms)
        case Ratio(top, bottom):
            both = [value(top, table, at), value(bottom, table, at)]
            gaps = [v for v in both if isinstance(v, Gap)]
            if not gaps and both[1] == 0:
                gaps = [Gap(f"ratio, since {write(bottom)} = 0")]
            return gaps[0] if gaps else both[0] / both[1]
