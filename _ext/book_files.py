"""The book as its own files tell it: pages in order, what each needs, where an entry is treated."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import yaml

ROOT = Path(__file__).resolve().parent.parent
LEDGER = ROOT / "chapters" / "appendix" / "ledger.yaml"
ARTICLES = {  # in the order in which the book counts them
    "S0": "大模型推荐系统的因果推断方法概述",
    "S1": "大模型在推荐系统中的因果推理应用",
    "S2": "",  # has no title of its own
    "S3": "大模型推荐系统的因果推断方法",
    "S4": "LLM在推荐系统中的因果推断应用",
}


@dataclass(frozen=True)
class Page:
    """One page of the book, in the order of reading."""

    name: str  # chapters/estimators/off_policy, as _toc.yml has it
    part: str  # the caption of its part; "" for the landing page
    title: str  # its heading
    label: str  # its name in the table of contents
    minutes: int  # 0 where there is nothing to work through
    needs: tuple[str, ...]  # pages that it says one needs first

    @property
    def notebook(self) -> bool:
        """Whether there is something to run."""
        return (ROOT / f"{self.name}.ipynb").exists()

    @property
    def needs_work(self) -> bool:
        """Whether it is a page of a part, to be worked through."""
        return self.part not in ("", "Appendix")


@cache
def source(name: str) -> tuple[str, ...]:
    """Texts of a page: its prose, cell by cell, or the whole of a page without code."""
    path = ROOT / f"{name}.ipynb"
    if not path.exists():
        return (path.with_suffix(".md").read_text(encoding="utf-8"),)
    return tuple(cell.source for cell in cells(name) if cell.cell_type == "markdown")


@cache
def notebook(name: str) -> Any:
    """Read the notebook of a page."""
    return nbformat.read(ROOT / f"{name}.ipynb", as_version=4)


def cells(name: str) -> list[Any]:
    """Cells of a page's notebook."""
    return list(notebook(name).cells)


@cache
def pages() -> tuple[Page, ...]:
    """All pages, in the order of _toc.yml."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    found = [_page(toc["root"], "", None)]
    for part in toc["parts"]:
        for chapter in part["chapters"]:
            for entry in [chapter, *chapter.get("sections", [])]:
                found.append(_page(entry["file"], part["caption"], entry.get("title")))
    return tuple(found)


def _page(name: str, part: str, label: str | None) -> Page:
    text = "\n".join(source(name))
    heading = re.search(r"^# (.+)$", text, re.M)
    assert heading, f"{name} has no heading"
    minutes = 0
    if (ROOT / f"{name}.ipynb").exists():
        minutes = notebook(name).metadata.causalbook.minutes
    needs = re.search(r"\*\*You need\*\*(.+?)(?:\n\n|\n:::|\*\*Time\*\*|\Z)", text, re.S)
    link = r"\{doc\}`(?:[^`<]*<)?([^`>]+)>?`|\[[^]]*\]\(([^)]+)\.ipynb\)"
    links = [doc or path for doc, path in re.findall(link, needs[1])] if needs else []
    folder = posixpath.dirname(name)
    needed = tuple(dict.fromkeys(posixpath.normpath(f"{folder}/{link}") for link in links))
    return Page(name, part, heading[1], label or heading[1], minutes, needed)


@cache
def ledger() -> dict[str, dict[str, str]]:
    """Entries of the source articles, by their number."""
    entries = yaml.safe_load(LEDGER.read_text(encoding="utf-8"))
    return {entry["id"]: entry for entry in entries}


@cache
def places() -> dict[str, list[tuple[str, str]]]:
    """Where each entry is treated: pages and cells that bear its tag, in the order of reading."""
    found: dict[str, list[tuple[str, str]]] = {}
    for page in pages():
        for cell in cells(page.name) if page.notebook else []:
            for tag in cell.metadata.get("tags", []):
                if tag.startswith("ledger-"):
                    found.setdefault(tag.removeprefix("ledger-"), []).append((page.name, cell.id))
    return found
