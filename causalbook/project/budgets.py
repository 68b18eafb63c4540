"""What a data set may still tell: releases are written down before they are made."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

from causalbook.project.audit_files import read_log
from causalbook.project.private_release import private_sums

if TYPE_CHECKING:
    from causalbook.estimate import Estimate


class Budget:
    r"""A file of releases about the same people, whose epsilons may not exceed a total.

    $$\sum_j \varepsilon_j \le \varepsilon$$

    Each spending is on disk before the release is made. So a crash in between loses a part of the
    budget and never the promise. Each reads the file anew, behind a lock: two objects or processes
    with one file spend from one budget.

    Parameters: `path` of the file, made by the first spending; `total`, the epsilon of all releases
    together, the same at every call.
    Raises ValueError for a total that is not positive or not that of the file, and for a file that
    is no budget. Source: Dwork and Roth (2014, theorem 3.16), composition.
    """

    def __init__(self, path: str | Path, total: float) -> None:
        self.path, self.total = Path(path), float(total)
        if not 0 < self.total < math.inf:
            raise ValueError(f"total is {total}: pass the epsilon of all releases, above 0")
        self._read()

    def _read(self) -> None:
        kept, self.releases = self.total, []
        if self.path.exists():
            try:
                told = json.loads(self.path.read_text(encoding="utf-8"))
                kept = float(told["total"])
                self.releases = [(str(what), float(loss)) for what, loss in told["releases"]]
            except (ValueError, KeyError, TypeError) as damage:
                raise ValueError(
                    f"{self.path.name} is no budget: restore it, for without it nobody knows what "
                    "was told about these people"
                ) from damage
        if kept != self.total:
            raise ValueError(
                f"total is {self.total:g} and {self.path.name} says {kept:g}: the total is set once"
            )

    @property
    def spent(self) -> float:
        """The sum of the epsilons so far."""
        return sum(loss for _, loss in self.releases)

    def spend(self, epsilon: float, what: str) -> None:
        """Write a release down; refuse with ValueError an epsilon not positive or not left."""
        import fcntl  # a system with POSIX files

        if not epsilon > 0:
            raise ValueError(f"epsilon is {epsilon}: pass a positive number")
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)  # free again when the folder is closed
            self._read()  # what others have spent since
            self._write(epsilon, what)
            os.fsync(folder)  # the new name as well
        finally:
            os.close(folder)

    def _write(self, epsilon: float, what: str) -> None:
        if self.spent + epsilon > self.total * (1 + 1e-12):  # ten tenths are one
            raise ValueError(
                f"epsilon is {epsilon:g} and {round(self.total - self.spent, 9):g} of "
                f"{self.total:g} are left after {len(self.releases)} releases: ask for less, or "
                "use an earlier answer, which costs nothing"
            )
        releases = [*self.releases, (what, float(epsilon))]
        text = json.dumps({"total": self.total, "releases": releases}, indent=1)
        draft = self.path.with_name(self.path.name + ".new")
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path)
        self.releases = releases


def release_effect(
    path: str | Path,
    *,
    treatment: str,
    outcome: str,
    low: float,
    high: float,
    epsilon: float,
    budget: Budget,
) -> Estimate:
    """Release the effect of a randomised treatment from a file, and charge it to a budget.

    Parameters: `path` of a CSV or parquet file, one row a user; `treatment` (0/1) and `outcome`,
    its columns; `low`, `high` and `epsilon` as in `private_sums`; `budget` that pays.
    The promise is made to a row: bring repeated visits of a user into one row first.
    Raises ValueError for a column that is not there, what `private_sums` refuses, and a budget that
    is used up; then nothing is released and nothing spent. Raises it as well where the noise drowns
    the variance; that is found in the release, so it is spent. Source: ours.
    """
    file = Path(path)
    frame = read_log(file)
    for flag, column in (("treatment", treatment), ("outcome", outcome)):
        if column not in frame:
            found = ", ".join(map(str, frame.columns[:8]))
            raise ValueError(f"{flag} is {column!r}, and {file.name} has the columns {found}")
    sums = private_sums(frame[outcome], frame[treatment], low=low, high=high, epsilon=epsilon)
    budget.spend(epsilon, f"{outcome} by {treatment}")  # on disk before anything is told
    return sums.effect()
