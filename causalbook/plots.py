"""Figures in one house style: inline SVG that follows the page's colours and speaks its finding.

Colours mean the same everywhere: see `COLOUR`. Text, axes and truth take the colour of the
page's text, so that a figure can be read in light and dark.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from causalbook.card import digits as significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from causalbook.estimate import Estimate

COLOUR = {"treated": "#D55E00", "control": "#0072B2", "naive": "#888888", "right": "#009E73"}
INK = "#010203"  # stands for the page's text colour until the SVG is written
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text: it scales, it is searched, it takes the page's font
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "lines.linewidth": 2,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "figure.constrained_layout.use": True,
}


@dataclass(frozen=True)
class Figure:
    """A drawing that a notebook shows as inline SVG, with its finding as alternative text."""

    svg: str
    alt: str

    def _repr_html_(self) -> str:
        return self.svg


class Canvas:
    """What `canvas` hands out: the axes to draw on, and after the block the `figure`."""

    def __init__(self, axes: Any) -> None:
        self.axes = axes
        self.figure = Figure("", "")


@contextmanager
def canvas(
    alt: str, *, width: float = 6.0, height: float = 3.0, panels: int = 1
) -> Iterator[Canvas]:
    """Draw in the house style: `with canvas(alt) as c: c.axes.plot(...)`, then show `c.figure`.

    Parameters: `alt`, one or two sentences with the finding and its numbers, for those who do
    not see it; `width` and `height` in inches; `panels` side by side (then `axes` is an array).
    Raises ValueError if `alt` is too short to state a finding.
    """
    if len(alt) < 20:
        raise ValueError(f"alt is {alt!r}: state what the figure shows, with its numbers")
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Drawing

    style: Any = STYLE | {"svg.hashsalt": alt}  # the same ids in every run
    with rc_context(style):
        drawing = Drawing(figsize=(width, height))
        drawn = Canvas(drawing.subplots(1, panels))
        yield drawn
        buffer = io.StringIO()
        FigureCanvasSVG(drawing)  # attaches itself to the drawing
        drawing.savefig(buffer, format="svg", metadata={"Date": None})
    drawn.figure = Figure(_inline(buffer.getvalue(), alt), alt)


def _inline(svg: str, alt: str) -> str:
    """Turn a stand-alone SVG file into an element of the page."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<(metadata|style).*?</\1>", "", body, flags=re.S)  # a style leaks into the page
    body = body.replace(INK, "currentColor").replace("'DejaVu Sans', sans-serif", "inherit")
    own = "f" + hashlib.blake2b(alt.encode(), digest_size=4).hexdigest()
    body = re.sub(r'( id="|href="#|url\(#)', rf"\1{own}-", body)  # ids of two figures must differ
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', body)
    assert size is not None  # matplotlib always writes one
    head = (
        f'<svg class="causalbook-figure" role="img" aria-label="{escape(alt)}" '
        f'viewBox="0 0 {size[1]} {size[2]}" width="{float(size[1]) * 1.4:.0f}" '
        'style="max-width:100%;height:auto" xmlns="http://www.w3.org/2000/svg" '
        'xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return head + body[body.index(">") + 1 :]


def intervals(
    *estimates: Estimate,
    truth: float | None = None,
    names: Sequence[str] = (),
    colours: Sequence[str] = (),
    unit: str = "",
    level: float = 0.95,
) -> Figure:
    """Draw estimates with their intervals below one another, and the truth as a dashed line.

    Parameters: estimates; `truth` in their unit; `names` for the rows (by default their methods);
    `colours`, keys of `COLOUR` ("right" by default); `unit` labels the axis; `level` of the
    intervals. An estimate without a standard error is an open point.
    """
    names = names or [e.method for e in estimates]
    colours = colours or ["right"] * len(estimates)
    said = [f"{n} {_said(e, level)}" for n, e in zip(names, estimates, strict=True)]
    if truth is not None:
        show = significant(truth, min((e.se for e in estimates if e.se > 0), default=0))
        said.append(f"the truth is {show(truth)}")
    alt = f"{level:.0%} intervals: " + "; ".join(said) + "."
    with canvas(alt, height=0.9 + 0.42 * len(estimates)) as c:
        for y, (e, colour) in enumerate(zip(estimates, colours, strict=True)):
            _interval(c.axes, e, -y, COLOUR[colour], level)
        if truth is not None:
            c.axes.axvline(truth, color=INK, linestyle="--", linewidth=1.2)
            c.axes.annotate("truth", (truth, 0.55), xytext=(4, 0), textcoords="offset points")
        c.axes.set_yticks([-y for y in range(len(estimates))], names)
        c.axes.set_ylim(0.5 - len(estimates), 0.9)
        c.axes.set_xlabel(unit)
        c.axes.tick_params(axis="y", length=0)
        c.axes.spines["left"].set_visible(False)
    return c.figure


def _interval(axes: Axes, e: Estimate, y: float, colour: str, level: float) -> None:
    if e.se == e.se:
        axes.plot(e.conf_int(level), [y, y], color=colour, linewidth=4, solid_capstyle="round")
    face = colour if e.se == e.se else "none"
    axes.plot([e.value], [y], "o", markersize=9, markerfacecolor=face, markeredgecolor=colour)


def _said(e: Estimate, level: float) -> str:
    show, (low, high) = significant(e.value, e.se), e.conf_int(level)
    if e.se != e.se:
        return f"{show(e.value)} without an interval"
    return f"{show(e.value)} ({show(low)} to {show(high)})"


def table(frame: Any, *, digits: int = 3, places: dict[str, int] | None = None) -> Table:
    """Show a frame as a plain table: aligned decimals, heads for all columns, no index.

    Parameters: `frame`; `digits` behind the point; `places`, other digits for some columns.
    """
    import numpy as np
    import pandas as pd

    own = places or {}

    def cell(column: str, value: Any) -> str:
        if pd.isna(value):
            return '<td class="number">–</td>'
        if isinstance(value, (bool, np.bool_)):
            return f"<td>{'yes' if value else 'no'}</td>"
        if isinstance(value, (int, np.integer)):
            return f'<td class="number">{value:,}</td>'
        if isinstance(value, (float, np.floating)):
            return f'<td class="number">{value:,.{own.get(column, digits)}f}</td>'
        return f"<td>{escape(str(value))}</td>"

    heads = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in frame.columns)
    body = "".join(
        "<tr>" + "".join(cell(n, v) for n, v in zip(frame.columns, row, strict=True)) + "</tr>"
        for row in frame.itertuples(index=False)
    )
    html = f'<table class="causalbook-table dataframe"><thead><tr>{heads}</tr></thead>'
    return Table(f"{html}<tbody>{body}</tbody></table>")


@dataclass(frozen=True)
class Table:
    """A table that a notebook shows as HTML."""

    html: str

    def _repr_html_(self) -> str:
        return self.html


def slider(frames: Sequence[tuple[str, Figure]], *, label: str) -> Slider:
    """Put figures behind a slider that works without a network or a kernel.

    Parameters: `frames`, pairs of what the slider says and the figure it shows; `label` names
    what moves. The first frame stands in print.
    """
    return Slider(tuple(frames), label)


@dataclass(frozen=True)
class Slider:
    """Figures of which a range input shows one at a time."""

    frames: tuple[tuple[str, Figure], ...]
    label: str

    def _repr_html_(self) -> str:
        last = len(self.frames) - 1
        pictures = "".join(
            f'<div data-frame="{i}"{" hidden" if i else ""}>{figure.svg}</div>'
            for i, (_, figure) in enumerate(self.frames)
        )
        says = escape("|".join(text for text, _ in self.frames))
        # The script finds its own box, so that two sliders on a page do not meet.
        move = (
            "const b=this.closest('.causalbook-slider'),i=this.value,"
            "s=b.dataset.says.split('|')[i];"
            "b.querySelectorAll('[data-frame]').forEach(f=>f.hidden=f.dataset.frame!==i);"
            "b.querySelector('output').value=s;this.setAttribute('aria-valuetext',s)"
        )
        return (
            f'<div class="causalbook-slider" data-says="{says}"><label>{escape(self.label)} '
            f'<input type="range" min="0" max="{last}" value="0" step="1" '
            f'aria-valuetext="{escape(self.frames[0][0])}" oninput="{escape(move)}"></label> '
            f"<output>{escape(self.frames[0][0])}</output>{pictures}</div>"
        )
