"""Real data for the book: where it is from, on what terms, and proof that it is unchanged."""

from __future__ import annotations

import hashlib
from copy import deepcopy
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

DATA = Path(__file__).parent / "data"


@cache
def _registry() -> dict[str, dict[str, Any]]:
    import tomllib  # with its parser a tenth of what importing numpy costs

    return tomllib.loads((DATA / "datasets.toml").read_text(encoding="utf-8"))


def _entry(name: str) -> dict[str, Any]:
    if name not in _registry():
        raise ValueError(f"name is {name!r}: the data sets are {', '.join(sorted(_registry()))}")
    return _registry()[name]


def describe(name: str) -> dict[str, Any]:
    """Say what a data set is: title, source, licence, citation, shape, content hash.

    Parameters: `name`, one of those in the registry (`causalbook/data/datasets.toml`).
    Raises ValueError for an unknown name.
    """
    return deepcopy(_entry(name))


def load(name: str) -> pd.DataFrame:
    """Return a data set as a frame, after checking its contents against the registered hash.

    Parameters: `name`, as in `describe`. Rows and columns are those of the source, none dropped
    or filled. Raises ValueError for an unknown name or changed contents, ImportError where the
    data come with a package that is not installed.
    """
    entry = _entry(name)
    frame = _from_package(entry) if "install" in entry else _from_parquet(name)
    found = content_hash(frame)
    if found != entry["hash"]:
        raise ValueError(
            f"{name} has the contents {found}, registered are {entry['hash']}: "
            "install the version of the data that the source names, or check the file out again"
        )
    return frame


def content_hash(frame: pd.DataFrame) -> str:
    """Hash names, kinds and values of all columns, whatever file format carried them.

    Numbers count as their 64 bits, times as microseconds since 1970, all else as text: its
    lengths (-1 where it is missing), then its letters.
    """
    digest = hashlib.sha256()
    for name, column in frame.items():
        kind = getattr(column.dtype, "kind", "O")
        if kind == "M":
            values = column.dt.as_unit("us").astype("int64").to_numpy().tobytes()
        elif kind in "iub":
            values = column.to_numpy(np.int64).tobytes()
        elif kind == "f":
            values = column.to_numpy(np.float64).tobytes()
        else:
            kind, here = "O", column.notna()
            text = column[here].astype(str)
            lengths = text.str.len().reindex(column.index, fill_value=-1)
            values = lengths.to_numpy(np.int64).tobytes() + "".join(text).encode()
        digest.update(f"{kind} {name} {len(values)}\n".encode() + values)
    return digest.hexdigest()[:16]


def _from_parquet(name: str) -> pd.DataFrame:
    import pandas as pd

    with (DATA / f"{name}.parquet").open("rb") as file:
        return pd.read_parquet(file)


def _from_package(entry: dict[str, Any]) -> pd.DataFrame:
    if "file" in entry:
        return _from_file(entry)
    try:
        module = import_module(entry["module"])
    except ModuleNotFoundError as absent:
        raise _absent(entry) from absent
    frame: pd.DataFrame
    frame = module.data(*entry["item"]) if "item" in entry else module.load_pandas().data
    return frame


def _from_file(entry: dict[str, Any]) -> pd.DataFrame:
    """Read a table that a package carries, without importing the package."""
    import pandas as pd

    spec = find_spec(entry["module"])
    if spec is None or spec.origin is None:
        raise _absent(entry)
    return pd.read_csv(Path(spec.origin).parent / entry["file"])


def _absent(entry: dict[str, Any]) -> ImportError:
    return ImportError(f"these data come with another package: {entry['install']}")
