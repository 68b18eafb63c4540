"""The glossary's terms, and where they stand in the book's prose."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import book_files
import yaml

SOURCE = book_files.ROOT / "chapters" / "appendix" / "glossary.yaml"
NOTES = ("about", "api", "companion", "evidence", "glossary", "references", "teaching")
CHINESE = r"[\u3400-\u9fff]"


@dataclass(frozen=True)
class Term:
    """One entry of the glossary."""

    name: str
    zh: tuple[str, ...]  # the usual one first
    symbol: str
    text: str
    page: str  # as in _toc.yml
    forms: tuple[str, ...]  # ways to write it that count anywhere
    marked: tuple[str, ...]  # everyday words that count where a page sets them off
    not_on: tuple[str, ...]  # pages where the word means something else

    @property
    def id(self) -> str:
        """Its anchor on the glossary."""
        return "term-" + re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    @property
    def short(self) -> str:
        """What is shown on hovering: the Chinese term and the first sentence."""
        first = re.split(r"(?<=[.])\s", self.text, maxsplit=1)[0]
        return f"{self.zh[0]}: {first}"


@cache
def terms() -> tuple[Term, ...]:
    """All entries, in alphabetical order."""
    entries = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    found = []
    for entry in entries:
        marked = tuple(entry.get("marked", ()))
        forms = (*([] if marked else [entry["term"]]), *entry.get("forms", ()))
        found.append(
            Term(
                entry["term"],
                tuple(entry["zh"].split(", ")),
                entry.get("symbol", ""),
                entry["text"],
                f"chapters/{entry['page']}",
                forms,
                marked,
                tuple(f"chapters/{page}" for page in entry.get("not_on", ())),
            )
        )
    return tuple(sorted(found, key=lambda term: term.name.lower()))


def pattern(form: str) -> str:
    """Regular expression of a form: spaces or hyphens, either apostrophe, the plural."""
    first, rest = form[0], form[1:]
    start = re.escape(first)
    if form == form.lower() and first.isalpha():
        start = f"[{first}{first.upper()}]"
    text = start + re.escape(rest).replace(r"\ ", r"[\s-]+").replace(r"\-", r"[\s-]")
    text = text.replace("'", "['’]")
    return text[:-1] + "(?:y|ies)" if form.endswith("y") else text + "(?:s|es)?"


@cache
def _words() -> dict[str, tuple[re.Pattern[str], list[list[tuple[Term, bool]]]]]:
    """Patterns of all forms by their first letter, the longest form first."""
    known: dict[str, list[tuple[str, Term, bool]]] = {}
    for term in terms():
        for form in dict.fromkeys((*term.forms, *term.marked)):
            known.setdefault(form[0].lower(), []).append((form, term, form in term.marked))
    table = {}
    for letter, found in known.items():
        forms = list(dict.fromkeys(sorted((form for form, _, _ in found), key=lambda f: -len(f))))
        expression = "|".join(f"({pattern(form)})" for form in forms)
        owners = [[(term, mark) for form, term, mark in found if form == name] for name in forms]
        table[letter] = re.compile(rf"(?:{expression})(?![\w-])"), owners
    return table


def occurrences(
    text: str, page: str, after: str = "", set_off: bool = False
) -> Iterator[tuple[int, int, Term]]:
    """Terms in a piece of prose, the longest at each place: start, end, and the term.

    Chinese beside a word says which term is meant: where it is not that of the term, there is
    none. `set_off` says that the piece is in bold or italics, `after` what
    follows it.
    """
    end = 0
    for word in re.finditer(r"(?<![\w-])\w", text):
        if word.start() < end or word[0].lower() not in _words():
            continue
        expression, owners = _words()[word[0].lower()]
        found = expression.match(text, word.start())
        if not found or found.lastindex is None:
            continue
        end = found.end()
        # Beside it: "word (中文)", "word 中文", "(word, 中文)" or "(中文, word)".
        behind = re.match(rf"\s*\(([^()]*{CHINESE}[^()]*)\)|,? ({CHINESE}+)", text[end:] + after)
        before = re.search(rf"({CHINESE}+), $", text[: found.start()])
        beside = next((m[m.lastindex or 0] for m in (behind, before) if m), "")
        whole = set_off and not (text[: found.start()] + text[end:]).strip()
        candidates = []
        for term, marked in owners[found.lastindex - 1]:
            fits = any(zh in beside for zh in term.zh) if beside else whole or not marked
            if fits and page not in term.not_on:
                candidates.append(term)
        if len(candidates) > 1:  # one word, two things: the page says which
            candidates = [term for term in candidates if term.page == page]
        if len(candidates) == 1:
            yield found.start(), end, candidates[0]


def plain(markdown: str) -> list[tuple[str, bool, str]]:
    """Prose of a page's source in pieces: the piece, whether it is set off, what follows it."""
    text = re.sub(r"^(`{3,}|~{3,}).*?^\1", "", markdown, flags=re.M | re.S)
    text = re.sub(r"^#[^\n]*|^:::[^\n]*|\$\$.*?\$\$", "", text, flags=re.M | re.S)
    text = re.sub(r"\{[\w:]+\}`[^`]*`|`[^`]*`|\$[^$]*\$|\]\([^)]*\)|<[^>]+>", " ", text)
    pieces = re.split(r"(\*\*[^*]+\*\*|\*[^*\s][^*]*\*)", text)
    found = []
    for i, piece in enumerate(pieces):
        after = "".join(pieces[i + 1 : i + 2])
        found.append((piece.strip("*") if i % 2 else piece, bool(i % 2), after))
    return found


def _teaches(name: str) -> bool:
    _, part, page = name.split("/", 2) if name.startswith("chapters/") else ("", "", "quiz")
    return page != "quiz" and not (part == "appendix" and page.startswith(NOTES))


@cache
def linked_pages() -> tuple[str, ...]:
    """Pages whose prose is linked: those that teach. A quiz asks without a glossary."""
    names = (page.name for page in book_files.pages())
    return tuple(name for name in names if _teaches(name))


@cache
def first_uses() -> dict[str, str]:
    """The first page, in the order of reading, on which each term stands."""
    found: dict[str, str] = {}
    for page in linked_pages():
        for text in book_files.source(page):
            for piece, set_off, after in plain(text):
                for _, _, term in occurrences(piece, page, after, set_off):
                    found.setdefault(term.name, page)
    return found
