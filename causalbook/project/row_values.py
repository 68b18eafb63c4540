"""What a value must be to enter a column, and how a row is written down as it came."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from hashlib import blake2b
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import Labels

if TYPE_CHECKING:
    import pandas as pd

REFUSED = re.compile("[\0\ud800-\udfff]")  # what no database takes: NUL, half characters


def _whole(raw: Any, gone: Labels) -> tuple[Any, Labels, str]:
    """Whole numbers; what is none becomes 0, and is marked."""
    if raw.dtype.kind in "iu" and str(raw.dtype).lower() != "uint64" and not gone.any():
        return raw.to_numpy(np.int64), np.zeros(len(raw), dtype=bool), ""
    given = raw.to_numpy(dtype=object)
    wrong = np.array([not _is_whole(x) for x in given], dtype=bool)
    safe = np.where(wrong, 0, given)
    return np.array([int(x) for x in safe], dtype=np.int64), wrong, "is no whole number"


def _is_whole(x: Any) -> bool:
    return _is_number(x) and -(2**63) <= x < 2**63 and x == int(x)


def _is_number(x: Any) -> bool:
    """Tell whether x is a real number that a double can hold; a text such as "1" is none."""
    real = isinstance(x, (Real, Decimal)) and not isinstance(x, (bool, np.bool_))
    nan = isinstance(x, Decimal) and x.is_nan()  # it refuses to be compared
    return real and not nan and not abs(x) > 1e308


def _real(raw: Any, gone: Labels) -> tuple[Any, Labels, str]:
    """Finite numbers; what is none becomes NaN, and is marked."""
    import pandas as pd

    if raw.dtype.kind not in "iuf":
        raw = pd.Series([float(x) if _is_number(x) else np.nan for x in raw], dtype=np.float64)
    values = raw.to_numpy(np.float64, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan), ~np.isfinite(values), "is no number"


def _text(raw: Any, gone: Labels) -> tuple[Any, Labels, str]:
    """Texts that hold something; what is none becomes missing, and is marked."""
    import pandas as pd

    given = raw.to_numpy(dtype=object)
    wrong = np.array([not isinstance(x, str) or not _readable(x) for x in given], dtype=bool)
    return (
        pd.array([None if w else x for x, w in zip(given, wrong, strict=True)], "str"),
        wrong,
        "is no text",
    )


def _readable(x: str) -> bool:
    """Tell whether a text holds something, and nothing that a database refuses."""
    return bool(x.strip()) and not REFUSED.search(x)


def _time(raw: Any, gone: Labels) -> tuple[Any, Labels, str]:
    """Moments of known time zone, in UTC; what is none becomes missing, and is marked."""
    import pandas as pd

    if isinstance(raw.dtype, pd.DatetimeTZDtype):
        moments = raw.dt.tz_convert("UTC").astype("datetime64[us, UTC]")
        return moments.array, np.zeros(len(raw), dtype=bool), ""
    text = raw.astype(object).map(lambda x: x if isinstance(x, str) else _iso(x))
    stated = text.str.contains(r"(?:Z|[+-]\d\d:?\d\d)$", regex=True, na=False).to_numpy(bool)
    moments = pd.to_datetime(text.where(stated), utc=True, errors="coerce", format="ISO8601")
    moments = moments.astype("datetime64[us, UTC]")
    return moments.array, moments.isna().to_numpy(), "is no time with its time zone"


def _iso(x: Any) -> str:
    return x.isoformat() if hasattr(x, "isoformat") else ""


CONVERT = {"int64": _whole, "float64": _real, "text": _text, "time": _time}


def records(frame: pd.DataFrame) -> list[str]:
    """Each row as it came, as JSON: the same text for the same row, whatever stands around it."""
    told: dict[str, list[Any]] = {}
    for name in sorted(map(str, frame)):
        given = frame[name].to_numpy(dtype=object)
        gone = frame[name].isna()
        told[name] = [None if g else _plain(x) for x, g in zip(given, gone, strict=True)]
    lines = zip(*told.values(), strict=True)
    return [json.dumps(dict(zip(told, line, strict=True))) for line in lines]


def digests(table: str, record: list[str]) -> Labels:
    """Names of rows in quarantine, by what they hold."""
    lines = (f"{table} {line}".encode() for line in record)
    return np.array([blake2b(line, digest_size=16).hexdigest() for line in lines], dtype=object)


def _plain(x: Any) -> Any:
    """Return a value as JSON knows it; a whole number is one with and without its point."""
    if isinstance(x, (bool, np.bool_)):
        return bool(x)
    if isinstance(x, (float, np.floating)):
        y = float(x)
        return int(y) if abs(y) < 2**53 and y == int(y) else y
    if isinstance(x, (int, np.integer)):
        return int(x)
    if isinstance(x, str) or _iso(x):
        return x if isinstance(x, str) else _iso(x)
    # What is no value stays none: as a text, a list would pass for a region when tried again.
    return _plain(float(x)) if _is_number(x) else {type(x).__name__: str(x)}
