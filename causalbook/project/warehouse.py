"""The warehouse: five tables on any engine, filled so that nothing is lost and nothing doubled."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.project import bucket_estimates as by_bucket
from causalbook.project.addresses import shown
from causalbook.project.bucket_sums import arm_sums, policy_sums
from causalbook.project.engines import connect
from causalbook.project.row_sorting import Receipt, add, chunks
from causalbook.project.row_values import digests, records
from causalbook.project.warehouse_tables import OUTCOMES, TABLES, expected, known

if TYPE_CHECKING:
    import pandas as pd

    from causalbook.estimate import Estimate

CHUNK = 100_000  # rows a transaction


class Warehouse:
    """Users, items, impressions, outcomes and experiments, on the engine that a URL names.

    Parameters
    ----------
    url : a path or duckdb:///file (one file, no server), postgresql://..., spark://...; by default
        the environment variable CAUSALBOOK_URL, and without it a database in memory.

    Raises
    ------
    ValueError
        for a URL that names no engine, and where there is no connection; no message shows a
        password.

    Source: ours.
    """

    def __init__(self, url: str | Path | None = None) -> None:
        given = str(url) if url is not None else os.environ.get("CAUSALBOOK_URL", "")
        self.name = shown(given)
        self._engine = connect(given)

    def __enter__(self) -> Warehouse:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Warehouse {self.name}"

    def close(self) -> None:
        """Let go of the connection."""
        self._engine.close()

    @staticmethod
    def schema() -> pd.DataFrame:
        """Return what is stored: table, column, kind, meaning; `bucket` is added on the way in."""
        import pandas as pd

        rows = [(t, f.name, f.kind, f.meaning) for t, fields in TABLES.items() for f in fields]
        return pd.DataFrame(rows, columns=["table", "column", "kind", "meaning"])

    def table(self, name: str) -> Any:
        """Return one of the five tables as an Ibis table: a query, run where the data stand."""
        return self._engine.table(known(name))

    def quarantine(self) -> pd.DataFrame:
        """Return the rows set aside: table, reason, record (JSON)."""
        aside = self._engine.table("quarantine")
        return self.read(aside.select("table", "reason", "record").order_by("table", "record"))

    def read(self, query: Any) -> pd.DataFrame:
        """Run an Ibis query where the data stand, and bring what comes out."""
        return self._engine.read(query)

    def bring(self, frame: pd.DataFrame) -> Any:
        """Return a small frame as an Ibis table beside the others, such as a policy's `frame`.

        Whole numbers, numbers and texts, no gaps; it is there for this session.
        """
        letters = {"i": "int64", "u": "int64", "f": "float64"}
        names = list(map(str, frame.columns))
        kinds = {n: letters.get(frame[n].dtype.kind, "text") for n in names}
        if bad := [n for n in names if not re.fullmatch(r"[a-z_]+", n)]:
            raise ValueError(f"frame has the column {bad[0]!r}: a name is of small letters and _")
        key = digests("", ["\n".join(records(frame))])[0]
        return self._engine.bring(f"brought_{key}", frame, kinds)

    def ingest(self, table: str, frame: Any, *, chunk: int = CHUNK) -> Receipt:
        """Add rows to a table, so that it can be killed at any row and run again.

        Each chunk is one transaction. A row whose key is there already with the same values is a
        duplicate; with other values it is quarantined, as are rows that break a rule, that refer
        to a user or an impression that is not there, and outcomes dated before their impression. A
        row that passes leaves the quarantine.

        Parameters: `table`, one of the five; `frame`, a DataFrame with exactly its columns, or a
        parquet file or a folder of them; `chunk`, rows a transaction.
        Raises ValueError for an unknown table and for columns that are absent or unknown.
        """
        if not isinstance(chunk, (int, np.integer)) or chunk < 1:
            raise ValueError(f"chunk is {chunk!r}: pass the rows a transaction, from 1")
        receipt = Receipt(known(table))
        for part in chunks(table, frame, int(chunk)):
            with self._engine.transaction():
                counts = add(self._engine, table, expected(table, part))
            receipt.read += len(part)
            receipt.stored += counts.pop("stored")
            receipt.duplicates += counts.pop("duplicates")
            receipt.quarantined += sum(counts.values())
            for reason, n in counts.items():
                receipt.reasons[reason] = receipt.reasons.get(reason, 0) + n
        return receipt

    def retry(self) -> list[Receipt]:
        """Ingest the quarantined rows again: those whose user or impression has come are stored."""
        import pandas as pd

        aside = self.quarantine()
        receipts = []
        for table, held in aside.groupby("table"):
            rows = pd.DataFrame([json.loads(line) for line in held["record"]], dtype=object)
            receipts.append(self.ingest(str(table), rows))
        return receipts

    def rounds(self, kind: str = "purchase", *, window: float, measure: str = "any") -> Any:
        """Return the impressions with their `reward`: what followed within `window` days.

        Parameters: `kind` of outcome; `window`, days; `measure`, "any" (1 if there is one) or
        "value" (their sum, money). The column `complete` says whether the window was over at the
        latest `at` of impressions and outcomes: before, a reward of 0 may still become 1. No
        other clock is known: one `at` too late, or outcomes sent late, and it says so too early.
        """
        shown, came = self.table("impressions"), self._outcomes(kind)
        return _followed(shown, came, "impression", window, measure, self._last()).rename(
            reward="came"
        )

    def assigned(
        self, experiment: str, kind: str = "purchase", *, window: float, measure: str = "any"
    ) -> Any:
        """Return one row a user of an experiment: user, bucket, arm, y, past, complete.

        `y` is what the user did within `window` days of the draw, as in `rounds`.
        Raises ValueError for an experiment that is not there.
        """
        every = self.table("experiments")
        drawn = every.filter(every["experiment"] == experiment)
        if not len(self.read(drawn.limit(1))):
            raise ValueError(f"experiment is {experiment!r}: no user is in it; ingest it first")
        who = self.table("impressions").select("impression", "user")
        came = self._outcomes(kind).join(who, "impression")
        units = _followed(drawn, came, "user", window, measure, self._last())
        past = self.table("users").select("user", "past")
        columns = ("user", "bucket", "arm", "y", "past", "complete")
        return units.rename(y="came").join(past, "user").select(*columns)

    def files(self, folder: str | Path) -> Any:
        """Return a folder of parquet files as an Ibis table, read where they stand.

        Raises ValueError for a folder without such files, and on PostgreSQL, which reads none.
        """
        paths = sorted(map(str, Path(folder).glob("*.parquet")))
        if not paths:
            raise ValueError(f"folder is {str(folder)!r}: there is no parquet file in it")
        return self._engine.files(f"files_{digests('', ['|'.join(paths)])[0]}", paths)

    def policy_sums(self, table: Any, target: pd.DataFrame) -> pd.DataFrame:
        """Add up a log for one policy, by bucket of the users: see the function `policy_sums`.

        Parameters here and below: `table`, an Ibis table, or the name of one of the five.
        """
        return policy_sums(self, self._named(table), target)

    def arm_sums(self, table: Any, *, y: str, a: str, x: str | None = None) -> pd.DataFrame:
        """Add up an experiment, by bucket and arm: see the function `arm_sums`."""
        return arm_sums(self, self._named(table), y=y, a=a, x=x)

    def difference_in_means(self, table: Any, *, y: str, a: str) -> Estimate:
        """Difference in means, added up where the data stand: see `bucket_difference`."""
        return by_bucket.bucket_difference(self.arm_sums(table, y=y, a=a))

    def cuped(self, table: Any, *, y: str, a: str, x: str) -> Estimate:
        """CUPED, added up where the data stand: see `bucket_cuped`."""
        return by_bucket.bucket_cuped(self.arm_sums(table, y=y, a=a, x=x))

    def ips(self, table: Any, target: pd.DataFrame) -> Estimate:
        """IPS, added up where the data stand: see `policy_sums` and `bucket_ips`."""
        return by_bucket.bucket_ips(self.policy_sums(table, target))

    def snips(self, table: Any, target: pd.DataFrame) -> Estimate:
        """SNIPS, added up where the data stand: see `bucket_snips`."""
        return by_bucket.bucket_snips(self.policy_sums(table, target))

    def dr(self, table: Any, target: pd.DataFrame) -> Estimate:
        """DR, added up where the data stand: see `bucket_dr`."""
        return by_bucket.bucket_dr(self.policy_sums(table, target))

    def _named(self, table: Any) -> Any:
        return self.table(table) if isinstance(table, str) else table

    def _outcomes(self, kind: str) -> Any:
        if kind not in OUTCOMES:
            raise ValueError(f"kind is {kind!r}: pass one of {', '.join(OUTCOMES)}")
        outcomes = self.table("outcomes")
        return outcomes.filter(outcomes["kind"] == kind)

    def _last(self) -> Any:
        """The last moment that the warehouse knows of."""
        import ibis

        ends = [self.table(name)["at"].max().as_scalar() for name in ("impressions", "outcomes")]
        return ibis.greatest(*ends)


def _followed(units: Any, came: Any, by: str, window: float, measure: str, last: Any) -> Any:
    """Units with `came`: what came after each one's `at`, within the window."""
    import ibis

    if not isinstance(window, (int, float, np.integer)) or not 0 < window < np.inf:
        raise ValueError(
            f"window is {window!r}: pass the days after the impression in which an outcome counts"
        )
    if measure not in ("any", "value"):
        raise ValueError(f"measure is {measure!r}: pass 'any' or 'value'")
    days = ibis.interval(seconds=round(window * 86_400))
    pairs = came.select(by, "at", "value").join(units.select(by, begun="at"), by)
    within = pairs.filter(pairs["at"].between(pairs["begun"], pairs["begun"] + days))
    some = (within.count() > 0).cast("int32").cast("float64")  # PostgreSQL knows no shorter way
    total = within["value"].sum() if measure == "value" else some
    sums = within.group_by(by).agg(came=total)
    joined = units.left_join(sums, by).drop(f"{by}_right")
    over = joined["at"] + days <= last
    return joined.mutate(came=joined["came"].fill_null(0.0), complete=over)
