"""The service: what it answers, what it refuses, what it writes before, and where it goes on."""

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from fastapi.testclient import TestClient

from causalbook.case_study import funnel_shop
from causalbook.project import (
    RequestLog,
    TablePolicy,
    Warehouse,
    arm_of,
    create_app,
    draw_action,
    read_requests,
    shop_context,
)
from causalbook.project import request_log as log_module

ROOT = Path(__file__).resolve().parents[2]
SERVE = "from causalbook.project.console import main; main()"
A = TablePolicy({"buys Drama": [0.1, 0.2, 0.3, 0.2, 0.1, 0.1], "compares Horror": [1 / 6] * 6})
B = TablePolicy({"buys Drama": [0.5, 0.1, 0.1, 0.1, 0.1, 0.1], "compares Horror": [1 / 6] * 6})
ASK = {"user": 7, "context": "buys Drama"}


@pytest.fixture
def log(tmp_path):
    opened = RequestLog(tmp_path / "served")
    yield opened
    opened.close()


@pytest.fixture
def client(log):
    return TestClient(create_app([A, B], log, experiment="slot", share=0.3, items=range(6)))


def metric(client, name):
    (line,) = [x for x in client.get("/metrics").text.splitlines() if x.startswith(name + " ")]
    return float(line.split()[-1])


def test_an_answer_is_the_line_that_was_written_before_it(client, log):
    for user in range(100):
        answer = client.post("/recommend", json=ASK | {"user": user}).json()
        *_, line = log.lines()
        assert answer == {name: line[name] for name in answer}
        assert set(answer) == {"impression", "action", "item", "policy", "pscore"}
        policy = (A, B)[arm_of("slot", user, 0.3)]
        assert line["policy"] == policy.version
        assert line["arm"] == arm_of("slot", user, 0.3)
        assert line["pscore"] == policy.probabilities["buys Drama"][line["action"]]
        assert line["item"] == line["action"]
        p = policy.probabilities["buys Drama"]
        assert line["action"] == draw_action(log.salt, line["impression"], p)


def test_a_query_is_read_as_the_shop_reads_it(log):
    visits = funnel_shop(100, seed=5).data
    contexts = shop_context(visits)
    policy = TablePolicy({str(x): [1 / 6] * 6 for x in set(contexts)})
    client = TestClient(create_app([policy], log))
    for query in visits["query"]:
        assert client.post("/recommend", json={"user": 1, "query": query}).status_code == 200
    assert [line["context"] for line in log.lines()] == list(contexts)
    assert all("experiment" not in line for line in log.lines())


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"context": "buys Drama"}, "user: Field required"),
        (ASK | {"user": -1}, "user: Input should be greater than or equal to 0"),
        (ASK | {"user": 2**63}, "user: Input should be less than"),
        (ASK | {"user": "7"}, "user: Input should be a valid integer"),
        (ASK | {"user": True}, "user: Input should be a valid integer"),
        (ASK | {"age": 3}, "age: Extra inputs are not permitted"),
        ({"user": 7}, "context, query: send one of the two"),
        (ASK | {"query": "buy a drama now"}, "context, query: send one of the two"),
        (ASK | {"context": "sells Drama"}, "context: 'sells Drama' is unknown to the policy"),
        ({"user": 7, "query": "weather"}, "query names no genre, or several"),
        ({"user": 7, "query": "a" * 501}, "query: String should have at most 500 characters"),
        ([], "body: Input should be a valid dictionary"),
    ],
)
def test_bad_requests_get_422_with_the_reason_and_leave_no_line(client, log, body, reason):
    answer = client.post("/recommend", json=body)
    assert answer.status_code == 422
    assert answer.json()["reason"].startswith(reason)
    assert not list(log.lines())


def test_what_is_no_json_gets_422(client, log):
    for content in (b"{nope", b"", b"\xff\xfe"):
        answer = client.post(
            "/recommend", content=content, headers={"content-type": "application/json"}
        )
        assert answer.status_code in (400, 422)
        assert answer.json()["reason"]
    assert client.get("/recommend").status_code == 405
    assert client.get("/nowhere").json() == {"reason": "Not Found"}
    assert not list(log.lines())


def test_feedback_is_stored_once_and_never_changed(client, log):
    name = client.post("/recommend", json=ASK).json()["impression"]
    said = {"impression": name, "kind": "purchase", "value": 12.5}
    first, second = (client.post("/feedback", json=said).json() for _ in range(2))
    assert (first["stored"], second["stored"]) == (True, False)
    assert client.post("/feedback", json=said | {"value": 13}).status_code == 409
    assert client.post("/feedback", json=said | {"outcome": "second order"}).json()["stored"]
    assert [line["value"] for line in log.lines() if "outcome" in line] == [12.5, 12.5]
    for wrong, reason in [
        ({"impression": "0-0123456789abcdef"}, "impression: '0-0123456789abcdef' was never given"),
        ({"kind": "sneeze"}, "kind: Input should be 'view', 'cart' or 'purchase'"),
        ({"value": -1}, "value: Input should be greater than or equal to 0"),
    ]:
        answer = client.post("/feedback", json=said | wrong)
        assert answer.status_code == 422
        assert answer.json()["reason"].startswith(reason)
    nan = json.dumps(said).replace("12.5", "NaN").encode()
    head = {"content-type": "application/json"}
    assert client.post("/feedback", content=nan, headers=head).status_code == 422


def test_without_its_line_no_answer_leaves(client, log, monkeypatch):
    client.post("/recommend", json=ASK)
    real = log_module.os.write
    monkeypatch.setattr(log_module.os, "write", lambda file, text: real(file, text[:5]))
    answer = client.post("/recommend", json=ASK)
    assert answer.status_code == 503
    assert answer.json()["reason"].startswith("the log cannot be written, so no answer")
    monkeypatch.undo()
    assert len(list(log.lines())) == 1
    assert client.post("/recommend", json=ASK).status_code == 200
    assert len(list(log.lines())) == 2


def test_a_restart_goes_on_where_the_log_ends(tmp_path):
    answers, told = [], {}
    for _ in range(2):
        log = RequestLog(tmp_path)
        client = TestClient(create_app([A], log))
        before = metric(client, 'causalbook_evidence{monitor="draws"}')
        assert before == told.get("evidence", before)  # counts are read back from the log
        answers += [client.post("/recommend", json=ASK | {"user": u}).json() for u in range(50)]
        said = {"impression": answers[0]["impression"], "kind": "view"}
        told["stored"] = client.post("/feedback", json=said).json()["stored"]
        told["evidence"] = metric(client, 'causalbook_evidence{monitor="draws"}')
        log.close()
    assert told["stored"] is False  # the first life stored it
    lines = read_requests(tmp_path)
    assert lines["impressions"]["impression"].tolist() == [a["impression"] for a in answers]
    assert len(lines["outcomes"]) == 1


def test_health_and_metrics(client):
    told = client.get("/health").json()
    assert told == {"status": "ok", "policies": [A.version, B.version], "experiment": "slot"}
    assert np.isnan(metric(client, "causalbook_effective_share"))
    for user in range(40):
        client.post("/recommend", json=ASK | {"user": user})
    client.post("/recommend", json={})
    arm_1 = sum(arm_of("slot", user, 0.3) for user in range(40))
    assert metric(client, f'causalbook_impressions_total{{policy="{B.version}"}}') == arm_1
    assert metric(client, 'causalbook_refused_total{status="422"}') == 1
    assert metric(client, "causalbook_answer_seconds_count") == 40
    assert 0 < metric(client, "causalbook_effective_share") < 1


def test_refusals_at_the_start(log):
    with pytest.raises(ValueError, match="policies are 2, experiment is ''"):
        create_app([A, B], log)
    with pytest.raises(ValueError, match="policies are 1, experiment is 'slot'"):
        create_app([A], log, experiment="slot")
    with pytest.raises(ValueError, match="items are 2: pass one for each of 6"):
        create_app([A], log, items=[1, 2])


def test_the_alarm_rules_speak_of_metrics_that_are_there(client):
    """Each name in deploy/alerts.yml is exported, and the bar is the one of the monitors."""
    rules = yaml.safe_load((ROOT / "deploy/alerts.yml").read_text())["groups"][0]["rules"]
    exported = set(re.findall(r"^# TYPE (\w+)", client.get("/metrics").text, flags=re.M))
    exported |= {f"{name}_bucket" for name in exported}
    for rule in rules:
        named = set(re.findall(r"causalbook_\w+", rule["expr"]))
        assert named <= exported, rule["alert"]
        assert rule["annotations"]["summary"]
    bars = [rule["expr"] for rule in rules if "causalbook_evidence" in rule["expr"]]
    assert len(bars) == 3
    assert all(float(expr.split(">")[1]) == round(np.log(1000), 1) for expr in bars)


def test_the_container_is_pinned_and_runs_as_nobody_special():
    lines = (ROOT / "deploy/Containerfile").read_text().splitlines()
    words = [line.split() for line in lines if line and not line.startswith("#")]
    base = next(line[1] for line in words if line[0] == "FROM")
    assert re.fullmatch(r"docker\.io/library/python:3\.11\.\d+-slim-\w+", base)
    assert "-c constraints.txt" in "\n".join(lines)
    (user,) = [line[1] for line in words if line[0] == "USER"]
    assert user not in ("root", "0")
    (start,) = [line for line in lines if line.startswith("ENTRYPOINT ")]
    assert json.loads(start.partition(" ")[2])[:2] == ["causalbook", "serve"]


# A real server, really killed.


def start(folder, port, policy, *more):
    command = [sys.executable, "-c", SERVE, "serve", "--policy", policy]
    command += ["--log", folder, "--port", str(port), *more]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def bench():
    """The script benchmarks/service.py, whose client is quick and simple."""
    spec = spec_from_file_location("service_bench", ROOT / "benchmarks" / "service.py")
    script = module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def keep_asking(connection, user, received):
    """Ask until the server is gone; keep what came back whole."""
    try:
        while True:
            status, answer = connection.ask("/recommend", json.dumps(ASK | {"user": user}).encode())
            assert status == 200
            received.append(json.loads(answer))
            user += 1
    except OSError:
        pass
    finally:
        connection.socket.close()


@pytest.mark.xdist_group("servers")
def test_killed_under_load_no_impression_is_lost_and_none_doubled(tmp_path, bench):
    """Two lives of one log: four clients ask, SIGKILL falls at any moment, it starts again."""
    A.save(tmp_path / "policy.json")
    received, port, rng = [], free_port(), np.random.default_rng(2)
    folder = tmp_path / "served"
    for life in range(2):
        server = start(folder, port, tmp_path / "policy.json")
        clients = [
            threading.Thread(
                target=keep_asking,
                args=(bench.Connection(port), 10_000 * (4 * life + i), received),
            )
            for i in range(4)
        ]
        for client in clients:
            client.start()
        while len(received) < 300 * (life + 1) and server.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.05))
        server.kill()
        assert server.wait() == -signal.SIGKILL  # it was alive until then
        for client in clients:
            client.join()
    table = read_requests(folder)["impressions"].set_index("impression")
    assert table.index.is_unique
    assert len(table) - len(received) <= 2 * 4  # written, and the answer died on its way
    answered = table.loc[[answer["impression"] for answer in received]]
    for name in ("action", "item", "policy", "pscore"):
        assert answered[name].tolist() == [answer[name] for answer in received]


@pytest.mark.xdist_group("servers")
def test_a_log_goes_into_the_warehouse_and_comes_out_as_an_estimate(tmp_path):
    log = RequestLog(tmp_path / "served")
    client = TestClient(create_app([A, B], log, experiment="slot"))
    rng = np.random.default_rng(6)
    for user in range(400):
        name = client.post("/recommend", json=ASK | {"user": user}).json()["impression"]
        if rng.random() < 0.3:
            client.post("/feedback", json={"impression": name, "kind": "purchase", "value": 5.0})
    log.close()
    tables = read_requests(tmp_path / "served")
    users = {"user": range(400), "first_seen": tables["impressions"]["at"].min()}
    users |= {"region": "unknown", "past": 0.0}
    with Warehouse() as w:
        w.ingest("users", pd.DataFrame(users))
        for _ in range(2):  # twice: nothing is doubled
            receipts = {name: w.ingest(name, frame) for name, frame in tables.items()}
            assert sum(r.quarantined for r in receipts.values()) == 0
        assert receipts["impressions"].duplicates == 400
        rounds = w.read(w.rounds(kind="purchase", window=7))
    shown, came = tables["impressions"], tables["outcomes"]
    assert len(rounds) == 400
    assert rounds["reward"].sum() == len(came)
    paid = shown["impression"].isin(came["impression"])
    by_hand = (A.of(shown["context"])[range(400), shown["action"]] / shown["pscore"] * paid).mean()
    weights = A.of(rounds["context"])[range(400), rounds["action"]] / rounds["pscore"]
    assert (weights * rounds["reward"]).mean() == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.xdist_group("servers")
def test_an_answer_costs_at_most_three_empty_ones(bench):
    """The tail of /recommend against that of an empty endpoint, both in one run."""
    told = bench.measure(2.0)
    assert told["/recommend"]["p95"] <= 3 * told["/empty"]["p95"]
