"""Write the course: notebooks for students, without solutions, and for instructors, with them.

`make course` writes _build/course/student and _build/course/instructor from the pages of the book.
PART=estimators takes one part alone; SEED=n adds the final project that this seed makes. Both
folders are written anew each time: copy what you hand out before anybody works in it.
"""

from __future__ import annotations

import argparse
import json
import posixpath
import re
import shutil
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import final_project
import nbformat
from nbformat import NotebookNode
from plain_pages import ROOT, book_files, course_pages, plain

import page_minutes  # isort: skip  (plain_pages makes _ext known)
import quizzes

from causalbook.exercises import Exercise

SOLUTION = re.compile(r'<details class="solution">.*?</details>', re.S)
CHECKED = re.compile(r'check\(\s*"([\w.]+)"')
WORK = "# Your work"
EDITIONS = ("student", "instructor")


def solution(cell: NotebookNode) -> bool:
    """Whether a cell of code is a solution."""
    return "solution" in cell.metadata.get("tags", [])


def student(page: book_files.Page) -> NotebookNode:
    """Leave the solutions out, and put a space to work in where one stood."""
    made = []
    for cell in _cells(page):
        if cell.cell_type == "code":
            made += [] if solution(cell) else [cell]
            continue
        before, *after = SOLUTION.split(cell.source)
        if before.strip():
            made.append(_markdown(before, cell.id))
        for number, rest in enumerate(after, start=1):
            if not CHECKED.search(made[-1].source):  # else the answer has its cell already
                made.append(nbformat.v4.new_code_cell(WORK, id=f"{cell.id}-work-{number}"))
            if rest.strip():
                made.append(_markdown(rest, f"{cell.id}-{number}"))
    return _notebook(page, made)


def instructor(page: book_files.Page) -> NotebookNode:
    """Open the solutions, and begin with what helps to teach the page."""
    made = [_markdown(guide(page), "for-the-instructor")]
    for cell in _cells(page):
        if solution(cell):
            cell.metadata.pop("jupyter", None)
        elif cell.cell_type == "markdown":
            opened = cell.source.replace('<details class="s', '<details open class="s')
            cell = _markdown(opened, cell.id)
        made.append(cell)
    return _notebook(page, made)


def _cells(page: book_files.Page) -> Iterator[NotebookNode]:
    for cell in nbformat.read(ROOT / f"{page.name}.ipynb", as_version=4).cells:
        if cell.cell_type == "markdown":
            cell.source = plain(cell.source, page.name)
        yield cell


def _markdown(text: str, name: str) -> NotebookNode:
    return nbformat.v4.new_markdown_cell(text.strip("\n"), id=name)


def _notebook(page: book_files.Page, cells: list[NotebookNode]) -> NotebookNode:
    whole = book_files.notebook(page.name).metadata
    metadata = {"kernelspec": whole.kernelspec, "causalbook": {"minutes": page.minutes}}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def exercises(page: book_files.Page) -> dict[str, Exercise]:
    """Checked exercises of a page, by the name that the checker knows."""
    code = "\n".join(cell.source for cell in book_files.cells(page.name) if solution(cell))
    found = {}
    for name in dict.fromkeys(CHECKED.findall(code)):
        part, _, exercise = name.partition(".")
        found[name] = import_module(f"causalbook.{part}.answers").EXERCISES[exercise]
    return found


def guide(page: book_files.Page) -> str:
    """For the instructor: minutes by section, what one needs, where people go wrong."""
    lines = [f"# For the instructor: {page.title}", ""]
    lines += [f"About {page.minutes} minutes: reading, and the checked exercise. By section:", ""]
    lines += ["| section | minutes | words | lines of code | exercises |", "|---|--:|--:|--:|--:|"]
    for heading, work in page_minutes.sections(page.name):
        if work != page_minutes.Work():
            minutes = work.reading + work.practice
            cells = [heading or "Opening", f"{minutes:.0f}", work.words, work.lines, work.exercises]
            lines.append(f"| {' | '.join(map(str, cells))} |")
    if page.needs:
        here = posixpath.dirname(page.name)
        links = [f"{{doc}}`{posixpath.relpath(name, here)}`" for name in page.needs]
        lines += ["", plain(f"**Needs** {', '.join(links)}.", page.name)]
    lines += ["", *_cost(page), *_naive(page)]
    for name, exercise in exercises(page).items():
        lines += ["", f"## Where people go wrong: `{name}`", ""]
        lines += [f"The right answer is **{exercise.answer():.6g}**.", ""]
        lines += ["| mistake | gives | the checker says |", "|---|--:|---|"]
        for mistake, (wrong, hint) in exercise.misconceptions.items():
            lines.append(f"| {mistake} | {wrong():.6g} | {hint} |")
        lines += ["", f"To any other number it says: {exercise.hint}"]
    return "\n".join(lines)


def _cost(page: book_files.Page) -> list[str]:
    """What it took to run the page, if that was measured."""
    record = ROOT / "evidence" / "pages.json"
    rows = json.loads(record.read_text())["rows"] if record.exists() else []
    said = "**Runs** in {seconds:.0f} seconds where it was measured, with {peak_mb} MB of memory."
    return [line for row in rows if row["page"] == page.name for line in (said.format(**row), "")]


def _naive(page: book_files.Page) -> list[str]:
    """What to watch for: the wrong line that a check of the page catches."""
    naive = book_files.notebook(page.name).metadata.causalbook.naive
    return [
        "**Show what a check is for.** On this page put the obvious in place of the right:",
        "",
        f"```python\n{naive['replace']}  # replace this\n{naive['with']}  # by this\n```",
        "",
        f"and run it again. A check that speaks of *{naive['breaks']}* fails. Ask why, before you "
        "tell.",
    ]


def quiz(page: book_files.Page, *, answers: bool) -> str:
    """Text of a page without code; a quiz with its answers, or with none."""
    text = (ROOT / f"{page.name}.md").read_text(encoding="utf-8")
    if page.name.endswith("/quiz"):
        text = quizzes.plain(text, answers)
    return plain(text, page.name)


def readme(edition: str, pages: list[book_files.Page]) -> str:
    """How to start, and the pages in order."""
    seed = edition == "instructor"
    lines = [f"# Causal Inference for Recommender Systems: {edition} edition", ""]
    lines += [HOW[edition], "", "| part | page | minutes |", "|---|---|--:|"]
    for page in pages:
        path = page.name.removeprefix("chapters/") + (".ipynb" if page.notebook else ".md")
        lines.append(f"| {page.part} | [{page.title}]({path}) | {page.minutes or ''} |")
    project = "truth and a solution" if seed else "brief, a log and a template"
    lines += ["", f"The final project, if there is one, is in `final_project`: its {project}."]
    lines += [GRADE] if seed else []
    return "\n".join(lines) + "\n"


START = """\
Put this folder anywhere. It runs in the environment of the book: in a checkout of it, `make env`
once, then `.venv/bin/jupyter lab PATH_TO_THIS_FOLDER` (without `make`, see CONTRIBUTING.md there).
Pages whose name ends in `.md`, such as the quizzes: *Open With*, *Markdown Preview*.
"""
GRADE = """
To grade what a group hands in, in the checkout of the book:

```bash
.venv/bin/python scripts/final_project.py grade THEIR/answers.json THIS/final_project/truth.json
```"""
HOW = {
    "student": f"""{START}
Run a page from the top; nothing is stored, every result is made on your machine. An exercise with
dots in it is checked: put your answer there and run the cell. Cells that begin with `{WORK}` are
for the others. Folded cells assert what the text says; leave them, and read them.""",
    "instructor": f"""{START}
Each page begins with a cell for you: minutes by section, where people go wrong and what the checker
tells them. Solutions are open. Do not hand this folder out. The answers of the checked exercises
are computed in `causalbook/<part>/answers*.py`, where a student who looks will find them: use them
to learn by, and the final project to give marks.""",
}


def write(folder: Path, part: str | None = None) -> dict[str, int]:
    """Write both editions; return how many pages of each kind there are."""
    pages = [page for page in course_pages() if part in (None, page.name.split("/")[1])]
    if not pages:
        parts = dict.fromkeys(page.name.split("/")[1] for page in course_pages())
        raise SystemExit(f"PART={part} is none of {', '.join(parts)}")
    make: dict[str, Callable[[book_files.Page], Any]] = {
        "student": student,
        "instructor": instructor,
    }
    for edition in EDITIONS:
        shutil.rmtree(folder / edition, ignore_errors=True)
        for page in pages:
            path = folder / edition / page.name.removeprefix("chapters/")
            path.parent.mkdir(parents=True, exist_ok=True)
            if page.notebook:
                nbformat.write(make[edition](page), path.with_suffix(".ipynb"))
            else:
                text = quiz(page, answers=edition == "instructor")
                path.with_suffix(".md").write_text(text, encoding="utf-8")
        (folder / edition / "README.md").write_text(readme(edition, pages), encoding="utf-8")
    return {
        "notebooks": sum(page.notebook for page in pages),
        "checked exercises": sum(len(exercises(page)) for page in pages if page.notebook),
        "quizzes": sum(page.name.endswith("/quiz") for page in pages),
    }


def main() -> None:
    """Write the course, and say what was written where."""
    parser = argparse.ArgumentParser(description="Write the student and the instructor edition.")
    parser.add_argument("--seed", type=int, help="make the final project with this seed")
    parser.add_argument("--part", help="this part alone")
    parser.add_argument("--folder", type=Path, default=ROOT / "_build" / "course")
    asked = parser.parse_args()
    counts = write(asked.folder, asked.part)
    print(f"{asked.folder}: " + ", ".join(f"{count} {what}" for what, count in counts.items()))
    for edition in EDITIONS:
        print(f"  {edition}: begin with {asked.folder / edition / 'README.md'}")
    if asked.seed is None:
        print("  no final project: say SEED=n, any whole number that nobody will guess")
        return
    for path in final_project.write(asked.seed, asked.folder):
        print(f"  {path.relative_to(asked.folder)}")


if __name__ == "__main__":
    main()
