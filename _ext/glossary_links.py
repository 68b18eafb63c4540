"""The glossary: its page, made from glossary.yaml, and the links to it from every page's prose."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import book_files
from docutils import nodes
from docutils.statemachine import StringList
from glossary_terms import SOURCE, Term, first_uses, linked_pages, occurrences, terms
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

GLOSSARY = "chapters/appendix/glossary"
MOST = 25  # links on a page
# Not read for links: what is no prose, what leads elsewhere, what is shown in a box of its own.
CLOSED = (
    nodes.title,
    nodes.rubric,
    nodes.reference,
    nodes.literal,
    nodes.literal_block,
    nodes.math,
    nodes.math_block,
    nodes.table,
    nodes.raw,
    nodes.term,
    nodes.citation,
    nodes.footnote,
    nodes.system_message,
)


def prose(node: nodes.Element, page: str) -> Iterator[nodes.Text]:
    """Text of a page that may bear links: no headings, code, mathematics, links or solutions."""
    folded = 0

    def walk(parent: nodes.Element) -> Iterator[nodes.Text]:
        nonlocal folded
        for child in parent.children:
            if isinstance(child, nodes.raw):
                folded += child.astext().count("<details") - child.astext().count("</details")
            if isinstance(child, nodes.Text):
                if not folded:
                    yield child
            elif isinstance(child, CLOSED) or "cell" in child["classes"]:
                continue
            elif not isinstance(child, nodes.emphasis) or _is_a_term(child, page):
                yield from walk(child)  # other italics quote somebody

    yield from walk(node)


def _is_a_term(node: nodes.Element, page: str) -> bool:
    text = node.astext()
    found = occurrences(text, page, _behind(node), set_off=True)
    return any(end - start == len(text) for start, end, _ in found)


def _behind(node: nodes.Element) -> str:
    """Text behind a piece in bold or italics."""
    rest = node.parent.children[node.parent.index(node) + 1 :]
    return rest[0].astext() if rest else ""


def link_terms(doctree: nodes.Element, page: str, glossary: str, needs: tuple[str, ...]) -> None:
    """Link the first occurrence of each term; where there are too many, those needed first."""
    first: dict[Term, tuple[nodes.Text, int, int]] = {}
    for text in list(prose(doctree, page)):
        set_off = isinstance(text.parent, nodes.strong | nodes.emphasis)
        after = _behind(text.parent) if set_off else ""
        for start, end, term in occurrences(text.astext(), page, after, set_off):
            first.setdefault(term, (text, start, end))
    wanted = sorted(first, key=lambda term: 0 if term.page in needs else 1 + (term.page != page))
    chosen: dict[int, list[Term]] = {}
    for term in wanted[:MOST]:
        chosen.setdefault(id(first[term][0]), []).append(term)  # equal texts are several nodes
    for group in chosen.values():
        text = first[group[0]][0]
        links = [(*first[term][1:], term) for term in group]
        parts: list[nodes.Node] = []
        done = 0
        for start, end, term in sorted(links, key=lambda link: link[0]):
            link = nodes.reference("", text[start:end], internal=True, classes=["glossary-link"])
            link["refuri"], link["reftitle"] = f"{glossary}#{term.id}", term.short
            parts += [nodes.Text(text[done:start]), link]
            done = end
        text.parent.replace(text, [*parts, nodes.Text(text[done:])])


def add_links(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Link a page's terms, if the book has the glossary."""
    if app.builder.format != "html" or GLOSSARY not in app.env.found_docs:
        return
    if page in linked_pages():
        needs = next(p.needs for p in book_files.pages() if p.name == page)
        link_terms(doctree, page, app.builder.get_relative_uri(page, GLOSSARY), needs)


class _Words(SphinxDirective):
    """What the two directives share."""

    def read(self, text: str, parent: nodes.Element) -> nodes.Element:
        """Read Markdown into a node."""
        self.state.nested_parse(StringList([text], self.get_source_info()[0]), 0, parent)
        return parent

    def page(self, name: str) -> str:
        """Markdown of a link to a page, or its name where this book has no such page."""
        label = next((p.label for p in book_files.pages() if p.name == name), name)
        return f"{{doc}}`{label} </{name}>`" if name in self.env.found_docs else label


class TermList(_Words):
    """All entries, in a section for each letter."""

    def run(self) -> list[nodes.Node]:
        """Make the sections, and links to them."""
        self.env.note_dependency(str(SOURCE))
        sections: list[nodes.Node] = []
        index = nodes.paragraph(classes=["glossary-letters"])
        for letter, group in groupby(terms(), key=lambda term: term.name[0].upper()):
            name = f"glossary-{letter.lower()}"
            section = nodes.section("", nodes.title("", letter), ids=[name], names=[name])
            entries = nodes.definition_list(classes=["glossary-list"])
            entries += [self.entry(term) for term in group]
            section += entries
            sections.append(section)
            index += [nodes.reference("", letter, internal=True, refid=name), nodes.Text(" ")]
        return [index, *sections]

    def entry(self, term: Term) -> nodes.Node:
        """One entry: term, Chinese, symbol; definition; pages."""
        head = nodes.term("", "", nodes.strong("", term.name), nodes.Text(" "), ids=[term.id])
        head += chinese(", ".join(term.zh))
        if term.symbol:
            symbol = self.read(term.symbol, nodes.Element())
            head += [nodes.Text(" "), *symbol.children[0].children]
        where = f"Taught in {self.page(term.page)}"
        used = first_uses().get(term.name, term.page)
        where += f". First used in {self.page(used)}." if used != term.page else "."
        places = self.read(where, nodes.container(classes=["glossary-places"]))
        text = self.read(term.text, nodes.definition())
        text += places
        return nodes.definition_list_item("", head, text)


class ChineseList(_Words):
    """The Chinese terms, in the order of GB 2312: by sound, rarer characters last."""

    def run(self) -> list[nodes.Node]:
        """Make the table."""
        pairs = sorted(
            ((zh, term) for term in terms() for zh in term.zh),
            key=lambda pair: pair[0].encode("gb18030"),
        )
        group = nodes.tgroup("", nodes.colspec(colwidth=1), nodes.colspec(colwidth=2), cols=2)
        head = nodes.row("", _cell(nodes.Text("中文")), _cell(nodes.Text("English")))
        body = nodes.tbody()
        for zh, term in pairs:
            link = nodes.reference("", term.name, internal=True, refid=term.id)
            body += nodes.row("", _cell(chinese(zh)), _cell(link))
        group += [nodes.thead("", head), body]
        return [nodes.table("", group, classes=["glossary-chinese"])]


def chinese(text: str) -> nodes.inline:
    """Mark text as Chinese, for fonts and for speech software."""
    return nodes.inline("", text, classes=["glossary-zh", "language-zh-Hans"])


def _cell(content: nodes.Node) -> nodes.entry:
    return nodes.entry("", nodes.paragraph("", "", content))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives and the links."""
    app.add_directive("glossary-terms", TermList)
    app.add_directive("glossary-chinese", ChineseList)
    app.connect("doctree-resolved", add_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
