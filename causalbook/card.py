"""How one estimate looks: its digits, and a card with the interval drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

RIGHT = "#009E73"


def digits(value: float, se: float) -> Callable[[float], str]:
    """Return a formatter with three significant digits of the error; NaN prints as "–"."""
    scale = se if se > 0 and math.isfinite(se) else abs(value) / 100
    places = 3 if scale == 0 else min(12, max(0, 2 - math.floor(math.log10(scale))))

    def show(x: float) -> str:
        if math.isnan(x):
            return "–"
        rounded = round(x, places) + 0.0  # adding zero turns -0.0 into 0.0
        return f"{x:.3g}" if abs(x) >= 1e15 else f"{rounded:,.{places}f}"

    return show


def card(
    estimand: str,
    method: str,
    value: float,
    se: float,
    interval: tuple[float, float],
    rows: str,
    notes: Sequence[str],
) -> str:
    """Return the HTML of one estimate: what, how, the number, its interval as a drawing."""
    show, (low, high) = digits(value, se), interval
    numbers = f"SE {show(se)} · 95% interval [{show(low)}, {show(high)}] · {rows}"
    small = "".join(
        f'<div style="font-size:.85em;opacity:.8;margin-top:.3em">{escape(note)}</div>'
        for note in notes
    )
    return (
        '<div class="causalbook-estimate" style="display:inline-block;max-width:36em;'
        'border:1px solid currentColor;border-radius:8px;padding:.7em 1em;margin:.3em 0">'
        f"<div><strong>{escape(estimand)}</strong> "
        f'<span style="opacity:.8">by {escape(method)}</span></div>'
        f'<div style="font-size:1.6em;line-height:1.3;font-variant-numeric:tabular-nums">'
        f"{show(value)}</div>"
        f"{_drawing(value, interval, show) if math.isfinite(se) else ''}"
        f'<div style="font-variant-numeric:tabular-nums">{numbers}</div>{small}</div>'
    )


def _drawing(value: float, interval: tuple[float, float], show: Callable[[float], str]) -> str:
    """Draw the interval on a line that reaches zero wherever zero is near enough to matter."""
    low, high = interval
    width = max(high - low, abs(value) * 1e-9, 1e-300)
    ends = [low, high] + ([0.0] if min(abs(low), abs(high)) < 6 * width else [])
    left, right = min(ends) - 0.1 * width, max(ends) + 0.1 * width

    def x(v: float) -> str:
        return f"{8 + 304 * (v - left) / (right - left):.1f}"

    zero = (
        f'<line x1="{x(0)}" x2="{x(0)}" y1="3" y2="27" stroke="currentColor" '
        f'stroke-dasharray="2 3"/><text x="{x(0)}" y="39" font-size="11" text-anchor="middle" '
        'fill="currentColor">0</text>'
        if 0.0 in ends
        else ""
    )
    label = f"Estimate {show(value)}, 95% interval from {show(low)} to {show(high)}."
    return (
        f'<svg role="img" aria-label="{label}" viewBox="0 0 320 42" width="320" '
        'style="max-width:100%;display:block">'
        '<line x1="8" x2="312" y1="15" y2="15" stroke="currentColor" opacity=".25"/>'
        f"{zero}"
        f'<line x1="{x(low)}" x2="{x(high)}" y1="15" y2="15" stroke="{RIGHT}" stroke-width="5" '
        'stroke-linecap="round"/>'
        f'<circle cx="{x(value)}" cy="15" r="6" fill="{RIGHT}" stroke="currentColor"/></svg>'
    )
