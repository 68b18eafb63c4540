"""Each entry of the ledger has its place, each tag its entry, and the companion says it of both."""

from __future__ import annotations

import importlib
import re
import shutil
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from .test_broken_books import build

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def companion() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "_ext")
        return importlib.import_module("companion")


@pytest.fixture(scope="module")
def page() -> str:
    return (ROOT / "chapters" / "appendix" / "companion.md").read_text(encoding="utf-8")


def test_every_entry_has_a_place_and_every_tag_an_entry(companion: ModuleType) -> None:
    book = companion.book_files
    assert companion.faults(book.ledger(), book.places()) == []


def test_an_entry_without_a_place_and_a_tag_without_an_entry_are_found(
    companion: ModuleType,
) -> None:
    book = companion.book_files
    before = companion.faults(book.ledger(), book.places())
    places = dict(book.places())
    places["S9-999"] = places.pop("S0-001")
    found = set(companion.faults(book.ledger(), places)) - set(before)
    assert found == {"S0-001 has no place on any page", "no entry S9-999, as a cell is tagged"}


def test_the_page_lists_each_article_once_and_under_its_title(
    companion: ModuleType, page: str
) -> None:
    listed = re.findall(r"^### The (\w+) article(.*)\n\n```\{entries\} (S\d)$", page, re.M)
    titles = companion.book_files.ARTICLES
    assert [(ordinal, article) for ordinal, _, article in listed] == [
        (ordinal, article) for article, ordinal in companion.ARTICLES.items()
    ]
    assert all(titles[article] in said for _, said, article in listed)


def test_each_verdict_is_explained_in_the_words_of_the_filter(
    companion: ModuleType, page: str
) -> None:
    assert re.findall(r"^(.+)\n: ", page, re.M) == list(companion.VERDICTS.values())
    assert {e["verdict"] for e in companion.book_files.ledger().values()} <= set(companion.VERDICTS)


def test_code_and_formulas_of_entries_are_closed(companion: ModuleType) -> None:
    for number, entry in companion.book_files.ledger().items():
        for field in ("what", "why", "fix"):
            parts = companion.inline(entry[field])
            plain = "".join(part for part in parts if part.tagname == "#text")
            assert "`" not in plain, f"{number}, {field}: a backtick that opens or closes nothing"
            assert "$" not in plain, f"{number}, {field}: a dollar that opens or closes nothing"


def test_inline_knows_code_and_formulas_only(companion: ModuleType) -> None:
    parts = companion.inline("so `a*b` gives $a^*$, *not* <b>")
    assert [part.tagname for part in parts] == ["#text", "literal", "#text", "math", "#text"]
    assert "".join(part.astext() for part in parts) == "so a*b gives a^*, *not* <b>"


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("3.2 step 1", "section 3.2 step 1"),
        ("App A.1", "appendix A.1"),
        ("Env: pip line", "environment: pip line"),
        ("Source: main", "source code: main"),
        ("V1 4.2", "V1 4.2"),
        ("Applications: practical", "Applications: practical"),
    ],
)
def test_the_place_in_the_article_is_said_in_words(
    companion: ModuleType, where: str, said: str
) -> None:
    assert companion.place(where) == said


LEDGER = """
- {id: S0-001, where: '1', kind: claim, what: One, verdict: wrong, why: W, fix: F, chapter: intro}
- {id: S0-002, where: '2', kind: code, what: Two, verdict: vague, why: W, fix: F, chapter: intro}
"""
COMPANION = """# Companion

See {entry}`S0-002`.

```{entry-counts} kind
```

## Entries

```{entry-filter}
```

### One

```{entries} S0
```
"""


def make_book(folder: Path, tags: list[list[str]]) -> None:
    """Make a book of a notebook with tagged cells and, if its toc says so, a companion."""
    shutil.copy(ROOT / "_config.yml", folder)
    for name in ("_ext", "_static", "_templates", "scripts"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "references.bib").write_text("")
    (folder / "index.md").write_text("# A tiny book\n\nSee {entry}`S0-001`.\n")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [new_code_cell("6 * 7", metadata={"tags": cell}) for cell in tags]
    notebook = new_notebook(
        cells=[new_markdown_cell("# Page"), *cells],
        metadata={"kernelspec": kernel, "causalbook": {"minutes": 1}},
    )
    appendix = folder / "chapters" / "appendix"
    appendix.mkdir(parents=True)
    (appendix / "ledger.yaml").write_text(LEDGER)
    (appendix / "companion.md").write_text(COMPANION)
    nbformat.write(notebook, folder / "chapters" / "page.ipynb")


def write_toc(folder: Path, *names: str) -> None:
    chapters = "".join(f"      - file: chapters/{name}\n" for name in names)
    text = f"format: jb-book\nroot: index\nparts:\n  - caption: Part\n    chapters:\n{chapters}"
    (folder / "_toc.yml").write_text(text)


def test_a_tagged_cell_and_its_entry_lead_to_each_other(tmp_path: Path) -> None:
    both = ["ledger-S0-001", "ledger-S0-002"]
    make_book(tmp_path, [[*both, "hide-cell"], ["ledger-S0-002"]])
    write_toc(tmp_path, "page", "appendix/companion")
    run = build(tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    site = tmp_path / "_build" / "html" / "chapters"
    page = BeautifulSoup((site / "page.html").read_text(), "html.parser")
    anchors = ["ledger-s0-001", "ledger-s0-002"]
    first, second = page.select("div.cell")
    assert [node["id"] for node in page.select("[id^=ledger-]")] == anchors
    assert first["id"] == anchors[0]
    assert not page.find(id=anchors[1]).find_parent("details"), "a fold would hide it"
    links = [[a["href"] for a in cell.select(".entry-back a")] for cell in (first, second)]
    entries = ["appendix/companion.html#s0-001", "appendix/companion.html#s0-002"]
    assert links == [entries, entries[1:]]
    assert not first.select("details .entry-back")

    listed = BeautifulSoup((site / "appendix" / "companion.html").read_text(), "html.parser")
    for number, anchor in zip(("s0-001", "s0-002"), anchors, strict=True):
        (place,) = listed.find(id=number).select(".entry-places a")
        assert place["href"] == f"../page.html#{anchor}"
    assert listed.select_one("article p > a[href='#s0-002']").get_text() == "S0-002"  # the role
    index = BeautifulSoup((site.parent / "index.html").read_text(), "html.parser")
    assert index.select("article a[href='chapters/appendix/companion.html#s0-001']")

    # Without a companion nothing leads to one; the cells keep their addresses.
    write_toc(tmp_path, "page")
    run = build(tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    text = (site / "page.html").read_text()
    assert "entry-back" not in text
    assert "companion.html" not in text
    assert anchors[1] in text


def test_a_treated_entry_whose_cell_is_hidden_fails_the_build(tmp_path: Path) -> None:
    make_book(tmp_path, [["ledger-S0-001", "remove-cell"]])
    write_toc(tmp_path, "page")
    run = build(tmp_path)
    assert run.returncode != 0
    assert "the cell that treats S0-001 is not on the page" in run.stdout + run.stderr


def test_a_link_to_no_entry_fails_the_build(tmp_path: Path) -> None:
    make_book(tmp_path, [["ledger-S0-001"]])
    (tmp_path / "index.md").write_text("# A tiny book\n\nSee {entry}`S0-009`.\n")
    write_toc(tmp_path, "page")
    run = build(tmp_path)
    assert run.returncode != 0
    assert "no source entry S0-009" in run.stdout + run.stderr
