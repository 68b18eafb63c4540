"""`causalbook explain`: the card of the function, and one line for what cannot be explained."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from causalbook.causal_graphs import Graph
from causalbook.estimators import Log
from causalbook.project import TablePolicy, explain_recommendation
from causalbook.project.console import app

POLICY = TablePolicy({"buys Drama": [0.9, 0.1], "looks Drama": [0.2, 0.8]})


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"where": rng.choice(POLICY.contexts, 4000), "shelf": rng.integers(2, size=4000)}
    )
    frame = frame.assign(p=0.5, money=rng.normal(size=4000) + frame["shelf"])
    frame.to_csv(tmp_path / "log.csv", index=False)
    frame.to_parquet(tmp_path / "log.parquet")
    POLICY.save(tmp_path / "policy.json")
    return frame, tmp_path


def call(folder, log, *more, context="looks Drama", action="1"):
    columns = ["--context-column", "where", "--action-column", "shelf", "--reward", "money"]
    asked = ["--policy", str(folder / "policy.json"), "--context", context, "--action", action]
    return CliRunner().invoke(app, ["explain", str(folder / log), *asked, *columns, *more])


@pytest.mark.parametrize("log", ["log.csv", "log.parquet"])
def test_the_command_prints_the_card_of_the_function(files, log):
    frame, folder = files
    rounds = Log(frame["shelf"], frame["money"], frame["p"], context=frame["where"])
    graph = Graph("context -> action; context -> reward; action -> reward")
    card = explain_recommendation(rounds, POLICY, "looks Drama", 1, graph)
    told = call(folder, log, "--pscore", "p")
    assert told.exit_code == 0
    assert told.stdout.strip() == repr(card).strip()


def test_what_cannot_be_explained_is_said_in_one_line(files):
    _, folder = files
    for told, phrase in [
        (call(folder, "log.csv"), "has no column pscore: its columns are where, shelf, p, money"),
        (
            call(folder, "log.csv", "--pscore", "p", context="sells Drama"),
            "'sells Drama' is not in the log",
        ),
        (call(folder, "log.csv", "--pscore", "p", action="2"), "action 2 was never shown"),
        (call(folder, "lost.csv", "--pscore", "p"), "lost.csv"),
    ]:
        assert told.exit_code == 2
        assert phrase in told.stderr
        assert len(told.stderr.strip().splitlines()) == 1


def test_contexts_that_are_numbers_and_users_with_several_rows(files):
    frame, folder = files
    TablePolicy({"3": [0.5, 0.5], "7": [0.2, 0.8]}).save(folder / "policy.json")
    twice = frame.assign(where=np.where(frame["where"] == "looks Drama", 7, 3), user=frame.index)
    twice = twice.loc[twice.index.repeat(2)]
    twice.to_csv(folder / "log.csv", index=False, sep=";")
    told = call(folder, "log.csv", "--pscore", "p", "--cluster", "user", context="7")
    assert told.exit_code == 0
    columns = (twice["shelf"], twice["money"], twice["p"])
    log = Log(*columns, context=twice["where"].astype(str), cluster=twice["user"])
    policy = TablePolicy.load(folder / "policy.json")
    graph = Graph("context -> action; context -> reward; action -> reward")
    card = explain_recommendation(log, policy, "7", 1, graph)
    assert told.stdout.strip() == repr(card).strip()
