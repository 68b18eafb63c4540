"""How to cite this edition: the version and the entry, from CITATION.cff alone."""

from __future__ import annotations

import book_files
import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

CITATION = book_files.ROOT / "CITATION.cff"


def bibtex() -> str:
    """The book as an entry for BibTeX."""
    about = yaml.safe_load(CITATION.read_text(encoding="utf-8"))
    year = about["date-released"][:4]
    authors = " and ".join(f"{{{author['name']}}}" for author in about["authors"])
    fields = {
        "title": about["title"],
        "author": authors,
        "year": year,
        "version": about["version"],
        "note": "Executable book and Python package",
    }
    lines = [f"  {name:7} = {{{text}}}" for name, text in fields.items()]
    return f"@software{{causalbook{year},\n" + ",\n".join(lines) + "\n}"


class Edition(SphinxDirective):
    """The version of this site, and its entry."""

    def run(self) -> list[nodes.Node]:
        """Write both."""
        self.env.note_dependency(str(CITATION))
        about = yaml.safe_load(CITATION.read_text(encoding="utf-8"))
        told = f"This site is version {about['version']} of {about['date-released']}."
        code = nodes.literal_block(bibtex(), bibtex(), language="bibtex")
        return [nodes.paragraph(told, told), code]


def setup(app: Sphinx) -> dict[str, bool]:
    """Offer the directive."""
    app.add_directive("edition", Edition)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
