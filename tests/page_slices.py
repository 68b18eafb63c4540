"""Run one exercise of a page with the statements that it needs, not with the whole page."""

import ast
import builtins
import symtable
import warnings
from dataclasses import dataclass
from pathlib import Path

import nbformat

import causalbook.exercises

ROOT = Path(__file__).resolve().parent.parent
FUNCTION = (ast.FunctionDef, ast.ClassDef)
FILL = {"append", "extend", "update", "add", "setdefault"}


@dataclass
class Exercise:
    """What a page asks (its cells of code), what they need of the page, and the page's solution."""

    page: str
    name: str
    before: list[ast.stmt]
    asks: list[str]
    solution: str

    def namespace(self, called):
        """Run what is needed and what is asked; `called` collects what the checker says."""
        known = {"display": lambda *shown: None, "__name__": "__main__"}
        genuine = causalbook.exercises.check

        def check(*answer):
            said = genuine(*answer)
            called.append((answer, said))
            return said

        causalbook.exercises.check = check
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                run(ast.Module(self.before, []), known)
                for cell in self.asks:
                    run(ast.parse(cell), known)
        finally:
            causalbook.exercises.check = genuine
        return known


def run(tree, known):
    """Execute code in a namespace."""
    exec(compile(tree, "<page>", "exec"), known)


def exercise(path):
    """Read the checked exercise of a notebook: the cells before its first folded solution."""
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    tags = [set(cell.metadata.get("tags", [])) for cell in cells]
    solved = next(i for i, t in enumerate(tags) if "solution" in t)
    (name,) = set(checked(cells[solved].source))
    asks = solved - 1
    while name not in checked(cells[asks].source):
        asks -= 1  # never, as long as the answer's cell stands right before its solution
    first = asks
    while first and cells[first - 1].id.startswith("exercise"):
        first -= 1
    asked = [cell.source for cell in cells[first:solved]]
    page = [cell.source for cell in cells[:first]]
    targets = [*asked, cells[solved].source]
    return Exercise(str(path), name, needed(page, targets), asked, cells[solved].source)


def checked(source):
    """Names of the exercises that a cell puts to the checker."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Name)
        and call.func.id == "check"
        and isinstance(call.args[0], ast.Constant)
    ]


def needed(page, targets):
    """Statements of the page that the targets depend on, by the names that they bind and read."""
    statements = [node for source in [*page, *targets] for node in ast.parse(source).body]
    own = sum(len(ast.parse(source).body) for source in targets)  # the last ones, always kept
    late = set()  # read inside functions, so from wherever they are called
    while True:
        wanted, kept, inside = set(late), [], set()
        for number, node in enumerate(reversed(statements)):
            bound = binds(node)
            if number >= own and not bound & wanted:
                continue
            kept.append(node)
            if isinstance(node, FUNCTION):
                inside |= reads(node)
            if overwrites(node):
                wanted -= bound
            wanted |= reads(node)
        if inside <= late:
            return kept[::-1][: len(kept) - own]
        late |= inside


def overwrites(node):
    """Whether what a statement binds does not hang on what was there before."""
    if isinstance(node, ast.Assign):
        parts = [part for target in node.targets for part in ast.walk(target)]
        return not any(isinstance(part, (ast.Subscript, ast.Attribute)) for part in parts)
    return isinstance(node, (ast.Import, ast.ImportFrom, *FUNCTION))


def reads(node):
    """Names of the page that a piece of code reads, those of its own functions left out."""
    table = symtable.symtable(ast.unparse(node), "<page>", "exec")
    found = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}
    inner = list(table.get_children())
    while inner:
        scope = inner.pop()
        inner += scope.get_children()
        found |= {symbol.get_name() for symbol in scope.get_symbols() if symbol.is_global()}
    if isinstance(node, ast.For):  # sets its own variables first
        found -= {part.id for part in ast.walk(node.target) if isinstance(part, ast.Name)}
    return found - set(dir(builtins))


def binds(node):
    """Names that a statement binds or changes: assigned or filled."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {(name.asname or name.name).split(".")[0] for name in node.names}
    found = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            found.add(part.id)
        changed = isinstance(part, (ast.Subscript, ast.Attribute)) and isinstance(
            part.ctx, ast.Store
        )
        filled = isinstance(part, ast.Attribute) and part.attr in FILL
        if changed or filled:
            base = part
            while isinstance(base, (ast.Subscript, ast.Attribute)):
                base = base.value
            if isinstance(base, ast.Name):
                found.add(base.id)
    return found
