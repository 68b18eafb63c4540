"""Servers for the tests: each starts what it needs and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

PASSWORD = "s3cret p@ss/word"


def needed(program: str, found: object) -> None:
    """Skip where a program cannot be found, but never where the tests must all run."""
    if not found:
        if os.environ.get("CI"):
            pytest.fail(f"{program} is not installed, and CI is set")
        pytest.skip(f"{program} is not installed")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def postgres_programs() -> Path | None:
    """The folder of initdb and pg_ctl: on the path, or where Debian puts it."""
    on_path = shutil.which("initdb")
    places = [Path(on_path).parent] if on_path else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((p for p in places if (p / "initdb").exists()), None)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL server of our own on a free port: user book, a password, database postgres."""
    pytest.importorskip("psycopg")
    programs = postgres_programs()
    needed("PostgreSQL", programs)
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="causalbook-pg-"))
    # The server refuses to run as root, and then needs a user that owns its folder.
    as_user = {"user": "postgres", "group": "postgres", "extra_groups": []}
    as_user = as_user if os.geteuid() == 0 else {}
    (folder / "password").write_text(PASSWORD)
    if as_user:
        for path in (folder, folder / "password"):
            shutil.chown(path, "postgres", "postgres")
    port = free_port()

    def run(program: str, *args: str) -> None:
        done = subprocess.run(
            [programs / program, "-D", folder / "data", *args],
            cwd=folder, capture_output=True, text=True, check=False, **as_user,
        )  # fmt: skip
        assert not done.returncode, done.stdout + done.stderr

    try:
        run("initdb", "-U", "book", "-A", "scram-sha-256", "--pwfile", str(folder / "password"),
            "-E", "UTF8", "--no-sync")  # fmt: skip
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"127.0.0.1:{port}"
        finally:
            run("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def postgres_databases(postgres_server: str) -> Iterator[Callable[[int], list[str]]]:
    """Make empty databases and return their URLs, password included."""
    import psycopg

    base = f"postgresql://book:{quote(PASSWORD, safe='')}@{postgres_server}"
    made: list[str] = []

    def make(n: int) -> list[str]:
        with psycopg.connect(f"{base}/postgres", autocommit=True) as con:
            for _ in range(n):
                made.append(f"books{len(made)}")
                con.execute(f"CREATE DATABASE {made[-1]}")
        return [f"{base}/{name}" for name in made]

    yield make
    with psycopg.connect(f"{base}/postgres", autocommit=True) as con:
        for name in made:
            con.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_url(postgres_databases: Callable[[int], list[str]]) -> str:
    """The URL of an empty database, password included."""
    return postgres_databases(1)[0]


@pytest.fixture(scope="session")
def spark_cluster() -> Iterator[str]:
    """Spark with two workers, processes of their own, started once for all tests."""
    pyspark = pytest.importorskip("pyspark")
    needed("Java", shutil.which("java"))
    # The logs are small: most of the time goes to starting and compiling, and this makes it less.
    java = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    few = ("ui.enabled=false", "sql.shuffle.partitions=2", "log.level=ERROR")
    options = [f"--conf spark.{x}" for x in (*few, f"executor.extraJavaOptions='{java}'")]
    # Read once, where Spark starts.
    os.environ["PYSPARK_SUBMIT_ARGS"] = " ".join(
        [f"--driver-java-options '{java}'", *options, "pyspark-shell"]
    )
    yield "spark+local-cluster://2,1,1024"
    session = pyspark.sql.SparkSession.getActiveSession()
    if session is not None:
        session.stop()


@pytest.fixture
def spark_url(spark_cluster: str) -> Iterator[str]:
    """The URL of an empty folder that Spark reads."""
    folder = tempfile.mkdtemp(prefix="causalbook-spark-")
    yield f"{spark_cluster}{folder}"
    shutil.rmtree(folder)
