"""Artefacts: files that are there whole or not at all, the same bytes for the same contents."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

DIGITS = 9  # engines add in any order; the digits after these may differ from run to run


def rounded(x: Any) -> Any:
    """Round each number of a nest of lists and mappings to nine significant digits."""
    if isinstance(x, dict):
        return {str(k): rounded(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)) or hasattr(x, "tolist"):
        return [rounded(v) for v in x] if hasattr(x, "__len__") else rounded(x.item())
    if isinstance(x, (bool, int, str)) or x is None:
        return x
    return float(f"{float(x):.{DIGITS}g}") + 0.0


def digest(x: Any) -> str:
    """Name a value, or the bytes of a file, by a hash."""
    data = x.read_bytes() if isinstance(x, Path) else json.dumps(x, sort_keys=True).encode()
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def put(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all, also if the process is killed."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8", newline="\n")
    part.replace(path)  # atomic on one file system


def put_json(path: Path, x: Any) -> None:
    """Write numbers and text as JSON, rounded, so that two runs write the same bytes."""
    put(path, json.dumps(rounded(x), indent=1, ensure_ascii=False) + "\n")


def get_json(path: Path) -> Any:
    """Read what `put_json` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))
