"""The final project: the same for one seed, another for the next; silent to students; gradable."""

import json
import sys

import nbformat
import numpy as np
import pandas as pd
import pytest
from page_slices import ROOT
from scipy import stats

sys.path.insert(0, str(ROOT / "scripts"))

import final_project
import final_project_files
import final_project_solution as reference

from causalbook.estimators import difference_in_means

SEEDS, USERS = range(1, 21), 12_000  # fixed before looking; a smaller shop than the students'
NUMBERS = ("conversion", "revenue", "rule")
pytestmark = [
    pytest.mark.xdist_group("final project"),
    # As it should, for a rule that fits few visits; in the students' shops there are enough.
    pytest.mark.filterwarnings("ignore:the estimate rests on"),
]


def interval(estimate):
    low, high = estimate.conf_int()
    return {"value": estimate.value, "low": low, "high": high}


@pytest.fixture(scope="module")
def projects():
    """Twenty projects: the brief, the table as it is, the reference's answers, the truth."""
    found = []
    for seed in SEEDS:
        project = final_project.make(seed, USERS)
        table = reference.one_row_a_user(project.events)
        answers, _ = reference.answer(table, project.events, project.brief)
        lengths = {name: answers[name]["high"] - answers[name]["low"] for name in NUMBERS}
        truth = project.truth | {"lengths": lengths}
        found.append((project.brief, table, answers, truth))
    return found


def points(answers, truth):
    return final_project.grade(answers, truth).set_index("item")["points"]


def test_every_fault_occurs_and_the_reference_finds_it(projects):
    assert {truth["fault"]["name"] for *_, truth in projects} == set(final_project.FAULTS)
    for *_, answers, truth in projects:
        assert points(answers, truth)["fault"] == 15, truth["fault"]["name"]


def test_the_intervals_of_the_reference_hold_the_truth_as_often_as_they_say(projects):
    least = stats.binom.ppf(0.001, len(SEEDS), 0.95)
    for name in NUMBERS:
        held = sum(
            answers[name]["low"] <= truth["values"][name] <= answers[name]["high"]
            for *_, answers, truth in projects
        )
        assert held >= least, (name, held)


def test_the_obvious_numbers_get_no_points(projects):
    for _, table, _, truth in projects:
        a = table["recommended"].to_numpy()
        naive = {
            name: interval(difference_in_means(table[column].to_numpy(float), a))
            for name, column in (("conversion", "purchase"), ("revenue", "order_value"))
        }
        got = points(naive, truth)
        assert got["conversion"] == got["revenue"] == got.sum() == 0


def test_who_does_not_look_for_the_fault_is_off_more_often(projects):
    """The same estimators on the table as it is, the score among the covariates."""
    blind, right = 0, 0
    for brief, table, answers, truth in projects:
        before = (*reference.BEFORE, "interest")
        found = reference.estimate(table, brief["left_out"], before=before)
        unaware = points({name: interval(e) for name, e in found.items()}, truth)
        blind += (unaware[list(NUMBERS)] == 12).all()
        right += (points(answers, truth)[list(NUMBERS)] == 12).all()
    assert blind < right / 2


def test_truths_and_best_decisions_differ(projects):
    truths = [truth for *_, truth in projects]
    assert {max(t["earns"], key=t["earns"].get) for t in truths} == set(final_project.CHOICES)
    for name in NUMBERS:
        values = [truth["values"][name] for truth in truths]
        assert max(values) > 1.5 * min(values)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = {}
    for name, seed in (("one", 20261130), ("again", 20261130), ("other", 20261131)):
        made[name] = tmp_path_factory.mktemp(name)
        final_project.write(seed, made[name], n=4_000)
    return made


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_one_seed_makes_the_same_files_and_another_one_others(folders):
    one, again, other = (contents(folders[name]) for name in ("one", "again", "other"))
    assert one == again
    assert set(one) == set(other)
    differ = {path.name for path in one if one[path] != other[path]}
    assert differ >= {"events.parquet", "truth.json"}


def test_the_students_folder_tells_neither_seed_nor_truth(folders):
    student = folders["one"] / "student" / "final_project"
    truth = json.loads((folders["one"] / "instructor/final_project/truth.json").read_text())
    text = "\n".join(p.read_text() for p in student.iterdir() if p.suffix != ".parquet").lower()
    for secret in (str(truth["seed"]), *final_project.FAULTS, "swapped", "seed", "potential"):
        assert secret not in text
    for value in truth["values"].values():
        assert f"{value:.3f}" not in text
    events = pd.read_parquet(student / "events.parquet")
    raw = {"event_id", "user", "device", "type", "at", "received", "age", "gender", "region"}
    raw |= {"views", "browsed", "carted", "query", "item", "shelf", "propensity", "pscore"}
    assert set(events) == raw | {"value", "genre", "interest"}
    assert json.loads((student / "answers.json").read_text())["fault"]["column"] is None


def test_the_solution_is_a_notebook_that_prints_the_answers(folders, monkeypatch, capsys):
    place = folders["one"] / "instructor" / "final_project"
    notebook = nbformat.read(place / "solution.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert sum(cell.cell_type == "markdown" for cell in notebook.cells) >= 5
    monkeypatch.chdir(place)
    names = {"__name__": "__main__"}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, "solution", "exec"), names)
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((place / "truth.json").read_text())["reference"]


TRUTH = {
    "values": {"conversion": 0.02, "revenue": 0.2, "rule": 0.3},
    "earns": {"nobody": 0.0, "everybody": 0.1, "rule": 0.12},
    "lengths": {"conversion": 0.01, "revenue": 0.1, "rule": 0.1},
    "fault": {
        "name": "lost visits",
        "columns": ["rows"],
        "days": [f"2026-03-{day:02d}" for day in range(8, 22)],
    },
}


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.015, 0.025, 12),
        (0.011, 0.030, 12),
        (0.005, 0.035, 6),  # three times as long
        (-0.01, 0.04, 0),  # five times as long
        (0.021, 0.029, 6),  # misses by an eighth of its length
        (0.024, 0.029, 0),  # by four fifths
        (0.03, 0.01, 0),  # no interval
        (None, 0.03, 0),
        (float("nan"), 0.03, 0),
    ],
)
def test_intervals_are_graded_by_truth_and_length(low, high, expected):
    value = 0.02 if low is None or high < low else (low + high) / 2
    answers = {"conversion": {"value": value, "low": low, "high": high}}
    assert points(answers, TRUTH)["conversion"] == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [("rule", 9), ("everybody", 4.5), ("nobody", 0), (None, 0), ("close it", 0)],
)
def test_decisions_are_graded_by_what_they_give_up(said, expected):
    assert points({"decision": said}, TRUTH)["decision"] == expected


@pytest.mark.parametrize(
    ("column", "first", "last", "expected"),
    [
        ("rows", "2026-03-08", "2026-03-21", 15),
        ("Rows ", "2026-03-08", "2026-03-14", 15),  # half of the days
        ("rows", "2026-03-02", "2026-03-29", 15),  # half of what it says
        ("rows", "2026-03-20", "2026-03-29", 7.5),
        ("rows", None, None, 7.5),
        ("interest", "2026-03-08", "2026-03-21", 0),
    ],
)
def test_faults_are_graded_by_column_and_days(column, first, last, expected):
    answers = {"fault": {"column": column, "first": first, "last": last}}
    assert points(answers, TRUTH)["fault"] == expected


def test_nothing_handed_in_is_no_error_and_no_points():
    for answers in ({}, json.loads(final_project_files.ANSWERS)):
        assert points(answers, TRUTH).sum() == 0
    assert sum(final_project.POINTS.values()) == 60
    assert np.isfinite(final_project.grade({}, TRUTH)["of"]).all()


def test_the_page_gives_the_points_that_the_script_gives():
    page = (ROOT / "chapters/appendix/final_project.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("|")]
    for item, of in final_project.POINTS.items():
        assert any(f"`{item}`" in row and f"| {of} |" in row for row in rows), item
