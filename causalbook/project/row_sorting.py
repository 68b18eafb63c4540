"""How rows get into the warehouse: sorted into new, known and bad ones, a chunk at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.project.engines import Engine
from causalbook.project.row_values import digests, records
from causalbook.project.warehouse_tables import (
    BUCKETED,
    EARLY,
    ELSEWHERE,
    KEYS,
    TABLES,
    bucket_of,
    checked,
    expected,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class Receipt:
    """What became of the rows of one ingest: read = stored + duplicates + quarantined.

    Parameters: `table`; how many rows were `read`, `stored`, there already as `duplicates`, and
    `quarantined`, with `reasons` {reason: rows}.
    """

    table: str
    read: int = 0
    stored: int = 0
    duplicates: int = 0
    quarantined: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        counts = f"{self.table}: {self.read:,} read, {self.stored:,} stored, {self.duplicates:,} "
        why = "".join(f"\n  {n:,} because {reason}" for reason, n in self.reasons.items())
        return f"{counts}there already, {self.quarantined:,} quarantined{why}"


def add(engine: Engine, table: str, part: pd.DataFrame) -> dict[str, int]:
    """Sort the rows of one transaction into new, known and bad ones, and write them."""
    import pandas as pd

    rows, reason = checked(table, part)
    for own in TABLES[table]:
        if own.refers:
            keys = rows.loc[reason == "", [own.name]].drop_duplicates()
            follows = own.refers == "impressions"
            found = engine.among(own.refers, keys, [own.name, "at"] if follows else [own.name])
            found = found.drop_duplicates(own.name)
            place = pd.Index(found[own.name]).get_indexer(rows[own.name])
            reason[(place < 0) & (reason == "")] = f"{own.name} is unknown to {own.refers}"
            if follows and len(found):
                early = (rows["at"] < found["at"].iloc[place].array).to_numpy()
                reason[early & (reason == "")] = EARLY
    good = reason == ""
    if table in BUCKETED:
        rows["bucket"] = bucket_of(rows["user"])
    there = engine.among(table, rows.loc[good, KEYS[table]], map(str, rows))
    # The first row with a key counts; the row in the table came before all of these.
    every = pd.concat([there[list(rows)], rows[good]], ignore_index=True)
    first = every.groupby(KEYS[table], sort=False).ngroup().to_numpy()
    first = np.unique(first, return_index=True)[1][first]
    same = every.eq(every.iloc[first].reset_index(drop=True)).all(axis=1).to_numpy()
    again = first != np.arange(len(every))
    again, same = again[len(there) :], same[len(there) :]
    reason[np.flatnonzero(good)[again & ~same]] = ELSEWHERE

    new, bad = np.flatnonzero(good)[~again], reason != ""
    record = records(part[bad])
    aside = pd.DataFrame({"digest": digests(table, record), "table": table})
    aside = aside.assign(reason=reason[bad], record=record).drop_duplicates("digest")
    # What passes now may have been set aside before: its user has arrived since.
    waiting = engine.any_aside(table)
    free = list(digests(table, records(part[~bad]))) if waiting else []
    engine.write(table, rows.iloc[new], aside, free)
    counts = {"stored": len(new), "duplicates": int((again & same).sum())}
    return counts | Counter(reason[bad].tolist())


def chunks(table: str, frame: Any, chunk: int) -> Iterator[pd.DataFrame]:
    """Parts of a frame or of parquet files, one after the other."""
    if isinstance(frame, (str, Path)):
        import pyarrow.parquet as pq

        files = sorted(Path(frame).rglob("*.parquet")) or [Path(frame)]
        if not files[0].is_file():
            raise ValueError(f"frame is {str(frame)!r}: no parquet file, and no folder with one")
        for file in files:
            for batch in pq.ParquetFile(file).iter_batches(chunk):
                yield batch.to_pandas(integer_object_nulls=True)  # a double would round a key
        return
    expected(table, frame)
    for start in range(0, len(frame), chunk):
        yield frame.iloc[start : start + chunk].reset_index(drop=True)
