"""How long a page takes, counted from what stands on it: nobody has been timed.

A rule that anybody can check and change: words of prose at 200 a minute (silent reading of English
prose is about 238, Brysbaert 2019; this is denser), four seconds for a visible line of code, half a
minute for a displayed formula or a figure; six minutes for an exercise. Folded cells, checks and
solutions do not count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import book_files

WORDS_A_MINUTE = 200
SECONDS_A_LINE = 4
MINUTES_A_FIGURE = 0.5  # or formula
MINUTES_AN_EXERCISE = 6
FOLDED = {"check", "solution", "hide-cell", "hide-input", "remove-cell", "remove-input"}
SOLUTION = re.compile(r'<details class="solution">.*?</details>', re.S)
FORMULA = re.compile(r"\$\$.+?\$\$", re.S)


@dataclass(frozen=True)
class Work:
    """What stands on a page, or on a part of it."""

    words: int = 0
    lines: int = 0
    formulas: int = 0
    figures: int = 0
    exercises: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(
            self.words + other.words,
            self.lines + other.lines,
            self.formulas + other.formulas,
            self.figures + other.figures,
            self.exercises + other.exercises,
        )

    @property
    def reading(self) -> float:
        """Minutes to read the page with its code, and to look at its figures."""
        looked_at = MINUTES_A_FIGURE * (self.formulas + self.figures)
        return self.words / WORDS_A_MINUTE + self.lines * SECONDS_A_LINE / 60 + looked_at

    @property
    def practice(self) -> float:
        """Minutes for all its exercises."""
        return float(MINUTES_AN_EXERCISE * self.exercises)

    @property
    def stated(self) -> int:
        """What the page promises: reading and the checked exercise, to the next five minutes."""
        first = MINUTES_AN_EXERCISE * min(self.exercises, 1)
        return 5 * round((self.reading + first) / 5)


def sections(name: str) -> list[tuple[str, Work]]:
    """Headings of a page with what stands under each."""
    found = [("", Work())]
    for cell in book_files.cells(name):
        if cell.cell_type == "markdown":
            text = SOLUTION.sub("", cell.source)
            heading = re.search(r"^## (.+)$", text, re.M)
            if heading:
                found.append((heading[1], Work()))
            work = Work(
                words=len(FORMULA.sub("", text).split()),
                formulas=len(FORMULA.findall(text)),
                figures=text.count("{glue:figure}"),
                exercises=len(re.findall(r"^### \d+\.", text, re.M)),
            )
        elif FOLDED & set(cell.metadata.get("tags", [])):
            continue
        else:
            work = Work(lines=len(cell.source.splitlines()))
        found[-1] = (found[-1][0], found[-1][1] + work)
    return found


def counted(name: str) -> Work:
    """What stands on a whole page."""
    total = Work()
    for _, work in sections(name):
        total += work
    return total
