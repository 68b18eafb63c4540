"""The glossary: one entry for each term, found in the text, linked once, with its Chinese term."""

import re
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml
from docutils import nodes
from docutils.core import publish_doctree
from docutils.parsers.rst import directives
from docutils.parsers.rst.directives.admonitions import Admonition
from myst_parser.parsers.docutils_ import Parser

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "_ext"))
import book_files  # noqa: E402
import glossary_terms  # noqa: E402
from glossary_links import GLOSSARY, MOST, link_terms  # noqa: E402
from glossary_terms import linked_pages, occurrences, terms  # noqa: E402

PAGES = {page.name: page for page in book_files.pages()}
TEACHING = [name for name in linked_pages() if "/appendix/" not in name]  # that one quotes
BRACKET = re.compile(rf"([^()\n]{{0,80}})\(([^()\n]*{glossary_terms.CHINESE}[^()\n]*)\)")
CHINESE = re.compile(rf"{glossary_terms.CHINESE}+")
# Chinese beside plain words that is no term of the book but the articles' wording.
WORDING = {
    "异常值": "what looks abnormal: the articles' reason to drop a rating",
    "广告日志": "a log, of advertisements",
    "排序和筛选": "ranking and keeping, a step of the articles",
    "时变加权": "weights over time, a heading of the articles",
    "热门推荐": "what came before recommenders, in a table of generations",
    "环境变量": "a variable of the shell",
    "或": "a quotation",
    "等": "a quotation",
}


def names(text, page="chapters/x/y", after="", set_off=False):
    return [term.name for _, _, term in occurrences(text, page, after, set_off)]


def linked(doctree):
    links = doctree.findall(nodes.reference)
    return [link.astext() for link in links if "glossary-link" in link["classes"]]


def read(markdown):
    """Read Markdown as the site does, without Sphinx; unknown roles leave no text."""
    directives.register_directive("exercise", Admonition)
    settings = {
        "myst_enable_extensions": ["dollarmath", "colon_fence", "deflist"],
        "myst_suppress_warnings": ["myst.*"],
        "report_level": 5,
    }
    return publish_doctree(markdown, parser=Parser(), settings_overrides=settings)


def repeated(entries):
    """Names, and forms that count anywhere, which stand twice."""
    seen, twice = set(), []
    for term in entries:
        for form in dict.fromkeys(form.lower() for form in (term.name, *term.forms)):
            if form in seen:
                twice.append(form)
            seen.add(form)
    return twice


def test_entries_are_whole():
    fields = {"term", "zh", "symbol", "page", "marked", "forms", "not_on", "text"}
    for entry in yaml.safe_load(glossary_terms.SOURCE.read_text(encoding="utf-8")):
        assert set(entry) <= fields, entry["term"]
        assert {"term", "zh", "page", "text"} <= set(entry), entry["term"]
    for term in terms():
        assert all(zh.strip() == zh and zh for zh in term.zh)
        assert term.symbol.count("$") % 2 == 0
        assert term.text.endswith("."), term.name
        assert len(term.text.split()) <= 60, f"{term.name}: a sentence or two"
        assert not re.search(r"[$`\\]", term.short), f"{term.name}: shown where maths is not set"


def test_entries_stand_in_the_order_of_the_alphabet():
    entries = yaml.safe_load(glossary_terms.SOURCE.read_text(encoding="utf-8"))
    assert [entry["term"] for entry in entries] == [term.name for term in terms()]


def test_no_term_stands_twice():
    assert len(terms()) > 150
    assert repeated(terms()) == []
    assert len({term.id for term in terms()}) == len(terms())
    assert repeated([*terms(), terms()[0]])


def test_links_to_pages_lead_somewhere():
    for term in terms():
        assert term.page in PAGES, term.name
        assert set(term.not_on) <= set(linked_pages()), term.name
        assert not PAGES[term.page].name.endswith("quiz")


def test_patterns_match_their_own_term():
    for term in terms():
        assert term.forms or term.marked, term.name
        for form in term.forms:
            assert names(f"Look at {form}, twice.", term.page) == [term.name]
        for word in term.marked:
            assert names(word, term.page, set_off=True) == [term.name]
            assert names(f"Look at {word} ({term.zh[0]}).", term.page) == [term.name]
            assert term.name not in names(f"Look at {word}, twice.", term.page)


def test_patterns_know_plurals_hyphens_and_capitals():
    assert names("Propensity scores and a  cross fitting.") == ["propensity", "cross-fitting"]
    assert names("policies") == []
    assert names("Policies", set_off=True) == ["policy"]
    assert names("two back-door\npaths") == ["back door"]
    assert names("The ate of the day; the ATE of the week") == ["average treatment effect"]
    assert names("the winner’s curse") == names("the winner's curse") == ["winner's curse"]


def test_the_longest_term_wins_and_parts_of_words_do_not_count():
    assert names("a local average treatment effect") == ["local average treatment effect"]
    assert names("a sub-instrument, instrumentation, a non-confounder") == []


def test_chinese_beside_a_word_says_which_term_is_meant():
    exposure = {"曝光": "shown", "暴露度": "exposure of a secret"}
    for zh, name in exposure.items():
        assert names("exposure", set_off=True, after=f" ({zh})") == [name]
        assert names(f"seen ({zh}, exposure)") == [name]
    assert names("exposure", set_off=True) == []  # two things, and nothing says which
    assert names("confounders (异常值)") == []  # a quotation that means something else


def test_first_use_contains_the_term_and_no_earlier_page_does():
    order = linked_pages()
    used = glossary_terms.first_uses()
    assert set(used) == {term.name for term in terms()}
    for term in terms():
        words = "|".join(glossary_terms.pattern(form) for form in (*term.forms, *term.marked))
        text = "\n".join(book_files.source(used[term.name]))
        assert re.search(words, text), f"{term.name} is not on {used[term.name]}"
        for page in order[: order.index(used[term.name])]:
            for form in term.forms if page not in term.not_on else ():
                bold = rf"\*\*{re.escape(form)}\*\*(?! ?\()"
                assert not re.search(bold, "\n".join(book_files.source(page))), (term.name, page)


@cache
def used(page):
    """Terms that stand in a page's prose."""
    pieces = [piece for text in book_files.source(page) for piece in glossary_terms.plain(text)]
    return {name for piece, bold, after in pieces for name in names(piece, page, after, bold)}


def test_the_page_that_teaches_a_term_uses_it():
    for term in terms():
        assert term.name in used(term.page), f"{term.name} does not stand on {term.page}"


@cache
def defined(page):
    """Chinese terms that a page gives with a word of its own, and not with a quotation."""
    found = set()
    for text in book_files.source(page):
        for paragraph in re.split(r"\n\n+", text):
            if re.search(r"\bS[0-4]\b|\barticles?\b|\b(draft|version|edition)s?\b", paragraph):
                continue  # says what the articles say, in their words
            for before, inside in BRACKET.findall(paragraph.replace("\n", " ")):
                word = before.rstrip()
                quoted = word.endswith(('"', "”")) or re.search(r"(?<!\*)\*$", word)
                chinese = CHINESE.findall(inside)
                if not quoted and len(chinese) == 1 and len(chinese[0]) <= 8:
                    found.add(chinese[0])
    return found


def missing(known):
    return {(page, zh) for page in TEACHING for zh in defined(page) if zh not in known}


def test_every_chinese_term_of_the_pages_is_in_the_glossary():
    known = {part for term in terms() for zh in term.zh for part in CHINESE.findall(zh)}
    assert missing(known | set(WORDING)) == set()
    assert len(missing(known - {"对撞"})) >= 2
    found = {zh for page in TEACHING for zh in defined(page)}
    assert set(WORDING) <= found - known, "an exception that is none"


PAGE = """# A collider in a heading

:::{admonition} Propensity scores
The *propensity score* is defined. Quoted: *all of the confounders are gone*.
:::

A [back door](x.md), `overlap`, $interference$, and a **collider** (对撞), another collider.

| mediator |
|---|
| instrument |

- In a list: cross-fitting and cross-fitting.

<details class="solution"><summary>Solution</summary>

The estimand is a regret.

</details>

After it a regret.
"""


def test_links_the_first_mention_in_prose_and_nothing_else():
    doctree = read(PAGE)
    link_terms(doctree, "chapters/x/y", "../appendix/glossary.html", ())
    assert linked(doctree) == ["propensity score", "collider", "cross-fitting", "regret"]
    link = next(
        link for link in doctree.findall(nodes.reference) if "glossary-link" in link["classes"]
    )
    assert link["refuri"] == "../appendix/glossary.html#term-propensity"
    assert link["reftitle"].startswith("倾向得分: The probability")


def test_the_text_stays_as_it_was():
    doctree = read(PAGE)
    before = doctree.astext()
    link_terms(doctree, "chapters/x/y", "glossary.html", ())
    assert doctree.astext() == before


def test_where_there_are_too_many_those_that_the_page_needs_come_first():
    plain = [t for t in terms() if t.forms and names(t.forms[0]) == [t.name]]
    last = plain[-1]
    doctree = read(", ".join(term.forms[0] for term in plain) + ".")
    link_terms(doctree, "chapters/x/y", "glossary.html", (last.page,))
    assert len(linked(doctree)) == MOST < len(plain)
    assert last.forms[0] in linked(doctree)


@pytest.fixture(scope="module")
def links():
    """The entries that each page links to, as far as plain MyST reads the pages."""
    found = {}
    for page in linked_pages():
        doctree = read("\n\n".join(book_files.source(page)))
        link_terms(doctree, page, "glossary.html", PAGES[page].needs)
        found[page] = [
            link["refuri"].partition("#")[2]
            for link in doctree.findall(nodes.reference)
            if "glossary-link" in link["classes"]
        ]
    return found


def test_every_term_is_linked_from_some_page_once(links):
    assert all(len(found) == len(set(found)) <= MOST for found in links.values())
    reached = {name for found in links.values() for name in found}
    assert reached == {term.id for term in terms()}


def test_quizzes_and_the_glossary_itself_are_not_linked():
    assert GLOSSARY not in linked_pages()
    assert not any("quiz" in page for page in linked_pages())
