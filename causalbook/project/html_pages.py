"""A page in one file: it asks no other host for anything, and reads in light, dark and print."""

from __future__ import annotations

from html import escape
from typing import Any

STYLE = """
:root { color-scheme: light dark; --ground: #fefdfb; --ink: #1c2530; --line: #dcd8ce; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14181d; --ink: #e6e3dc; --line: #3a424c; }
}
body { background: var(--ground); color: var(--ink); margin: 0 auto; max-width: 50rem;
  padding: 2rem 1.2rem 4rem; font: 1.05rem/1.6 Georgia, "Noto Serif CJK SC", serif; }
h1, h2, table, svg, pre, .causalbook-estimate { font-family: system-ui, sans-serif; }
h1 { line-height: 1.2; } h2 { margin-top: 2.4rem; }
p, li { max-width: 38rem; }
table { border-collapse: collapse; font-size: .9rem; display: block; overflow-x: auto; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid var(--line); text-align: left; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
pre { overflow-x: auto; padding: .8rem; border: 1px solid var(--line); border-radius: 6px; }
.decision { border-left: .4rem solid #009e73; padding: .2rem 1rem; font-size: 1.15rem; }
.decision.no { border-color: #d55e00; }
@media print { body { max-width: none; } h2 { break-after: avoid; } }
"""


def page(title: str, *parts: Any) -> str:
    """Return a whole HTML page, self-contained.

    Parameters: `title`, plain text; `parts` in their order: HTML as text, or what a notebook shows
    as HTML (figures and tables of `plots`, an `Estimate`). Source: ours.
    """
    body = "\n".join(x if isinstance(x, str) else x._repr_html_() for x in parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>{escape(title)}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )


def section(title: str, *paragraphs: str) -> str:
    """Return a heading and paragraphs; text that is no HTML yet is made so."""
    said = "".join(f"<p>{escape(text)}</p>\n" for text in paragraphs)
    return f"<h2>{escape(title)}</h2>\n{said}"
