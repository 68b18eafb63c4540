"""The whole book as one PDF: every page is in it, in order, and can be read."""

import subprocess
import sys
from pathlib import Path

import pytest
from pypdf import PdfReader
from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.xdist_group("pdf")  # one worker: to print the book takes over a minute


@pytest.fixture(scope="module")
def pdf(tmp_path_factory):
    out = tmp_path_factory.mktemp("pdf") / "book.pdf"
    site = ROOT / "_build" / "html"
    subprocess.run([sys.executable, ROOT / "scripts/pdf.py", site, out], check=True)
    return PdfReader(out)


def test_each_page_has_a_bookmark(pdf):
    assert len(pdf.outline) == len(list(parse_toc_yaml(ROOT / "_toc.yml")))


def test_prose_and_folded_solutions_are_printed(pdf):
    starts = {mark.title: pdf.get_destination_page_number(mark) for mark in pdf.outline}
    (first,) = (starts[title] for title in starts if "the new policy have earned" in title)
    after = min((start for start in starts.values() if start > first), default=len(pdf.pages))
    sheets = pdf.pages[first:after]  # one page of the book: to read all of it takes a minute
    text = " ".join(" ".join(sheet.extract_text() for sheet in sheets).split())
    assert "A colleague has a new policy" in text
    assert "IPS divides by all eight rounds" in text  # from a folded solution
    assert "Show the code" not in text
