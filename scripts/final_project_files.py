"""What the final project's folders hold besides the log: brief, template, solution."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat

HERE = Path(__file__).resolve().parent
BLANK = {"value": None, "low": None, "high": None}
ANSWERS = json.dumps(
    {
        "conversion": BLANK,
        "revenue": BLANK,
        "rule": BLANK,
        "decision": None,
        "fault": {"column": None, "first": None, "last": None},
    },
    indent=1,
)
SAY = {"buys": "have come to buy", "compares": "compare films", "looks": "look around"}
BRIEF = """\
# The slot on the front page

A film shop has one slot at the top of its page. For each visitor the recommender picks one film,
the candidate. Then it decides, by lot, whether the slot shows it or stays empty; the chance is high
for some visitors, low for others. Filling the slot costs {cost} a visit; of an order, {margin:.0%}
stay with the shop. Next month the slot can be filled for **nobody**, for **everybody**, or by a
**rule**: for all visitors but those whose words on arrival say that they {say}
(`read_query(query) != "{left_out}"`, of `causalbook.case_study`). You decide, and defend it.

## What you have

`events.parquet`, the log as it was received, of visits from 2 to 29 March 2026 (UTC), extracted on
{extracted}. It has the dirt that such logs have. Its events are visits, impressions, views, carts
and purchases; the page *Can you trust the log?* explains the columns and how to clean them.
`brief.json` holds the numbers of this page. Two notes:

- `propensity` is the chance with which the slot was filled for this visit; `pscore` that of what
  the slot showed. They were written down for about half of the users, drawn by lot.
- `interest` (0 to 100) stands with the visit: the profile service's score of the visitor, at its
  latest value.

The recommender looks at age, region, the views of the month before, what was browsed, and the
query. Nobody else decided.

**In one point the log is not what it should be**, besides the usual dirt. A column does not hold
what it says, or rows are missing, on some days or on all. Find it before you estimate.

## What you hand in

1. `answers.json`, filled in. Each number with an interval at 95%, of all who visited on these days,
   bots apart:
   - `conversion`: by how much showing the candidate to everybody, against nobody, changes the share
     of users who buy within seven days of the visit;
   - `revenue`: the same for the order value per user within seven days, in money;
   - `rule`: what the rule changes in order value per user, against nobody, judged **by the logged
     chances alone**, without a model of who buys;
   - `decision`: `"nobody"`, `"everybody"` or `"rule"`, by the profit per visit;
   - `fault`: the `column` that is wrong, or `"rows"` where rows are missing, and the `first` and
     `last` day of the visits concerned, as `"2026-03-02"`. A visit is concerned if something of it
     may be missing.
2. `report.ipynb`, at most four pages when printed, which runs from top to bottom.
"""
SECTIONS = {
    "Decision and estimands": "Who decides what, and by when? Which contrasts, for whom, within "
    "what time? What is the treatment: retrieved, ranked, shown, viewed?",
    "Graph and identification": "What drives the slot and the order, what lies between? Which "
    "columns close the back doors? Which assumption can the data not check?",
    "The log": "What the cleaning did, with counts. What is wrong: how you found it, what else it "
    "could have been, what you did about it.",
    "Estimates and diagnostics": "The obvious number beside yours. Overlap, balance, the lottery. "
    "Write `answers.json` from here, by code.",
    "Sensitivity and decision": "How wrong may the assumptions be before the decision turns? "
    "Profit a visit, with its uncertainty. What would change your mind?",
}
FAULTS = """\
# What may be wrong with the log

One of these four, by the seed; `truth.json` says which, and on which days.

- **The chances of the other arm.** Since a release, `propensity` holds the chance that the slot
  stays *empty*. Every value is a possible one, but slots with a higher chance are then filled less
  often. What is judged by the chances is off; what is adjusted by models is not. Turn them round.
- **Visits that were lost.** For two weeks a visit with a film in the slot was logged only if a film
  was looked at. The sum of the chances says how many filled slots there should be, and there are
  too few. The lost visits are those that bought next to nothing, so the slot looks better than it
  is. Leave the two weeks out, in both arms.
- **Purchases that have not arrived.** What is bought after an empty slot arrives five days later,
  and the log was extracted when the last visit ended. The arms differ in what is still missing.
  Keep the visits whose window and delay have passed.
- **A score from after the visit.** `interest` is the latest value, and what the visitor did today
  is in it. Among users with logged chances, weighted by them, whatever was there before the slot is
  the same in both arms, and this score is not. Leave it alone, however well it predicts.

Common mistakes: the difference between the arms as they are; the score among the covariates since
"it was there"; a rule judged with chances that nobody checked; intervals so long that they say
nothing; a fault that is found and then forgotten when the numbers are made.
"""


def brief(about: dict[str, Any]) -> str:
    """Tell students what to decide, what they have and what to hand in."""
    return BRIEF.format(**about, say=SAY[about["left_out"]])


def notebook(cells: Iterable[tuple[str, str]]) -> str:
    """Write a notebook of ("markdown" or "code", text) pairs, the same bytes every time."""
    made = []
    for number, (kind, text) in enumerate(cells):
        new = nbformat.v4.new_markdown_cell if kind == "markdown" else nbformat.v4.new_code_cell
        made.append(new(text, id=f"cell-{number}"))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    written: str = nbformat.writes(
        nbformat.v4.new_notebook(cells=made, metadata={"kernelspec": kernel})
    )
    return written


def report() -> str:
    """Make the template of the report."""
    cells = [("markdown", "# The slot: report\n\n*Names, date.* Read `brief.md` first.")]
    cells += [("code", 'import pandas as pd\n\nevents = pd.read_parquet("events.parquet")')]
    for head, asks in SECTIONS.items():
        cells += [("markdown", f"## {head}\n\n*{asks}*"), ("code", "# Your work")]
    return notebook(cells)


def solution() -> str:
    """Turn the reference solution, a script in cells, into a notebook."""
    text = (HERE / "final_project_solution.py").read_text(encoding="utf-8")
    cells = []
    for kind, body in re.findall(r"^# %%( \[markdown\])?\n(.*?)(?=^# %%|\Z)", text, re.M | re.S):
        prose = re.sub(r"^# ?", "", body, flags=re.M).strip()
        cells.append(("markdown", prose) if kind else ("code", body.strip()))
    return notebook(cells)
