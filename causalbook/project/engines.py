"""Where the warehouse stands: a DuckDB file, a PostgreSQL server, or a folder that Spark reads."""

from __future__ import annotations

import csv
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from causalbook.project.addresses import path_of, scheme_of, scrub, shown
from causalbook.project.spark_folder import SparkFolder
from causalbook.project.warehouse_tables import ALL, KEYS, columns

if TYPE_CHECKING:
    import pandas as pd

SQL = {"int64": "BIGINT", "int16": "SMALLINT", "float64": "DOUBLE PRECISION", "text": "TEXT"}
SQL |= {"time": "TIMESTAMP WITH TIME ZONE"}


class Engine(Protocol):
    """What the warehouse asks of an engine."""

    def table(self, name: str) -> Any:
        """Return a table as Ibis sees it."""

    def read(self, query: Any) -> pd.DataFrame:
        """Run an Ibis query and bring what comes out."""

    def bring(self, name: str, frame: pd.DataFrame, kinds: dict[str, str]) -> Any:
        """Make a small frame readable beside the tables, for this session."""

    def files(self, name: str, paths: list[str]) -> Any:
        """Return parquet files as Ibis sees them, read where they stand."""

    def transaction(self) -> Any:
        """All that is written inside is written, or nothing is."""

    def among(self, table: str, keys: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
        """Return these columns of the rows whose key is one of these."""

    def any_aside(self, table: str) -> bool:
        """Tell whether rows of the table are in quarantine."""

    def write(self, table: str, good: pd.DataFrame, aside: pd.DataFrame, free: list[str]) -> None:
        """Add good rows to the table, set others aside, and free quarantined ones."""

    def close(self) -> None:
        """Let go of the connection."""


def quoted(names: Any, prefix: str = "") -> str:
    """Names of our own schema as SQL writes them; no other name ever gets here."""
    return ", ".join(f'{prefix}"{name}"' for name in names)


def create(table: str, *, key: bool) -> str:
    """Return the statement that makes a table where there is none."""
    parts = [f'"{name}" {SQL[kind]} NOT NULL' for name, kind in columns(table).items()]
    parts += [f"PRIMARY KEY ({quoted(KEYS[table])})"] if key else []
    return f'CREATE TABLE IF NOT EXISTS "{table}" ({", ".join(parts)})'


class SqlEngine(ABC):
    """What DuckDB and PostgreSQL share: they differ in how a frame becomes a table."""

    ibis: Any
    con: Any

    @abstractmethod
    def stage(self, frame: pd.DataFrame, kinds: dict[str, str]) -> None:
        """Make a frame readable as `incoming`."""

    @abstractmethod
    def fetch(self, query: str) -> pd.DataFrame:
        """Return the rows of a query."""

    @abstractmethod
    def begin(self) -> None:
        """Start a transaction that alone writes."""

    def table(self, name: str) -> Any:
        """Return a table as Ibis sees it."""
        return self.ibis.table(name)

    def read(self, query: Any) -> pd.DataFrame:
        """Run an Ibis query and bring what comes out."""
        # Not Ibis' own way out: it warns of pandas 3, and wants a package more.
        return self.fetch(self.ibis.compile(query))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside is written, or nothing is."""
        self.begin()
        try:
            yield
        except BaseException:
            self.con.execute("ROLLBACK")
            raise
        self.con.execute("COMMIT")

    def among(self, table: str, keys: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
        """Return these columns of the rows whose key is one of these."""
        kinds = columns(table)
        self.stage(keys, {name: kinds[name] for name in KEYS[table]})
        take = quoted(names, "t.")
        same = " AND ".join(f't."{name}" = i."{name}"' for name in KEYS[table])
        return self.fetch(
            f'SELECT {take} FROM "{table}" t WHERE EXISTS (SELECT 1 FROM incoming i WHERE {same})'
        )

    def any_aside(self, table: str) -> bool:
        """Tell whether rows of the table are in quarantine."""
        return bool(
            len(self.fetch(f"""SELECT 1 FROM "quarantine" WHERE "table" = '{table}' LIMIT 1"""))
        )

    def write(self, table: str, good: pd.DataFrame, aside: pd.DataFrame, free: list[str]) -> None:
        """Add good rows to the table, set others aside, and free quarantined ones."""
        import pandas as pd

        self._insert(table, good)
        gone = pd.DataFrame({"digest": [*free, *aside["digest"]]})
        if len(gone):
            self.stage(gone, {"digest": "text"})
            inside = '"digest" IN (SELECT "digest" FROM incoming)'
            self.con.execute(f'DELETE FROM "quarantine" WHERE {inside}')
        self._insert("quarantine", aside)

    def _insert(self, table: str, frame: pd.DataFrame) -> None:
        if len(frame):
            kinds = columns(table)
            self.stage(frame, kinds)
            names = quoted(kinds)
            self.con.execute(f'INSERT INTO "{table}" ({names}) SELECT {names} FROM incoming')

    def close(self) -> None:
        """Let go of the connection."""
        self.con.close()


class DuckDB(SqlEngine):
    """A DuckDB file, or memory: no server, and one process that writes."""

    def __init__(self, path: str) -> None:
        import ibis

        self.ibis = ibis.duckdb.connect(path)
        self.con = self.ibis.con
        self.con.execute("SET TimeZone = 'UTC'")
        # Sums by bucket are 1.4 times as fast where 4,096 of them may stand in one dense array.
        self.con.execute("SET perfect_ht_threshold = 16")
        for table in ALL:
            self.con.execute(create(table, key=False))

    def begin(self) -> None:
        """Start a transaction: the file has one writer."""
        self.con.execute("BEGIN")

    def stage(self, frame: pd.DataFrame, kinds: dict[str, str]) -> None:
        """Make a frame readable as `incoming`: DuckDB reads it where it stands."""
        self.con.register("incoming", frame[list(kinds)])

    def files(self, name: str, paths: list[str]) -> Any:
        """Return parquet files as Ibis sees them, read where they stand."""
        self.con.read_parquet(paths).create_view(name, replace=True)
        return self.ibis.table(name)

    def bring(self, name: str, frame: pd.DataFrame, kinds: dict[str, str]) -> Any:
        """Make a small frame readable beside the tables, for this session."""
        self.con.register(name, frame[list(kinds)])
        return self.ibis.table(name)

    def fetch(self, query: str) -> pd.DataFrame:
        """Return the rows of a query."""
        return self.con.execute(query).to_arrow_table().to_pandas()  # type: ignore[no-any-return]


class PostgreSQL(SqlEngine):
    """A PostgreSQL server: many read, and those who write wait for each other."""

    def __init__(self, url: str) -> None:
        import ibis
        import psycopg
        from psycopg.types.numeric import FloatLoader

        self.con = psycopg.connect(url, autocommit=True, connect_timeout=10)
        self.con.execute("SET TIME ZONE 'UTC'")
        self.con.adapters.register_loader("numeric", FloatLoader)  # what sums of integers are
        self.ibis = ibis.postgres.from_connection(self.con)
        self.con.execute("BEGIN")
        self.con.execute("SELECT pg_advisory_xact_lock(4096)")  # two who create at once would clash
        for table in ALL:
            self.con.execute(create(table, key=True))
        self.con.execute("COMMIT")

    def begin(self) -> None:
        """Start a transaction, after that of any other writer."""
        self.con.execute("BEGIN")
        self.con.execute(f"LOCK TABLE {quoted(ALL)} IN SHARE ROW EXCLUSIVE MODE")

    def stage(self, frame: pd.DataFrame, kinds: dict[str, str]) -> None:
        """Make a frame readable as `incoming`."""
        self._copy("incoming", frame, kinds)

    def files(self, name: str, paths: list[str]) -> Any:
        """Refuse: what PostgreSQL reads, it holds."""
        raise ValueError("folder: PostgreSQL reads no parquet files: ingest them, or use DuckDB")

    def bring(self, name: str, frame: pd.DataFrame, kinds: dict[str, str]) -> Any:
        """Make a small frame readable beside the tables, for this session."""
        import ibis

        self._copy(name, frame, kinds)
        types = {column: {"text": "string"}.get(kind, kind) for column, kind in kinds.items()}
        return self.ibis.sql(f'SELECT * FROM "{name}"', schema=ibis.schema(types))

    def _copy(self, name: str, frame: pd.DataFrame, kinds: dict[str, str]) -> None:
        """Fill a temporary table by COPY."""
        declared = ", ".join(f'"{name}" {SQL[kind]}' for name, kind in kinds.items())
        self.con.execute(f'DROP TABLE IF EXISTS pg_temp."{name}"')
        self.con.execute(f'CREATE TEMPORARY TABLE "{name}" ({declared})')
        lines = frame[list(kinds)].to_csv(index=False, header=False, quoting=csv.QUOTE_ALL)
        with self.con.cursor().copy(f'COPY "{name}" FROM STDIN (FORMAT csv)') as copy:
            copy.write(lines)
        self.con.execute(f'ANALYZE "{name}"')

    def fetch(self, query: str) -> pd.DataFrame:
        """Return the rows of a query."""
        import pandas as pd

        cursor = self.con.execute(query)
        return pd.DataFrame(cursor.fetchall(), columns=[c.name for c in cursor.description])


def connect(url: str) -> Engine:
    """Open the engine that a URL names; no message shows a user's name or a password."""
    scheme = scheme_of(url)
    try:
        if scheme == "duckdb":
            return DuckDB(path_of(url) or ":memory:")
        return PostgreSQL(url) if scheme == "postgresql" else SparkFolder(url)
    except Exception as error:
        why = scrub(str(error), url)
    # Raised out here, so that it carries no other error along.
    raise ValueError(f"url: no connection to {shown(url)}: {why.strip()}")
