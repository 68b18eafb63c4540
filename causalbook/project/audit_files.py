"""The command `causalbook audit`: a file and flags in, an audit as text and as a page out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causalbook.project.log_audits import Audit, audit_log
from causalbook.project.policy_tables import TablePolicy

if TYPE_CHECKING:
    import pandas as pd

FLAGS = ("action", "reward", "pscore", "treatment", "outcome", "context", "cluster", "time", "arm")
# How a message begins, and the flag that it is about, where it is not the same word.
OTHERS = {"counts": "--arm: counts", "shares": "--share: shares", "policy": "--target: policy"}


def audit_file(
    log: Path,
    *,
    context: str = "",
    share: str = "",
    target: str = "uniform",
    html: Path | None = None,
    **named: str | None,
) -> Audit:
    """Audit a file as `audit_log` does a frame, and write the page where one is wanted.

    Parameters: `log` a .csv or .parquet file; `context` columns with commas between them; `share`
    as "A=0.5,B=0.5"; `target` "uniform", "best" or a policy's .json file; `html` where the page
    goes; the rest as in `audit_log`.
    Raises ValueError in one line that names the flag, for all that `audit_log` refuses, a file of
    another kind or one that cannot be read, and shares that are no numbers.
    """
    frame = read_log(Path(log))
    columns = [name.strip() for name in context.split(",") if name.strip()]
    wanted = {flag: column for flag, column in named.items() if column}
    if html is not None and Path(html).suffix != ".html":
        raise ValueError(f"--html is {html}: end it in .html, so that no log is overwritten")
    try:
        audit = audit_log(
            frame,
            context=columns,
            share=_shares(share) if share else None,
            target=_policy(target),
            title=Path(log).name,
            **wanted,  # type: ignore[arg-type]
        )
    except ValueError as refusal:
        said = " ".join(str(refusal).split())
        word = said.split()[0].rstrip(":,")
        start = OTHERS.get(word, f"--{word}" if word in (*FLAGS, "share", "target") else word)
        raise ValueError(start + said[len(word) :]) from refusal
    if html is not None:
        Path(html).write_text(audit.html(), encoding="utf-8")
    return audit


def read_log(path: Path) -> pd.DataFrame:
    """Read a log; the separator of a .csv is that which its header has most often."""
    import pandas as pd

    if not path.is_file():
        raise ValueError(f"LOG is no file: {path}; pass a .csv or .parquet file, a row a decision")
    readers: dict[str, Any] = {".csv": _read_csv, ".parquet": pd.read_parquet}
    if path.suffix not in readers:
        raise ValueError(f"LOG is {path.name}: pass a .csv or .parquet file")
    try:
        frame: pd.DataFrame = readers[path.suffix](path)
    except (ValueError, OSError) as broken:  # what pandas and pyarrow raise for another content
        first = str(broken).splitlines()[0]
        raise ValueError(
            f"LOG {path.name} cannot be read as {path.suffix[1:]}: {first}"
        ) from broken
    return frame


def _read_csv(path: Path) -> pd.DataFrame:
    import pandas as pd

    with path.open(encoding="utf-8-sig") as file:
        header = file.readline()
    separator = max(",;\t|", key=header.count)
    frame = pd.read_csv(path, sep=separator)
    names = pd.read_csv(path, sep=separator, header=None, nrows=1, dtype=str).iloc[0]
    if len(names) == len(frame.columns):  # pandas would give two of a name different ones
        frame.columns = names.where(names.notna(), list(frame.columns)).tolist()
    return frame


def _shares(text: str) -> Mapping[str, float]:
    parts = [part.rpartition("=") for part in text.split(",")]
    try:
        return {name.strip(): float(value) for name, _, value in parts}
    except ValueError:
        raise ValueError(f"share is {text!r}: write it as A=0.5,B=0.5") from None


def _policy(target: str) -> str | TablePolicy:
    if not target.endswith(".json"):
        return target
    try:
        return TablePolicy.load(target)
    except (OSError, ValueError) as refusal:
        raise ValueError(f"target cannot be read: {refusal}") from refusal
