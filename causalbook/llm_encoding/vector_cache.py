"""Vectors on disk: each under the hash of its text and of what made it. Texts are not kept."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
T = TypeVar("T")

TABLE = """CREATE TABLE IF NOT EXISTS vectors (
    key BLOB PRIMARY KEY, vector BLOB, cut INTEGER, unknown REAL, checksum BLOB) WITHOUT ROWID"""
AT_ONCE = 500  # keys in one question to the database
PATIENCE = 60.0  # seconds to wait for another process that writes


class Row(NamedTuple):
    """A text's vector, the limit where it was cut (0: nowhere), its share of unknown tokens."""

    vector: Vectors
    cut: int
    unknown: float


def place() -> Path:
    """Return the file: in the folder CAUSALBOOK_CACHE, by default ~/.cache/causalbook."""
    own = os.environ.get("CAUSALBOOK_CACHE")
    return (Path(own) if own else Path.home() / ".cache" / "causalbook") / "vectors-1.sqlite"


def stored(keys: Iterable[bytes]) -> dict[bytes, Row]:
    """Return the rows that are on disk and whole, by key; one whose checksum is wrong is not."""
    wanted = list(keys)
    return _within(lambda db: _read(db, wanted), {}) if place().exists() else {}


def store(rows: Mapping[bytes, Row]) -> None:
    """Write all rows in one transaction: all or none of them, whoever else writes."""
    _within(lambda db: _write(db, rows), None)


def _read(db: sqlite3.Connection, keys: list[bytes]) -> dict[bytes, Row]:
    found = {}
    for start in range(0, len(keys), AT_ONCE):
        some = keys[start : start + AT_ONCE]
        marks = ",".join("?" * len(some))
        ask = f"SELECT key, vector, cut, unknown, checksum FROM vectors WHERE key IN ({marks})"
        for key, vector, cut, unknown, checksum in db.execute(ask, some):
            if checksum == _checksum(key, vector, cut, unknown):
                found[key] = Row(np.frombuffer(vector, dtype="<f4"), cut, unknown)
    return found


def _write(db: sqlite3.Connection, rows: Mapping[bytes, Row]) -> None:
    lines = []
    for key, (vector, cut, unknown) in rows.items():
        content = vector.astype("<f4").tobytes(), cut, unknown
        lines.append((key, *content, _checksum(key, *content)))
    db.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?, ?)", lines)


def _checksum(*content: object) -> bytes:
    return hashlib.blake2b(repr(content).encode(), digest_size=8).digest()


def _within(work: Callable[[sqlite3.Connection], T], nothing: T) -> T:
    """Do the work in a transaction. A damaged file is set aside and a new one begun."""
    path = place()
    for _ in range(2):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            opened = sqlite3.connect(path, timeout=PATIENCE, isolation_level="IMMEDIATE")
            with closing(opened) as db, db:
                db.execute(TABLE)
                return work(db)
        except (OSError, sqlite3.OperationalError) as refused:  # no rights, no space, no end
            warnings.warn(f"the cache {path} cannot be used: {refused}", stacklevel=4)
            return nothing
        except sqlite3.DatabaseError as damage:
            aside = path.with_suffix(".damaged")
            warnings.warn(f"{path} is damaged ({damage}): set aside as {aside}", stacklevel=4)
            # Its journal belongs to it: left here, it would be played into the new file.
            for end in ("", "-journal"):
                if (left := Path(f"{path}{end}")).exists():
                    left.replace(f"{aside}{end}")
    return nothing
