"""The whole book as one PDF: every page is in it, in order, and can be read."""

import subprocess
import sys
from pathlib import Path

import pytest
from pypdf import PdfReader
from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pdf(tmp_path_factory):
    out = tmp_path_factory.mktemp("pdf") / "book.pdf"
    site = ROOT / "_build" / "html"
    subprocess.run([sys.executable, ROOT / "scripts/pdf.py", site, out], check=True)
    return PdfReader(out)


def test_each_page_has_a_bookmark(pdf):
    assert len(pdf.outline) == len(list(parse_toc_yaml(ROOT / "_toc.yml")))


def test_prose_and_folded_solutions_are_printed(pdf):
    text = " ".join(" ".join(page.extract_text() for page in pdf.pages).split())
    assert "A colleague has a new policy" in text
    assert "IPS divides by all eight rounds" in text  # from a folded solution
    assert "Show the code" not in text
