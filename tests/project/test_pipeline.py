"""A run from an empty folder to a report: the same bytes however often it is killed."""

import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from typer.testing import CliRunner

from causalbook.case_study import funnel_shop
from causalbook.project import (
    Pipeline,
    RunConfig,
    TablePolicy,
    Warehouse,
    check_log,
    estimate_effect,
    identify_effect,
    reward_rounds,
    shop_context,
    simulate_log,
)
from causalbook.project.console import app
from causalbook.project.contents import get_json

SMALL = RunConfig(users=5000, effect=0.25, seed=3)
OTHER = {"run.log", "warehouse.duckdb", "warehouse.duckdb.wal"}  # times, and the engine's own pages


def contents(folder):
    """The bytes of every file that a run promises to repeat."""
    files = (p for p in folder.rglob("*") if p.is_file() and p.name not in OTHER)
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A folder with an uninterrupted run in it."""
    folder = tmp_path_factory.mktemp("run")
    Pipeline(folder, SMALL).run()
    return folder


def test_a_run_leaves_its_decision_its_policy_and_its_report(done):
    decision = get_json(done / "decision.json")
    assert decision["decision"] in ("ship", "keep")
    policy = TablePolicy.load(done / "policy.json")
    assert [decision["policy"][0], policy.version] == decision["policy"]
    assert policy.table.min() >= SMALL.keep / 6 - 1e-12  # the next log can be evaluated too
    assert not list(done.rglob("*.part"))


def test_the_analysis_has_an_effect_an_interval_a_balance_and_values(done):
    """S0-107 and S3-047: what has to be there, instead of printed predictions."""
    effect, offline = get_json(done / "effect.json"), get_json(done / "offline.json")
    ate = effect["ATE"]
    assert ate["low"] < ate["value"] < ate["high"]
    assert ate["high"] - ate["value"] == pytest.approx(1.959964 * ate["se"], rel=1e-6)
    balance = pd.DataFrame(effect["balance"]).set_index("before the slot")
    assert balance["weighted"].abs().max() < 0.25 < balance["as logged"].abs().max()
    for values in offline["values"].values():
        assert list(values) == ["IPS", "SNIPS", "DR"]


class Killed(BaseException):
    """What no `except` of the package may catch, as no process catches SIGKILL."""


def test_killed_at_any_write_and_run_again_it_leaves_the_same_bytes(done, tmp_path, monkeypatch):
    """Die before a file gets its name or rows go into the warehouse, again and again."""
    alive = 0  # how many more writes the process lives for

    def mortal(write):
        def wrapped(*args, **kwargs):
            nonlocal alive
            alive -= 1
            if alive < 0:
                raise Killed
            return write(*args, **kwargs)

        return wrapped

    monkeypatch.setattr(Path, "replace", mortal(Path.replace))
    monkeypatch.setattr(Warehouse, "ingest", mortal(Warehouse.ingest))
    folder, deaths = tmp_path / "run", 0
    while not (folder / "report.html").exists():
        alive = 4 + deaths % 5  # at most 8: no step writes more often than that
        try:
            Pipeline(folder, SMALL).run()
        except Killed:
            deaths += 1
    Pipeline(folder, SMALL).run()
    assert deaths > 5
    assert contents(folder) == contents(done)


def test_a_process_that_is_killed_leaves_nothing_to_mend(done, tmp_path):
    """SIGKILL while the test's visitors go into the warehouse, then to the end."""
    (tmp_path / "run.toml").write_text(SMALL.to_toml(), encoding="utf-8")
    command = [sys.executable, "-m", "causalbook.project", "run", str(tmp_path / "run")]
    command += ["--config", str(tmp_path / "run.toml")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    log, until = tmp_path / "run" / "run.log", time.monotonic() + 60
    while time.monotonic() < until and not (log.exists() and "choose: done" in log.read_text()):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    Pipeline(tmp_path / "run", SMALL).run()
    assert contents(tmp_path / "run") == contents(done)


def test_what_is_done_is_not_done_again_and_what_is_gone_is_made_again(done, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(done, folder)
    before = {p: p.stat().st_mtime_ns for p in folder.iterdir() if p.name not in OTHER}
    Pipeline(folder, SMALL).run()
    assert {p: p.stat().st_mtime_ns for p in before} == before
    (folder / "offline.json").unlink()
    (folder / "policy.json").write_text("{}", encoding="utf-8")
    Pipeline(folder, SMALL).run()
    log = (folder / "run.log").read_text().splitlines()[-12:]
    again = {line.split()[1].rstrip(":") for line in log if "done in" in line}
    assert again == {"evaluate", "choose"}
    assert contents(folder) == contents(done)


def test_a_lost_warehouse_is_filled_again(done, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(done, folder)
    (folder / "warehouse.duckdb").unlink()
    Pipeline(folder, SMALL).run()
    assert contents(folder) == contents(done)
    with Warehouse(folder / "warehouse.duckdb") as w:
        assert w.read(w.table("impressions").count().as_table()).iloc[0, 0] > SMALL.users


def test_another_seed_is_another_log(done):
    same, other = simulate_log(SMALL), simulate_log(replace(SMALL, seed=4))
    stored = pd.read_parquet(done / "log" / "outcomes.parquet")
    assert same["outcomes"].reset_index(drop=True).equals(stored)
    assert not other["impressions"]["action"].equals(same["impressions"]["action"])


def test_each_user_of_the_log_gets_k_items_of_the_shelf_with_the_largest_effect(done):
    """S0-203, S2-206: lists are made, ranked by estimated effect, and kept."""
    lists = pd.read_parquet(done / "recommendations.parquet")
    learned = get_json(done / "learned.json")
    log = pd.read_parquet(done / "log" / "impressions.parquet").set_index("user")
    items = pd.read_parquet(done / "log" / "items.parquet").set_index("item")
    mine = lists[lists["user"] < SMALL.users]
    assert mine["user"].nunique() == len(log)
    assert (mine.groupby("user").size() == SMALL.items).all()
    assert (mine.groupby("user")["rank"].apply(list).map(tuple) == (1, 2, 3)).all()
    assert (mine["shelf"].to_numpy() == items.loc[mine["item"], "category"].to_numpy()).all()
    profit = np.array(learned["profit"])
    best = dict(zip(learned["contexts"], (profit[:, 1:] - profit[:, :1]).max(axis=1), strict=True))
    gains = log.loc[mine["user"], "context"].map(best)
    assert np.allclose(mine["gain"], gains, atol=1e-8)


def test_offline_values_and_effect_are_near_the_truth_of_the_same_visitors(done):
    world = funnel_shop(SMALL.users, seed=SMALL.seed)
    value = world.potential[[f"value_{k}" for k in range(6)]].to_numpy()
    profit = SMALL.margin * value - SMALL.cost * (np.arange(6) > 0)
    offline, context = get_json(done / "offline.json"), shop_context(world.data)
    for name, found in offline["values"].items():
        pi = TablePolicy.load(done / f"{name}.json").of(context)
        truth = (pi * profit).sum(axis=1).mean()
        assert all(abs(e["value"] - truth) < 4.5 * e["se"] for e in found.values())
    learned = get_json(done / "learned.json")
    favourite = 1 + np.array(learned["bought"])[:, 1:].argmax(axis=1)
    k = pd.Series(favourite, index=learned["contexts"])[context].to_numpy()
    truth = (profit[np.arange(len(k)), k] - profit[:, 0]).mean()
    ate = get_json(done / "effect.json")["ATE"]
    assert abs(ate["value"] - truth) < 4.5 * ate["se"]


def test_nothing_is_estimated_before_it_is_identified(done):
    """S3-048: a few calls do not complete causal inference if none of them identifies."""
    with pytest.raises(ValueError, match="identify_effect"):
        estimate_effect(None, None, None, None)
    unknown = replace(SMALL, graph=SMALL.graph + "; visitor -> shown")
    with pytest.raises(ValueError, match="does not follow from what is observed"):
        identify_effect(unknown)
    unlogged = replace(SMALL, latent=("visitor", "pscore"))
    with pytest.raises(ValueError, match="graph"):
        identify_effect(unlogged)
    other = replace(SMALL, graph="context -> shown; context -> profit; shown -> profit", latent=())
    with pytest.raises(ValueError, match="does not close the back doors"):
        identify_effect(other)
    assert identify_effect(SMALL).sets == [frozenset({"pscore"})]


def test_a_log_without_exploration_is_refused_before_anything_is_evaluated(tmp_path):
    config = replace(SMALL, exploration=0.0)
    with pytest.raises(ValueError, match="some visits could never get it"):
        Pipeline(tmp_path / "run", config).run()
    assert not (tmp_path / "run" / "offline.json").exists()


def test_a_log_with_many_spoilt_rows_or_one_action_is_refused():
    with Warehouse() as w:
        tables = simulate_log(SMALL)
        with pytest.raises(ValueError, match=r"2\.0% of the rows were set aside"):
            check_log(w, reward_rounds(w, SMALL), 0.02)
        shown = tables["impressions"]
        tables["impressions"] = shown[shown["action"] == 0]
        for name in ("users", "items", "impressions"):
            w.ingest(name, tables[name])
        w.ingest("outcomes", tables["outcomes"])
        with pytest.raises(ValueError, match=r"with 1 action\(s\)"):
            check_log(w, reward_rounds(w, SMALL), 0.0)


def close(one, two):
    """Whether two nests of numbers and text agree, numbers to what adding in any order leaves."""
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(close(one[k], two[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(two) and all(map(close, one, two))
    return one == (pytest.approx(two, rel=1e-7) if isinstance(two, float) else two)


@pytest.mark.xdist_group("servers")
def test_the_same_run_on_a_postgresql_server_decides_the_same(done, tmp_path, postgres_url):
    Pipeline(tmp_path / "run", SMALL, url=postgres_url).run()
    for name in ("check.json", "learned.json", "effect.json", "offline.json", "decision.json"):
        assert close(get_json(tmp_path / "run" / name), get_json(done / name)), name
    assert (tmp_path / "run" / "policy.json").read_bytes() == (done / "policy.json").read_bytes()
    assert not (tmp_path / "run" / "warehouse.duckdb").exists()


@pytest.fixture
def theirs(done, tmp_path):
    """A warehouse of somebody's own, with a log and a test, and a way to spoil it."""
    path = tmp_path / "theirs.duckdb"
    shutil.copy(done / "warehouse.duckdb", path)

    def spoilt(statement):
        with duckdb.connect(str(path)) as connection:
            connection.execute(statement)
        return str(path)

    return spoilt


def test_a_test_with_a_sample_ratio_mismatch_decides_nothing(theirs, tmp_path):
    url = theirs('DELETE FROM experiments WHERE arm = 1 AND hash("user") % 3 = 0')
    (tmp_path / "run.toml").write_text(SMALL.to_toml(), encoding="utf-8")
    told = ["run", str(tmp_path / "run"), "--config", str(tmp_path / "run.toml"), "--url", url]
    ended = CliRunner().invoke(app, [*told, "--connect"])
    assert ended.exit_code == 3, ended.output
    assert "undecided: the arms have" in ended.stdout
    report = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "Decide nothing yet" in report
    assert "visits" not in report.split("<h2>")[0]  # no sum of money from a broken test


def test_a_warehouse_without_a_test_gets_a_plan_and_nothing_written(theirs, tmp_path):
    url = theirs("DELETE FROM experiments")
    before = (tmp_path / "theirs.duckdb").read_bytes()
    decision = Pipeline(tmp_path / "run", SMALL, url=url, connect=True).run()
    assert decision["decision"] == "test"
    assert "no user is in an experiment" in decision["why"]
    assert (tmp_path / "theirs.duckdb").read_bytes() == before


def test_a_test_of_another_policy_is_reported_as_of_that_policy(theirs, tmp_path):
    url = theirs("""UPDATE impressions SET policy = 'another' WHERE "user" IN
        (SELECT "user" FROM experiments WHERE arm = 1)""")
    decision = Pipeline(tmp_path / "run", SMALL, url=url, connect=True).run()
    assert decision["policy"] == ["arm 1", "another"]
    chosen = TablePolicy.load(tmp_path / "run" / "policy.json").version
    assert f"it tested another, and policy.json is {chosen}, not tested yet" in decision["why"]
    assert "“arm 1” (another)" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_what_came_into_the_warehouse_since_is_read_by_the_same_folder(done, theirs, tmp_path):
    """New outcomes of old impressions: no count that `check` reports changes, every value does."""
    url, folder = theirs("SELECT 1"), tmp_path / "run"
    first = Pipeline(folder, replace(SMALL, level=0.8), url=url, connect=True).run()
    gain = get_json(done / "decision.json")["gain"]
    assert first["gain"]["value"] == pytest.approx(gain["value"], rel=1e-7)
    half = (gain["high"] - gain["value"]) / (first["gain"]["high"] - first["gain"]["value"])
    student = stats.t(gain["dof"])  # the declared level, in the files and on the page
    assert half == pytest.approx(student.ppf(0.975) / student.ppf(0.9), rel=1e-6)
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert "(80% interval" in report
    assert "95%" not in report
    theirs("""INSERT INTO outcomes SELECT 'late-' || impression, impression, "at", 'purchase', 50.0
        FROM impressions WHERE action = 0""")
    Pipeline(folder, replace(SMALL, level=0.8), url=url, connect=True).run()
    again = Pipeline(tmp_path / "new", replace(SMALL, level=0.8), url=url, connect=True).run()
    assert again["gain"] != first["gain"]
    assert contents(folder) == contents(tmp_path / "new")


def test_the_simulated_shop_is_not_written_into_a_warehouse_in_use(theirs, tmp_path):
    url = theirs("UPDATE impressions SET policy = 'theirs' WHERE action = 0")
    with pytest.raises(ValueError, match=r"holds impressions of policy .*theirs"):
        Pipeline(tmp_path / "run", SMALL, url=url).run()


class Page(HTMLParser):
    """What a page asks for, and what it shows."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.asked, self.labels = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        own = dict(attrs)
        self.asked += [own[k] for k in ("src", "href", "xlink:href", "data") if k in own]
        if tag == "svg":
            self.labels.append(own.get("aria-label", ""))


def test_the_report_stands_alone_and_says_what_was_decided(done):
    text = (done / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert all(link.startswith("#") for link in page.asked)
    assert not re.search(r"url\((?!#)|@import|<script|<link", text)
    assert page.tags.count("h1") == page.tags.count("main") == 1
    assert page.tags.count("svg") == 3
    assert all(len(label) > 20 for label in page.labels)
    assert "prefers-color-scheme: dark" in text
    assert text.count('<th scope="col">') == text.count("<th") - text.count("<thead")
    gain = get_json(done / "decision.json")["gain"]
    assert f"{100 * gain['value']:.2f} cents a visit" in text


def refusal(*args):
    ended = CliRunner().invoke(app, ["run", *map(str, args)])
    assert ended.exit_code == 2, ended.output
    assert ended.stderr.count("\n") == 1
    return ended.stderr


def test_bad_input_ends_with_one_line_and_exit_code_2(done, tmp_path):
    (tmp_path / "holiday.jpg").write_text("")
    assert "holds holiday.jpg and no run" in refusal(tmp_path)
    assert "is a file: pass a folder" in refusal(tmp_path / "holiday.jpg")
    assert "holds another run (" in refusal(done, "--seed", 9)
    assert "users is 10" in refusal(tmp_path / "new", "--users", 10)
    assert "connect needs url" in refusal(tmp_path / "new", "--connect")
    assert "connect needs url" in refusal(tmp_path / "new", "--connect", "--url", "")
    absent = tmp_path / "none.duckdb"
    assert "there is no" in refusal(tmp_path / "new", "--connect", "--url", absent)
    assert not absent.exists()
    assert "No such file" in refusal(tmp_path / "new", "--config", tmp_path / "none.toml")
    assert not (tmp_path / "new").exists()


def test_an_interrupted_run_says_how_to_go_on(tmp_path, monkeypatch):
    def interrupted(self, *, progress):
        raise KeyboardInterrupt

    monkeypatch.setattr(Pipeline, "run", interrupted)
    ended = CliRunner().invoke(app, ["run", str(tmp_path / "run")])
    assert ended.exit_code == 130
    assert "run it again" in ended.stderr


def test_a_server_that_does_not_answer_is_named_without_its_password(tmp_path):
    url = "postgresql://me:secret-word@127.0.0.1:1/shop"
    said = refusal(tmp_path / "new", "--users", 5000, "--url", url)
    assert "127.0.0.1" in said
    assert "secret-word" not in said + (tmp_path / "new" / "run.log").read_text()
    assert "secret-word" not in (tmp_path / "new" / "run.json").read_text()


def test_help_tells_the_steps_the_exit_codes_and_an_example():
    told = CliRunner().invoke(app, ["run", "--help"]).stdout
    for word in ("Example:", "Exit codes:", "report.html", "--connect", "identify", "again"):
        assert word in told
    example = CliRunner().invoke(app, ["run", "--example"])
    assert example.stdout == RunConfig().to_toml()
