"""The log that is written before the answer: whole lines, ids, draws, and what a kill leaves."""

import json
import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from causalbook.project import RequestLog, arm_of, draw_action, read_requests
from causalbook.project.request_log import NAME

AT = "2026-11-30T02:00:00.000001+00:00"


def shown(impression, user=7, **more):
    line = {"impression": impression, "at": AT, "user": user, "context": "buys Drama"}
    return line | {"action": 2, "item": -1, "policy": "v1", "pscore": 0.25} | more


def test_an_id_is_the_place_of_its_line(tmp_path):
    log = RequestLog(tmp_path)
    names = [log.write(shown)["impression"] for _ in range(5)]
    data = (tmp_path / NAME).read_bytes()
    for name in names:
        place = int(name.partition("-")[0], 16)
        line = data[place : data.index(b"\n", place)]
        assert json.loads(line)["impression"] == name
    log.close()


def test_only_what_was_given_out_is_known(tmp_path):
    log, other = RequestLog(tmp_path / "a"), RequestLog(tmp_path / "b")
    name = log.write(shown)["impression"]
    assert log.issued(name)
    assert not other.issued(name)  # another folder, another key
    place, _, key = name.partition("-")
    forged = [
        f"{place}-{key[:-1]}{'0' if key[-1] != '0' else '1'}",
        f"1{place}-{key}",
        name.upper(),
    ]
    for wrong in [*forged, "", "-", key, f"-{key}", f"{place}-", f"0x{place}-{key}", "é-1"]:
        assert not log.issued(wrong)
    log.close()
    assert RequestLog(tmp_path / "a").issued(name)  # the key stays with the folder


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_torn_line_is_cut_off_and_nothing_else(tmp_path, cut):
    log = RequestLog(tmp_path)
    for user in range(3):
        log.write(lambda name, user=user: shown(name, user))
    log.close()
    path = tmp_path / NAME
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    assert len(read_requests(tmp_path)["impressions"]) == 2  # a torn line is not yet a line
    again = RequestLog(tmp_path)
    lines = whole.splitlines(keepends=True)
    assert again.cut == len(lines[2]) - cut
    assert path.read_bytes() == b"".join(lines[:2])
    assert again.write(lambda name: shown(name, 2))["impression"] in lines[2].decode()
    assert path.read_bytes() == whole
    again.close()


def test_a_torn_line_longer_than_one_read_is_found(tmp_path):
    log = RequestLog(tmp_path)
    log.write(shown)
    log.close()
    with (tmp_path / NAME).open("ab") as file:
        file.write(b"x" * 10_000)
    assert RequestLog(tmp_path).cut == 10_000
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / NAME).write_bytes(b"y" * 5_000)  # no line was ever whole
    assert RequestLog(tmp_path / "b").cut == 5_000


def test_a_line_that_cannot_be_written_whole_leaves_nothing(tmp_path, monkeypatch):
    log = RequestLog(tmp_path)
    log.write(shown)
    before = (tmp_path / NAME).read_bytes()
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, text: real(file, text[:9]))
    with pytest.raises(OSError, match="only 9 of"):
        log.write(shown)
    monkeypatch.undo()
    assert (tmp_path / NAME).read_bytes() == before
    log.write(shown)
    assert len(read_requests(tmp_path)["impressions"]) == 2
    log.close()


def test_a_line_that_the_disk_refused_leaves_nothing_and_its_id_is_no_ones(tmp_path, monkeypatch):
    log = RequestLog(tmp_path, sync=True)

    def broken(_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output error"):
        log.write(shown)
    monkeypatch.undo()
    assert (tmp_path / NAME).read_bytes() == b""
    names = [log.write(shown)["impression"] for _ in range(2)]
    assert list(read_requests(tmp_path)["impressions"]["impression"]) == names
    log.close()


@pytest.mark.parametrize("left", ["", "00ff", "no hexadecimal", None])
def test_a_log_without_its_key_is_refused(tmp_path, left):
    log = RequestLog(tmp_path)
    log.write(shown)
    log.close()
    salt = tmp_path / "salt"
    if left is None:
        salt.unlink()
    else:
        salt.write_text(left)
    for _ in range(2):  # and the folder is not held by who was refused
        with pytest.raises(
            ValueError, match=r"salt of .* is lost or damaged: restore it, or start"
        ):
            RequestLog(tmp_path)


def test_an_empty_key_is_refused_in_a_new_folder_as_well(tmp_path):
    (tmp_path / "salt").write_text("")
    with pytest.raises(ValueError, match="is lost or damaged"):
        RequestLog(tmp_path)


def test_a_disk_is_asked_only_where_wanted(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(os, "fsync", asked.append)
    for sync, expected in ((False, 0), (True, 1)):
        log = RequestLog(tmp_path / str(sync), sync=sync)
        before = len(asked)  # the key is brought to the disk in any case
        log.write(shown)
        log.close()
        assert len(asked) - before == expected


def test_a_folder_has_one_writer(tmp_path):
    log = RequestLog(tmp_path)
    with pytest.raises(ValueError, match="is written to by another process: give each its own"):
        RequestLog(tmp_path)
    log.close()
    RequestLog(tmp_path).close()


def test_the_key_is_for_the_owner_alone(tmp_path):
    RequestLog(tmp_path).close()
    assert (tmp_path / "salt").stat().st_mode & 0o077 == 0
    assert (tmp_path / NAME).stat().st_mode & 0o077 == 0


def test_the_tables_are_those_of_the_warehouse(tmp_path):
    log = RequestLog(tmp_path)
    lot = {"experiment": "slot", "arm": 1, "share": 0.5}
    first = log.write(lambda name: shown(name, **lot))["impression"]
    log.write(lambda name: shown(name, **lot))
    log.write(lambda name: shown(name, user=8))
    came = {"outcome": "o1", "impression": first, "at": AT, "kind": "view", "value": 0.0}
    log.write(lambda _: came)
    log.close()
    tables = read_requests(tmp_path)
    assert tables["impressions"]["user"].tolist() == [7, 7, 8]
    assert tables["impressions"]["impression"].is_unique
    assert tables["outcomes"].drop(columns="at").iloc[0].to_dict() == {
        k: v for k, v in came.items() if k != "at"
    }
    assert len(tables["experiments"]) == 1  # a user is assigned once
    assert tables["experiments"]["at"].dt.tz is not None


def test_a_foreign_line_is_refused_by_its_number(tmp_path):
    log = RequestLog(tmp_path)
    log.write(shown)
    log.close()
    for strange in (b"{half\n", b"[1]\n"):
        with (tmp_path / NAME).open("ab") as file:
            file.write(strange)
        with pytest.raises(ValueError, match=r"line 2 of .*served.jsonl is no record"):
            read_requests(tmp_path)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=8).filter(any), st.text(max_size=8))
def test_no_action_of_chance_zero_is_ever_drawn(weights, name):
    p = [w / sum(weights) for w in weights]
    action = draw_action(b"key", name, p)
    assert p[action] > 0
    assert action == draw_action(b"key", name, p)  # the same id, the same draw


def test_what_rounding_leaves_falls_to_the_last_possible_action():
    short = [0.3, 0.2, 0.0]  # a policy whose sum is far below 1 shows where the rest goes
    drawn = Counter(draw_action(b"key", str(i), short) for i in range(4_000))
    assert set(drawn) == {0, 1}
    assert abs(drawn[1] - 2_800) < 4 * (4_000 * 0.7 * 0.3) ** 0.5


def test_draws_and_arms_have_their_chances():
    p, n = [0.05, 0.6, 0.0, 0.35], 40_000
    drawn = np.bincount([draw_action(b"salt", f"{i}", p) for i in range(n)], minlength=4)
    assert drawn[2] == 0
    assert chisquare(drawn[[0, 1, 3]], n * np.array([0.05, 0.6, 0.35])).pvalue > 1e-4
    arms = np.array([arm_of("slot", user, 0.2) for user in range(n)])
    assert abs(arms.mean() - 0.2) < 4 * (0.16 / n) ** 0.5
    other = np.array([arm_of("other", user, 0.2) for user in range(n)])
    assert abs(np.corrcoef(arms, other)[0, 1]) < 4 / n**0.5  # experiments split independently
    assert [arm_of("slot", 5, share) for share in (0.0, 1.0)] == [0, 1]
    wider = np.array([arm_of("slot", user, 0.5) for user in range(n)])
    assert (wider >= arms).all()  # a larger share moves nobody out of arm 1


KILLED = f"""
import sys
from causalbook.project.request_log import RequestLog
log, line = RequestLog(sys.argv[1]), {shown("")}
while True:
    print(log.write(lambda name: line | {{"impression": name}})["impression"], flush=True)
"""


def test_killed_at_any_moment_no_line_is_lost_and_none_doubled(tmp_path):
    """What was told before the kill is in the file after it; the writer goes on behind it."""
    told, rng = [], np.random.default_rng(3)
    for _ in range(2):
        command = [sys.executable, "-c", KILLED, tmp_path]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            own = [writer.stdout.readline() for _ in range(rng.integers(50, 400))]
            writer.kill()
            own += writer.stdout.read().splitlines(keepends=True)
        told += [line.strip().decode() for line in own if line.endswith(b"\n")]
    logged = read_requests(tmp_path)["impressions"]["impression"].tolist()
    assert len(told) == len(set(told))
    assert len(logged) == len(set(logged))
    assert set(told) <= set(logged)
    assert len(logged) - len(told) <= 2  # the one line whose answer a kill cut off
