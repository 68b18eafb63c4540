"""Where a warehouse stands, as a URL: what it names, and what of it may be printed."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit


def shown(url: str) -> str:
    """Return the URL without user, password and options, to be printed."""
    if scheme_of(url) == "duckdb":
        return f"duckdb://{Path(path_of(url)).name or 'memory'}"
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def scheme_of(url: str) -> str:
    """Return duckdb, postgresql or spark; refuse what is none, or reads as something else."""
    scheme, between, rest = url.partition("://")
    if not between:
        if "=" in url:
            raise ValueError("url is no path: write options as postgresql://user@host/database")
        return "duckdb"
    scheme = {"postgres": "postgresql"}.get(scheme, scheme)
    if scheme not in ("duckdb", "postgresql") and scheme.partition("+")[0] != "spark":
        raise ValueError(
            f"url begins with {scheme!r}: pass a path, duckdb:///file, postgresql://user@host/name "
            "or spark://host:port/folder"
        )
    # A special character in a password moves a part of it to where messages show it.
    parts, port = urlsplit(url), r"([^@]*@)?(\[[0-9a-fA-F:]+\]|[^@:]*)(:\d+)?"
    rest = parts.path + parts.query + parts.fragment
    if scheme == "postgresql" and (
        "@" in rest
        or "#" in url
        or re.search("%(?![0-9a-fA-F]{2})", url)
        or not re.fullmatch(port, parts.netloc)
    ):
        raise ValueError(
            "url cannot be read: in a name or a password write % as %25, @ as %40, / as %2F, "
            ": as %3A, # as %23, ? as %3F"
        )
    return scheme.partition("+")[0]


def path_of(url: str) -> str:
    """Return the file of a DuckDB URL."""
    return url.removeprefix("duckdb://")


def scrub(text: str, url: str) -> str:
    """Take what may be secret in a URL out of a message."""
    parts = urlsplit(url)
    hidden = {url, parts.netloc.rpartition("@")[0], parts.query}
    hidden |= {parts.password or "", *(v for _, v in parse_qsl(parts.query))}
    for secret in sorted(filter(None, hidden | {unquote(x) for x in hidden}), key=len)[::-1]:
        text = text.replace(secret, "***")
    return text
