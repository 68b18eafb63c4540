"""What a run is to decide, written down and checked before anything is computed."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from causalbook.causal_graphs import Graph

GRAPH = """visitor -> context; visitor -> pscore; context -> pscore; pscore -> shown;
visitor -> profit; context -> profit; shown -> profit"""


@dataclass(frozen=True)
class RunConfig:
    """The declaration of a run; each field is a line of `run.toml`.

    Parameters
    ----------
    estimand : "ATE": filling the slot of every visit, with the shelf most likely bought, against
        leaving every slot empty
    outcome, measure, window : which events count ("purchase"), what of them ("value" or "any"), and
        for how many days after the impression
    margin, cost : money kept of one unit of the outcome, and paid for a filled slot; the reward of
        a visit is margin * outcome - cost * shown
    guard_rail, tolerance : events of which no more than `tolerance` per visitor may be lost
    effect, power, level : the smallest gain per visitor worth finding, in money, the chance to find
        it, the level of every interval
    visits : how many visits the decision concerns
    graph, latent : why the slot was filled as it was; `identify` must find the effect in it
    keep : share of visits whose slot is filled by lot in whatever goes live
    experiment : name of the test in the warehouse
    items : how many items a user is recommended
    users, seed, exploration : of the simulated shop: visits in its log, its chance, and the share
        of visits whose slot is decided by a coin

    Raises
    ------
    ValueError
        naming the field, for each that is out of range.

    Source: ours; the practice of declaring before looking is that of pre-registration.
    """

    estimand: str = "ATE"
    outcome: str = "purchase"
    measure: str = "value"
    window: int = 7
    margin: float = 0.30
    cost: float = 0.02
    guard_rail: str = "purchase"
    tolerance: float = 0.01
    effect: float = 0.04
    power: float = 0.8
    level: float = 0.95
    visits: int = 1_000_000
    graph: str = GRAPH
    latent: tuple[str, ...] = ("visitor",)
    keep: float = 0.05
    experiment: str = "run"
    items: int = 3
    users: int = 40_000
    seed: int = 1
    exploration: float = 0.3

    def __post_init__(self) -> None:
        object.__setattr__(self, "latent", tuple(self.latent))
        for field in fields(self):
            value, kind = getattr(self, field.name), type(field.default)
            number = kind is float and type(value) is int
            if type(value) is not kind and not number:
                raise ValueError(
                    f"{field.name} is {value!r}: write it as {field.default!r}, a {kind.__name__}"
                )
        rules = {
            "estimand": (self.estimand == "ATE", '"ATE", the one that this run estimates'),
            "measure": (self.measure in ("any", "value"), '"any" or "value"'),
            "window": (self.window >= 1, "days, from 1"),
            "cost": (self.cost >= 0, "money for a filled slot, from 0"),
            "margin": (self.margin > 0, "money for one unit of the outcome, above 0"),
            "tolerance": (0 < self.tolerance < 1, "events per visitor, between 0 and 1"),
            "effect": (self.effect > 0, "the smallest gain worth finding, above 0"),
            "power": (1 - self.level < self.power < 1, "a share above 1 - level and below 1"),
            "level": (0 < self.level < 1, "a share between 0 and 1"),
            "visits": (self.visits >= 1, "how many visits the decision concerns, from 1"),
            "keep": (0 < self.keep <= 1, "a share above 0, for the log after this one"),
            "items": (1 <= self.items <= 20, "items a user, 1 to 20"),
            "users": (self.users >= 5_000, "visits in the log, from 5,000: fewer decide nothing"),
            "seed": (self.seed >= 0, "a whole number from 0"),
            "exploration": (0 <= self.exploration <= 1, "a share, 0 to 1"),
        }
        for name, (holds, wanted) in rules.items():
            if not holds:
                raise ValueError(f"{name} is {getattr(self, name)!r}: pass {wanted}")
        try:
            nodes = set(Graph(self.graph, self.latent).nodes)
        except ValueError as bad:
            raise ValueError(f"graph: {bad}") from None
        if absent := {"shown", "profit"} - nodes:
            raise ValueError(f"graph has no {', '.join(sorted(absent))}: name the slot and the aim")

    def to_toml(self) -> str:
        """Return the declaration as a file that `read_config` reads."""

        def line(value: Any) -> str:
            if isinstance(value, tuple):
                return "[" + ", ".join(f'"{x}"' for x in value) + "]"
            return f'"""{value}"""' if isinstance(value, str) else str(value)

        return "".join(f"{name} = {line(value)}\n" for name, value in asdict(self).items())


def read_config(path: str | Path | None = None, **given: Any) -> RunConfig:
    """Read a declaration from a TOML file; what is `given` by name and not None overrides it.

    Parameters: `path`, or None for the defaults. Raises ValueError for a file that is no TOML, for
    keys that no field has, and as `RunConfig` does. Source: ours.
    """
    told: dict[str, Any] = {}
    if path is not None:
        try:
            told = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as bad:
            raise ValueError(f"{path} is no TOML file: {bad}") from None
    known = [field.name for field in fields(RunConfig)]
    if unknown := [key for key in told if key not in known]:
        raise ValueError(f"{path} has {', '.join(unknown)}, not known: its keys are {known}")
    if isinstance(told.get("latent"), list):
        told["latent"] = tuple(told["latent"])
    return replace(RunConfig(**told), **{k: v for k, v in given.items() if v is not None})
