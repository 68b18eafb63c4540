"""Docstrings and signatures of the package, ready to be shown: their parts, as Markdown."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

WIDTH = 76  # of a signature on one line
# How a sentence of a docstring begins that belongs to a part of its own.
SENTENCE = re.compile(r"(?:^|(?<=[.)] ))(?=(?:Parameters|Returns|Raises|Warns)\b|Source:)")
LABELS = ("Parameters", "Returns", "Raises", "Warns", "Source")


def signature(value: Any, name: str, *, bound: bool) -> str:
    """How it is called, in Python, broken over lines where it is long; `bound` to its first."""
    parts, marked = [], False
    told = inspect.signature(value)
    for parameter in list(told.parameters.values())[1 if bound else 0 :]:
        if parameter.kind is parameter.KEYWORD_ONLY and not marked:
            parts.append("*")
            marked = True
        marked |= parameter.kind is parameter.VAR_POSITIONAL
        stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}
        text = stars.get(parameter.kind, "") + parameter.name
        kind = _type(parameter.annotation)
        typed = kind not in {"", "Any"}
        text += f": {kind}" if typed else ""
        if parameter.default is not parameter.empty:
            default = _default(parameter.default)
            text += f" = {default}" if typed else f"={default}"
        parts.append(text)
    gives = "" if inspect.isclass(value) else _type(told.return_annotation)
    arrow = f" -> {gives}" if gives not in {"", "Any"} else ""
    line = f"{name}({', '.join(parts)}){arrow}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"{name}(", *(f"    {part}," for part in parts), f"){arrow}"])


def _default(value: Any) -> str:
    text = getattr(value, "__name__", repr(value))
    text = re.sub(r"^<.*>$", "...", text)  # made anew at each call
    return re.sub(r"^'(.*)'$", r'"\1"', text)


def _type(annotation: Any) -> str:
    """A type as the source has it, without the modules that it comes from."""
    if annotation is inspect.Parameter.empty:
        return ""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return re.sub(r"\b(?:\w+\.)+(?=[A-Z])", "", text)


def sections(doc: str) -> dict[str, str]:
    """Parts of a docstring, each as Markdown: "" holds its prose, the others are LABELS."""
    found: dict[str, list[str]] = {"": []}
    for block in _blocks(doc):
        if block.startswith("$$"):
            found[""].append(block)
            continue
        head, line, *rest = [*block.split("\n"), ""]
        if re.fullmatch(r"-{3,}", line):
            found.setdefault(head, []).append(_listed(rest))
            continue
        for sentence in filter(None, SENTENCE.split(" ".join(block.split()))):
            label = next((word for word in LABELS if sentence.startswith(word)), "")
            found.setdefault(label, []).append(_shortened(label, sentence.strip()))
    return {
        label: ("\n\n" if not label or "\n" in "".join(texts) else " ").join(texts)
        for label, texts in found.items()
    }


def _blocks(doc: str) -> Iterator[str]:
    """Paragraphs and displayed formulas."""
    block: list[str] = []
    formula = False
    for line in [*doc.splitlines(), ""]:
        opens = line.startswith("$$") and not formula
        if block and not formula and (opens or not line.strip()):
            yield "\n".join(block)
            block = []
        formula = (opens and line.count("$$") == 1) or (formula and "$$" not in line)
        if line.strip():
            block.append(line)
        if block and block[0].startswith("$$") and not formula:
            yield "\n".join(block)
            block = []


def _listed(lines: list[str]) -> str:
    """What stands under a ruled heading: a list of names, or a type of error and its reasons."""
    entries: list[str] = []
    for line in filter(str.strip, lines):
        if line.startswith(" "):
            entries[-1] += " " + line.strip()
        else:
            entries.append(line)
    items = []
    for entry in entries:
        name, colon, text = entry.partition(" : ")
        if not colon:
            name, _, text = entry.partition(" ")
            items.append(f"`{name}` {text}")
        else:
            items.append(f"- {', '.join(f'`{word}`' for word in name.split(', '))}: {text}")
    return "\n".join(items)


def _shortened(label: str, sentence: str) -> str:
    """A sentence without the words that its label says already."""
    text = re.sub(rf"^{label}:? ", "", sentence) if label in {"Returns", "Source"} else sentence
    text = re.sub(r"^Parameters: |^Raises (?=ValueError)|^Warns ", "", text)
    text = re.sub(r"^ValueError\b", "`ValueError`", text)
    return text[0].upper() + text[1:] if text[:1].isalpha() and label else text
