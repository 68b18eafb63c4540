"""Pages of the package's public names, made from its docstrings, and links to them.

    ```{api} estimators
    ```

shows the names of a part under the pages that teach them; `{api-index}` lists them all. A name in
code that a page's own cells use is a link to its entry, where it first stands in the prose.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import book_files
from docstrings import LABELS, sections
from docutils import nodes
from docutils.statemachine import StringList
from public_names import (
    API,
    PARTS,
    Name,
    members,
    names,
    page_aliases,
    teacher,
    uses,
)
from source_works import cite
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

# Where a name in code is no prose, or leads somewhere already.
NO_PROSE = (nodes.title, nodes.reference, nodes.table, nodes.term, nodes.caption, nodes.rubric)


class _Directive(SphinxDirective):
    """What both directives share."""

    def markdown(self, text: str) -> list[nodes.Node]:
        """Nodes of some Markdown."""
        box = nodes.Element()
        lines = StringList(cite(text).splitlines(), source=self.env.docname)
        self.state.nested_parse(lines, self.content_offset, box)
        return box.children

    def page(self, name: str) -> nodes.Node:
        """A link to a page of the book, or its name where the book lacks it."""
        label = _label(name)
        if name not in self.env.found_docs:
            return nodes.inline("", label)
        address = self.env.app.builder.get_relative_uri(self.env.docname, name)
        return nodes.reference("", label, internal=True, refuri=address)

    def entry(self, name: Name) -> nodes.Node:
        """A link to a name's entry."""
        return _reference(self.env.app, self.env.docname, name, nodes.literal("", name.short))


class Api(_Directive):
    """The names of a part, under the pages that teach them, in the order of the book."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """A section for each page, a section in it for each name."""
        place = {page.name: number for number, page in enumerate(book_files.pages())}
        own = [name for name in names().values() if name.part == self.arguments[0]]
        own.sort(key=lambda name: place.get(teacher(name), len(place)))  # then by the alphabet
        found: list[nodes.Node] = []
        for page, taught in groupby(own, key=teacher):
            section = nodes.section(ids=[f"taught-{page.rpartition('/')[2]}"])
            section += nodes.title("", _label(page))
            section += [self.described(name) for name in taught]
            found.append(section)
        return found

    def described(self, name: Name) -> nodes.section:
        """One name: how it is called, what it computes, what it takes, who teaches it."""
        section = nodes.section(ids=[name.full], classes=["api-entry"])
        section += nodes.title("", "", nodes.literal("", name.short))
        if name.signature:
            section += _code(name.signature)
        section += self.text(name)
        fields = [self.field("Taught in", nodes.paragraph("", "", self.page(teacher(name))))]
        also = [page for page in uses()[name.full] if page != teacher(name)]
        if also:
            fields.append(self.field("Also used in", _series(map(self.page, also))))
        section += nodes.field_list("", *fields, classes=["api-fields"])
        for method in name.methods:
            section += self.method(method)
        return section

    def text(self, name: Name) -> list[nodes.Node]:
        """The docstring: its prose and formulas, then its parts."""
        parts = sections(name.doc)
        found = self.markdown(parts[""])
        told = [label for label in LABELS if label in parts]
        if told:
            fields = [self.field(label, *self.markdown(parts[label])) for label in told]
            found.append(nodes.field_list("", *fields, classes=["api-fields"]))
        for literal in [code for node in found for code in node.findall(nodes.literal)]:
            literal["api"] = name.full  # the names around it are those of this entry
        return found

    def method(self, method: Name) -> nodes.container:
        """A method or a property of a class."""
        box = nodes.container(ids=[method.full], classes=["api-method"])
        box += _code(method.signature)
        if method.kind != "method":
            box[0]["classes"] += [method.kind.replace(" ", "-")]
        box += self.text(method)
        return box

    def field(self, label: str, *body: nodes.Node) -> nodes.field:
        """A part of the entry under its label."""
        return nodes.field("", nodes.field_name("", label), nodes.field_body("", *body))


class ApiIndex(_Directive):
    """All names: what each is, and the page that teaches it."""

    def run(self) -> list[nodes.Node]:
        """A table for each part."""
        found: list[nodes.Node] = []
        for part, modules in PARTS.items():
            own = [name for name in names().values() if name.part == part]
            section = nodes.section(ids=[f"names-{part}"])
            section += nodes.title("", "", nodes.literal("", modules[0]))
            rows = [self.row(name) for name in own]
            section += _table(("Name", "What it is", "Taught in"), rows)
            found.append(section)
        return found

    def row(self, name: Name) -> list[list[nodes.Node]]:
        """A line of the table."""
        line = self.markdown(name.line)
        return [[nodes.paragraph("", "", self.entry(name))], line, [self.taught(name)]]

    def taught(self, name: Name) -> nodes.paragraph:
        """The page that teaches a name, as a paragraph."""
        return nodes.paragraph("", "", self.page(teacher(name)))


def _label(page: str) -> str:
    return next((p.label for p in book_files.pages() if p.name == page), page)


def _series(links: Iterable[nodes.Node]) -> nodes.paragraph:
    paragraph = nodes.paragraph()
    for number, link in enumerate(links):
        paragraph += [nodes.Text(", "), link] if number else [link]
    return paragraph


def _code(text: str) -> nodes.literal_block:
    return nodes.literal_block(text, text, language="python", classes=["api-signature"])


def _table(heads: tuple[str, ...], rows: list[list[list[nodes.Node]]]) -> nodes.table:
    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in heads), cols=len(heads))
    head = [[[nodes.paragraph("", head)] for head in heads]]
    for kind, lines in ((nodes.thead, head), (nodes.tbody, rows)):
        cells = [nodes.row("", *(nodes.entry("", *cell) for cell in line)) for line in lines]
        group += kind("", *cells)
    return nodes.table("", group, classes=["api-index"])


def _reference(app: Sphinx, page: str, name: Name, *inside: nodes.Node) -> nodes.reference:
    """A quiet link to an entry, with its first line as the title."""
    title = name.line.replace("`", "").replace("$", "")
    return make_refnode(app.builder, page, f"{API}/{name.part}", name.full, [*inside], title)


def link_names(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Make names of the package in the prose links to their entries: on a page the first of each.

    A page's names are those that its own code uses; those of an entry are the ones around it.
    """
    seen = set()
    for literal in list(doctree.findall(nodes.literal)):
        within = literal.get("api")
        if not within and (_no_prose(literal) or page.startswith(API)):
            continue
        word = literal.astext().partition("(")[0]
        name = _within(within, word) if within else _on_page(page, word)
        if name is None or name.full in seen or f"{API}/{name.part}" not in app.env.found_docs:
            continue
        if not within:
            seen.add(name.full)
        link = _reference(app, page, name)
        link["classes"].append("api-link")
        literal.replace_self(link)
        link += literal


def _no_prose(node: nodes.Node | None) -> bool:
    while node is not None:
        if isinstance(node, NO_PROSE):
            return True
        node = node.parent
    return False


def _on_page(page: str, word: str) -> Name | None:
    """What a word in code means on a page, if it is a name that the page's code imports."""
    head, *rest = word.split(".")
    if not (book_files.ROOT / f"{page}.ipynb").exists():
        return None
    return members().get(".".join([page_aliases(page).get(head, ""), *rest]))


def _within(entry: str, word: str) -> Name | None:
    """What a word in code means in a docstring: first a neighbour, else the only one so called."""
    about = members()[entry]
    if word in about.parameters or entry.endswith(f".{word}"):
        return None
    place = entry.rsplit(".", 2 if about.kind else 1)[0]
    near = [f"{entry.rpartition('.')[0]}.{word}"] if about.kind else [f"{entry}.{word}"]
    found = [full for full in (*near, f"{place}.{word}", f"causalbook.{word}") if full in members()]
    everywhere = [full for full in names() if full.rpartition(".")[2] == word]
    if found:
        return members()[found[0]]
    return names()[everywhere[0]] if len(everywhere) == 1 else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the above to Sphinx."""
    app.add_directive("api", Api)
    app.add_directive("api-index", ApiIndex)
    app.connect("doctree-resolved", link_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
