"""Put the naive estimate in the right one's place: a check of the page must notice."""

import contextlib
import multiprocessing
import os
import re
import traceback

import nbformat
import pytest

from .test_notebooks import PAGES, ROOT, tags

# One process imports what pages import and is copied for each: a kernel of its own would spend
# most of the time on that.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    ["IPython", "causalbook", "matplotlib.pyplot", "myst_nb", "pandas", "scipy.stats", "torch"]
)


def run(cells, folder, pipe):
    """Run the cells as a notebook would; send the first that fails, the error and its line."""
    from IPython.core.interactiveshell import InteractiveShell

    os.chdir(folder)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
        shell = InteractiveShell.instance()
        for i, source in enumerate(cells):
            result = shell.run_cell(source, store_history=True)
            error = result.error_before_exec or result.error_in_exec
            if error is not None:
                where = traceback.extract_tb(error.__traceback__)
                pipe.send((i, repr(error), type(error).__name__, where[-1].line if where else ""))
                return
    pipe.send(None)


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_check_fails_for_the_naive_estimate(path):
    page = nbformat.read(path, as_version=4)
    naive = page.metadata.causalbook.naive
    code = [cell for cell in page.cells if cell.cell_type == "code"]
    replaced = 0
    for cell in code:
        if "check" not in tags(cell):
            right = rf"(?<!\w){re.escape(naive.replace)}"  # "ips(log)" is no part of "snips(log)"
            cell.source, times = re.subn(right, lambda _: naive["with"], cell.source)
            replaced += times
    assert replaced, f"{naive.replace!r} stands in no cell of the page"
    ours, theirs = FORKS.Pipe()
    child = FORKS.Process(target=run, args=([cell.source for cell in code], path.parent, theirs))
    child.start()
    theirs.close()  # so that a child that dies is noticed
    try:
        failed = ours.recv() if ours.poll(300) else pytest.fail("the page takes five minutes")
    finally:
        child.kill()
        child.join()
    assert failed is not None, "every check of the page passes for the naive estimate"
    i, error, kind, line = failed
    assert (kind, "check" in tags(code[i])) == ("AssertionError", True), (
        f"{error}\n{code[i].source}"
    )
    # Not any check will do: the line that fails speaks of the truth, not of how two codes agree.
    assert naive.breaks in line, line
