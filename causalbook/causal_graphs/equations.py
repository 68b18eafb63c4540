"""Structural causal models: equations and noise; what they say of data, of `do`, of one unit."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import isclose, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import dice
from causalbook.causal_graphs.walks import find_cycle, order

if TYPE_CHECKING:
    import pandas as pd

    from causalbook.causal_graphs.dag import Graph

Units = dict[str, Any]  # one value, or one column, for each name


@dataclass(frozen=True, eq=False)
class SCM:
    r"""Structural causal model: each variable is a function of its parents and its noise.

    $$V_j = f_j(\mathrm{pa}_j, U_j), \qquad U_1, U_2, \dots \text{ independent}$$

    Parameters: `equations`, {variable: function}, whose parameter names are variables and noise,
    in any order; `noise`, {name: {value: probability}} (discrete, exact with Fractions) or
    {name: sampler}, a function (rng, n) -> (n,) values. If all noise is discrete, equations are
    called with single values; else with columns, so write them with numpy. Noise in two equations
    is a common cause that nobody sees.
    Raises ValueError for a cycle, an unknown name, probabilities that do not sum to 1.
    Source: Pearl (2009, section 7.1); Pearl, Glymour and Jewell (2016, chapter 4).
    """

    equations: Mapping[str, Callable[..., Any]]
    noise: Mapping[str, Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "equations", dict(self.equations))
        object.__setattr__(self, "noise", dict(self.noise))
        both = sorted(set(self.equations) & set(self.noise))
        if both:
            raise ValueError(f"noise has {both}, which are variables too: give each its own name")
        for name, distribution in self.noise.items():
            _check_noise(name, distribution)
        for name in self.equations:
            unknown = sorted(set(self._arguments[name]) - set(self.equations) - set(self.noise))
            if unknown:
                raise ValueError(
                    f"the equation of {name} names {unknown}: parameters are variables or noise "
                    f"({', '.join([*self.equations, *self.noise])})"
                )
        self._order  # noqa: B018 (refuses cycles)

    @cached_property
    def _arguments(self) -> dict[str, list[str]]:
        return {name: list(inspect.signature(f).parameters) for name, f in self.equations.items()}

    @cached_property
    def _order(self) -> list[str]:
        parents = {v: frozenset(self._arguments[v]) & set(self.equations) for v in self.equations}
        if cycle := find_cycle(parents):
            raise ValueError(
                f"equations have the cycle {' -> '.join(cycle)}: solve it for these variables, or "
                "give the value at another time its own name"
            )
        return order(parents)

    @property
    def graph(self) -> Graph:
        """The graph that the equations draw: parents, and <-> where two equations share noise."""
        from causalbook.causal_graphs.dag import Graph

        edges = [
            f"{p} -> {v}" for v in self.equations for p in self._arguments[v] if p in self.equations
        ]
        for i, v in enumerate(self.equations):
            for w in list(self.equations)[i + 1 :]:
                if set(self._arguments[v]) & set(self._arguments[w]) & set(self.noise):
                    edges.append(f"{v} <-> {w}")
        return Graph("; ".join([*self.equations, *edges]))

    def do(self, /, **values: Any) -> SCM:
        """Set variables from outside: their equations become constants, all noise stays.

        Parameters: `values`, variable = value. Raises ValueError for a name without an equation.
        """
        self._refuse_unknown("do", values)
        constants = {name: _constant(value) for name, value in values.items()}
        return SCM({**self.equations, **constants}, self.noise)

    def sample(self, n: int, seed: int) -> pd.DataFrame:
        """Draw n units; the same seed draws the same units, also after `do`.

        Parameters: `n` units; `seed`. Returns one column for each variable, in the order of the
        equations; the noise stays hidden.
        """
        import pandas as pd

        rng, drawn = dice(n, seed, "SCM"), {}
        for name, noise in self.noise.items():
            if callable(noise):
                drawn[name] = np.asarray(noise(rng, n))
                if drawn[name].shape != (n,):
                    raise ValueError(
                        f"noise {name} drew shape {drawn[name].shape}: a sampler (rng, n) returns "
                        f"n values, here ({n},)"
                    )
            else:
                p = np.array([float(p) for p in noise.values()])
                drawn[name] = rng.choice(len(p), size=n, p=p / p.sum())  # which value
        world = self._look_up(drawn, n) if self._discrete else self._compute(self._columns(drawn))
        return pd.DataFrame({v: np.broadcast_to(world[v], n) for v in self.equations})

    def counterfactual(self, observed: Any, /, **do: Any) -> Any:
        r"""What would have been, had `do` been done, for the unit that was `observed`.

        $$P(V_{do} = v \mid \text{observed}) = \sum_u P(u \mid \text{observed})\,
          1[V_{do}(u) = v]$$

        Abduction: the noise given what was observed. Action: the equations of `do` become
        constants. Prediction: the variables under the same noise. With nothing observed this is
        the distribution under `do`, with no `do` it is the conditional distribution.

        Parameters: `observed`, {variable: value}. If all noise is discrete it may be partial, even
        empty, and the result is exact: {variable: {value: probability}}. Else every variable has
        to be observed and each equation to add its noise, V = g(parents) + U: the result is the
        unit's {variable: value}. There `observed` may be a frame of units; so is the result.
        Raises ValueError for an observation of probability 0, an unknown name, and where a noise
        cannot be recovered.
        Source: Pearl (2009, sections 1.4.4 and 7.1); Pearl, Glymour and Jewell (2016, chapter 4).
        """
        frame = hasattr(observed, "columns")
        if self._discrete and frame:
            raise ValueError("observed is a frame: with discrete noise pass one unit, as a dict")
        observed = observed if frame else dict(observed)
        self._refuse_unknown("observed", observed)
        then = self.do(**do)
        if self._discrete:
            return self._posterior(observed, then)
        missing = [v for v in self.equations if v not in observed]
        if missing:
            raise ValueError(
                f"observed lacks {missing}: with continuous noise all variables are needed"
            )
        columns = {v: np.asarray(observed[v], dtype=float) for v in self.equations}
        broken = [v for v, column in columns.items() if not np.isfinite(column).all()]
        if broken:
            raise ValueError(f"observed is NaN or infinite in {broken}: leave such units out")
        world = then._compute(_recovered(self, columns))
        if frame:
            import pandas as pd

            return pd.DataFrame({v: world[v] for v in self.equations}, index=observed.index)
        return {v: float(world[v]) for v in self.equations}

    def _posterior(self, observed: Mapping[str, Any], then: SCM) -> dict[str, dict[Any, Any]]:
        kept = []
        for weight, noise in self._settings():
            factual = self._compute(noise)
            if all(factual[v] == value for v, value in observed.items()):
                kept.append((weight, then._compute(noise)))
        total = sum(weight for weight, _ in kept)
        if total == 0:
            raise ValueError(f"observed {dict(observed)} has probability 0 in this model")
        result: dict[str, dict[Any, Any]] = {v: {} for v in self.equations}
        for weight, world in kept:
            for v, of in result.items():
                of[world[v]] = of.get(world[v], 0) + weight / total
        return result

    @property
    def _discrete(self) -> bool:
        return not any(callable(noise) for noise in self.noise.values())

    def _settings(self) -> Iterator[tuple[Any, Units]]:
        """Every setting of the discrete noise, with its probability."""
        for pairs in product(*(noise.items() for noise in self.noise.values())):
            weight = prod((p for _, p in pairs), start=1)
            if weight:
                yield weight, dict(zip(self.noise, (value for value, _ in pairs), strict=True))

    def _compute(self, noise: Units) -> Units:
        """All variables, in causal order, from values or columns of the noise."""
        world = dict(noise)
        for v in self._order:
            world[v] = self.equations[v](**{name: world[name] for name in self._arguments[v]})
        return world

    def _columns(self, drawn: Units) -> Units:
        """Turn indices of discrete values into the values."""
        return {
            name: which if callable(noise := self.noise[name]) else np.array([*noise])[which]
            for name, which in drawn.items()
        }

    def _look_up(self, drawn: Units, n: int) -> Units:
        """Compute each setting of the noise that was drawn once, then hand it out to its units."""
        import pandas as pd

        settings, unit = np.unique(
            np.column_stack([np.zeros(n, dtype=int), *drawn.values()]), axis=0, return_inverse=True
        )
        values = [list(noise) for noise in self.noise.values()]
        worlds = [
            self._compute({u: of[i] for u, of, i in zip(self.noise, values, row[1:], strict=True)})
            for row in settings
        ]
        # A Series keeps values of several kinds, and tuples, as they are; an array would not.
        return {
            v: pd.Series([world[v] for world in worlds]).to_numpy()[unit] for v in self.equations
        }

    def _refuse_unknown(self, name: str, given: Any) -> None:
        unknown = [v for v in given if v not in self.equations]
        if unknown:
            raise ValueError(f"{name} has {unknown}: the variables are {', '.join(self.equations)}")


def _recovered(model: SCM, observed: Units) -> Units:
    """Abduction where V = g(parents) + U: the noise of each unit, or a refusal."""
    noise: Units = {}
    for v in model._order:
        arguments, f = model._arguments[v], model.equations[v]
        unknown = [name for name in arguments if name in model.noise and name not in noise]
        if len(unknown) > 1:
            raise ValueError(f"the noise of {v} cannot be recovered: {unknown} enter together")
        known = {name: {**observed, **noise}[name] for name in arguments if name not in unknown}
        u = observed[v] - f(**known, **dict.fromkeys(unknown, 0.0))
        # A second and a third value tell g + U from what agrees with it at one point, such as U².
        for step in (0.0, 1.0, -0.7) if unknown else (0.0,):
            again = f(**known, **dict.fromkeys(unknown, u + step))
            if not np.allclose(again, observed[v] + step, rtol=1e-9, atol=1e-9):
                raise ValueError(
                    f"the noise of {v} cannot be recovered: {v} = g(parents) + noise does not hold"
                    if unknown
                    else f"observed {v} differs from its equation in noise that is already known"
                )
        for name in unknown:
            _check_support(v, name, u, model.noise[name])
            noise[name] = u
    # Noise that no equation uses any more has no say in the prediction.
    return noise | {name: np.nan for name in model.noise if name not in noise}


def _check_support(v: str, name: str, u: Any, noise: Any) -> None:
    if callable(noise):
        return
    near = np.isclose(np.ravel(u)[:, None], [float(x) for x in noise], rtol=1e-9, atol=1e-9)
    if not near.any(axis=1).all():
        raise ValueError(f"observed {v} needs a {name} outside its values {list(noise)}")


def _check_noise(name: str, noise: Any) -> None:
    if callable(noise):
        return
    if not isinstance(noise, Mapping) or not noise:
        raise ValueError(f"noise {name} is {noise!r}: give {{value: probability}} or a sampler")
    total, least = sum(noise.values()), min(noise.values())
    if least < 0:
        raise ValueError(f"noise {name} has a negative probability, {least}: shares are 0 or more")
    if not isclose(total, 1, abs_tol=1e-12):
        raise ValueError(f"noise {name} has probabilities that sum to {total}: they must sum to 1")


def _constant(value: Any) -> Callable[[], Any]:
    return lambda: value
