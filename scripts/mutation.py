"""Mutate every arithmetic operator of the estimators: a test must fail for each mutant.

    python scripts/mutation.py [--share N] [--record] [MODULE ...]

For each function of the modules each + - * / // ** % @ (also in +=), each unary minus and each
comparison of numbers is replaced in turn, then the tests that name one of the module's public
functions run until one fails. What lies in the text of a message does not count. Survivors stand
in scripts/survivors.toml, each with its reason; a survivor without one, or one that no longer
survives, makes the run fail. `--share N` takes every N-th mutant, `--record` keeps a run of
all modules in evidence/mutation.json.

Tests are collected once. A mutant is made in a forked child, which exchanges the code of the
function in place and runs them.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import inspect
import os
import re
import signal
import tomllib
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, NoReturn

os.environ["CI"] = "1"  # hypothesis: the same examples for every mutant

import pytest
import records
from tqdm import tqdm

import causalbook
from causalbook import case_study, estimators, llm_encoding, nuisance, project, recommenders

ROOT = Path(__file__).resolve().parent.parent
SURVIVORS = ROOT / "scripts" / "survivors.toml"
MODULES = ["nuisance", "least_squares", "cross_fitting", "averages", "estimate"] + [
    f"estimators.{path.stem}"
    for path in sorted((ROOT / "causalbook" / "estimators").glob("*.py"))
    if path.stem != "__init__" and not path.stem.startswith(("answers", "practice"))
]
# Of the other parts those that estimate; the others simulate, or learn by torch.
MODULES += [
    f"recommenders.{name}" for name in ("classics", "ranking", "exposure", "risk", "clicks")
]
MODULES += [
    f"llm_encoding.{name}"
    for name in ("intents", "human_labels", "text_adjustment", "action_clusters", "item_policies")
]
MODULES += [
    f"case_study.{name}"
    for name in (
        "decisions",
        "fair_allocation",
        "interrupted",
        "outcome_gaps",
        "shop_analysis",
        "shop_steps",
        "treatment_plans",
        "waiting",
    )
]
MODULES += [
    f"project.{name}"
    for name in (
        "bandits",
        "bucket_estimates",
        "bucket_sums",
        "explanation_cards",
        "federation",
        "learning",
        "monitors",
        "online_logs",
        "private_release",
        "private_training",
        "propensity_checks",
    )
]
NOT_ABOUT_ONE = (
    "test_coverage.py",
    "test_frame.py",
    "test_import_cost.py",
    "test_mutation.py",
    "test_bad_input.py",
)
LIMIT = 90  # seconds after which a mutant counts as caught: it runs for ever
SWAP: dict[type, list[type]] = {
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Div],
    ast.Div: [ast.Mult],
    ast.FloorDiv: [ast.Mult],
    ast.Mod: [ast.Mult],
    ast.Pow: [ast.Mult],
    ast.MatMult: [ast.Mult],
    ast.Lt: [ast.GtE],
    ast.GtE: [ast.Lt],
    ast.Gt: [ast.LtE],
    ast.LtE: [ast.Gt],
}


@dataclass(frozen=True)
class Mutant:
    """One replaced operator: where it is, and the code of the function with it."""

    module: str
    function: str
    line: str
    change: str
    nth: int  # among equal changes on equal lines of the function
    code: types.CodeType

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """What names the mutant in the list of survivors, wherever its line moves."""
        return self.module, self.function, self.line, self.change, self.nth


def operators(node: ast.AST) -> Iterator[ast.AST]:
    """Walk the operators that compute, leaving out messages and type annotations."""
    if isinstance(node, ast.Raise | ast.JoinedStr | ast.arguments):
        return
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "warnings.warn":
        return
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in SWAP:
        yield node
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield node
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAP:
        yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from operators(child)


def replaced(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Give the node with its operator exchanged, and a word for it."""
    if isinstance(node, ast.UnaryOp):
        yield "-x to x", node.operand
        return
    old = node.ops[0] if isinstance(node, ast.Compare) else node.op  # type: ignore[attr-defined]
    for new in SWAP[type(old)]:
        other = copy.copy(node)
        if isinstance(other, ast.Compare):
            other.ops = [new(), *other.ops[1:]]
        else:
            other.op = new()  # type: ignore[attr-defined]
        yield f"{type(old).__name__} to {new.__name__}", other


class Exchange(ast.NodeTransformer):
    """Put another node in the place of one."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        """Exchange the node, or look inside."""
        return self.new if node is self.old else self.generic_visit(node)


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """All functions of the module, and the methods of its classes."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        if isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef):
                    yield f"{node.name}.{inner.name}", inner


def code_of(compiled: types.CodeType, path: str) -> types.CodeType:
    """Find the code of a function (or Class.method) in that of its module."""
    for name in path.split("."):
        compiled = next(
            c for c in compiled.co_consts if isinstance(c, types.CodeType) and c.co_name == name
        )
    return compiled


def mutants(module: str) -> Iterator[Mutant]:
    """Yield every mutant of a module, in the order of its lines."""
    path = Path(inspect.getfile(importlib.import_module(f"causalbook.{module}")))
    source = path.read_text(encoding="utf-8")
    lines, tree = source.splitlines(), ast.parse(source)
    for name, function in functions(tree):
        seen: dict[tuple[str, str], int] = {}
        for node in operators(function):
            for change, new in replaced(node):
                ast.copy_location(new, node)
                whole = Exchange(node, new).visit(tree)
                ast.fix_missing_locations(whole)
                code = code_of(compile(whole, str(path), "exec"), name)
                Exchange(new, node).visit(tree)  # and back
                line = lines[node.lineno - 1].strip()  # type: ignore[attr-defined]
                nth = seen[line, change] = seen.get((line, change), -1) + 1
                yield Mutant(module, name, line, change, nth, code)


def names_of(module: str) -> set[str]:
    """Public names that a module defines; where it defines none, those of its users."""
    loaded = importlib.import_module(f"causalbook.{module}")
    books = (estimators, recommenders, llm_encoding, case_study, project, nuisance, causalbook)
    offered = {name for book in books for name in book.__all__}
    mine = {n: getattr(vars(loaded)[n], "__module__", None) for n in offered & set(vars(loaded))}
    own = {n for n, home in mine.items() if home == loaded.__name__}  # constants have no home
    users = (user for user in MODULES if f"from causalbook.{module} import" in source(user))
    return own or {name for user in users for name in names_of(user)}


def source(module: str) -> str:
    """Text of a module."""
    path = Path(inspect.getfile(importlib.import_module(f"causalbook.{module}")))
    return path.read_text(encoding="utf-8")


def files_of(module: str) -> list[str]:
    """Test files that call one of the names, the most so first."""
    names, calls = names_of(module), {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        if "book" not in path.parts and path.name not in NOT_ABOUT_ONE:
            text = path.read_text(encoding="utf-8")
            calls[str(path)] = sum(len(re.findall(rf"\b{name}\(", text)) for name in names)
    return sorted((path for path in calls if calls[path]), key=lambda path: -calls[path])


def exchange(mutant: Mutant) -> None:
    """Put the mutant's code into the function that everybody has imported."""
    target = importlib.import_module(f"causalbook.{mutant.module}")
    for name in mutant.function.split("."):
        target = vars(target)[name]
    for wrapped in ("func", "fget", "__func__", "__wrapped__"):  # properties, class methods, caches
        target = getattr(target, wrapped, None) or target
    target.__code__ = mutant.code  # type: ignore[attr-defined]


class Trials:
    """A pytest plugin: when all tests are collected, run them for each mutant in a forked child."""

    def __init__(self, mutants: list[Mutant | None], files: dict[str, list[str]], jobs: int):
        self.mutants, self.files, self.jobs = mutants, files, jobs
        self.caught: dict[int, bool] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Fork, at most `jobs` at a time; say that the tests themselves are done."""
        waiting: dict[int, int] = {}
        bar = tqdm(total=len(self.mutants), unit="mutant", disable=None)
        for k, mutant in enumerate(self.mutants):
            if len(waiting) == self.jobs:
                self.wait(waiting, bar)
            child = os.fork()
            if child == 0:
                self.attempt(session, mutant)
            waiting[child] = k
        while waiting:
            self.wait(waiting, bar)
        return True

    def wait(self, waiting: dict[int, int], bar: tqdm) -> None:
        """Wait for one child and note what became of its mutant."""
        child, status = os.wait()
        self.caught[waiting.pop(child)] = os.waitstatus_to_exitcode(status) != 0
        bar.update()

    def attempt(self, session: pytest.Session, mutant: Mutant | None) -> NoReturn:
        """Exchange the code and run the tests of its module until one fails."""
        signal.alarm(LIMIT if mutant else 10 * LIMIT)
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        try:
            order = self.files[mutant.module] if mutant else every_file(self.files)
            items = sorted(
                (item for item in session.items if str(item.path) in order),
                key=lambda item: order.index(str(item.path)),
            )
            if mutant:
                exchange(mutant)
            for item, following in zip(items, [*items[1:], None], strict=True):
                item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
                if session.testsfailed:
                    os._exit(1)
            os._exit(0 if items else 1)
        except BaseException:
            os._exit(1)  # what cannot even run is caught


def every_file(files: dict[str, list[str]]) -> list[str]:
    """All test files, once each."""
    return list(dict.fromkeys(path for paths in files.values() for path in paths))


def fates(mutants: list[Mutant | None], jobs: int) -> list[bool]:
    """Tell of each mutant whether a test failed; None stands for no mutant at all."""
    modules = dict.fromkeys(m.module for m in mutants if m)
    files = {module: files_of(module) for module in modules}
    untested = [module for module in modules if not files[module]]
    if untested:
        raise SystemExit(f"no test calls anything of {', '.join(untested)}")
    trials = Trials(mutants, files, jobs)
    options = ["-o", "addopts=", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:terminal"]
    options += ["-m", "not xdist_group"]  # servers do not survive a fork, and take too long
    status = pytest.main([*options, *every_file(files)], plugins=[trials])
    if len(trials.caught) < len(mutants):
        raise SystemExit(f"the tests cannot be collected: pytest ends with {status}")
    return [trials.caught[k] for k in range(len(mutants))]


def explained() -> dict[tuple[str, str, str, str, int], str]:
    """Read the survivors that are known, with their reasons."""
    known = tomllib.loads(SURVIVORS.read_text(encoding="utf-8")).get("survivor", [])
    return {
        (s["module"], s["function"], s["line"], s["change"], s.get("nth", 0)): s["why"]
        for s in known
    }


def by_module(every: list[Mutant], fate: list[bool]) -> list[dict[str, Any]]:
    """One row a module: mutants that were tried, and those that survive."""
    pairs, known = list(zip(every, fate, strict=True)), explained()
    return [
        {
            "module": module,
            "tried": sum(m.module == module for m in every),
            "survivors": [
                {
                    "function": m.function,
                    "line": m.line,
                    "change": m.change,
                    "why": known.get(m.key, "not explained"),
                }
                for m, dead in pairs
                if m.module == module and not dead
            ],
        }
        for module in dict.fromkeys(m.module for m in every)
    ]


def main() -> None:
    """Run the mutants, print the survivors, exit with 1 if one is unexplained."""
    parser = argparse.ArgumentParser()
    parser.add_argument("modules", nargs="*", default=MODULES)
    parser.add_argument("--share", type=int, default=1)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    chosen = parser.parse_args()
    if chosen.record and chosen.modules != MODULES:
        parser.error("a record is one of all modules")
    os.chdir(ROOT)
    start, known = perf_counter(), explained()
    every: list[Mutant] = [m for module in chosen.modules for m in mutants(module)]
    total, every = len(every), every[:: chosen.share]
    # A sample is drawn by the tests, which find out by themselves whether they pass.
    control: list[Mutant | None] = [] if chosen.share > 1 else [None]
    fate = fates([*control, *every], chosen.jobs)
    if control and fate.pop(0):
        raise SystemExit("a test fails without a mutant: mend it first")
    if chosen.record:
        rows, took = by_module(every, fate), perf_counter() - start
        records.save("mutation", rows, seconds=took, share=chosen.share, mutants=total)
    alive = {m.key: m for m, dead in zip(every, fate, strict=True) if not dead}
    unexplained = [key for key in alive if key not in known]
    risen = [m.key for m, dead in zip(every, fate, strict=True) if dead and m.key in known]
    for key in unexplained:
        print(
            "survives, unexplained: module={}, function={}, line={!r}, change={}, nth={}".format(
                *key
            )
        )
    for key in risen:
        print("is listed as a survivor, but caught:", key)
    print(f"{len(every):,} mutants, {sum(fate):,} caught, {len(alive):,} survive")
    stale = (
        set()
        if chosen.share > 1 or chosen.modules != MODULES
        else set(known) - {m.key for m in every}
    )
    for key in sorted(stale):
        print("is listed as a survivor, but no longer in the code:", key)
    if unexplained or risen or stale:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
