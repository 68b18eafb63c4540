"""A budget: it adds up over runs, refuses what is not left, and is written before the answer."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from causalbook.project import Budget, release_effect
from causalbook.project.console import app

FLAGS = {"treatment": "arm", "outcome": "spent", "low": 0.0, "high": 30.0}


@pytest.fixture
def log(tmp_path):
    rng = np.random.default_rng(1)
    arm = rng.integers(2, size=2_000)
    frame = pd.DataFrame({"arm": arm, "spent": np.minimum(rng.exponential(5 + arm), 60)})
    frame.to_csv(tmp_path / "users.csv", index=False)
    frame.to_parquet(tmp_path / "users.parquet")
    return tmp_path / "users.csv"


def test_losses_add_up_over_runs_and_what_is_not_left_is_refused(tmp_path):
    path = tmp_path / "spent.json"
    for k in range(10):
        assert Budget(path, 1.0).spent == pytest.approx(k / 10)
        Budget(path, 1.0).spend(0.1, "a tenth")  # ten tenths are one, in spite of rounding
    last = Budget(path, 1.0)
    with pytest.raises(ValueError, match=r"epsilon is 0\.01 and 0 of 1 are left after 10 releases"):
        last.spend(0.01, "one more")
    assert last.spent == Budget(path, 1.0).spent
    fresh = Budget(tmp_path / "other.json", 1.0)
    fresh.spend(0.3, "first")
    with pytest.raises(ValueError, match=r"epsilon is 2 and 0\.7 of 1 are left after 1 rel"):
        fresh.spend(2, "too much")


def test_two_hands_on_one_file_spend_from_one_budget(tmp_path):
    one, other = (Budget(tmp_path / "spent.json", 1.0) for _ in range(2))
    one.spend(0.8, "first")
    with pytest.raises(ValueError, match=r"epsilon is 0\.8 and 0\.2 of 1 are left"):
        other.spend(0.8, "second")
    other.spend(0.2, "third")
    assert Budget(one.path, 1.0).releases == [("first", 0.8), ("third", 0.2)]


def test_processes_that_spend_at_once_do_not_overdraw(tmp_path):
    path = tmp_path / "spent.json"
    code = (
        "import sys; from causalbook.project.budgets import Budget; budget = Budget(sys.argv[1], 1)"
        "; input()\nwhile True: budget.spend(0.01, sys.argv[2])"
    )
    command = [sys.executable, "-c", code, str(path)]
    pipe = subprocess.PIPE
    both = [subprocess.Popen([*command, k], stdin=pipe, stderr=pipe, text=True) for k in "ab"]
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in both:
        assert "0 of 1 are left after 100 releases" in process.communicate()[1]
    assert len(Budget(path, 1.0).releases) == 100


def test_noise_that_drowns_the_variance_has_been_paid_for(tmp_path):
    file = tmp_path / "few.csv"
    pd.DataFrame({"arm": [0, 1] * 3, "spent": [1.0] * 6}).to_csv(file)
    budget = Budget(tmp_path / "spent.json", 100.0)
    tries = 0

    def release_until_drowned():
        nonlocal tries
        while tries < 99:
            tries += 1
            release_effect(file, **FLAGS, epsilon=1.0, budget=budget)

    with pytest.raises(ValueError, match="noise is larger than the variance"):
        release_until_drowned()
    assert budget.spent == tries


def test_a_budget_is_set_once_and_a_damaged_one_is_refused(tmp_path):
    path = tmp_path / "spent.json"
    Budget(path, 1.0).spend(0.5, "half")
    with pytest.raises(ValueError, match=r"total is 3 and spent\.json says 1"):
        Budget(path, 3.0)
    for text in ("", "{}", '{"total": 1.0, "releases": [3]}', "[]"):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"spent\.json is no budget"):
            Budget(path, 1.0)
    for total in (0, -1, np.inf, np.nan):
        with pytest.raises(ValueError, match=f"total is {total}"):
            Budget(tmp_path / "new.json", total)
    with pytest.raises(ValueError, match="epsilon is -1"):
        Budget(tmp_path / "new.json", 1).spend(-1, "gain")


def test_a_release_is_paid_first_and_comes_from_csv_and_parquet(log, tmp_path):
    for file in (log, log.with_suffix(".parquet")):
        budget = Budget(tmp_path / f"{file.suffix}.json", 2e6)
        found = release_effect(file, **FLAGS, epsilon=1e6, budget=budget)
        frame = pd.read_csv(log)
        means = frame["spent"].clip(0, 30).groupby(frame["arm"]).mean()
        assert abs(found.value - (means[1] - means[0])) < 1e-3
        assert json.loads(budget.path.read_text())["releases"] == [["spent by arm", 1e6]]


def test_nothing_is_released_that_is_not_on_disk(log, tmp_path):
    nowhere = Budget(tmp_path / "no folder" / "spent.json", 1.0)
    with pytest.raises(FileNotFoundError):
        release_effect(log, **FLAGS, epsilon=0.5, budget=nowhere)


def test_what_is_refused_costs_nothing(log, tmp_path):
    budget = Budget(tmp_path / "spent.json", 1.0)
    with pytest.raises(ValueError, match=r"outcome is 'revenue', and users\.csv has .* arm, spent"):
        release_effect(log, **FLAGS | {"outcome": "revenue"}, epsilon=0.5, budget=budget)
    with pytest.raises(ValueError, match="epsilon is 5"):
        release_effect(log, **FLAGS, epsilon=5, budget=budget)
    assert budget.spent == 0
    assert not budget.path.exists()


def test_the_command_releases_until_the_budget_is_spent(log, tmp_path):
    flags = ["release", str(log), "--treatment", "arm", "--outcome", "spent", "--low", "0"]
    flags += ["--high", "30", "--epsilon", "0.5", "--total", "1", "--budget"]
    flags += [str(tmp_path / "spent.json")]
    told = [CliRunner().invoke(app, flags) for _ in range(3)]
    assert [answer.exit_code for answer in told] == [0, 0, 2]
    assert "difference in means, Laplace noise" in told[0].stdout
    assert "spent: 0.5 of 1" in told[0].stdout
    assert told[0].stdout != told[1].stdout
    assert told[2].stdout == ""
    assert told[2].stderr.startswith("causalbook: epsilon is 0.5 and 0 of 1 are left")
    assert told[2].stderr.count("\n") == 1
