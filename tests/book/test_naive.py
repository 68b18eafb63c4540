"""Put the naive estimate in the right one's place: a check of the page must notice."""

import re

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from .test_notebooks import PAGES, ROOT, tags


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_check_fails_for_the_naive_estimate(path):
    page = nbformat.read(path, as_version=4)
    naive = page.metadata.causalbook.naive
    replaced = 0
    for cell in page.cells:
        if cell.cell_type == "code" and "check" not in tags(cell):
            right = rf"(?<!\w){re.escape(naive.replace)}"  # "ips(log)" is no part of "snips(log)"
            cell.source, times = re.subn(right, lambda _: naive["with"], cell.source)
            replaced += times
    assert replaced, f"{naive.replace!r} stands in no cell of the page"
    client = NotebookClient(page, timeout=300, resources={"metadata": {"path": path.parent}})
    with pytest.raises(CellExecutionError, match="AssertionError"):
        client.execute()
    failed = [
        cell
        for cell in page.cells
        if any(o.output_type == "error" for o in cell.get("outputs", []))
    ]
    assert [("check" in tags(cell)) for cell in failed] == [True], failed[0].source
    # Not any check will do: the line that fails speaks of the truth, not of how two codes agree.
    (output,) = [o for o in failed[0].outputs if o.output_type == "error"]
    plain = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(output.traceback))
    (line,) = re.findall(r"^-+> \d+ (.*)$", plain, flags=re.M)[-1:]
    assert naive.breaks in line, line
