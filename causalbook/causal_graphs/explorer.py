"""A drawn graph whose nodes are buttons, to see what conditioning does to its paths.

All states are computed here, from the graph; the page only looks them up.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from itertools import compress
from typing import TYPE_CHECKING

from causalbook.causal_graphs.drawing import Picture, compose, describe, edge, shape
from causalbook.causal_graphs.walks import Path

if TYPE_CHECKING:
    from causalbook.causal_graphs.dag import Graph

MOST_NODES, MOST_PATHS = 6, 20  # 64 states, and no more paths than one can look over
State = tuple[str, list[str], list[int]]  # verdict, what each path does, the edges of open paths
# The script looks only inside its own box, so that two explorers on a page do not meet.
PRESS = """const b=event.target.closest('button');if(!b)return;
b.setAttribute('aria-pressed',b.getAttribute('aria-pressed')!=='true');
const k=[...this.querySelectorAll('button')].reduce(
(s,o,i)=>s+(o.getAttribute('aria-pressed')==='true'?1<<i:0),0);
const [says,paths,live]=JSON.parse(this.dataset.states)[k];
this.querySelectorAll('[data-node]').forEach(
g=>g.style.display=(k>>g.dataset.node&1)==g.dataset.given?'':'none');
this.querySelectorAll('[data-edge]').forEach(
g=>g.firstChild.style.strokeWidth=live.includes(+g.dataset.edge)?2.6:1.2);
this.querySelectorAll('[data-path]').forEach((p,i)=>{p.textContent=paths[i];
p.style.fontWeight=paths[i].startsWith('open')?'bold':'normal'});
this.querySelector('[role=status]').textContent=says""".replace("\n", "")


@dataclass(frozen=True)
class Explorer:
    """A figure for the page; without JavaScript it shows the graph with nothing given."""

    html: str

    def _repr_html_(self) -> str:
        return self.html


def explore(graph: Graph, x: str, y: str) -> Explorer:
    """Draw a graph in which each observed node but x and y is a button: condition on it.

    Beneath it stand how many paths between x and y are open, whether
    `graph.d_separated(x, y, given)`, and each path with what opens or blocks it. Arrows on open
    paths are thick. Latent nodes are no buttons, since no data hold them. It needs no network and
    no kernel.

    Parameters: `graph`; `x` and `y`, two of its nodes.
    Raises ValueError for more than 6 such nodes or more than 20 paths, and if x is y.
    """
    if x == y:
        raise ValueError(f"x and y are both {x!r}: a path joins two nodes")
    paths = graph.paths(x, y)
    free = [name for name in graph.observed if name not in (x, y)]
    for count, most, what in (
        (len(free), MOST_NODES, f"observed nodes beside {x} and {y}"),
        (len(paths), MOST_PATHS, f"paths between {x} and {y}"),
    ):
        if count > most:
            raise ValueError(
                f"graph has {count} {what}, and explore shows at most {most}: leave out what the "
                "lesson does not need, or print graph.paths(x, y, given)"
            )
    picture = compose(graph, x, y, {})
    subsets = [
        frozenset(compress(free, (k >> i & 1 for i in range(len(free)))))
        for k in range(2 ** len(free))
    ]
    states = [_state(graph, x, y, s, list(picture.curves)) for s in subsets]
    says, does, live = states[0]
    listed = "".join(
        f"<li>{escape(_arrows(path.text))} ({path.kind}): "
        f'<span data-path style="font-weight:{"bold" if path.open else "normal"}">{escape(do)}'
        "</span></li>"
        for path, do in zip(paths, does, strict=True)
    )
    return Explorer(
        f'<div class="causalbook-explorer" data-states="{escape(json.dumps(states))}" '
        f'onclick="{escape(PRESS)}">'
        '<div style="position:relative;display:inline-block;max-width:100%">'
        f"{_svg(graph, x, y, free, picture, live)}{_buttons(free, picture)}</div>"
        f'<p role="status" aria-live="polite">{escape(says)}</p><ul>{listed}</ul></div>'
    )


def _state(
    graph: Graph, x: str, y: str, given: frozenset[str], edges: list[tuple[str, str, bool]]
) -> State:
    paths = graph.paths(x, y, given)
    verdict = "are" if graph.d_separated(x, y, given) else "are not"
    held, count = ", ".join(sorted(given)) or "nothing", sum(path.open for path in paths)
    says = f"Given {held}: {count} of {len(paths)} paths open, {x} and {y} {verdict} d-separated."
    used = {key for path in paths if path.open for key in _edges(path)}
    return says, [_does(p, given) for p in paths], [i for i, e in enumerate(edges) if e in used]


def _does(path: Path, given: frozenset[str]) -> str:
    """Say whether a path is open, and what blocks or opens it."""
    if path.open:
        by = [
            f"{'' if v in given else 'an effect of '}collider {v} is given" for v in path.colliders
        ]
        return ", ".join(["open", *by])
    why = [
        f"{v} is given" if v in given else f"{v} is a collider, not given" for v in path.blocked_by
    ]
    return f"blocked, {'; '.join(why)}"


def _edges(path: Path) -> list[tuple[str, str, bool]]:
    """Read the edges off a path's text, as the picture names them."""
    from causalbook.causal_graphs.dag import ARROW

    parts = [part.strip() for part in ARROW.split(path.text)]
    steps = zip(parts[::2], parts[1::2], parts[2::2], strict=False)
    return [
        (min(u, v), max(u, v), False)
        if kind == "<->"
        else (u, v, True)
        if kind == "->"
        else (v, u, True)
        for u, kind, v in steps
    ]


def _arrows(text: str) -> str:
    return text.replace("<->", "↔").replace("->", "→").replace("<-", "←")


def _svg(graph: Graph, x: str, y: str, free: list[str], picture: Picture, live: list[int]) -> str:
    """Draw each free node twice, as it is and as given, one of them hidden."""
    parts = [
        edge(curve, key[2], f' data-edge="{i}"', 2.6 if i in live else 1.2)
        for i, (key, curve) in enumerate(picture.curves.items())
    ]
    for name, node in picture.nodes.items():
        if name not in free:
            parts.append(shape(node, "end" if name in (x, y) else "", latent=name in graph.latent))
            continue
        i = free.index(name)
        plain = f' data-node="{i}" data-given="0"'
        boxed = f' data-node="{i}" data-given="1" style="display:none"'
        parts.append(shape(node, "", latent=False, attributes=plain))
        parts.append(shape(node, "given", latent=False, attributes=boxed))
    alt = f"{describe(graph, None, None, frozenset())} Looked at between {x} and {y}."
    return picture.svg("".join(parts), alt)


def _buttons(free: list[str], picture: Picture) -> str:
    """Lay an invisible button over each free node, in parts of the picture's size."""
    left, top, width, height = picture.box
    parts = []
    for node in (picture.nodes[name] for name in free):
        place = {"left": (node.x - node.w - left) / width, "top": (node.y - node.h - top) / height}
        place |= {"width": 2 * node.w / width, "height": 2 * node.h / height}
        parts.append(
            f'<button type="button" aria-pressed="false" aria-label="condition on '
            f'{escape(node.name)}" style="position:absolute;background:none;border:0;padding:0;'
            f'margin:0;cursor:pointer;{";".join(f"{k}:{v:.2%}" for k, v in place.items())}">'
            "</button>"
        )
    return "".join(parts)
