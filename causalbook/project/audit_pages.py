"""An audit as plain text for a terminal, and as one HTML page that asks no other host."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.card import digits
from causalbook.plots import intervals, table
from causalbook.project.html_pages import page, section

if TYPE_CHECKING:
    from causalbook import Estimate
    from causalbook.estimators import Check
    from causalbook.project.audit_answers import Answer

MOST = 8  # rows of a table that the text shows
VERDICT = {True: "ok", False: "FAILED", None: "note"}
HEADS = ("estimate", "value", "SE", "95% interval")
WORDS = {
    "propensity": "the probability with which the system showed what it showed",
    "context": "what is known of a visit before something is shown",
    "IPS": "mean reward, each row weighted by how much likelier the other policy shows it",
    "SNIPS": "the same, divided by the mean weight; usually steadier",
    "DR": "a model of the reward, corrected by the weighted rows; usually the one to read",
    "effective rounds": "so many rows of the other policy's own log would tell as much",
    "95% interval": "of 100 such logs, about 95 give an interval that holds the true value",
}


def as_text(title: str, n: int, checks: Sequence[Check], answers: Sequence[Answer]) -> str:
    """Return the audit in short lines: the rows, then each question with its verdict first."""
    lines = [f"Audit of {title}: {n:,} rows", "", "THE ROWS", *_said(checks)]
    for a in answers:
        lines += ["", f"{a.question.upper()}  [{a.verdict.upper()}]", *_wrap(a.why, 2)]
        lines += _numbers(a.estimates) + _said(a.checks)
    words = _words(checks, answers)
    lines += ["", "WORDS"] * bool(words)
    for said in words:
        lines += _wrap(said, 2, hang=4)
    return "\n".join(lines) + "\n"


def _words(checks: Sequence[Check], answers: Sequence[Answer]) -> list[str]:
    """Explain the words that occur, by their first letters: propensities too."""
    said = [c.sentence for c in checks] + [c.sentence for a in answers for c in a.checks]
    said += [a.why for a in answers] + [name for a in answers for name, _ in a.estimates]
    said += [HEADS[3]] * any(a.estimates for a in answers)
    body = " ".join(said)
    return [f"{word}: {told}" for word, told in WORDS.items() if re.search(rf"\b{word[:9]}", body)]


def _wrap(text: str, indent: int, hang: int | None = None) -> list[str]:
    blanks, first = " " * indent, text[:1].upper() + text[1:] if hang is None else text
    rest = blanks if hang is None else " " * hang
    return textwrap.wrap(first, 88, initial_indent=blanks, subsequent_indent=rest)


def _said(checks: Sequence[Check]) -> list[str]:
    lines = []
    for c in checks:
        lines += _wrap(f"{VERDICT[c.passed]:<7}{c.name}: {c.sentence}", 2, hang=9)
        if c.passed is False:  # the numbers of what passed stand on the HTML page
            shown = c.table.head(MOST).to_string(float_format=_short, na_rep="-")
            lines += [" " * 9 + row for row in shown.splitlines()]
    return lines


def _short(x: float) -> str:
    return f"{x:,.0f}" if abs(x) >= 1000 else f"{x:.4g}"


def _rows(estimates: Sequence[tuple[str, Estimate]]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, e in estimates:
        show, (low, high) = digits(e.value, e.se), e.conf_int()
        rows.append((name, show(e.value), show(e.se), f"{show(low)} to {show(high)}"))
    return rows


def _numbers(estimates: Sequence[tuple[str, Estimate]]) -> list[str]:
    rows = [HEADS, *_rows(estimates)] if estimates else []
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        f"    {row[0]:<{wide[0]}}" + "".join(f"  {row[j]:>{wide[j]}}" for j in (1, 2, 3))
        for row in rows
    ]


def as_html(title: str, n: int, checks: Sequence[Check], answers: Sequence[Answer]) -> str:
    """Return the audit as a page: style and drawings inside, light and dark."""
    import pandas as pd

    parts: list[Any] = [section("The rows", f"{n:,} rows."), *_tables(checks)]
    for a in answers:
        parts.append(
            section(f"{a.question} {a.verdict.capitalize()}.", a.why[:1].upper() + a.why[1:])
        )
        if a.estimates:
            parts += [table(pd.DataFrame(_rows(a.estimates), columns=list(HEADS)))]
            drawn = [(name, e) for name, e in a.estimates if not name.startswith("gain")]
            if len(drawn) > 1:  # a gain lies on another scale
                parts += [intervals(*(e for _, e in drawn), names=[name for name, _ in drawn])]
        parts += _tables(a.checks)
    if words := _words(checks, answers):
        parts.append(section("Words", *words))
    return page(f"Audit of {title}", *parts)


def _tables(checks: Sequence[Check]) -> list[Any]:
    """Each check with its verdict and its numbers, named as in the text."""
    parts: list[Any] = []
    for c in checks:
        parts.append(
            f"<p><strong>{VERDICT[c.passed]} {escape(c.name)}:</strong> {escape(c.sentence)}</p>"
        )
        if len(c.table):
            rows = c.table if c.table.index.name is None else c.table.reset_index()
            shown = {k: [_cell(v) for v in rows[k]] for k in rows}
            parts.append(table(type(rows)(shown)))
    return parts


def _cell(x: Any) -> str:
    if isinstance(x, (bool, np.bool_)):
        return "yes" if x else "no"
    if isinstance(x, (float, np.floating)):
        return "-" if np.isnan(x) else _short(float(x))
    return f"{x:,}" if isinstance(x, (int, np.integer)) else str(x)
