"""An audit as plain text for a terminal, and as one HTML page that asks no other host."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

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
    "effective rows": "so many rows of the other policy's own log would tell as much",
    "95% interval": "of 100 such logs, about 95 give an interval that holds the true value",
}


def as_text(title: str, n: int, checks: Sequence[Check], answers: Sequence[Answer]) -> str:
    """Return the audit in short lines: the rows, then each question with its verdict first."""
    lines = [f"Audit of {title}: {n:,} rows", "", "THE ROWS", *_said(checks)]
    for a in answers:
        lines += ["", f"{a.question.upper()}  [{a.verdict.upper()}]", *_wrap(a.why, 2)]
        lines += _numbers(a.estimates) + _said(a.checks)
    lines += ["", "WORDS"]
    for word, meaning in WORDS.items():
        lines += _wrap(f"{word}: {meaning}", 2, hang=4)
    return "\n".join(lines) + "\n"


def _wrap(text: str, indent: int, hang: int | None = None) -> list[str]:
    blanks, first = " " * indent, text[:1].upper() + text[1:] if hang is None else text
    rest = blanks if hang is None else " " * hang
    return textwrap.wrap(first, 88, initial_indent=blanks, subsequent_indent=rest)


def _said(checks: Sequence[Check]) -> list[str]:
    lines = []
    for c in checks:
        lines += _wrap(f"{VERDICT[c.passed]:<7}{c.name}: {c.sentence}", 2, hang=9)
        if c.passed is False:  # the numbers of what passed stand on the HTML page
            shown = c.table.head(MOST).to_string(float_format=lambda x: f"{x:.4g}")
            lines += [" " * 9 + row for row in shown.splitlines()]
    return lines


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

    parts: list[Any] = [section("The rows", f"{n:,} rows."), *checks]
    for a in answers:
        parts.append(
            section(f"{a.question} {a.verdict.capitalize()}.", a.why[:1].upper() + a.why[1:])
        )
        if a.estimates:
            names, drawn = zip(*a.estimates, strict=True)
            parts += [table(pd.DataFrame(_rows(a.estimates), columns=list(HEADS)))]
            parts += [intervals(*drawn, names=names)]
        parts += a.checks
    return page(
        f"Audit of {title}", *parts, section("Words", *(": ".join(w) for w in WORDS.items()))
    )
