"""The companion: each sentence of the source articles that was judged, and the cell that shows it.

Pages tag the cells that treat an entry of the ledger with `ledger-S0-010`. Here each such cell gets
an address and a link to its entry, and the page chapters/appendix/companion gets its parts:
`{entry-counts} article`, `{entry-filter}` and, once for each article, `{entries} S0`. The role
{entry}`S0-010` links to an entry from anywhere. `_static/companion.js` filters; without script, and
in print, all entries are there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

import book_files
from docutils import nodes
from quizzes import element
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

logger = logging.getLogger(__name__)

PAGE = "chapters/appendix/companion"
VERDICTS = {  # the ledger's words, and the page's
    "correct": "correct",
    "correct-under-assumptions": "right under assumptions",
    "vague": "vague",
    "wrong": "wrong",
    "cannot-run": "cannot run",
    "fictitious": "no such thing",
}
TAKEN_BACK = {"wrong", "cannot-run", "fictitious"}  # the rest is only made more exact
ORDINALS = ("first", "second", "third", "fourth", "fifth")
ARTICLES = dict(zip(book_files.ARTICLES, ORDINALS, strict=True))


def tagged(tags: Iterable[str]) -> list[str]:
    """Entries that a cell with these tags treats."""
    return [tag.removeprefix("ledger-") for tag in tags if tag.startswith("ledger-")]


def faults(ledger: Mapping[str, object], places: Mapping[str, object]) -> list[str]:
    """Entries that no page treats, and tags that stand for no entry."""
    homeless = [f"{entry} has no place on any page" for entry in ledger if entry not in places]
    unknown = [f"no entry {entry}, as a cell is tagged" for entry in places if entry not in ledger]
    return homeless + unknown


def place(where: str) -> str:
    """Where in its article an entry stands, in words."""
    words = {"App": "appendix", "Env": "environment", "Source": "source code"}
    where = re.sub(r"^(App|Env|Source)\b", lambda found: words[found[0]], where)
    return f"section {where}" if where[0].isdigit() else where


def inline(text: str) -> list[nodes.Node]:
    """`code` and $formulas$ of a text as such; all else is plain, an asterisk too."""
    found: list[nodes.Node] = []
    for code, formula, plain in re.findall(r"`([^`]+)`|\$([^$]+)\$|([^`$]+|[`$])", text):
        kind = nodes.literal if code else nodes.math
        found.append(nodes.Text(plain) if plain else kind(text=code or formula))
    return found


def facets(entry: Mapping[str, str]) -> dict[str, str]:
    """What an entry can be chosen by."""
    return {"article": entry["id"][:2], "kind": entry["kind"], "verdict": entry["verdict"]}


def choices() -> dict[str, dict[str, str]]:
    """For each facet its values, with their names; kinds by their number."""
    kinds = Counter(entry["kind"] for entry in book_files.ledger().values())
    articles = {number: f"{ordinal} article" for number, ordinal in ARTICLES.items()}
    return {
        "article": articles,
        "kind": {kind: kind for kind, _ in kinds.most_common()},
        "verdict": VERDICTS,
    }


class EntryCounts(SphinxDirective):
    """How many entries got which verdict, by article or by kind; a number links to its list."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Count each entry in its cell, its row, its column and the corner."""
        by = self.arguments[0]
        counts: Counter[tuple[str, str]] = Counter()
        for chosen in map(facets, book_files.ledger().values()):
            counts.update((r, c) for r in (chosen[by], "") for c in (chosen["verdict"], ""))
        columns = {**choices()["verdict"], "": "all"}
        corner = element("td")
        heads = [
            element("th", nodes.Text(name), class_="num", scope="col") for name in columns.values()
        ]
        rows = []
        for row, name in {**choices()[by], "": "all"}.items():
            cells = [
                element(
                    "td", *_number(counts[row, column], {by: row, "verdict": column}), class_="num"
                )
                for column in columns
            ]
            rows.append(element("tr", element("th", nodes.Text(name), scope="row"), *cells))
        head = element("thead", element("tr", corner, *heads))
        table = element("table", head, element("tbody", *rows))
        return [element("div", table, class_="pst-scrollable-table-container")]


def _number(count: int, chosen: Mapping[str, str]) -> list[nodes.Node]:
    query = urlencode({facet: value for facet, value in chosen.items() if value})
    text = nodes.Text(str(count) if count else "–")
    return [element("a", text, href=f"?{query}#entries") if count else text]


class EntryFilter(SphinxDirective):
    """The form that chooses entries; hidden until its script has come."""

    def run(self) -> list[nodes.Node]:
        """Write a list to choose from for each facet, a field for words, and the number found."""
        parts: list[nodes.Node] = []
        for facet, values in choices().items():
            options = [
                element("option", nodes.Text(name), value=value)
                for value, name in {"": "all", **values}.items()
            ]
            choice = element("select", *options, name=facet)
            parts.append(element("label", nodes.Text(facet.capitalize()), choice))
        words = element("input", type="search", name="words", placeholder="S0-010, cart, 因果图")
        parts += [
            element("label", nodes.Text("Words or number"), words, class_="entry-words"),
            element("button", nodes.Text("Show all"), type="reset"),
            element("p", role="status"),
        ]
        said = {"role": "search", "aria_label": "Entries of the companion"}
        return [element("form", *parts, class_="entry-filter", hidden="", **said)]


class Entries(SphinxDirective):
    """The entries of one article."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write each entry with its verdict, its correction, and links to where it is treated."""
        self.env.note_dependency(str(book_files.LEDGER))
        entries = book_files.ledger().values()
        mine = [entry for entry in entries if facets(entry)["article"] == self.arguments[0]]
        return [self.entry(entry) for entry in mine]

    def entry(self, entry: Mapping[str, str]) -> nodes.Node:
        """One entry."""
        number, verdict = entry["id"], entry["verdict"]
        link = nodes.reference(text=number, refuri=f"#{number.lower()}", internal=True)
        word = element("span", nodes.Text(VERDICTS[verdict]), class_=f"entry-verdict {verdict}")
        about = nodes.Text(f" {entry['kind']}, {place(entry['where'])}")
        better = "Correction" if verdict in TAKEN_BACK else "More exactly"
        parts = [
            _paragraph(link, nodes.Text(" "), word, about, kind="entry-head"),
            _paragraph(*inline(entry["what"])),
            _paragraph(nodes.strong(text="Why: "), *inline(entry["why"])),
            _paragraph(nodes.strong(text=f"{better}: "), *inline(entry["fix"])),
        ]
        shown = [self.link(page, number) for page in self.pages(number)]
        if shown:
            parts.append(_paragraph(nodes.Text("Shown in "), *_listed(shown), kind="entry-places"))
        data = {f"data_{facet}": value for facet, value in facets(entry).items()}
        return element("article", *parts, id=number.lower(), class_="entry", **data)

    def pages(self, number: str) -> list[str]:
        """Pages of this book that treat the entry, in the order of reading."""
        names = dict.fromkeys(page for page, _ in book_files.places().get(number, []))
        return [name for name in names if name in self.env.found_docs]

    def link(self, page: str, number: str) -> nodes.Node:
        """Link to the first cell of the page that treats the entry."""
        (label,) = (found.label for found in book_files.pages() if found.name == page)
        address = self.env.app.builder.get_relative_uri(self.env.docname, page)
        target = f"{address}#ledger-{number.lower()}"
        return nodes.reference(text=label, refuri=target, internal=True)


def _paragraph(*parts: nodes.Node, kind: str = "") -> nodes.paragraph:
    return nodes.paragraph("", "", *parts, classes=[kind] if kind else [])


def _listed(links: Iterable[nodes.Node]) -> list[nodes.Node]:
    return [node for link in links for node in (nodes.Text(", "), link)][1:]


class EntryRole(SphinxRole):
    """{entry}`S0-010`: a link to the entry, where the book has a companion."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Link, and warn of a number that no entry has."""
        if self.text not in book_files.ledger():
            logger.warning("no source entry %s", self.text, location=self.get_location())
        return [_to_entry(self.env.app, self.env.docname, self.text)], []


def _to_entry(app: Sphinx, page: str, number: str) -> nodes.Node:
    if PAGE not in app.env.found_docs:
        return nodes.Text(number)
    target = f"{app.builder.get_relative_uri(page, PAGE)}#{number.lower()}"
    return nodes.reference(text=number, refuri=target, internal=True)


def mark_cells(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Give each cell that treats entries an address, and a line that leads to them."""
    marked: set[str] = set()
    for cell in list(doctree.findall(nodes.container)):
        numbers = tagged(cell.get("cell_metadata", {}).get("tags", []))
        cell["ids"] += [f"ledger-{number.lower()}" for number in numbers if number not in marked]
        marked.update(numbers)
        if numbers and PAGE in app.env.found_docs:
            links = [_to_entry(app, page, number) for number in numbers]
            word = "Source entry " if len(numbers) == 1 else "Source entries "
            cell += _paragraph(nodes.Text(word), *_listed(links), kind="entry-back")
    if str(app.env.doc2path(page)).endswith(".ipynb"):
        cells = book_files.cells(page)
        for number in {n for c in cells for n in tagged(c.metadata.get("tags", []))} - marked:
            logger.warning("the cell that treats %s is not on the page", number, location=page)


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directives and the role known, and mark the cells of each page."""
    app.setup_extension("quizzes")  # for its elements of HTML
    app.add_directive("entry-counts", EntryCounts)
    app.add_directive("entry-filter", EntryFilter)
    app.add_directive("entries", Entries)
    app.add_role("entry", EntryRole())
    app.connect("doctree-resolved", mark_cells)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
