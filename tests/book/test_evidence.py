"""The records of evidence: well formed, honest about their age, and shown as they are."""

import ast
import importlib
import json
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "_ext"))
sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import book_files
import evidence_pages
import page_costs
import parity
import records
import speed
from parity_rows import ROWS, Row

import evidence

ROOT = Path(__file__).parents[2]
NAMES = list(evidence_pages.TITLES)
PAGE = (ROOT / "chapters" / "appendix" / "evidence.md").read_text(encoding="utf-8")
CAPTIONS = {page.name.split("/")[1]: page.part for page in book_files.pages() if page.part}
LOADED = {name: record for name in NAMES if (record := records.load(name))}
HEAD = {"date", "version", "commit", "machine", "command", "seconds", "rows", "files"}


# -------------------------------------------------------------------------------------- parity


def name_of(row: Row) -> str:
    return f"{row.method} beside {row.peer or row.source}, {row.run.__name__}"


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_a_method_and_its_peer_agree(row):
    found = row.compare()
    assert found["difference"] <= row.tolerance, found


def test_a_wrong_number_would_be_found():
    (row,) = (row for row in ROWS if row.run.__name__ == "two_stages")
    for fault in (1e-8, -1e-8):
        spoilt = {
            **vars(row),
            "run": lambda f=fault: ([row.run()[0][0] * (1 + f)], row.run()[1][:1]),
        }
        told = parity.told(Row(**spoilt))
        assert not told["within"]
        assert told["difference"] == pytest.approx(1e-8, rel=1e-2)


def test_a_number_in_print_allows_half_of_its_last_digit():
    row = next(row for row in ROWS if row.run.__name__ == "castle")

    def compared(ours):
        return parity.told(Row(**{**vars(row), "run": lambda: (ours, 0.069)}))

    assert compared(0.0695)["within"]
    assert not compared(0.06951)["within"]


def test_answers_of_other_shapes_are_not_compared():
    row = Row(**{**vars(ROWS[0]), "run": lambda: ([1.0, 2.0], [1.0])})
    with pytest.raises(ValueError, match=r"shapes \(2,\) and \(1,\)"):
        row.compare()


def test_rows_are_many_of_every_part_and_name_public_names():
    import causalbook
    from causalbook import nuisance

    parts = {row.part for row in ROWS}
    assert len(ROWS) > 45
    assert {name for name in parts if f"parity {name}\n" in PAGE} == parts
    for row in ROWS:
        module = importlib.import_module(f"causalbook.{row.part}")
        assert row.method in {*module.__all__, *nuisance.__all__, *causalbook.__all__}, row.method
        assert bool(row.peer) != bool(row.source)
        assert 0 < row.tolerance <= (1e-5 if row.peer else 0.51)
        assert row.tolerance <= 1e-10 or row.note or row.source, f"{row.method}: say why so wide"
    runs = [row.run.__name__ for row in ROWS]
    assert len(set(runs)) == len(runs)


def test_what_is_cited_is_in_the_references():
    keys = set(re.findall(r"^@\w+\{(\w+),", (ROOT / "references.bib").read_text("utf-8"), re.M))
    assert {row.source for row in ROWS if row.source} <= keys


def test_the_other_side_takes_nothing_but_public_names_from_the_package():
    """No helper that the package itself computes with: the folder of the weights is none."""
    taken = set()
    for path in (ROOT / "scripts").glob("parity_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("causalbook"):
                offered = getattr(importlib.import_module(node.module), "__all__", ["folder"])
                taken |= {name.name for name in node.names} - set(offered)
    assert taken == set()


# ------------------------------------------------------------------------------------- records


@pytest.mark.parametrize("name", LOADED)
def test_a_record_says_when_where_and_how(name):
    record = LOADED[name]
    assert set(record) >= HEAD
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", record["date"])
    assert set(record["machine"]) == {"processor", "cores", "memory_gb", "system", "python"}
    assert record["command"].startswith("python scripts/")
    assert record["rows"]
    assert record["seconds"] > 0
    assert all(re.fullmatch("[0-9a-f]{8}", mark) for mark in record["files"].values())


def test_every_record_is_there():
    assert set(LOADED) == set(NAMES), "make evidence"


def test_the_parity_record_is_that_of_the_rows():
    told = [(r["method"], r["what"], r["peer"]) for r in LOADED["parity"]["rows"]]
    assert told == [(row.method, row.what, row.peer) for row in ROWS], "python scripts/parity.py"
    assert all(row["within"] for row in LOADED["parity"]["rows"])


def test_hashes_see_code_and_overlook_words(tmp_path):
    def marked(text, name="x.py"):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}{name}"
        path.write_text(text, encoding="utf-8")
        return records.mark(path)

    code = 'def f(x):\n    """Words."""\n    return x + 1\n'
    assert marked(code) == marked(code.replace("Words", "Other words,\n\n    and more"))
    assert marked(code) != marked(code.replace("+", "-"))
    cells = [{"cell_type": "markdown", "source": ["a"]}, {"cell_type": "code", "source": ["b"]}]
    page = json.dumps({"cells": cells})
    assert marked(page, ".ipynb") == marked(page.replace('["a"]', '["c"]'), ".ipynb")
    assert marked(page, ".ipynb") != marked(page.replace('["b"]', '["c"]'), ".ipynb")


def test_what_has_changed_since_is_counted():
    record = {"files": {**records.files("speed")}}
    assert evidence_pages.state("speed", record) == "as the code stands"
    first, second, *_ = record["files"]
    record["files"][first] = "00000000"
    del record["files"][second]
    record["files"]["causalbook/gone.py"] = "00000000"
    n = len(record["files"])
    assert evidence_pages.state("speed", record) == f"2 of {n} files changed since, 1 new"


def test_the_commit_is_read_from_loose_and_packed_references(tmp_path):
    assert records.commit(tmp_path) is None
    (tmp_path / ".git" / "refs" / "heads").mkdir(parents=True)
    head = tmp_path / ".git" / "HEAD"
    head.write_text("ref: refs/heads/main\n")
    (tmp_path / ".git" / "packed-refs").write_text("# pack\n0123456789 refs/heads/main\n")
    assert records.commit(tmp_path) == "0123456"
    (tmp_path / ".git" / "refs" / "heads" / "main").write_text("abcdef0123\n")
    assert records.commit(tmp_path) == "abcdef0"
    head.write_text("fedcba9876\n")
    assert records.commit(tmp_path) == "fedcba9"


# ------------------------------------------------------------------- what the scripts write down


def test_seeds_are_told_by_page():
    told = [("a", 101, True), ("a", 102, False), ("b", 101, True)]
    assert evidence.by_page(told) == [
        {"page": "a", "held": [101], "failed": [102]},
        {"page": "b", "held": [101], "failed": []},
    ]
    text = evidence_pages.seeds(
        {"rows": [{"page": "chapters/x/a", "held": [1], "failed": [2]}]}, ""
    )
    assert "Failed: chapters/x/a (2)." in text


def test_mutants_are_told_by_module_with_their_reasons(monkeypatch):
    monkeypatch.setenv("CI", "1")  # the script sets it when imported: put it back afterwards
    import mutation

    every = list(mutation.mutants("estimators.switching"))
    fate = [True] * len(every)
    fate[0] = False
    (row,) = mutation.by_module(every, fate)
    assert (row["module"], row["tried"]) == ("estimators.switching", len(every))
    (survivor,) = row["survivors"]
    assert survivor["line"] == every[0].line
    lines = evidence_pages.mutation({"rows": [row], "share": 1, "mutants": len(every)}, "")
    n = len(every)
    assert lines[0].startswith(f"All of {n} mutants: {n} tried, {n - 1} caught, 1 survive")


def test_a_page_is_too_dear_by_time_or_memory():
    row = {"torch": False, "cpu": 20.0, "peak_mb": 2048}
    assert not page_costs.too_dear(row)
    assert page_costs.too_dear({**row, "cpu": 20.1})
    assert not page_costs.too_dear({**row, "cpu": 59.0, "torch": True})
    assert page_costs.too_dear({**row, "peak_mb": 2049})


@pytest.mark.parametrize(("cpu", "said"), [(600.0, "within the 10"), (601.0, "**over** the 10")])
def test_the_page_says_where_all_pages_together_cost_too_much(cpu, said):
    row = {"page": "chapters/x/a", "seconds": 1.0, "cpu": cpu, "peak_mb": 1, "torch": True}
    assert said in evidence_pages.pages({"rows": [row]}, "")[0]


def test_the_page_tells_the_limits_that_the_script_holds():
    assert f"take {page_costs.SECONDS} seconds" in PAGE
    assert f"{page_costs.WITH_TORCH} where it loads" in PAGE


def test_a_benchmark_without_its_peer_is_not_measured(monkeypatch):
    monkeypatch.setitem(speed.PEERS, "two_way", ("no_such_module", "no-such-peer"))
    row = speed.measure("two_way", [sys.executable])
    assert row == {"benchmark": "two_way", "missing": "no-such-peer"}
    lines = evidence_pages.speed({"rows": [row]}, "")
    assert "Not measured for this record: `two_way` (beside no-such-peer)." in lines


def test_every_benchmark_of_a_peer_is_run_and_keeps_its_times():
    scripts = {p.stem: p.read_text("utf-8") for p in (ROOT / "benchmarks").glob("*.py")}
    keeping = {name for name, text in scripts.items() if "import keep" in text}
    assert keeping == set(speed.PEERS)


# ------------------------------------------------------------------------------------ the page


def test_every_record_is_shown_and_nothing_else_is_asked_for():
    asked = re.findall(r"^```\{evidence\} (\w+)(?: (\w+))?$", PAGE, re.M)
    assert {name for name, _ in asked} == {*NAMES, "records"}
    parts = {part for name, part in asked if name == "parity"}
    assert parts == {row.part for row in ROWS} | {"print"}


@pytest.mark.parametrize("name", LOADED)
def test_a_table_has_a_row_for_each_row_of_the_record(name):
    parts = {"parity": [*{r.part for r in ROWS}, "print"]}.get(name, [""])
    lines = [line for part in parts for line in evidence_pages.lines_of(name, part)]
    text = "\n".join(lines)
    for row in LOADED[name]["rows"]:
        told = {
            "parity": lambda r: f"`{r['method']}`: {r['what']}",
            "coverage": lambda r: f"| {r['world'].replace('_', ' ')} | {r['covered']:,} |",
            "seeds": lambda r: f"| {CAPTIONS[r['page'].split('/')[1]]} |",
            "mutation": lambda r: f"| `{r['module']}` | {r['tried']} |",
            "speed": lambda r: r.get("work", f"`{r['benchmark']}`"),
            "pages": lambda r: f"| {r['cpu']:.1f}",
        }[name](row)
        assert told in text, told


def test_cells_of_a_table_may_hold_bars_and_numbers_have_a_true_minus():
    lines = evidence_pages.table(["a", "b"], [["x | y", "1"]], 1)
    assert lines == ["", "| a | b |", "| --- | ---: |", "| x \\| y | 1 |", ""]
    assert evidence_pages.figure(-0.0448123456) == "−0.0448123"
    assert (evidence_pages.figure(6281.0), evidence_pages.small(2.1e-15)) == ("6,281", "2e−15")
    assert evidence_pages.small(0.0) == "0"


def test_what_was_not_measured_is_said(monkeypatch):
    monkeypatch.setattr(records, "load", lambda name: None)
    assert "Not measured yet" in evidence_pages.lines_of("speed")[0]
    told = "\n".join(evidence_pages.lines_of("records"))
    assert told.count("not measured") == len(NAMES)


def test_pages_without_a_record_can_be_told():
    """Notebooks of the book that came after the record count as new files of it."""
    record = {"files": {}, "rows": []}
    _, new = records.changed("pages", record)
    notebooks = {f"{page.name}.ipynb" for page in book_files.pages() if page.notebook}
    assert notebooks - {"index.ipynb"} <= set(new)


def test_pages_run_again_take_the_place_of_their_rows(tmp_path, monkeypatch):
    """A page mended since the long run need not wait for the next one, and the record says so."""
    (tmp_path / "evidence").mkdir()
    (tmp_path / "chapters/part").mkdir(parents=True)
    for name in "abc":
        page = tmp_path / f"chapters/part/{name}.ipynb"
        page.write_text(json.dumps({"cells": [{"cell_type": "code", "source": [name]}]}))
    monkeypatch.setattr(records, "ROOT", tmp_path)
    monkeypatch.setattr(records, "commit", lambda: "abcdef1")
    monkeypatch.setattr(records, "load", lambda name: json.loads(before))
    old = {f"chapters/part/{name}.ipynb": "old" for name in "ab"}
    rows = [{"page": f"chapters/part/{name}", "held": [], "failed": [1]} for name in "ab"]
    before = json.dumps({"rows": rows, "files": old})
    again = [{"page": f"chapters/part/{name}", "held": [1], "failed": []} for name in "bc"]
    monkeypatch.setattr(
        records, "files", lambda name: dict.fromkeys([*old, "chapters/part/c.ipynb"], "new")
    )
    records.replace("seeds", again, ["chapters/part/b.ipynb", "chapters/part/c.ipynb"])
    after = json.loads((tmp_path / "evidence/seeds.json").read_text())
    assert [row["failed"] for row in after["rows"]] == [[1], [], []]
    assert ["commit" in row for row in after["rows"]] == [False, True, True]
    assert list(after["files"].values()) == ["old", "new", "new"]
