"""A log that is written before the answer leaves: whole lines, each by one write at the end."""

from __future__ import annotations

import json
import os
import secrets
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

NAME, SALT = "served.jsonl", "salt"
OF_IMPRESSION = ("impression", "at", "user", "context", "action", "item", "policy", "pscore")
OF_OUTCOME = ("outcome", "impression", "at", "kind", "value")
OF_EXPERIMENT = ("experiment", "user", "arm", "share", "at")


class RequestLog:
    """An append-only file of JSON lines in a folder, for one process at a time.

    An impression's id is the place of its line in the file and a keyed hash of that place: it is
    never given twice while its line stands, it cannot be guessed, and it says where to look. The
    key, `salt`, is made once a folder. A line is in the system's memory once `write` returns: it
    survives the death of the process, and with `sync` a power cut as well, at the price of a disk's
    answer each time. Without `sync`, start a new folder after a power cut: the ids of lines that
    were lost would be given again. A last line that was torn is cut off when the folder is opened
    again: its answer never left.

    Parameters: `folder`, made if it is not there; `sync`, wait for the disk. Attributes: `salt`,
    `cut` (bytes of a torn line that were cut off). Raises ValueError for a folder that another
    process writes to, and for one whose salt is lost or damaged. Source: ours.
    """

    def __init__(self, folder: str | Path, *, sync: bool = False) -> None:
        self.folder, self.sync = Path(folder), sync
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path, self._lock = self.folder / NAME, Lock()
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._hold()
        self.cut = _torn(self._file)
        self.size = os.fstat(self._file).st_size - self.cut
        try:
            self.salt = _salt(self.folder, fresh=self.size == 0)
        except ValueError:
            os.close(self._file)
            raise
        os.ftruncate(self._file, self.size)

    def _hold(self) -> None:
        import fcntl  # not on Windows: the service wants a system with POSIX files

        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise ValueError(
                f"folder {self.folder} is written to by another process: give each its own"
            ) from None

    def write(self, line: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
        """Write the line that `line` makes for the next id and return it; an answer may leave now.

        Raises OSError where the line could not be written whole, or with `sync` not brought to the
        disk; then nothing of it stays.
        """
        with self._lock:
            told = line(self._name(self.size))
            text = json.dumps(told, separators=(",", ":"), allow_nan=False).encode() + b"\n"
            try:
                if (done := os.write(self._file, text)) < len(text):
                    raise OSError(f"only {done} of {len(text)} bytes fitted into {self.path}")
                if self.sync:
                    os.fsync(self._file)
            except OSError:  # what stayed would stand under the next line's id
                os.ftruncate(self._file, self.size)
                raise
            self.size += done
        return told

    def issued(self, impression: str) -> bool:
        """Tell whether this folder gave out that id: from the id alone, nothing is looked up."""
        place = impression.partition("-")[0]
        hexadecimal = place != "" and all(c in "0123456789abcdef" for c in place)
        return hexadecimal and impression == self._name(int(place, 16))

    def lines(self) -> Iterator[dict[str, Any]]:
        """Return all lines that are whole, from the first."""
        return read_lines(self.folder)

    def close(self) -> None:
        """Give the folder free."""
        os.close(self._file)

    def _name(self, place: int) -> str:
        return f"{place:x}-{_hash(self.salt, str(place), b'name').hex()}"


def read_lines(folder: str | Path) -> Iterator[dict[str, Any]]:
    """Yield the whole lines of a request log; a torn last one is not yet a line.

    Raises ValueError for a line in between that is no JSON object, with its number.
    """
    with (Path(folder) / NAME).open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                told = json.loads(line)
            except ValueError:
                told = None
            if not isinstance(told, dict):
                raise ValueError(f"line {number} of {file.name} is no record: who wrote it?")
            yield told


def read_requests(folder: str | Path) -> dict[str, pd.DataFrame]:
    """Read a request log as tables of the warehouse: impressions, outcomes, experiments.

    A user is in an experiment from their first impression in it. Parameters: `folder` of a
    `RequestLog`. Raises ValueError as `read_lines` does. Source: ours.
    """
    import pandas as pd

    shown: list[dict[str, Any]] = []
    came: list[dict[str, Any]] = []
    arms: dict[tuple[str, int], dict[str, Any]] = {}
    for line in read_lines(folder):
        if "outcome" in line:
            came.append(line)
            continue
        shown.append(line)
        if "experiment" in line:
            arms.setdefault((line["experiment"], line["user"]), line)

    def table(lines: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
        frame = pd.DataFrame([[line[c] for c in columns] for line in lines], columns=list(columns))
        return frame.assign(at=pd.to_datetime(frame["at"], utc=True, format="ISO8601"))

    return {
        "impressions": table(shown, OF_IMPRESSION),
        "outcomes": table(came, OF_OUTCOME),
        "experiments": table(arms.values(), OF_EXPERIMENT),
    }


def draw_action(salt: bytes, impression: str, p: Sequence[float]) -> int:
    r"""Draw the action of an impression: the same for the same id, so that it can be checked.

    $$a = \min\{k : u < p_0 + \dots + p_k\}, \qquad
      u = \lfloor H_{salt}(\text{id}) / 2^{11} \rfloor / 2^{53}$$

    Parameters: `salt` of the log; `impression`, the id; `p` (K,) probabilities, with sum 1.
    Source: inversion, with a keyed hash for the uniform number.
    """
    u = (int.from_bytes(_hash(salt, impression, b"draw")) >> 11) * 2.0**-53
    running = list(accumulate(p))
    if u >= running[-1]:  # the sum of p is 1 but for rounding
        return running.index(running[-1])
    return bisect_right(running, u)


def arm_of(experiment: str, user: int, share: float) -> int:
    r"""Arm of a user, 1 for a `share` of all: from the names alone, the same on every server.

    $$\text{arm} = 1\{H(\text{experiment}, \text{user}) < \text{share} \cdot 2^{64}\}$$

    Parameters: `experiment`, its name; `user`; `share` of users in arm 1.
    Source: ours; a keyed hash in place of a draw.
    """
    return int(int.from_bytes(_hash(b"", f"{experiment}/{user}", b"arm")) < share * 2.0**64)


def _hash(salt: bytes, text: str, use: bytes) -> bytes:
    return blake2b(text.encode(), digest_size=8, key=salt, person=use).digest()


def _salt(folder: Path, *, fresh: bool) -> bytes:
    """Key of the folder's ids and draws, made at the first start; whoever has it can foretell."""
    path, draft = folder / SALT, folder / f"{SALT}.new"
    if fresh and not path.exists():
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        with draft.open("w") as file:
            file.write(secrets.token_hex(16))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)  # whole or not at all: without a key anybody could foretell the draws
    try:
        if len(key := bytes.fromhex(path.read_text())) >= 16:
            return key
    except (FileNotFoundError, ValueError):
        pass
    raise ValueError(
        f"salt of {folder} is lost or damaged: restore it, or start a new folder, for no id of "
        "this log could be checked"
    )


def _torn(file: int) -> int:
    """Bytes behind the last end of a line: 0 in a log whose writer was never killed in a write."""
    size, tail = os.fstat(file).st_size, b""
    while b"\n" not in tail and len(tail) < size:
        start = max(size - len(tail) - 4096, 0)
        tail = os.pread(file, size - len(tail) - start, start) + tail
    return len(tail) - (tail.rfind(b"\n") + 1)
