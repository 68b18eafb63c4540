"""A book with a fault does not build, and the output names the page.

Each test makes a book of one or two pages with this project's own configuration, extension,
templates and styles, and builds it with scripts/build.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[2]
TOC = "format: jb-book\nroot: index\nchapters:\n  - file: chapters/page\n  - file: references\n"
BIB = (
    "@article{rubin1974, author={Rubin, Donald B.}, title={Estimating causal effects}, "
    "journal={Journal of Educational Psychology}, year={1974}}\n"
)
GOOD = "See {cite}`rubin1974` and {doc}`../index`. The mean is $\\mu$."
FORGES = ("BOOK_REPOSITORY", "BOOK_BRANCH", "GITHUB_REPOSITORY", "GITHUB_SERVER_URL")


def make_book(folder: Path, text: str, code: str) -> None:
    shutil.copy(ROOT / "_config.yml", folder)
    for name in ("_ext", "_static", "_templates", "scripts"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "_toc.yml").write_text(TOC)
    (folder / "references.bib").write_text(BIB)
    (folder / "index.md").write_text("# A tiny book\n\nIt has one page.\n")
    (folder / "references.md").write_text("# References\n\n```{bibliography}\n```\n")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = new_notebook(
        cells=[new_markdown_cell(f"# Page\n\n{text}"), new_code_cell(code)],
        metadata={"kernelspec": kernel},
    )
    (folder / "chapters").mkdir()
    nbformat.write(notebook, folder / "chapters" / "page.ipynb")


def build(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key not in FORGES}
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "build.py"), str(folder)],
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_good_book_builds_and_offers_no_link_to_an_unknown_repository(tmp_path: Path) -> None:
    make_book(tmp_path, GOOD, "6 * 7")
    first = build(tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "1 executed, 1 in the book" in first.stdout
    page = (tmp_path / "_build" / "html" / "chapters" / "page.html").read_text()
    assert "42" in page
    assert "_sources/chapters/page.ipynb" in page
    for stranger in ("mybinder.org", "codespaces.new", "issues/new", "github.com"):
        assert stranger not in page

    # A second build runs nothing again, knows its repository now, and drops a page that is gone.
    stale = tmp_path / "_build" / "html" / "chapters" / "gone.html"
    stale.write_text("<h1>Gone</h1>")
    (tmp_path / "_build" / "html" / "_sources" / "chapters" / "gone.md").write_text("# Gone")
    second = build(tmp_path, BOOK_REPOSITORY="git@github.com:someone/their-book.git")
    assert second.returncode == 0, second.stdout + second.stderr
    assert "0 executed, 1 in the book" in second.stdout
    page = (tmp_path / "_build" / "html" / "chapters" / "page.html").read_text()
    binder = (
        "https://mybinder.org/v2/gh/someone/their-book/main?urlpath=lab/tree/chapters/page.ipynb"
    )
    assert binder in page
    assert "https://codespaces.new/someone/their-book" in page
    assert "https://github.com/someone/their-book/edit/main/chapters/page.ipynb" in page
    assert "https://github.com/someone/their-book/issues/new?title=Error%20on%20page" in page
    assert not stale.exists()


BROKEN = {
    "cell": (GOOD, "wrong = 'this very cell'\nraise RuntimeError('the cell fails')"),
    "assertion": (GOOD, "assert 1 > 2, 'the sentence above is not true'"),
    "reference": ("See {ref}`a-place-that-is-nowhere`.", "6 * 7"),
    "page": ("See {doc}`no_such_page`.", "6 * 7"),
    "citation": ("See {cite}`nobody1900`.", "6 * 7"),
}
NAMED = {
    "cell": ("wrong = 'this very cell'", "RuntimeError: the cell fails"),
    "assertion": ("assert 1 > 2", "AssertionError: the sentence above is not true"),
    "reference": ("a-place-that-is-nowhere",),
    "page": ("no_such_page",),
    "citation": ("nobody1900",),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_book_is_refused(fault: str, tmp_path: Path) -> None:
    make_book(tmp_path, *BROKEN[fault])
    # Sphinx alone would take the page from its store the second time, and be content.
    for _ in range(2 if fault == "reference" else 1):
        result = build(tmp_path)
        output = result.stdout + result.stderr
        assert result.returncode != 0, output
        assert "chapters/page.ipynb" in output
        for words in NAMED[fault]:
            assert words in output
