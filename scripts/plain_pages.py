"""Pages in Markdown that any JupyterLab shows: links, citations, numbers of formulas and figures.

The book is written in MyST, whose roles and directives the site resolves. The course is handed out
as notebooks, so here they become plain Markdown.
"""

from __future__ import annotations

import posixpath
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from pybtex.database import BibliographyData, parse_file

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "_ext"))

import book_files  # noqa: E402

ROLE = re.compile(r"\{([\w:-]+)\}`([^`]+)`")
EQUATION = re.compile(r"\$\$ *\(([\w-]+)\)")
FIGURE = re.compile(
    r"```\{glue:figure\} (\w+)\n(?::[\w-]+:[^\n]*\n)*:name: *([\w-]+)\n(.*?)```", re.S
)
ADMONITION = re.compile(r"^:::\{admonition\} *([^\n]*)\n(.*?)^:::[ \t]*$", re.M | re.S)
BLOCK = re.compile(
    r"^(`{3,}|:{3,})\{[\w:-]+\} *([^\n]*)\n(?::[\w-]+:[^\n]*\n)*(.*?)^\1[ \t]*$", re.M | re.S
)
TARGET = re.compile(r"^\([\w-]+\)=\n", re.M)


@cache
def course_pages() -> tuple[book_files.Page, ...]:
    """Pages that are handed out: those of the parts, and the notebooks of the appendix."""
    return tuple(p for p in book_files.pages() if p.needs_work or (p.part and p.notebook))


@cache
def labels() -> dict[str, tuple[str, str]]:
    """Formulas and figures by their label: the page they stand on, and their number there."""
    found = {}
    for page in course_pages():
        text = "\n".join(book_files.source(page.name))
        names = EQUATION.findall(text), [name for _, name, _ in FIGURE.findall(text)]
        for kind, labelled in zip(("({})", "figure {}"), names, strict=True):
            for number, label in enumerate(labelled, start=1):
                found[label] = (page.name, kind.format(number))
    return found


@cache
def works() -> BibliographyData:
    """The works that the book cites."""
    return parse_file(str(ROOT / "references.bib"))


def cited(key: str, form: str) -> str:
    """Authors and year, linked to the work where it has an address."""
    work = works().entries[key]
    people = [" ".join([*p.prelast_names, *p.last_names]) for p in work.persons.get("author", [])]
    people = [re.sub(r"[{}]", "", name) for name in people] or [work.fields.get("title", key)]
    who = people[0] + (f" and {people[1]}" if len(people) == 2 else " et al." * (len(people) > 2))
    year = work.fields.get("year", "no year")
    address = work.fields.get("url")
    if "doi" in work.fields:
        address = f"https://doi.org/{work.fields['doi']}"
    said = f"{who} ({year})" if form == "cite:t" else f"{who}, {year}"
    return f"[{said}]({address})" if address else said


def plain(text: str, name: str) -> str:
    """Turn the MyST of a page into Markdown without roles and directives."""
    text = EQUATION.sub(lambda found: rf"\tag{{{labels()[found[1]][1][1:-1]}}}$$", text)
    text = FIGURE.sub(lambda found: f"*{_here(found[2], name).capitalize()}.* {found[3]}", text)
    text = ADMONITION.sub(lambda found: _quote(f"**{found[1]}**\n\n{found[2].strip()}"), text)
    text = BLOCK.sub(lambda found: f"**{found[2]}**\n\n{found[3]}".rstrip(), text)
    return ROLE.sub(lambda found: _role(found[1], found[2], name), TARGET.sub("", text))


def _quote(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def _role(kind: str, text: str, name: str) -> str:
    said, _, target = text.rpartition("<")
    target, said = (target[:-1], said.strip()) if said else (text, "")
    if kind in ("cite:t", "cite:p"):
        all_of_them = [cited(key.strip(), kind) for key in text.split(",")]
        return ", ".join(all_of_them) if kind == "cite:t" else f"({'; '.join(all_of_them)})"
    roles: dict[str, Callable[[], str]] = {
        "doc": lambda: _link(posixpath.normpath(f"{posixpath.dirname(name)}/{target}"), said, name),
        "eq": lambda: _here(target, name),
        "numref": lambda: said or _here(target, name),
        "glue:text": lambda: f"`{target}` (computed above)",
    }
    return roles[kind]() if kind in roles else said or target


def _here(label: str, name: str) -> str:
    """Number of a formula or figure, with its page if that is another one."""
    page, number = labels()[label]
    return number if page == name else f"{number} of {_link(page, '', name)}"


def _link(target: str, said: str, name: str) -> str:
    """Link to a sibling that is handed out; name the page of the site otherwise."""
    page = next((page for page in course_pages() if page.name == target), None)
    if page is None:
        return f"*{said or posixpath.basename(target)}* (on the book's site)"
    suffix = ".ipynb" if page.notebook else ".md"
    return f"[{said or page.title}]({posixpath.relpath(target, posixpath.dirname(name))}{suffix})"
