"""The package's public names: what they are, and the pages that use and teach them."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from typing import Any

import book_files
from docstrings import signature

API = "chapters/appendix/api"  # the page that lists all names; a page for each part lies below
PARTS = {  # pages below API, and the modules whose names they show
    "package": (
        "causalbook",
        "causalbook.datasets",
        "causalbook.nuisance",
        "causalbook.plots",
        "causalbook.exercises",
    ),
    **{
        part: (f"causalbook.{part}",)
        for part in (
            "recommenders",
            "potential_outcomes",
            "causal_graphs",
            "estimators",
            "llm_encoding",
            "case_study",
            "project",
        )
    },
}
SHOWN = {  # of modules that have no __all__: what a page has use for
    "causalbook.datasets": ("describe", "load"),
    "causalbook.plots": ("canvas", "intervals", "slider", "table"),
    "causalbook.exercises": ("check",),
}
CONSTANTS = {  # a tuple or a dictionary has no docstring
    "causalbook.case_study.SCENARIOS": "The ten scenarios by name, each a `Scenario`.",
    "causalbook.case_study.STEPS": "The steps of cleaning in their order, each a `Step`.",
}
# Names that are taught elsewhere than on the page of their part whose cells use them most: what no
# cell names, since a command or another function calls it, and what is taught before it is used.
TAUGHT = {
    "intro/how_to_use": """datasets datasets.load
        plots.canvas plots.intervals plots.slider plots.table""",
    "recommenders/baselines": "recommenders.Recommender",
    "causal_graphs/reading_graphs": "causal_graphs.Graph",
    "estimators/one_result_type": "contrast mean_of ratio_of",
    "estimators/regression": """nuisance.design nuisance.Linear nuisance.linear
        estimators.difference_in_means""",
    "estimators/propensity": "nuisance.Logit",
    "estimators/doubly_robust": "nuisance.cross_fit",
    "estimators/off_policy": "estimators.effective_sample_size estimators.support",
    "case_study/shop_log": "case_study.Step case_study.write_shop",
    "case_study/scenarios": "case_study.Scenario",
    "project/pipeline": """project.Pipeline project.check_log project.count_cells project.learn
        project.old_policy project.propensity_check project.read_config project.recommend_items
        project.simulate_log project.simulate_test""",
    "project/evaluation": "project.Candidate",
    "project/scale": """project.arm_sums project.big_log_part project.bucket_cuped
        project.policy_sums""",
    "project/service": """project.create_app project.draw_evidence project.overlap_evidence
        project.serve project.weight_cost""",
    "project/privacy": "project.Budget project.release_effect",
}


@dataclass(frozen=True)
class Name:
    """A public name, or a public method of one."""

    full: str  # causalbook.estimators.ips
    part: str  # its page below API
    value: Any
    kind: str = ""  # "", or of what a class holds: "method", "property", "class method", ...

    @property
    def short(self) -> str:
        """Its name without the part: ips, Log.from_frame, nuisance.logit."""
        within = max((m for m in PARTS[self.part] if self.full.startswith(f"{m}.")), key=len)
        package = PARTS[self.part][0]  # whose modules are named: one has to import from them
        return self.full.removeprefix(f"{package if self.part == 'package' else within}.")

    @cached_property
    def doc(self) -> str:
        """Its docstring, as Markdown."""
        if self.full in CONSTANTS:
            return CONSTANTS[self.full]
        value = self.value
        return inspect.cleandoc(getattr(value, "__doc__", None) or "")

    @property
    def line(self) -> str:
        """What it is or does, in a line."""
        return self.doc.partition("\n")[0]

    @cached_property
    def signature(self) -> str:
        """How it is called; "" for what is not."""
        if self.kind == "property" or not callable(self.value):
            return self.short.rpartition(".")[2] if self.kind else ""
        bound = self.kind in {"method", "class method"}
        return signature(self.value, self.short.rpartition(".")[2], bound=bound)

    @cached_property
    def methods(self) -> tuple[Name, ...]:
        """What a class adds to what it inherits, in the order of its source."""
        if not inspect.isclass(self.value) or self.kind:
            return ()
        found = []
        for key, value in vars(self.value).items():
            kind = _kind(value)
            if kind and not key.startswith("_"):
                inner = getattr(value, "fget", None) or getattr(value, "func", None)
                function = inner or getattr(value, "__func__", value)
                found.append(Name(f"{self.full}.{key}", self.part, function, kind))
        return tuple(found)

    @property
    def parameters(self) -> set[str]:
        """Names that stand for an argument or a field, not for another function."""
        if not callable(self.value):
            return set()
        return set(inspect.signature(self.value).parameters)


def _kind(value: object) -> str:
    if isinstance(value, property) or hasattr(value, "func"):
        return "property"
    if isinstance(value, classmethod):
        return "class method"
    if isinstance(value, staticmethod):
        return "static method"
    return "method" if callable(value) else ""


@cache
def names() -> dict[str, Name]:
    """All public names, in the order of the parts and of the alphabet."""
    found = {}
    for part, modules in PARTS.items():
        for place in modules:
            module = import_module(place)
            listed = getattr(module, "__all__", SHOWN.get(place, ()))
            for name in sorted(listed, key=lambda word: (word.lower(), word)):
                full = f"{place}.{name}"
                found[full] = Name(full, part, getattr(module, name))
    return found


@cache
def members() -> dict[str, Name]:
    """Public names and the public methods of the classes among them."""
    everything = dict(names())
    for name in names().values():
        everything |= {method.full: method for method in name.methods}
    return everything


def aliases(code: str, known: dict[str, str]) -> dict[str, str]:
    """Names of the package that this code imports, added to those that are known already."""
    found = dict(known)
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "causalbook":
            found |= {name.asname or name.name: f"{node.module}.{name.name}" for name in node.names}
        elif isinstance(node, ast.Import):
            for name in node.names:
                if name.name.split(".")[0] == "causalbook":
                    found[name.asname or "causalbook"] = name.name if name.asname else "causalbook"
    return found


def used(code: str, known: dict[str, str]) -> set[str]:
    """Public names that this code uses, by their full names."""
    found = set()
    for path in _paths(ast.parse(code)):
        heads = map(".".join, _heads([known.get(path[0], ""), *path[1:]]))
        full = next(filter(names().__contains__, heads), "")
        found |= {full} - {""}
    return found


def _paths(node: ast.AST) -> Iterator[list[str]]:
    """Names and dotted names of some code, each whole."""
    attributes: list[str] = []
    base = node
    while isinstance(base, ast.Attribute):
        attributes.insert(0, base.attr)
        base = base.value
    if isinstance(base, ast.Name):
        yield [base.id, *attributes]
    else:
        for child in ast.iter_child_nodes(base):
            yield from _paths(child)


def _heads(path: list[str]) -> Iterator[list[str]]:
    return (path[:length] for length in range(len(path), 0, -1))


@cache
def page_aliases(page: str) -> dict[str, str]:
    """What the code of a page calls the names of the package."""
    known: dict[str, str] = {}
    for _, code in _code(page):
        known = aliases(code, known)
    return known


def _code(page: str) -> Iterator[tuple[bool, str]]:
    """Code of a page, cell by cell, and whether it is a check; lines for the shell left out."""
    for cell in book_files.cells(page):
        if cell.cell_type == "code":
            lines = [line for line in cell.source.splitlines() if not re.match(r"\s*[!%]", line)]
            yield "check" in cell.metadata.get("tags", []), "\n".join(lines)


@cache
def uses() -> dict[str, dict[str, tuple[int, int]]]:
    """For each public name the pages that use it: in how many cells, and in how many checks."""
    found: dict[str, dict[str, tuple[int, int]]] = {name: {} for name in names()}
    for page in book_files.pages():
        for check, code in _code(page.name) if page.notebook else ():
            for name in used(code, page_aliases(page.name)):
                cells, checks = found[name].get(page.name, (0, 0))
                found[name][page.name] = (cells + (not check), checks + check)
    return found


def teacher(name: Name) -> str:
    """The page that teaches a name; "" if none does."""
    return taught_elsewhere().get(name.full) or ruled(name)


@cache
def taught_elsewhere() -> dict[str, str]:
    """Pages of TAUGHT by the full names."""
    return {
        f"causalbook.{name}": f"chapters/{page}"
        for page, listed in TAUGHT.items()
        for name in listed.split()
    }


def ruled(name: Name) -> str:
    """The page of the name's part whose cells use it most, the first of equals.

    What no cell names, since another function returns it, is taught with that function.
    """
    pages = uses()[name.full]
    own = {page: n for page, n in pages.items() if page.startswith(f"chapters/{name.part}/")}
    if own or pages:
        ranked = own or pages
        return max(ranked, key=lambda page: ranked[page])  # the first of equals
    makers = (maker for maker in names().values() if maker.part == name.part and maker != name)
    return next(filter(None, (teacher(m) for m in makers if _returns(m, name))), "")


def _returns(maker: Name, name: Name) -> bool:
    functions = [maker, *maker.methods]
    told = " ".join(
        str(getattr(function.value, "__annotations__", {}).get("return", ""))
        for function in functions
    )
    return re.search(rf"\b{name.full.rpartition('.')[2]}\b", told) is not None
