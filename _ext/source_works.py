"""Works that a text names by authors and year, found in references.bib."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

import book_files
from pybtex.database import Entry, Person, parse_file

BIBLIOGRAPHY = book_files.ROOT / "references.bib"
MEANT = {  # where two works have the same authors and year, or one is known by another name
    ("Abadi et al.", "2016"): "Abadi2016",
    ("Angelopoulos et al.", "2023"): "Angelopoulos2023",
    ("Neyman", "1923"): "Neyman1923",
    ("Pearl", "1995"): "Pearl1995",
    ("Pearl", "2009"): "Pearl2009",
    ("Swaminathan and Joachims", "2015"): "SwaminathanJoachims2015",
    ("Swaminathan and Joachims", "2015, JMLR 16"): "SwaminathanJoachims2015b",
}
YEARS = re.compile(r" \((\d{4}[^()]*)\)")  # (1952), (2014, section 3), (2006, theorem 7; 2011)


def cite(text: str) -> str:
    """Turn authors and years into citations: Dudík et al. (2014, section 3), say."""

    def found(match: re.Match[str]) -> str:
        authors, keys = _authors(text, match)
        if not all(keys):
            return match[0]
        told = [part.strip().partition(", ") for part in match[1].split(";")]
        if any(year != _year(key) for key, (year, _, _) in zip(keys, told, strict=True)):
            return f"{match[0]} {{cite:p}}`{','.join(keys)}`"  # a later print: the first is named
        works = [
            f"{{cite:t}}`{key}`" + (f" ({detail})" if detail else "")
            for key, (_, _, detail) in zip(keys, told, strict=True)
        ]
        return f"\0{len(authors)}\0 {', '.join(works)}"

    marked = YEARS.sub(found, text)
    while "\0" in marked:  # the citation brings the authors' names itself
        before, length, after = marked.split("\0", 2)
        marked = before[: len(before) - int(length)] + after.lstrip()
    return marked


def unknown(text: str) -> list[str]:
    """Authors and years that references.bib lacks, or has more than once."""
    return [
        f"{text[max(0, match.start() - 60) : match.start()]}{match[0]}"
        for match in YEARS.finditer(text)
        if not all(_authors(text, match)[1])
    ]


def _authors(text: str, match: re.Match[str]) -> tuple[str, list[str]]:
    """The authors before the years, and for each year the key of their work, "" for none."""
    parts = [part.strip() for part in match[1].split(";")]
    before = plain(text[: match.start()])
    known = [
        authors
        for authors, year in [*works(), *MEANT]
        if year[:4] == parts[0][:4] and re.search(rf"(?<!\w){re.escape(authors)}$", before)
    ]
    authors = max(known, key=len, default="")
    return authors, [_key(authors, part) for part in parts]


def _key(authors: str, part: str) -> str:
    for year in (part, part[:4]):
        if (authors, year) in MEANT:
            return MEANT[authors, year]
    keys = works().get((authors, part[:4]), [])
    return keys[0] if len(keys) == 1 else ""


@cache
def works() -> dict[tuple[str, str], list[str]]:
    """Keys of references.bib by authors, as a text may name them, and year."""
    found: dict[tuple[str, str], list[str]] = {}
    for key, entry in _entries().items():
        names = [plain(_last(person)) for person in entry.persons.get("author", ())]
        if not names:
            continue
        forms = {" and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))}
        forms |= {f"{names[0]} et al."} if len(names) > 2 else set()
        # A classic is known by the year of its first print, which its key has.
        years = {_year(key), *re.findall(r"\d{4}", key)}
        for form in forms:
            for year in years:
                found.setdefault((form, year), []).append(key)
    return found


@cache
def _entries() -> dict[str, Entry]:
    return dict(parse_file(str(BIBLIOGRAPHY), "bibtex").entries)


def _year(key: str) -> str:
    return str(_entries()[key].fields.get("year", ""))


def _last(person: Person) -> str:
    name = " ".join([*person.prelast_names, *person.last_names])
    return re.sub(r"[{}\\]", "", name)  # D'Haultf{\oe}uille


def plain(text: str) -> str:
    """The text without accents, letter by letter, so that places stay the same."""
    return "".join(unicodedata.normalize("NFKD", letter)[0] for letter in text).replace("’", "'")
