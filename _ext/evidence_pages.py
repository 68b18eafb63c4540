"""The page of evidence: tables made from the records in evidence/, with their dates and machines.

A record speaks of the files from which it was measured. Where they have changed since, the page
says so; where there is none, it says that nothing was measured.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from statistics import median
from typing import Any

import book_files
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

sys.path.append(str(book_files.ROOT / "scripts"))

import records
from records import CORE_MINUTES, PEAK_MB, SECONDS, WITH_TORCH

WAREHOUSE = book_files.ROOT / "benchmarks" / "warehouse.json"
TITLES = {
    "parity": "Other libraries and numbers in print",
    "coverage": "Coverage of intervals",
    "seeds": "Other seeds",
    "mutation": "Mutants",
    "speed": "Speed",
    "pages": "Costs of the pages",
}
SIGNS = {"Add": "+", "Sub": "-", "Mult": "*", "Div": "/", "FloorDiv": "//", "Mod": "%", "Pow": "**"}
SIGNS |= {"MatMult": "@", "Lt": "<", "GtE": ">=", "Gt": ">", "LtE": "<=", "-x": "-x", "x": "x"}
Record = dict[str, Any]


def table(head: list[str], rows: Iterable[list[str]], numbers: int = 0) -> list[str]:
    """Write a table in Markdown; the last `numbers` columns stand to the right."""
    sides = ["---"] * (len(head) - numbers) + ["---:"] * numbers
    lines = [head, sides, *rows]
    return [
        "",
        *("| " + " | ".join(c.replace("|", "\\|") for c in line) + " |" for line in lines),
        "",
    ]


def figure(x: float) -> str:
    """A number with six digits and a true minus."""
    whole = float(x).is_integer() and abs(x) < 1e9
    return (f"{x:,.0f}" if whole else f"{x:.6g}").replace("-", "−")


def small(x: float) -> str:
    """The order of a difference."""
    return "0" if x == 0 else f"{x:.0e}".replace("e-0", "e-").replace("-", "−")


def plural(n: int, one: str) -> str:
    """A count and its noun."""
    return f"{n:,} {one}" + ("" if n == 1 else "s")


def span(seconds: float) -> str:
    """A time in the unit that one would say."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def exchanged(change: str) -> str:
    """Say in signs which operator became which."""
    old, new = (SIGNS[word] for word in change.split(" to "))
    return f"`{old}` becomes `{new}`"


def state(name: str, record: Record) -> str:
    """Say whether the files of a record are still those from which it was measured."""
    gone, new = records.changed(name, record)
    if not gone and not new:
        return "as the code stands"
    told = [f"{len(gone)} of {plural(len(record['files']), 'file')} changed since"] * bool(gone)
    return ", ".join([*told, *[f"{len(new)} new"] * bool(new)])


def measured(loaded: dict[str, Record | None]) -> list[str]:
    """All records: when, at which version, how long, by which command, on which machine."""
    rows, machines = [], []
    for name, title in TITLES.items():
        record = loaded[name]
        if record is None:
            rows.append([title, "not measured", "", "", "", "", ""])
            continue
        commit = f", `{record['commit']}`" if record["commit"] else ""
        about = record["machine"]
        machine = "{processor}, {cores} cores, {memory_gb} GB, {system}, Python {python}"
        machines.append(machine.format(**about))
        rows.append(
            [
                title,
                record["date"].replace("-", "\N{NON-BREAKING HYPHEN}"),
                f"{record['version']}{commit}",
                state(name, record),
                f"`{record['command']}`",
                span(record["seconds"]),
                f"{record['load']:.1f}" if "load" in record else "",
            ]
        )
    head = ["Record", "Date", "Version", "State", "Command", "Took", "Load"]
    told = "; ".join(dict.fromkeys(machines))
    return [f"Measured on: {told}.", *table(head, rows, 2)] if told else table(head, rows, 2)


def parity(record: Record, part: str) -> list[str]:
    """Methods of one part beside their peers, or beside numbers in print."""
    rows = [row for row in record["rows"] if bool(row["source"]) == (part == "print")]
    if part != "print":
        rows = [row for row in rows if row["part"] == part]
    lines = []
    for row in rows:
        more = "" if row["numbers"] <= 2 else f" … ({row['numbers']:,})"
        if row["source"]:
            peer = f"{{cite:t}}`{row['source']}`, {row['place']}"
        else:
            peer = f"{row['library']}, `{row['peer'].rpartition('.')[2]}`"
        note = f". {row['note'][0].upper()}{row['note'][1:]}." if row["note"] else ""
        data = f" ({row['data']})" if row["data"] else ""
        about = f"`{row['method']}`: {row['what']}{data}{note}"
        both = "<br>".join(", ".join(map(figure, row[s])) + more for s in ("ours", "theirs"))
        within = "" if row["within"] else " **over**"
        lines.append(
            [about, peer, both, f"{small(row['difference'])}{within}", small(row["tolerance"])]
        )
    return table(["What", "Beside", "Ours, theirs", "Difference", "Allowed"], lines, 3)


def coverage(record: Record, _: str) -> list[str]:
    """How often the intervals held the truth."""
    of, (low, high) = record["replications"], record["band"]
    inside = sum(row["inside"] for row in record["rows"])
    shares = [row["covered"] / of for row in record["rows"]]
    told = (
        f"{plural(len(shares), 'world')}, {of:,} data sets each; a right interval holds the truth "
        f"in {low:,} to {high:,} of them, but for one world in a thousand. {inside} of "
        f"{len(shares)} worlds lie inside; the median share is {median(shares):.1%}."
    )
    rows = [
        [
            row["world"].replace("_", " "),
            f"{row['covered']:,}",
            "yes" if row["inside"] else "**no**",
        ]
        for row in record["rows"]
    ]
    return [told, *table(["World", "Held the truth", "Inside"], rows, 2)]


def seeds(record: Record, _: str) -> list[str]:
    """Pages whose checks hold with five other seeds, by part."""
    captions = {page.name.split("/")[1]: page.part for page in book_files.pages() if page.part}
    parts: dict[str, list[Record]] = {}
    for row in record["rows"]:
        folder = row["page"].split("/")[1]
        parts.setdefault(captions.get(folder, folder), []).append(row)
    rows = [
        [
            part,
            str(len(own)),
            str(sum(len(r["held"]) for r in own)),
            str(sum(len(r["failed"]) for r in own)),
        ]
        for part, own in parts.items()
    ]
    failed = [
        f"{r['page']} ({', '.join(map(str, r['failed']))})" for r in record["rows"] if r["failed"]
    ]
    told = f"Failed: {'; '.join(failed)}." if failed else "No check of any page failed."
    later = [r for r in record["rows"] if "commit" in r]
    if later:
        told += f" {plural(len(later), 'page')} ran again, after a change, at "
        told += ", ".join(sorted({f"`{r['commit']}`" for r in later})) + "."
    return [told, *table(["Part", "Pages", "Runs that hold", "Runs that fail"], rows, 3)]


def mutation(record: Record, _: str) -> list[str]:
    """Mutants tried and caught by module, and every survivor with its reason."""
    tried = sum(row["tried"] for row in record["rows"])
    alive = [(row["module"], s) for row in record["rows"] for s in row["survivors"]]
    share = "All" if record["share"] == 1 else f"One in {record['share']}"
    bare = sum(s["why"] == "not explained" for _, s in alive)
    told = (
        f"{share} of {plural(record['mutants'], 'mutant')}: {tried:,} tried, "
        f"{tried - len(alive):,} caught, {len(alive)} survive, {bare or 'none'} of them without a "
        f"reason."
    )
    rows = [
        [
            f"`{r['module']}`",
            str(r["tried"]),
            str(r["tried"] - len(r["survivors"])),
            str(len(r["survivors"])),
        ]
        for r in record["rows"]
    ]
    lines = [
        [f"`{module}`, `{s['function']}`", f"``{s['line']}``: {exchanged(s['change'])}", s["why"]]
        for module, s in alive
    ]
    found = table(["Module", "Tried", "Caught", "Survive"], rows, 3)
    if not lines:
        return [told, *found]
    return [told, *found, "The survivors:", *table(["Where", "Mutant", "Why no test tells"], lines)]


def speed(record: Record, _: str) -> list[str]:
    """Times of both sides and their ratio; what was not measured, and the log in an engine."""
    rows, missing = [], []
    for row in record["rows"]:
        if "missing" in row:
            missing.append(f"`{row['benchmark']}` (beside {row['missing']})")
            continue
        versions = ", ".join(f"{name} {number}" for name, number in row["versions"].items())
        for side, time in row["sides"].items():
            times = [f"{t:.2f} {row['unit']}" for t in (row["ours"], time)]
            ratio = f"{time / row['ours']:.2f}"
            rows.append(
                [f"{row['work']} ({row['clock']} clock)", f"{side} ({versions})", *times, ratio]
            )
    lines = table(["Work", "Beside", "Ours", "Theirs", "Theirs / ours"], rows, 3)
    if missing:
        lines += [f"Not measured for this record: {', '.join(missing)}."]
    told = json.loads(WAREHOUSE.read_text(encoding="utf-8"))
    engine = [
        [
            f"{run['rows']:,}",
            f"{run['cpu']['policies']:.2f} s",
            f"{run['cpu']['bare']:.2f} s",
            f"{run['cpu']['policies'] / run['cpu']['bare']:.1f}",
            f"{run['peak_mb']:.0f} MB",
        ]
        for run in told["runs"]
    ]
    head = ["Rows of the log", "Processor", "A bare sum", "Ratio", "Peak"]
    about = (
        f"IPS, SNIPS and DR of a log that stands in DuckDB {told['versions']['duckdb']}, beside a "
        f"bare sum over the same columns (`benchmarks/warehouse.py`, {told['date']}, Python "
        f"{told['machine']['python']}, one thread):"
    )
    return [*lines, "", about, *table(head, engine, 5)]


def pages(record: Record, _: str) -> list[str]:
    """What each page costs from a fresh kernel, beside what it may cost."""
    rows = record["rows"]
    minutes, middle = sum(r["cpu"] for r in rows) / 60, median(r["cpu"] for r in rows)
    peak = max(r["peak_mb"] for r in rows)
    verdict = "within" if minutes <= CORE_MINUTES else "**over**"
    told = (
        f"{plural(len(rows), 'page')}: {minutes:.1f} core-minutes, {verdict} the {CORE_MINUTES} "
        f"that they may take; the median page takes {middle:.1f} s of the processor, the dearest "
        f"{max(r['cpu'] for r in rows):.1f} s; the highest peak is {peak:,} MB of {PEAK_MB:,}."
    )
    labels = {page.name: page.label for page in book_files.pages()}
    lines = []
    for r in rows:
        limit = WITH_TORCH if r["torch"] else SECONDS
        over = "" if r["cpu"] <= limit and r["peak_mb"] <= PEAK_MB else " **over**"
        name = r["page"].removeprefix("chapters/").replace("_", " ").replace("/", ": ")
        label = f"{{doc}}`/{r['page']}`" if r["page"] in labels else name
        lines.append(
            [label, f"{r['seconds']:.1f}", f"{r['cpu']:.1f}{over}", str(limit), f"{r['peak_mb']:,}"]
        )
    return [told, *table(["Page", "Seconds", "Processor, s", "May take", "Peak, MB"], lines, 4)]


SHOW: dict[str, Callable[[Record, str], list[str]]] = {
    "parity": parity,
    "coverage": coverage,
    "seeds": seeds,
    "mutation": mutation,
    "speed": speed,
    "pages": pages,
}


def lines_of(name: str, part: str = "") -> list[str]:
    """Markdown of one table; of all records together where the name is `records`."""
    if name == "records":
        return measured({other: records.load(other) for other in TITLES})
    record = records.load(name)
    if record is None:
        return [f"Not measured yet: there is no `evidence/{name}.json`."]
    return SHOW[name](record, part)


class Evidence(SphinxDirective):
    """`{evidence} NAME [PART]`: the table of one record, as it stands now."""

    required_arguments = 1
    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Parse the table as Markdown, so that its links and citations are real ones."""
        self.env.note_reread()  # the code may change without the page
        name, part = self.arguments[0], (self.arguments[1:] or [""])[0]
        if name not in {*SHOW, "records"}:
            raise self.error(f"no record is called {name!r}: {', '.join(SHOW)} or records")
        text = self.link_only_what_is_there(lines_of(name, part))
        box = nodes.container(classes=["evidence"])
        self.state.nested_parse(StringList(text, self.get_source_info()[0]), 0, box)
        return [box]

    def link_only_what_is_there(self, lines: list[str]) -> list[str]:
        """Leave the names of pages that are not in this book as they are."""
        there = self.env.found_docs
        for page in book_files.pages():
            if page.name not in there:
                lines = [line.replace(f"{{doc}}`/{page.name}`", page.label) for line in lines]
        return lines


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("evidence", Evidence)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
