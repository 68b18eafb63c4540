"""Quizzes: questions with explained answers, written as plain text and answered in the page.

    :::{question} short-name
    :page: matching

    What is asked?

    - [ ] a wrong answer :: why it is wrong
    - [x] the right answer :: why it is right
    :::

The page is the one that a reader should open again, as seen from the quiz. Where several answers
are right, all of them have to be chosen. Questions that lose by choices stand under "To discuss",
numbered, each with its answer in a plain `<details>`.

Without script, and in print, the explanations follow the question in a fold; `_static/quiz.js`
shows the one of the chosen answer instead, and keeps the score.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from string import ascii_lowercase
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

QUESTION = re.compile(r"^:::\{question\} *(\S+)\n(?::page: *(\S+)\n)?(.*?)^:::[ \t]*$", re.M | re.S)
OPEN = re.compile(
    r"^\*\*\d+\.\*\*(.+?)^<details><summary>Answer</summary>(.+?)^</details>", re.M | re.S
)
OPTION = re.compile(r"^- \[([ x])\] ", re.M)


@dataclass(frozen=True)
class Option:
    """One answer to choose, and why it is right or wrong."""

    text: str
    right: bool
    why: str


@dataclass(frozen=True)
class Question:
    """A question with its answers, in the order of the source."""

    name: str
    page: str
    text: str
    options: tuple[Option, ...]

    @property
    def several(self) -> bool:
        """Whether more than one answer has to be chosen."""
        return sum(option.right for option in self.options) > 1

    @property
    def asked(self) -> str:
        """The text, and how many answers to choose where it is not one."""
        return f"{self.text} (Choose all that are right.)" if self.several else self.text


@dataclass(frozen=True)
class Discussion:
    """A question without choices."""

    text: str
    answer: str


def parse(text: str) -> list[Question]:
    """Questions of a quiz; raises ValueError, with the question's name, where one is faulty."""
    return [question(name, page, body) for name, page, body in QUESTION.findall(text)]


def discussions(text: str) -> list[Discussion]:
    """Questions of a quiz that have no choices."""
    return [Discussion(asked.strip(), answer.strip()) for asked, answer in OPEN.findall(text)]


def question(name: str, page: str, body: str) -> Question:
    """One question from the text between its fences."""
    asked, *parts = OPTION.split(body)
    options = [
        _option(name, mark, text) for mark, text in zip(parts[::2], parts[1::2], strict=True)
    ]
    right = sum(option.right for option in options)
    if not page:
        raise ValueError(f"question {name}: say `:page:` on the line after its name")
    if not asked.strip():
        raise ValueError(f"question {name}: nothing is asked before the answers")
    if len(options) < 3 or not 0 < right < len(options):
        raise ValueError(
            f"question {name}: {len(options)} answers, {right} of them right: give at least "
            "three, each on a line `- [ ] answer :: why`, some right `[x]` and some wrong"
        )
    return Question(name, page, asked.strip(), tuple(options))


def _option(name: str, mark: str, text: str) -> Option:
    answer, *why = " ".join(text.split()).split(" :: ")
    if len(why) != 1:
        raise ValueError(
            f"question {name}: the answer {answer!r} has {len(why)} explanations, "
            "write one after ` :: `"
        )
    return Option(answer, mark == "x", why[0])


def plain(text: str, answers: bool) -> str:
    """The quiz in Markdown without directives, with all answers or with none."""
    count = 0

    def write(found: re.Match[str]) -> str:
        nonlocal count
        count += 1
        one = question(*found.groups(default=""))
        lines = [f"**{count}.** {one.asked}", ""]
        for letter, option in zip(ascii_lowercase, one.options, strict=False):
            said = f" — **{verdict(option)}** {option.why}" if answers else ""
            lines.append(f"- {letter}) {option.text}{said}")
        lines += ["", f"(See: {{doc}}`{one.page}`)"] if answers else []
        return "\n".join(lines)

    text = QUESTION.sub(write, text)
    if answers:
        return text.replace("<details><summary>Answer", "<details open><summary>Answer")
    return OPEN.sub(lambda found: f"{found[0].partition('<details>')[0].rstrip()}\n", text)


def verdict(option: Option) -> str:
    """Right or wrong, by word and sign."""
    return "✓ Right." if option.right else "✗ Wrong."


class html(nodes.General, nodes.Element):  # noqa: N801 (docutils writes its nodes so)
    """An element of HTML that docutils has no node for."""


def element(tag: str, /, *children: nodes.Node, **attributes: str) -> html:
    """Make such an element; `class_` and `data_right` stand for class and data-right."""
    node = html("", *children, tag=tag)
    node["attributes_"] = {
        key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()
    }
    return node


def visit_html(self: Any, node: html) -> None:
    """Open the element."""
    attributes = "".join(f' {key}="{escape(text)}"' for key, text in node["attributes_"].items())
    self.body.append(f"<{node['tag']}{attributes}>")


def depart_html(self: Any, node: html) -> None:
    """Close it, if it is one that holds something."""
    if node["tag"] != "input":
        self.body.append(f"</{node['tag']}>\n")


class QuestionDirective(SphinxDirective):
    """A question, as the head of this file shows it."""

    required_arguments = 1
    has_content = True
    option_spec = {"page": directives.unchanged_required}  # noqa: RUF012 (as docutils has it)

    def run(self) -> list[nodes.Node]:
        """Turn the text into a set of fields and a folded list of explanations."""
        body = "\n".join(self.content) + "\n"
        try:
            one = question(self.arguments[0], self.options.get("page", ""), body)
        except ValueError as error:
            raise self.error(str(error)) from error
        number = self.env.temp_data["questions"] = self.env.temp_data.get("questions", 0) + 1
        legend = [element("span", nodes.Text(f"{number}."), class_="quiz-number")]
        legend += [nodes.Text(" "), *self.inline(one.asked)]
        kind = "checkbox" if one.several else "radio"
        answers, whys = element("div", class_="quiz-options"), element("ol", type="a")
        for letter, option in zip(ascii_lowercase, one.options, strict=False):
            field = element("input", type=kind, name=one.name, value=letter, autocomplete="off")
            sign = element("span", nodes.Text(letter), class_="quiz-letter")
            text = element("span", *self.inline(option.text), class_="quiz-answer")
            answers += element("label", field, sign, text)
            right = {"data_right": "true"} if option.right else {}
            said = nodes.strong(text=verdict(option))
            whys += element("li", said, nodes.Text(" "), *self.inline(option.why), **right)
        fold = element("summary", nodes.Text("The answers explained"))
        page = nodes.paragraph("", "", *self.inline(f"See: {{doc}}`{one.page}`"))
        page["classes"].append("quiz-page")
        why = element("details", fold, whys, page, class_="quiz-why")
        name = f"question-{one.name}"
        return [
            element("fieldset", element("legend", *legend), answers, why, id=name, class_="quiz")
        ]

    def inline(self, text: str) -> Iterable[nodes.Node]:
        """Parse a sentence: code, formulas and roles."""
        found, messages = self.parse_inline(text)
        return [*found, *messages]


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directive known."""
    app.add_node(html, html=(visit_html, depart_html))
    app.add_directive("question", QuestionDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
