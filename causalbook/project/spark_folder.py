"""A folder of parquet files that Spark reads, for logs that one machine does not read in time."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import nullcontext
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from causalbook.project.warehouse_tables import ALL, KEYS, calm, columns

if TYPE_CHECKING:
    import pandas as pd

ARROW = {"int64": "int64", "int16": "int16", "float64": "float64", "text": "string"}
SPARK = {"int64": "BIGINT", "int16": "SMALLINT", "float64": "DOUBLE", "text": "STRING"}
SPARK |= {"time": "TIMESTAMP"}
FREED = "freed"  # what has left the quarantine since: files are never changed


class SparkFolder:
    """Parquet files that all machines of a Spark cluster see, each batch one file.

    The driver writes them, Spark reads them. A file gets its name only once it is whole, so a
    reader sees all of a batch or nothing. Spark has no transactions: rows and the quarantine are
    two files, written one after the other; killed in between, the next run makes up for it. Two
    writers at once may double a row.

    Parameters: `url`, spark://host:port/folder, or spark+local://2/folder and
    spark+local-cluster://2,1,1024/folder for Spark's own modes.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        mode = parts.scheme.partition("+")[2]
        self.master = f"{mode}[{parts.netloc}]" if mode else f"spark://{parts.netloc}"
        self.folder = Path(unquote(parts.path))
        if not parts.netloc or self.folder == Path("/") or not parts.path:
            raise ValueError("write spark://host:port/folder: which Spark, and where its files are")
        for table in (*ALL, FREED):
            (self.folder / table).mkdir(parents=True, exist_ok=True)
        self.session: Any = None

    def table(self, name: str) -> Any:
        """Return a table as Ibis sees it: the files that are there now."""
        self._start()
        declared = ", ".join(f"`{column}` {SPARK[kind]}" for column, kind in columns(name).items())
        files = self.session.read.schema(declared).parquet(f"{self.folder / name}")
        files.createOrReplaceTempView(name)
        table = self.ibis.table(name)
        if name == "quarantine":
            held = self.session.read.schema("digest STRING").parquet(f"{self.folder / FREED}")
            held.createOrReplaceTempView(FREED)
            return table.anti_join(self.ibis.table(FREED), "digest")
        return table

    def _start(self) -> None:
        """Start Spark, or join the one that runs: it takes seconds, and only reading needs it."""
        if self.session is not None:
            return
        import ibis
        from pyspark.sql import SparkSession

        build = SparkSession.builder.master(self.master).appName("causalbook")
        for name, value in {
            "sql.session.timeZone": "UTC",
            "ui.showConsoleProgress": "false",
        }.items():
            build = build.config(f"spark.{name}", value)
        with calm():
            self.session = build.getOrCreate()
            self.ibis = ibis.pyspark.connect(self.session)

    def read(self, query: Any) -> pd.DataFrame:
        """Run an Ibis query and bring what comes out."""
        with calm():
            sql = self.ibis.compile(query)  # ibis would go through toPandas, which warns as well
            return self.session.sql(sql).toArrow().to_pandas()  # type: ignore[no-any-return]

    def files(self, name: str, paths: list[str]) -> Any:
        """Return parquet files as Ibis sees them, read where they stand."""
        self._start()
        self.session.read.parquet(*paths).createOrReplaceTempView(name)
        return self.ibis.table(name)

    def bring(self, name: str, frame: pd.DataFrame, kinds: dict[str, str]) -> Any:
        """Make a small frame readable beside the tables, for this session."""
        import pyarrow as pa

        self._start()
        schema = pa.schema([(column, ARROW[kind]) for column, kind in kinds.items()])
        rows = pa.Table.from_pandas(frame[list(kinds)], schema=schema, preserve_index=False)
        # Of an Arrow table Spark knows the size: a small one goes to the log, not the log to it.
        self.session.createDataFrame(rows).createOrReplaceTempView(name)
        return self.ibis.table(name)

    def transaction(self) -> Any:
        """Do nothing: see the class for what holds instead."""
        return nullcontext()

    def among(self, table: str, keys: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
        """Return these columns of the rows whose key is one of these."""
        import pyarrow as pa
        import pyarrow.dataset as ds

        first = KEYS[table][-1]
        wanted = pa.array(list(keys[first].drop_duplicates()), _arrow(table).field(first).type)
        within = ds.field(first).isin(wanted)
        found = self._dataset(table).to_table(columns=list(names), filter=within).to_pandas()
        return found.merge(keys[KEYS[table]].drop_duplicates(), on=KEYS[table])  # type: ignore[no-any-return]

    def any_aside(self, table: str) -> bool:
        """Tell whether rows of the table were ever in quarantine."""
        import pyarrow.dataset as ds

        of_table = ds.field("table") == table
        return bool(self._dataset("quarantine").count_rows(filter=of_table))

    def write(self, table: str, good: pd.DataFrame, aside: pd.DataFrame, free: list[str]) -> None:
        """Set rows aside, add good ones to the table, then free those quarantined before."""
        import pandas as pd

        there = self.among("quarantine", aside, ["digest"])["digest"]
        self._file("quarantine", aside[~aside["digest"].isin(there)])
        self._file(table, good)
        freed = pd.DataFrame({"digest": pd.array(free, "str")})
        held = self.among("quarantine", freed, ["digest"])
        self._file(FREED, held)

    def _dataset(self, table: str) -> Any:
        import pyarrow.dataset as ds

        where = str(self.folder / table)
        return ds.dataset(where, schema=_arrow(table), format="parquet")

    def _file(self, table: str, frame: pd.DataFrame) -> None:
        """Write a batch under another name, then give it its own: the same batch, the same name."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not len(frame):
            return
        schema = _arrow(table)
        rows = pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False)
        keys = frame[KEYS.get(table, ["digest"])].astype(str).agg(" ".join, axis=1)
        name = blake2b("\n".join(keys).encode(), digest_size=12).hexdigest()
        hidden = self.folder / table / f".{name}"  # readers skip a leading point
        pq.write_table(rows, hidden)
        with hidden.open("rb") as written:
            os.fsync(written.fileno())
        hidden.replace(self.folder / table / f"{name}.parquet")

    def close(self) -> None:
        """Leave Spark running: others in this process may use it."""


def _arrow(table: str) -> Any:
    """Return the columns as parquet stores them."""
    import pyarrow as pa

    kinds = {"digest": "text"} if table == FREED else columns(table)
    time = pa.timestamp("us", tz="UTC")
    return pa.schema(
        [
            pa.field(name, time if kind == "time" else getattr(pa, ARROW[kind])())
            for name, kind in kinds.items()
        ]
    )
