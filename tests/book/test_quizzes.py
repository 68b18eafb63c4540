"""The quizzes as they are written: complete, fair to who guesses, and faulty ones are refused."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "_ext"))

import quizzes
from book_files import ROOT, pages
from quizzes import Question

QUIZZES = {
    page.name: (ROOT / f"{page.name}.md").read_text(encoding="utf-8")
    for page in pages()
    if page.name.endswith("/quiz")
}
TAUGHT = [page.name for page in pages() if page.notebook and page.part not in {"", "Appendix"}]
ONE = """\
:::{question} tied
:page: matching

What of $e(x)$ and `ips`?

- [ ] One that
  goes on. :: It is wrong.
- [x] Two. :: It is right.
- [ ] Three. :: It is `wrong` too.
:::
"""
OPEN = """\
**1.** Why?

<details><summary>Answer</summary>

Because.

</details>
"""


def faults(texts: Mapping[str, str]) -> list[str]:
    """What is wrong with these quizzes, one line for each fault."""
    found, names, asked_of = [], Counter[str](), set()
    for quiz, text in texts.items():
        asked, open_ones = quizzes.parse(text), quizzes.discussions(text)
        if not 6 <= len(asked) <= 14:
            found.append(f"{quiz}: {len(asked)} questions with choices")
        if 3 * len(open_ones) > len(asked) + len(open_ones):
            found.append(f"{quiz}: more than a third of the questions is open")
        if len(re.findall(r"\{question\}", text)) != len(asked):
            found.append(f"{quiz}: a question is not read, perhaps for its fence")
        if len(re.findall(r"^- \[", text, re.M)) != sum(len(one.options) for one in asked):
            found.append(f"{quiz}: an answer stands outside of a question")
        if text.count("<details") != len(open_ones):
            found.append(f"{quiz}: an open question is not read")
        names.update(one.name for one in asked)
        asked_of.update(f"{quiz.rpartition('/')[0]}/{one.page}" for one in asked)
        found += [f"{quiz}: {one.name}: {fault}" for one in asked for fault in faulty(one)]
    found += [f"two questions are named {name}" for name, count in names.items() if count > 1]
    found += [f"no page {page}" for page in sorted(asked_of - set(TAUGHT))]
    found += [f"no question on {page}" for page in TAUGHT if page not in asked_of]
    return found


def faulty(asked: Question) -> list[str]:
    """What is wrong with one question."""
    found = []
    if not 3 <= len(asked.options) <= 4:
        found.append(f"{len(asked.options)} answers")
    if not re.fullmatch(r"[a-z0-9-]+", asked.name):
        found.append("the name is no short word")
    if not asked.text.rstrip(")").endswith("?"):
        found.append("nothing is asked")
    texts = [option.text for option in asked.options]
    if len(set(texts)) < len(texts):
        found.append("two answers are the same")
    for option in asked.options:
        if not re.search(r"[.?!]$", option.text) or not re.search(r"[.?!]$", option.why):
            found.append(f"{option.text!r} or its explanation is no sentence")
        if len(option.why.split()) < 4 or len(option.why.split()) > 60:
            found.append(f"{option.text!r} is explained in {len(option.why.split())} words")
        if re.search(r"\b(all|none|both) of (the above|these)\b", option.text, re.I):
            found.append(f"{option.text!r} refers to the other answers")
    return found


def test_the_quizzes_are_complete() -> None:
    assert len(QUIZZES) == 8
    assert faults(QUIZZES) == []


@pytest.mark.parametrize(
    ("good", "bad", "fault"),
    [
        (":page: multimodal", ":page: cost", "no question on chapters/llm_encoding/multimodal"),
        (":page: multimodal", ":page: bimodal", "no page chapters/llm_encoding/bimodal"),
        ("{question} quantised", "{question} titles-by-heart", "two questions are named"),
        (":::{question} quantised", "```{question} quantised", "a question is not read"),
        ("## To discuss", OPEN * 6, "more than a third"),
        ("## To discuss", "- [x] Lost. :: Out.", "outside of a question"),
        ("<summary>Answer", "<summary>Solution", "an open question is not read"),
    ],
)
def test_a_spoilt_quiz_is_found(good: str, bad: str, fault: str) -> None:
    name = "chapters/llm_encoding/quiz"
    spoilt = QUIZZES | {name: QUIZZES[name].replace(good, bad, 1)}
    found = faults(spoilt)
    assert any(fault in line for line in found), found


def giveaways(asked: list[Question]) -> list[str]:
    """Ways to guess (always the second, always the longest) that do not do like a coin.

    The coin has four sides, and three standard errors of it are allowed.
    """
    place, rank = Counter[int](), Counter[int]()
    for one in asked:
        lengths = [len(option.text) for option in one.options]
        right = [option.right for option in one.options].index(True)
        place[right] += 1
        rank[sorted(lengths).index(lengths[right])] += 1
    room = 3 * (len(asked) * 0.25 * 0.75) ** 0.5
    return [
        f"number {k} by {way}: {count[k]} of {len(asked)}"
        for way, count in (("place", place), ("length", rank))
        for k in range(4)
        if abs(count[k] - len(asked) / 4) > room
    ]


def test_guessing_by_place_or_length_does_not_help() -> None:
    asked = [one for text in QUIZZES.values() for one in quizzes.parse(text) if not one.several]
    assert len(asked) > 60
    assert giveaways(asked) == []
    first = [
        replace(one, options=tuple(sorted(one.options, key=lambda option: not option.right)))
        for one in asked
    ]
    assert any("number 0 by place" in way for way in giveaways(first))
    wordy = [
        replace(
            one,
            options=tuple(
                replace(option, text=option.text * (1 + option.right)) for option in one.options
            ),
        )
        for one in asked
    ]
    assert any("number 3 by length" in way for way in giveaways(wordy))


def test_a_question_is_read() -> None:
    (one,) = quizzes.parse(f"# Quiz\n\n{ONE}\n{OPEN}")
    assert (one.name, one.page, one.text) == ("tied", "matching", "What of $e(x)$ and `ips`?")
    assert [option.text for option in one.options] == ["One that goes on.", "Two.", "Three."]
    assert [option.right for option in one.options] == [False, True, False]
    assert one.options[2].why == "It is `wrong` too."
    assert not one.several
    (two,) = quizzes.parse(ONE.replace("[ ] Three", "[x] Three"))
    assert two.several
    (talk,) = quizzes.discussions(f"{ONE}\n{OPEN}")
    assert (talk.text, talk.answer) == ("Why?", "Because.")


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        (":page: matching\n", "", "question tied: say `:page:`"),
        ("What of $e(x)$ and `ips`?", "", "question tied: nothing is asked"),
        ("[x] Two", "[ ] Two", "3 answers, 0 of them right"),
        ("- [ ] Three. :: It is `wrong` too.\n", "", "2 answers, 1 of them right"),
        (" :: It is right.", "", "the answer 'Two.' has 0 explanations"),
        (":: It is right.", ":: It :: is right.", "the answer 'Two.' has 2 explanations"),
    ],
)
def test_a_faulty_question_is_refused(good: str, bad: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        quizzes.parse(ONE.replace(good, bad))


def test_plain_text_has_all_answers_or_none() -> None:
    for text in QUIZZES.values():
        with_answers, without = (quizzes.plain(text, answers) for answers in (True, False))
        for one in quizzes.parse(text):
            for option in one.options:
                assert option.text in without
                assert option.why in with_answers
                assert option.why not in without
        for talk in quizzes.discussions(text):
            assert talk.text in without
            assert talk.answer in with_answers
            assert talk.answer not in without
        for sign in ("[x]", "✓", "✗", "Right.", "<details", ":::"):
            assert sign not in without


def built(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Build a small book with one quiz."""
    (folder / "conf.py").write_text("extensions = ['myst_parser', 'quizzes']\n", encoding="utf-8")
    extensions = "myst_enable_extensions = ['colon_fence', 'dollarmath']\n"
    with (folder / "conf.py").open("a", encoding="utf-8") as file:
        file.write(extensions)
    (folder / "index.md").write_text(f"# Quiz\n\n{text}", encoding="utf-8")
    (folder / "matching.md").write_text("---\norphan: true\n---\n# Twins\n", encoding="utf-8")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-n", str(folder), str(folder / "out")]
    path = {"PYTHONPATH": str(ROOT / "_ext"), "PATH": "", "PYTHONUTF8": "1"}
    return subprocess.run(command, env=path, capture_output=True, text=True, check=False)


def test_a_question_becomes_a_set_of_fields(tmp_path: Path) -> None:
    two = ONE.replace("{question} tied", "{question} several").replace("[ ] Three", "[x] Three")
    run = built(tmp_path, f"{ONE}\n{two}")
    assert run.returncode == 0, run.stderr
    html = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    page = BeautifulSoup(html, "html.parser")
    first, second = page.find_all("fieldset")
    assert (first["id"], second["id"]) == ("question-tied", "question-several")
    assert first.legend.get_text(" ", strip=True) == r"1. What of \(e(x)\) and ips ?"
    assert second.legend.get_text().endswith("(Choose all that are right.)")
    for box, kind, right in ((first, "radio", "b"), (second, "checkbox", "bc")):
        fields = box.find_all("input")
        assert {(field["type"], field["name"]) for field in fields} == {(kind, box["id"][9:])}
        assert box.find_all("label")[1].get_text(" ", strip=True) == "b Two."
        reasons = box.select("details li")
        marked = [field["value"] for field, why in zip(fields, reasons, strict=True)
                  if why.has_attr("data-right")]  # fmt: skip
        assert marked == list(right)
        said = [why.get_text() for why in reasons]
        assert said[0] == "✗ Wrong. It is wrong."
        assert said[1] == "✓ Right. It is right."
        assert box.select_one(".quiz-page").get_text() == "See: Twins"
        assert box.select_one(".quiz-page a")["href"] == "matching.html"


def test_a_faulty_question_stops_the_build(tmp_path: Path) -> None:
    run = built(tmp_path, ONE.replace("[x]", "[ ]"))
    assert run.returncode != 0
    assert "question tied: 3 answers, 0 of them right" in run.stderr
