"""The rules that every page follows, so that a reader can rely on them."""

import ast
import re
import statistics
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "index.ipynb", *ROOT.glob("chapters/**/*.ipynb")])
LEDGER = {
    entry["id"] for entry in yaml.safe_load((ROOT / "chapters/appendix/ledger.yaml").read_text())
}
# What a reader would take for a measured result: a number with two or more decimals in prose.
TYPED = re.compile(r"(?<![\w.$\\{/-])\d+\.\d{2,}(?![\w.}])")
NO_PROSE = re.compile(r"\$\$.*?\$\$|\$[^$]*\$|`[^`]*`|\(http[^)]*\)|```.*?```", re.S)


def tags(cell):
    return cell.metadata.get("tags", [])


@pytest.fixture(params=PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def page(request):
    return nbformat.read(request.param, as_version=4)


@pytest.fixture
def code(page):
    return [cell for cell in page.cells if cell.cell_type == "code"]


def test_pages_exist():
    assert len(PAGES) >= 3


def test_is_committed_without_outputs_and_with_stable_ids(page, code):
    assert not any(cell.outputs or cell.execution_count for cell in code)
    ids = [cell.id for cell in page.cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in ids), "ids are short words"


def test_cells_are_short(code):
    lines = [len(cell.source.splitlines()) for cell in code]
    assert max(lines) <= 25
    assert statistics.median(lines) <= 6.5  # "six lines in the median"


def test_a_sentence_stands_before_each_visible_cell(page):
    folded = {"check", "solution", "hide-input", "hide-cell", "remove-cell", "remove-input"}
    run = 0
    for cell in page.cells:
        if cell.cell_type == "markdown":
            run = 0
        elif not folded & set(tags(cell)):
            run += 1
            assert run <= 1, f"cell {cell.id} follows another one without a word"


def test_has_a_folded_check_that_asserts(code):
    checks = [cell for cell in code if "check" in tags(cell)]
    assert checks, "nothing that the page says is asserted"
    for cell in checks:
        assert any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(cell.source)))
        assert "hide-cell" in tags(cell)
        assert cell.metadata.jupyter.source_hidden


def test_types_no_result_by_hand(page):
    for cell in page.cells:
        if cell.cell_type == "markdown":
            found = TYPED.findall(NO_PROSE.sub("", cell.source))
            assert not found, f"cell {cell.id}: glue {found} instead of typing it"


def test_has_one_seed_where_chance_enters(page, code):
    source = "\n".join(cell.source for cell in code)
    seeds = re.findall(r"^SEED = \d+$", source, flags=re.M)
    random = re.search(r"default_rng|seed=|torch\.manual_seed", source)
    assert len(seeds) == (1 if random else 0)
    assert not re.search(r"(default_rng|seed=)\(?\s*\d", source), "a second seed"


def test_silences_and_installs_nothing(code):
    for cell in code:
        assert not re.search(r"filterwarnings|simplefilter|^\s*[!%]pip", cell.source, re.M)


def test_figures_have_captions_and_alternative_texts(page, code):
    source = "\n".join(cell.source for cell in code)
    assert "plt.show" not in source, "draw through causalbook.plots, which wants an alt text"
    glued = set(re.findall(r'glue\(\s*"(fig_\w+)"', source))
    prose = "\n".join(cell.source for cell in page.cells if cell.cell_type == "markdown")
    shown = re.findall(
        r"\{glue:figure\} (\w+)\n(?::\w+:.*\n)*:name: fig-[\w-]+\n(?::\w+:.*\n)*(.+)", prose
    )
    assert glued == {name for name, _ in shown}
    assert all(len(caption) > 30 for _, caption in shown)


def test_figures_show_in_jupyterlab_and_once_on_the_site(code):
    for cell in code:
        if re.search(r'glue\(\s*"fig_', cell.source):
            assert "display=False" not in cell.source, f"{cell.id}: JupyterLab would show nothing"
            assert "remove-output" in tags(cell), f"{cell.id}: the site would show it twice"


def test_ledger_tags_exist_and_settle_something(page):
    for cell in page.cells:
        marked = [tag.removeprefix("ledger-") for tag in tags(cell) if tag.startswith("ledger-")]
        assert len(marked) <= 3, f"cell {cell.id} treats {len(marked)} entries"
        assert set(marked) <= LEDGER, f"cell {cell.id}: {set(marked) - LEDGER} not in the ledger"


def test_says_how_long_it_takes_and_what_the_naive_estimate_is(page):
    about = page.metadata.causalbook
    assert about.minutes > 0
    assert set(about.naive) == {"replace", "with", "breaks"}


def test_the_ledger_is_whole():
    entries = yaml.safe_load((ROOT / "chapters/appendix/ledger.yaml").read_text())
    assert len(entries) == len(LEDGER) == 460
    assert sum(entry["verdict"] == "wrong" for entry in entries) > 100  # as the first page says
