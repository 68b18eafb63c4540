"""The pages of the package's names: all are there, each with its formula, source and teacher."""

from __future__ import annotations

import inspect
import pkgutil
import re
import subprocess
import sys
from copy import copy
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import pytest
from bs4 import BeautifulSoup, Tag

import causalbook

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "_ext"))

import book_files  # noqa: E402
from docstrings import sections, signature  # noqa: E402
from public_names import (  # noqa: E402
    API,
    PARTS,
    aliases,
    members,
    names,
    ruled,
    taught_elsewhere,
    teacher,
    used,
    uses,
)
from source_works import MEANT, cite, unknown, works  # noqa: E402

NAMES = list(names().values())
FUNCTIONS = [n for n in NAMES if callable(n.value) and not inspect.isclass(n.value)]
# Functions that need no formula, by what they are.
NO_FORMULA = {
    "checks an argument": "nuisance.design llm_encoding.require_before case_study.validate",
    "reads data": """datasets.describe datasets.load case_study.dictionary project.read_config
        project.read_requests""",
    "reads words": "case_study.asked case_study.read_query project.shop_context",
    "draws": """plots.canvas plots.intervals plots.slider plots.table causal_graphs.explore
        estimators.love_plot""",
    "tabulates what other functions compute": """compare estimators.evaluate case_study.analyse
        project.judge_launch project.simulate_launches""",
    "compares an answer with known ones": "exercises.check",
    "sorts": "recommenders.top_k",
    "is an algorithm": "causal_graphs.identify",
    "is another function, whose formula stands there": """llm_encoding.calibrate_labels
        case_study.predict project.effect_drift project.identify_effect project.private_sums
        project.release_effect""",
    "turns tables into tables": """case_study.build_table case_study.clean_events
        case_study.preprocess case_study.quarantine case_study.shop_covariates
        project.recommend_items project.shop_tables""",
    "writes files": "case_study.write_shop project.write_big_log",
    "runs other functions in their order": """case_study.run_scenario project.audit_log
        project.serve project.simulate_log project.simulate_test""",
    "spoils data": "case_study.raw_events",
    "writes sentences": "project.explain_recommendation",
    "draws secrets": "project.pair_keys",
}
# Functions with a formula and no source: what they compute is in the formula, and known to all.
NO_SOURCE = {
    "counts": "recommenders.popularity",
    "subtracts": "estimators.leave_one_out",
    "averages": "llm_encoding.intent_vectors",
    "sums log-probabilities": "llm_encoding.label_likelihoods",
}


def listed(kinds: dict[str, str]) -> set[str]:
    return {f"causalbook.{name}" for text in kinds.values() for name in text.split()}


def test_every_public_name_is_shown() -> None:
    folder = str(Path(str(causalbook.__file__)).parent)
    parts = ["causalbook", *(f"causalbook.{m.name}" for m in pkgutil.iter_modules([folder]))]
    public = {
        f"{part}.{name}" for part in parts for name in getattr(import_module(part), "__all__", ())
    }
    assert len(public) > 270
    assert public <= set(names())
    assert {part.name for part in (ROOT / API).glob("*.md")} == {f"{part}.md" for part in PARTS}
    for part in PARTS:
        assert f"```{{api}} {part}\n" in (ROOT / API / f"{part}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", members().values(), ids=list(members()))
def test_a_docstring_begins_with_a_sentence(name: object) -> None:
    line = name.line  # type: ignore[attr-defined]
    assert re.match(r"[A-Z(`$P]", line), line
    assert line.rstrip().endswith((".", ":")), line
    assert len(line) <= 100


def test_every_name_has_a_page_that_teaches_it() -> None:
    pages = [page.name for page in book_files.pages()]
    assert not [name.full for name in NAMES if teacher(name) not in pages]


def test_a_teacher_is_named_only_where_the_rule_finds_another() -> None:
    elsewhere = taught_elsewhere()
    assert set(elsewhere) <= set(names())
    assert not [full for full, page in elsewhere.items() if ruled(names()[full]) == page]


def test_a_page_that_teaches_a_name_speaks_of_it_or_of_what_calls_it() -> None:
    # The rule chooses pages whose cells use the name; those that are chosen by hand have to belong
    # to the name's part, unless other parts use the name too.
    for full, page in taught_elsewhere().items():
        part = names()[full].part
        assert part == "package" or page.startswith(f"chapters/{part}/"), full


def test_functions_have_their_formula() -> None:
    without = {name.full for name in FUNCTIONS if "$" not in name.doc}
    assert without == listed(NO_FORMULA)


def test_formulas_have_their_source() -> None:
    silent = {n.full for n in FUNCTIONS if "$" in n.doc and "Source" not in sections(n.doc)}
    assert silent == listed(NO_SOURCE)


def test_functions_say_what_goes_in_and_what_is_refused() -> None:
    for name in FUNCTIONS:
        if name.part == "package" and name.full.startswith("causalbook.plots"):
            continue
        said = name.doc.replace("`", "")
        told = sections(name.doc)
        assert "Parameters" in told or "**Switches**" in said or _mentions_all(name.value, said), (
            name.full
        )


def _mentions_all(function: object, said: str) -> bool:
    parameters = inspect.signature(function).parameters  # type: ignore[arg-type]
    return all(re.search(rf"\b{p}\b", said) or p in {"n", "seed"} for p in parameters)


def test_sources_are_in_the_bibliography() -> None:
    missing = {n.full: unknown(n.doc.replace("\n", " ")) for n in members().values()}
    assert not {full: found for full, found in missing.items() if found}


def test_a_work_that_is_meant_exists() -> None:
    keys = {key for found in works().values() for key in found}
    assert set(MEANT.values()) <= keys


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("Welch (1947).", "{cite:t}`Welch1947`."),
        ("Dudík et al. (2014, section 3).", "{cite:t}`Dudik2014` (section 3)."),
        (
            "by Abadie and Imbens (2006, theorem 7; 2011) here",
            "by {cite:t}`AbadieImbens2006` (theorem 7), {cite:t}`AbadieImbens2011` here",
        ),
        ("Neyman (1923)", "Neyman (1923) {cite:p}`Neyman1923`"),  # the print is of another year
        (
            "Swaminathan and Joachims (2015, JMLR 16)",
            "{cite:t}`SwaminathanJoachims2015b` (JMLR 16)",
        ),
        ("Nobody and Nemo (1999) and $x (2014)$", "Nobody and Nemo (1999) and $x (2014)$"),
        ("MacWelch (1947)", "MacWelch (1947)"),  # ends as a known author does
    ],
)
def test_authors_and_years_become_citations(text: str, cited: str) -> None:
    assert cite(text) == cited


def test_a_docstring_falls_into_its_parts() -> None:
    doc = dedent(
        """\
        Mean of *scores*. Returns are in the unit of the score.

        $$\\bar s = \\frac1n
          \\sum_i s_i$$
        $$s$$
        with n rows,
        one each.

        Parameters: `s` (n,), see `x`. Returns a number. Raises ValueError for NaN;
        TypeError never. Warns as `f` does.

        More prose. Source: Welch (1947)."""
    )
    assert sections(doc) == {
        "": "Mean of *scores*.\n\n$$\\bar s = \\frac1n\n  \\sum_i s_i$$\n\n$$s$$\n\n"
        "with n rows, one each.\n\nMore prose.",
        "Returns": "Are in the unit of the score. A number.",
        "Parameters": "`s` (n,), see `x`.",
        "Raises": "`ValueError` for NaN; TypeError never.",
        "Warns": "As `f` does.",
        "Source": "Welch (1947).",
    }


def test_ruled_sections_become_lists() -> None:
    doc = dedent(
        """\
        A log.

        Parameters
        ----------
        action, item : (n,) which one
            was shown
        reward : (n,) what came

        Raises
        ------
        ValueError
            for NaN.
        """
    )
    assert sections(doc)["Parameters"] == (
        "- `action`, `item`: (n,) which one was shown\n- `reward`: (n,) what came"
    )
    assert sections(doc)["Raises"] == "`ValueError` for NaN."


def test_signatures_are_short_and_broken_where_they_are_long() -> None:
    def few(y: object, *, level: float = 0.95, kind: str = "ATE", x=None) -> causalbook.Estimate:  # type: ignore[no-untyped-def]
        raise NotImplementedError

    def called(f=signature) -> None:  # type: ignore[no-untyped-def]
        pass

    few.__annotations__["y"] = "Any"
    assert signature(called, "called", bound=False) == "called(f=signature) -> None"
    assert signature(few, "few", bound=False) == (
        'few(y, *, level: float = 0.95, kind: str = "ATE", x=None) -> Estimate'
    )
    wide = signature(causalbook.Estimate, "Estimate", bound=False)
    assert wide.startswith("Estimate(\n    value: float,\n    influence")
    assert wide.endswith("\n)")


def test_signatures_hold_no_address_of_this_run() -> None:
    assert not [name.full for name in members().values() if "<" in name.signature]


def test_uses_of_a_name_are_found_under_any_name_it_is_given() -> None:
    code = dedent(
        """\
        import causalbook.estimators as es
        import causalbook
        from causalbook.estimators import ips as weighted, snips
        from causalbook import datasets
        from numpy import mean as wald
        x = weighted(log, pi).conf_int() + es.dr(log, pi, q) + wald(causalbook.project.mask)
        datasets.load("films")
        """
    )
    known = aliases(code, {})
    assert known["weighted"] == "causalbook.estimators.ips"
    assert used(code, known) == {  # snips is imported and never used
        "causalbook.estimators.ips",
        "causalbook.estimators.dr",
        "causalbook.project.mask",
        "causalbook.datasets.load",
    }


def test_the_off_policy_page_teaches_what_it_is_about() -> None:
    for name in ("ips", "snips", "dr", "dm", "Log", "support"):
        full = f"causalbook.estimators.{name}"
        assert teacher(names()[full]) == "chapters/estimators/off_policy"
        assert "chapters/estimators/off_policy" in uses()[full]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of the API and of one page whose prose names functions; warnings are errors."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for path in [ROOT / f"{API}.md", *(ROOT / API).glob("*.md")]:
        target = source / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    page = source / "chapters/estimators/off_policy.md"
    page.parent.mkdir(parents=True)
    page.write_text(
        "# A page that uses `snips`\n\nFirst `ips`, then `ips(log, pi)`, `pi` and `ab_test`.\n\n"
        "| `dm` |\n|---|\n| `dm` |\n\n[`dr`](off_policy.md), `Log.from_frame`, `compare`.\n",
        encoding="utf-8",
    )
    pages = ["chapters/estimators/off_policy", API, *(f"{API}/{part}" for part in PARTS)]
    toc = "\n".join(pages)
    (source / "index.md").write_text(
        f"# Book\n\n```{{toctree}}\n{toc}\n```\n\n```{{bibliography}}\n:cited:\n```\n",
        encoding="utf-8",
    )
    (source / "conf.py").write_text(
        f"import sys\nsys.path[:0] = [{str(ROOT / '_ext')!r}, {str(ROOT)!r}]\n"
        "extensions = ['myst_parser', 'sphinxcontrib.bibtex', 'sphinx.ext.mathjax', 'api_pages']\n"
        "myst_enable_extensions = ['dollarmath', 'amsmath', 'colon_fence', 'deflist', 'tasklist']\n"
        f"bibtex_bibfiles = [{str(ROOT / 'references.bib')!r}]\n"
        "bibtex_reference_style = 'author_year'\nmathjax_path = 'none.js'\n"
        "html_theme = 'basic'\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-n", "--keep-going", "-b", "html"]
    ran = subprocess.run(
        [*command, str(source), str(built)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return built


def read(site: Path, page: str) -> BeautifulSoup:
    return BeautifulSoup((site / f"{page}.html").read_text(encoding="utf-8"), "html.parser")


def test_entries_are_rendered_whole(site: Path) -> None:
    for part in PARTS:
        page = read(site, f"{API}/{part}")
        for name in [n for n in members().values() if n.part == part]:
            entry = page.find(id=name.full)
            assert isinstance(entry, Tag), f"{name.full} is not shown"
            entry = copy(entry)
            code = [block.extract().get_text() for block in entry.select("pre")]
            assert all(
                method.signature in code or method.signature + "\n" in code
                for method in (name, *name.methods)
                if method.signature
            ), name.full
            shown = " ".join(entry.get_text().split())
            for word in re.findall(r"[a-z]{5,}", re.sub(r"`[^`]*`|\$[^$]*\$", "", name.line)):
                assert word in shown, f"{name.full} lacks its first line"
            assert not re.search(r"\$\$|(?<!\w)\*\*|``|\{cite|-{4}", shown), name.full
            inner = sum(n.doc.count("$$") for n in (name, *name.methods)) // 2
            found = entry.select("div.math")
            assert len(found) == inner, f"{name.full}: {len(found)} formulas of {inner}"


def test_entries_name_their_teacher(site: Path) -> None:
    page = read(site, f"{API}/estimators")
    entry = page.find(id="causalbook.estimators.ips")
    assert isinstance(entry, Tag)
    taught = next(dt for dt in entry.select("dt") if dt.get_text().startswith("Taught in"))
    link = taught.find_next("dd").find("a")  # type: ignore[union-attr]
    assert link["href"] == "../../estimators/off_policy.html"  # type: ignore[index]
    assert entry.find("a", href=re.compile("#id"))  # the source, in the bibliography


def test_links_lead_to_entries(site: Path) -> None:
    checked = 0
    for path in (site / "chapters").rglob("*.html"):
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for link in page.select("a.api-link, table.api-index a"):
            file, _, anchor = str(link["href"]).partition("#")
            target = (path.parent / file).resolve() if file else path
            assert target.exists(), link
            checked += 1
            if anchor:
                assert f'id="{anchor}"' in target.read_text(encoding="utf-8"), link
    assert checked > 500


def test_a_page_links_each_name_that_its_code_uses_once(site: Path) -> None:
    page = read(site, "chapters/estimators/off_policy")
    links = page.select("a.api-link")
    # Not in headings, tables and links; `ab_test` is not imported on that page; `pi` is no name.
    assert [link.get_text() for link in links] == ["ips", "Log.from_frame", "compare"]
    assert links[0]["href"] == "../appendix/api/estimators.html#causalbook.estimators.ips"
    assert str(links[0]["title"]).startswith("Inverse propensity score estimate")


def test_the_list_holds_every_name(site: Path) -> None:
    rows = read(site, API).select("table.api-index tbody tr")
    assert len(rows) == len(NAMES)
    assert [row.find("td").get_text() for row in rows] == [name.short for name in NAMES]  # type: ignore[union-attr]
