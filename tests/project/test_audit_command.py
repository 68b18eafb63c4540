"""The command `causalbook audit`: files in, text and a page out, one line for all that is wrong."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from causalbook import datasets
from causalbook.project import TablePolicy, audit_log
from causalbook.project.console import app


def small(n=400):
    rng = np.random.default_rng(1935)
    x, a = rng.integers(2, size=n), rng.integers(3, size=n)
    return pd.DataFrame({"x": x, "a": a, "r": rng.normal(size=n) + a * x, "p": 1 / 3})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    small().to_csv(tmp_path / "log.csv", index=False)
    small().to_parquet(tmp_path / "log.parquet")
    (tmp_path / "note.txt").write_text("no log")
    (tmp_path / "torn.parquet").write_text("no parquet")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "torn.json").write_text("{")
    TablePolicy({"0": [1, 0, 0], "1": [0, 0, 1]}).save(tmp_path / "policy.json")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def audit(*words):
    return CliRunner().invoke(app, ["audit", *" ".join(words).split()])


FLAGS = "--action a --reward r --pscore p --context x"


def test_csv_and_parquet_give_what_the_function_gives(folder):
    policy = TablePolicy.load(folder / "policy.json")
    names = {"action": "a", "reward": "r", "pscore": "p", "context": ["x"]}
    expected = audit_log(small(), target=policy, title="log.csv", **names)
    for name in ("log.csv", "log.parquet"):
        ran = audit(name, FLAGS, "--target policy.json --html page.html")
        assert ran.exit_code == 0
        assert ran.stdout == expected.text().replace("log.csv", name)
        assert ran.stderr == ""
        page = (folder / "page.html").read_text("utf-8")
        assert page == expected.html().replace("log.csv", name)


def test_open_bandit_as_a_file(folder):
    """The real log as its owner would hold it; the uniform choice rests on few of its clicks."""
    frame = datasets.load("open_bandit")
    log = frame[(frame["campaign"] == "all") & (frame["policy"] != "random")]
    log.to_csv(folder / "bandit.csv", index=False)
    ran = audit(
        "bandit.csv --action item_id --reward click --pscore propensity_score",
        "--context position --time timestamp",
    )
    assert ran.exit_code == 3
    assert "WHAT WOULD ANOTHER POLICY HAVE EARNED?  [NO]" in ran.stdout
    assert "rests on 7.3 effective" in ran.stdout
    assert "ok     propensities" in ran.stdout
    assert "FAILED interval" in ran.stdout
    assert "the uniform choice, " not in ran.stdout
    assert "7.0 days, 2019-11-24 to 2019-11-30" in ran.stdout
    assert "--cluster" in ran.stdout


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators_give_the_same(folder, separator):
    small().to_csv(folder / "other.csv", index=False, sep=separator)
    expected = audit("log.csv --action a --reward r --context x").stdout
    found = audit("other.csv --action a --reward r --context x").stdout
    assert found == expected.replace("log.csv", "other.csv")


def test_a_header_with_two_columns_of_a_name_is_refused(folder):
    lines = small().assign(r2=1.0).to_csv(index=False).replace("x,a,r,p,r2", "x,a,r,p,r")
    (folder / "double.csv").write_text(lines)
    ran = audit("double.csv", FLAGS)
    assert ran.exit_code == 2
    assert "--reward is the name of 2 columns of the log, 'r'" in ran.stderr


def test_several_contexts_are_joined_by_a_comma_and_a_blank(folder):
    small().assign(page=1).to_csv(folder / "two.csv", index=False)
    TablePolicy({"0, 1": [1, 0, 0], "1, 1": [0, 0, 1]}).save(folder / "two.json")
    flags = "--action a --reward r --pscore p --context x,page --target two.json"
    assert audit("two.csv", flags).exit_code == 0


def test_an_experiment_with_a_mismatch_ends_with_3(folder):
    rng = np.random.default_rng(1)
    arm = np.repeat(["old", "new"], [600, 450])
    frame = pd.DataFrame({"arm": arm, "y": rng.normal(size=1050)})
    frame.to_csv(folder / "test.csv", index=False)
    ran = audit("test.csv --arm arm --outcome y --share old=0.5,new=0.5")
    assert ran.exit_code == 3
    assert "new less old" not in ran.stdout
    frame[150:].to_csv(folder / "test.csv", index=False)
    ran = audit("test.csv --arm arm --outcome y --share old=0.5,new=0.5")
    assert ran.exit_code == 0
    assert "new less old" in ran.stdout


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("none.csv", "LOG is no file: none.csv; pass a .csv or .parquet file"),
        (". " + FLAGS, "LOG is no file: ."),
        ("note.txt " + FLAGS, "LOG is note.txt: pass a .csv or .parquet file"),
        ("torn.parquet " + FLAGS, "LOG torn.parquet cannot be read as parquet"),
        ("empty.csv " + FLAGS, "LOG empty.csv cannot be read as csv: No columns"),
        ("log.csv", "--reward is missing: name at least --action and --reward"),
        ("log.csv --action a --reward zz", "--reward is no column of the log: 'zz'"),
        ("log.csv --action a --reward r --context x,q", "--context is no column of the log: 'q'"),
        ("log.csv --action a --reward r --context r", "--context has 400 different values"),
        ("log.csv --action a --reward r --pscore r", "--pscore ('r') is 0 or negative in"),
        ("log.csv --action a --reward r --pscore a", "--pscore ('a') is 0 or negative in"),
        ("log.csv --action r --reward r --treatment a --outcome r", "--treatment ('a') is neither"),
        ("log.csv " + FLAGS + " --target no.json", "--target cannot be read: [Errno 2]"),
        ("log.csv " + FLAGS + " --target torn.json", "--target cannot be read: Expecting"),
        ("log.csv " + FLAGS + " --target good", "--target is 'good': pass uniform, best"),
        ("log.csv --arm x --outcome r", "--share is missing"),
        ("log.csv --reward r --outcome r", "--treatment is missing: --outcome is that of"),
        ("log.csv --reward r --share 0=.5,1=.5", "--arm is missing: --share needs"),
        ("log.csv --arm x --outcome r --share half", "--share is 'half': write it as"),
        ("log.csv --arm x --outcome r --share 0=.5,2=.5", "--share names the arms 0, 2, the log"),
        ("log.csv --arm x --outcome r --share 0=.5,1=.7", "--share: shares sum to 1.2"),
        ("log.csv " + FLAGS + " --html log.csv", "--html is log.csv: end it in .html"),
        ("log.csv " + FLAGS + " --html no/page.html", "No such file or directory"),
    ],
)
def test_bad_input_ends_with_one_line_and_2(folder, words, line):
    ran = audit(words)
    assert ran.exit_code == 2
    assert ran.stdout == ""
    assert line in ran.stderr
    assert ran.stderr.startswith("causalbook: ")
    assert ran.stderr.count("\n") == 1
    assert (folder / "log.csv").read_text("utf-8") == small().to_csv(index=False)


def test_help_has_every_flag_and_an_example():
    text = CliRunner().invoke(app, ["audit", "--help"]).stdout
    assert "Example: causalbook audit log.csv --action item" in text
    flags = "action reward pscore context cluster target treatment outcome arm share time html"
    for flag in flags.split():
        assert f"--{flag}" in text
