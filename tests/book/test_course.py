"""The course: what students get tells no answer, what instructors get tells all, both are whole."""

import ast
import html
import json
import re
import shutil
import sys
from functools import cache
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from page_slices import ROOT, exercise

sys.path.insert(0, str(ROOT / "scripts"))

import course
import plain_pages
import quizzes

pytestmark = pytest.mark.xdist_group("course")
SOURCES = [ROOT / f"{p.name}.ipynb" for p in plain_pages.course_pages() if p.notebook]
BOOK = [path for path in SOURCES if path.parent.name != "appendix"]
SOLUTION = re.compile(r'<details class="solution"><summary>Solution</summary>(.*?)</details>', re.S)
LINK = re.compile(r"\]\(([^)#\s]+\.(?:ipynb|md))\)")
MYST = re.compile(r"\{[\w:-]+\}`|^\s*(?:`{3,}|:{3,})\{", re.M)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    course.write(folder)
    return folder


def words(text):
    """A sentence as its words, so that another line break or markup changes nothing."""
    return " ".join(re.findall(r"\w+", html.unescape(text).lower()))


def parts(text):
    """What could be recognised of a solution: sentences of some length, lines of some length."""
    text = re.sub(r"\[[^]]*\]\([^)]*\)", "\n\n", text)  # a link bears the title of its page
    sentences = [words(part) for part in re.split(r"(?<=[.:?;])\s|\n\n", text)]
    return {sentence for sentence in sentences if len(sentence) > 25}


@cache
def secrets():
    """What solutions and explained answers say, in prose and in code, and no page says openly."""
    prose, code, said = set(), set(), ""
    for path in SOURCES:
        name, open_code, solved = f"{path.parent.name}/{path.stem}", set(), set()
        for cell in nbformat.read(path, as_version=4).cells:
            lines = {line.strip() for line in cell.source.splitlines() if len(line.strip()) > 14}
            if cell.cell_type == "markdown":
                text = plain_pages.plain(cell.source, f"chapters/{name}")
                for solution in SOLUTION.findall(text):
                    prose |= parts(solution)
                said += words(SOLUTION.sub(" ", text)) + " "
            elif "solution" in cell.metadata.get("tags", []):
                solved |= lines
            else:
                open_code |= lines
        code |= {f"{name}: {line}" for line in solved - open_code}
    for path in (ROOT / "chapters").glob("*/quiz.md"):
        text = path.read_text(encoding="utf-8")
        questions = quizzes.parse(text)
        whys = [option.why for question in questions for option in question.options]
        for why in [*whys, *(found.answer for found in quizzes.discussions(text))]:
            prose |= parts(plain_pages.plain(why, f"chapters/{path.parent.name}/quiz"))
        for question in questions:
            said += words(" ".join([question.text, *(o.text for o in question.options)])) + " "
    return {part for part in prose if part not in said}, code


def leaks(folder):
    """Solutions of any page, and answers of any quiz, that a folder tells."""
    prose, code = secrets()
    found = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".ipynb":
            cells = nbformat.read(path, as_version=4).cells
            text = " ".join(words(c.source) for c in cells if c.cell_type == "markdown")
            lines = {
                f"{path.parent.name}/{path.stem}: {line.strip()}"
                for c in cells
                if c.cell_type == "code"
                for line in c.source.splitlines()
            }
            found += sorted(code & lines)
        else:
            text = words(path.read_text(encoding="utf-8")) if path.is_file() else ""
        found += [f"{path.name}: {part}" for part in sorted(prose) if part in text]
    return found


def test_both_editions_hold_every_page(folder):
    pages = {
        path.relative_to(ROOT / "chapters")
        for path in [*BOOK, *(ROOT / "chapters").glob("*/*.md")]
        if path.parent.name != "appendix"
    }
    for edition in course.EDITIONS:
        held = {path.relative_to(folder / edition) for path in (folder / edition).rglob("*.*")}
        held = {path for path in held if path.parts[0] not in ("README.md", "appendix")}
        assert held == pages


def test_students_are_told_no_solution_and_no_answer_of_a_quiz(folder):
    assert not leaks(folder / "student")


def test_a_spoilt_copy_would_be_seen(folder, tmp_path):
    spoilt = shutil.copytree(folder / "student" / "intro", tmp_path / "intro")
    assert not leaks(tmp_path)
    shutil.copy(folder / "instructor" / "intro" / "why_causal.ipynb", spoilt)
    assert len(leaks(tmp_path)) > 5
    shutil.copy(folder / "student" / "intro" / "why_causal.ipynb", spoilt)
    quiz = folder / "instructor" / "intro" / "quiz.md"
    shutil.copy(quiz, spoilt)
    assert len(leaks(tmp_path)) > 5


@pytest.mark.parametrize("edition", course.EDITIONS)
def test_is_plain_markdown_whose_links_lead_somewhere(folder, edition):
    for path in (folder / edition).rglob("*"):
        if path.suffix == ".ipynb":
            notebook = nbformat.read(path, as_version=4)
            nbformat.validate(notebook)
            assert not any(c.get("outputs") for c in notebook.cells)
            text = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
        elif path.suffix == ".md":
            text = path.read_text(encoding="utf-8")
        else:
            continue
        assert not MYST.search(text), (path.name, MYST.search(text))
        for link in LINK.findall(text):
            assert (path.parent / link).exists(), (path.name, link)


def test_formulas_and_figures_bear_numbers_and_are_referred_to_by_them(folder):
    page = nbformat.read(folder / "student/estimators/off_policy.ipynb", as_version=4)
    text = "\n".join(cell.source for cell in page.cells if cell.cell_type == "markdown")
    assert re.findall(r"\\tag\{(\d)\}\$\$", text) == ["1", "2"]
    assert "left. Three conditions" in text
    assert "cancels, and (1) is left" in text
    assert "*Figure 1.* Four estimates" in text


def test_students_have_a_space_for_each_open_exercise_and_a_checker_that_waits(folder):
    for path in BOOK:
        task = exercise(path)
        name = f"{path.parent.name}/{path.name}"
        cells = nbformat.read(folder / "student" / name, as_version=4).cells
        code = [cell.source for cell in cells if cell.cell_type == "code"]
        assert set(task.asks) <= set(code), f"{name}: the exercise is not asked"
        whole = "\n".join(c.source for c in nbformat.read(path, as_version=4).cells)
        assert code.count(course.WORK) == len(SOLUTION.findall(whole)) - 1


def test_what_students_keep_needs_nothing_that_was_left_out(folder):
    """Names that only a solution binds: no later cell reads them, so a page still runs."""
    for path in SOURCES:
        bound, only = set(), set()
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type != "code":
                continue
            names = [n for n in ast.walk(ast.parse(cell.source)) if isinstance(n, ast.Name)]
            stored = {n.id for n in names if isinstance(n.ctx, ast.Store)}
            if "solution" in cell.metadata.get("tags", []):
                only |= stored - bound
            else:
                read = {n.id for n in names if isinstance(n.ctx, ast.Load)} - stored
                assert not read & only, f"{path.name}, {cell.id}: {read & only}"
                bound |= stored
                only -= stored


def test_instructors_see_solutions_open_minutes_and_where_people_go_wrong(folder):
    for path in BOOK:
        name = f"{path.parent.name}/{path.name}"
        cells = nbformat.read(folder / "instructor" / name, as_version=4).cells
        text = "\n".join(cell.source for cell in cells)
        source = nbformat.read(path, as_version=4).cells
        assert "<details class" not in text
        assert text.count("<details open class") == sum(c.source.count("<details") for c in source)
        solutions = [c for c in cells if "solution" in c.metadata.get("tags", [])]
        assert solutions
        assert not any(c.metadata.get("jupyter") for c in solutions)
        first = cells[0].source
        assert "| section | minutes |" in first
        ((page, asks),) = course.exercises(_page(path)).items()
        assert f"`{page}`" in first
        for mistake, (wrong, hint) in asks.misconceptions.items():
            assert f"| {mistake} | {wrong():.6g} | {hint} |" in first


def test_the_minutes_to_run_are_those_measured_if_they_were(tmp_path, monkeypatch):
    page = _page(BOOK[0])
    monkeypatch.setattr(course, "ROOT", tmp_path)
    assert "**Runs**" not in course.guide(page)
    (tmp_path / "evidence").mkdir()
    rows = [{"page": page.name, "seconds": 4.2, "peak_mb": 310}, {"page": "x", "seconds": 9}]
    (tmp_path / "evidence" / "pages.json").write_text(json.dumps({"rows": rows}))
    assert "**Runs** in 4 seconds where it was measured, with 310 MB" in course.guide(page)


def _page(path):
    name = f"chapters/{path.parent.name}/{path.stem}"
    (page,) = [page for page in plain_pages.course_pages() if page.name == name]
    return page


def test_one_page_runs_in_both_editions(folder, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for edition in course.EDITIONS:
        path = folder / edition / "potential_outcomes" / "bounds.ipynb"
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(notebook, resources={"metadata": {"path": str(path.parent)}}).execute()
        shown = json.dumps([cell.get("outputs", []) for cell in notebook.cells])
        assert "Not answered yet" in shown


def test_a_part_alone_and_a_part_that_is_none(tmp_path):
    counts = course.write(tmp_path, "intro")
    assert counts == {"notebooks": 2, "checked exercises": 2, "quizzes": 1}
    assert {path.name for path in (tmp_path / "student").iterdir()} == {"intro", "README.md"}
    with pytest.raises(SystemExit, match="PART=extras is none of intro, recommenders"):
        course.write(tmp_path, "extras")
    assert Path(tmp_path / "student").exists()
