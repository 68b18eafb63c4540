"""Vectors on disk: whole or not at all, whoever writes, whatever has happened to the file."""

import os
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

from causalbook.llm_encoding import TextEncoder
from causalbook.llm_encoding.vector_cache import Row, place, store, stored

TEXTS = ["a film", "the news", "red shoes"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CAUSALBOOK_CACHE", str(tmp_path))


def some(n, start=0):
    rng = np.random.default_rng(start)
    keys = [f"{start + i}".encode() for i in range(n)]
    return {k: Row(rng.normal(size=5).astype(np.float32), i, i / 7) for i, k in enumerate(keys)}


def same(found, expected):
    assert found.keys() == expected.keys()
    for key, row in expected.items():
        assert np.array_equal(found[key].vector, row.vector)
        assert found[key][1:] == row[1:]


def damage(sql):
    with sqlite3.connect(place()) as db:
        changed = db.execute(sql).rowcount
    db.close()
    return changed


def test_what_was_stored_comes_back_and_the_rest_does_not():
    rows = some(1234)  # more than are asked for at once
    assert stored(rows) == {}
    store(rows)
    same(stored([*rows, b"never"]), rows)
    store({b"0": rows[b"1"]})  # the later one counts
    same(stored([b"0"]), {b"0": rows[b"1"]})


@pytest.mark.parametrize(
    "change",
    [
        "vector = (SELECT vector FROM vectors WHERE key = x'31')",
        "vector = x'00000000'",
        "cut = 9",
        "unknown = 0.5",
        "checksum = NULL",
    ],
)
def test_a_changed_row_is_not_believed(change):
    rows = some(3)
    store(rows)
    assert damage(f"UPDATE vectors SET {change} WHERE key = x'30'") == 1
    same(stored(rows), {key: rows[key] for key in (b"1", b"2")})
    store({b"0": rows[b"0"]})
    same(stored(rows), rows)


def test_the_encoder_mends_a_changed_row():
    expected = TextEncoder().encode(TEXTS)
    assert damage("UPDATE vectors SET vector = zeroblob(1536)") == 3
    np.testing.assert_allclose(TextEncoder().encode(TEXTS), expected, atol=1e-6)
    damage("DELETE FROM vectors WHERE key NOT IN (SELECT key FROM vectors LIMIT 2)")
    np.testing.assert_allclose(TextEncoder().encode(TEXTS), expected, atol=1e-6)


@pytest.mark.parametrize("how", ["other content", "torn in the middle"])
def test_a_damaged_file_is_set_aside_and_begun_anew(how):
    rows = some(2000)
    store(rows)
    if how == "other content":
        place().write_bytes(b"no database at all, and long enough to be read as one" * 100)
    else:
        content = bytearray(place().read_bytes())
        content[4096:] = os.urandom(len(content) - 4096)
        place().write_bytes(content)
    journal = place().with_name(place().name + "-journal")
    journal.write_bytes(b"")
    with pytest.warns(UserWarning, match="is damaged .*: set aside as"):
        assert stored(rows) == {}
    assert place().with_suffix(".damaged").exists()
    assert not journal.exists()
    store(rows)
    same(stored(rows), rows)


def test_a_cache_that_cannot_be_written_is_told_and_the_vectors_come(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("where a folder should be")
    monkeypatch.setenv("CAUSALBOOK_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="cannot be used"):
        vectors = TextEncoder("multilingual").encode(TEXTS)
    assert vectors.shape == (3, 512)


def test_a_writer_that_is_killed_leaves_all_or_nothing(tmp_path):
    store(some(10))
    code = (
        "import os, signal, numpy as np\n"
        "from causalbook.llm_encoding import vector_cache as v\n"
        "def lines():\n"
        "    for i in range(100): yield str(100 + i).encode(), v.Row(np.ones(5, 'f4'), 0, 0.0)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "class Rows(dict):\n"
        "    def items(self): return lines()\n"
        "v._checksum = lambda *content: b''\n"
        "def write(db, rows):\n"
        "    for key, row in rows.items():\n"
        "        new = (key, row.vector.tobytes(), row.cut, row.unknown, b'')\n"
        "        db.execute('INSERT INTO vectors VALUES (?,?,?,?,?)', new)\n"
        "v._write = write\n"
        "v.store(Rows())\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=False)
    assert ran.returncode == -9
    same(stored(f"{i}".encode() for i in range(200)), some(10))
    with sqlite3.connect(place()) as db:
        assert db.execute("SELECT count(*) FROM vectors").fetchone() == (10,)
    db.close()


def test_two_processes_that_write_at_once_lose_nothing():
    code = (
        "import sys, numpy as np\n"
        "from causalbook.llm_encoding.vector_cache import Row, store, stored\n"
        "start = int(sys.argv[1])\n"
        "for i in range(start, start + 60):\n"
        "    row = Row(np.full(5, i, dtype=np.float32), 0, 0.0)\n"
        "    store({str(i).encode(): row, b'both': row})\n"
        "    assert str(i).encode() in stored([str(i).encode()])\n"
    )
    both = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", code, str(start)])
        for start in (0, 1000)
    ]
    assert [process.wait(timeout=120) for process in both] == [0, 0]
    keys = [str(start + i).encode() for start in (0, 1000) for i in range(60)]
    found = stored([*keys, b"both"])
    assert len(found) == 121
    assert all(found[key].vector[0] == int(key) for key in keys)
    assert found[b"both"].vector[0] in (59, 1059)


def test_other_settings_are_other_vectors(tmp_path):
    several = [TextEncoder(pooling=p).encode(TEXTS) for p in ("mean", "cls", "last")]
    several += [TextEncoder(quantize=True).encode(TEXTS)]
    with sqlite3.connect(place()) as db:
        assert db.execute("SELECT count(*) FROM vectors").fetchone() == (4 * len(TEXTS),)
    db.close()
    again = [TextEncoder(pooling=p).encode(TEXTS) for p in ("mean", "cls", "last")]
    for first, second in zip(several, again, strict=False):
        assert np.array_equal(first, second)


def test_cache_false_neither_reads_nor_writes(tmp_path):
    TextEncoder("multilingual", cache=False).encode(TEXTS)
    assert not place().exists()


def test_the_texts_themselves_are_not_kept():
    TextEncoder("multilingual").encode(["a very private sentence"])
    assert b"private" not in place().read_bytes()


def test_lies_in_the_home_folder_unless_told(monkeypatch, tmp_path):
    monkeypatch.delenv("CAUSALBOOK_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert place() == tmp_path / ".cache" / "causalbook" / "vectors-1.sqlite"
