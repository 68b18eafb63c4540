"""What was measured, when and where: evidence/NAME.json, which the page of evidence shows.

A record holds its rows, the date, the machine, the command, and a short hash of every file that
it speaks of, so that the page can tell how many have changed since. Docstrings and prose are left
out of the hashes: words may be mended without another run.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import platform
import sys
import tomllib
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "causalbook/**/*.py"
SECONDS, WITH_TORCH, PEAK_MB, CORE_MINUTES = 20, 60, 2048, 10  # what a page may cost, and all
ABOUT = {  # the files a record speaks of
    "seeds": (PACKAGE, "chapters/**/*.ipynb"),
    "coverage": (PACKAGE, "tests/test_coverage.py"),
    "parity": (PACKAGE, "scripts/parity*.py"),
    "mutation": (PACKAGE, "tests/*.py", "tests/[!b]*/*.py"),  # those of the book call no estimator
    "speed": (PACKAGE, "benchmarks/*.py"),
    "pages": (PACKAGE, "chapters/**/*.ipynb"),
}


def code_of(path: Path) -> str:
    """Text of a file without its words: code cells of a notebook, a module without docstrings."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
        return "\n".join("".join(cell["source"]) for cell in cells)
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        told = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        if told and ast.get_docstring(node):
            words = node.body[0]
            for k in range(words.lineno - 1, words.end_lineno):
                lines[k] = ""
    return "\n".join(line for line in lines if line.strip())


@cache
def mark(path: Path) -> str:
    """Short hash of a file's code."""
    return hashlib.sha256(code_of(path).encode()).hexdigest()[:8]


def files(name: str, root: Path = ROOT) -> dict[str, str]:
    """Hashes of all files that a record speaks of."""

    def paths() -> Iterator[Path]:
        for pattern in ABOUT[name]:
            yield from sorted(root.glob(pattern))

    return {
        path.relative_to(root).as_posix(): mark(path)
        for path in paths()
        if ".ipynb_checkpoints" not in path.parts
    }


def commit(root: Path = ROOT) -> str | None:
    """Return the commit on which the tree stands; None in a copy without history."""
    head = root / ".git" / "HEAD"
    if not head.exists():
        return None
    name = head.read_text(encoding="utf-8").strip()
    if not name.startswith("ref: "):
        return name[:7]
    loose, packed = root / ".git" / name[5:], root / ".git" / "packed-refs"
    if loose.exists():
        return loose.read_text(encoding="utf-8")[:7]
    lines = packed.read_text(encoding="utf-8").splitlines() if packed.exists() else []
    return next((line[:7] for line in lines if line.endswith(f" {name[5:]}")), None)


def machine() -> dict[str, Any]:
    """Describe the machine: processor, cores, memory, system, Python."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text(encoding="utf-8").splitlines() if cpu.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError):  # no such count on this system
        memory = float("nan")
    return {
        "processor": models[0] if models else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def command() -> str:
    """Return the command that runs, with its script as one would type it at the root."""
    script = Path(sys.argv[0]).resolve()
    typed = script.relative_to(ROOT).as_posix() if script.is_relative_to(ROOT) else script.name
    return " ".join(["python", typed, *sys.argv[1:]])


def save(
    name: str,
    rows: list[dict[str, Any]],
    *,
    seconds: float,
    said: str | None = None,
    root: Path = ROOT,
    **more: Any,
) -> None:
    """Write a record of the tree at `root`; `said` is the command where it is not this one."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    record = {
        "date": date.today().isoformat(),
        "version": project["version"],
        "commit": commit(root),
        "machine": machine(),
        "command": said or command(),
        "seconds": round(seconds),
        "load": round(os.getloadavg()[2] / (os.cpu_count() or 1), 1),  # 1: every core was busy
        **more,
        "rows": rows,
        "files": files(name, root),
    }
    folder = ROOT / "evidence"
    folder.mkdir(exist_ok=True)
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    (folder / f"{name}.json").write_text(text, encoding="utf-8")


def replace(name: str, rows: list[dict[str, Any]], about: list[str]) -> None:
    """Put rows of some pages, measured again, into a record; each says when and at which commit."""
    record = load(name)
    if record is None:
        raise SystemExit(f"evidence/{name}.json is not there: run the whole first")
    again = {
        row["page"]: row | {"date": date.today().isoformat(), "commit": commit()} for row in rows
    }
    kept = [again.pop(row["page"], row) for row in record["rows"]]
    record["rows"] = [*kept, *again.values()]
    record["files"] |= {path: text for path, text in files(name).items() if path in about}
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    (ROOT / "evidence" / f"{name}.json").write_text(text, encoding="utf-8")


def load(name: str, folder: Path = ROOT / "evidence") -> dict[str, Any] | None:
    """Read a record; None where nothing was measured."""
    path = folder / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def changed(name: str, record: dict[str, Any], root: Path = ROOT) -> tuple[list[str], list[str]]:
    """Return the files that have changed (or gone) since the record, and those that are new."""
    then, now = record["files"], files(name, root)
    return [path for path in then if now.get(path) != then[path]], sorted(set(now) - set(then))
