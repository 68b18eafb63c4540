"""Build the site: run every notebook of the book, then let Jupyter Book make the pages.

`python scripts/build.py [SOURCE_DIR]` writes SOURCE_DIR/_build/html. Notebooks run in parallel
into a cache, and run again only when their code, the package or the pinned versions change.
Anything wrong (a cell that raises, a broken reference, an unknown citation) ends with exit code 1.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import JupyterCacheAbstract
from jupyter_cache.executors import load_executor
from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT = 300  # seconds for one cell


def fingerprint() -> str:
    """Hash what notebooks depend on besides their own code, which the cache looks at itself."""
    package = ROOT / "causalbook"
    files = [*package.rglob("*.py"), *(package / "data").rglob("*"), ROOT / "constraints.txt"]
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(p for p in files if p.is_file()):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0")
        digest.update(path.read_bytes())
    return digest.hexdigest()


def fresh_cache(folder: Path) -> JupyterCacheAbstract:
    """Open the cache, emptied first if the package has changed since it was filled."""
    seal = folder / "fingerprint"
    now = fingerprint()
    if folder.exists() and (not seal.exists() or seal.read_text() != now):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    seal.write_text(now)
    return get_cache(folder)


def execute(notebooks: list[Path], folder: Path) -> bool:
    """Run the notebooks that the cache does not hold; report each failure; True if all ran."""
    cache = fresh_cache(folder)
    for record in cache.list_project_records():
        cache.remove_nb_from_project(record.pk)  # the book may have lost or moved pages
    hashes = set()
    for path in notebooks:
        cache.add_nb_to_project(str(path))
        hashes.add(cache.create_hashed_notebook(nbformat.read(path, 4))[1])
    for record in cache.list_cache_records():
        if record.hashkey not in hashes:
            cache.remove_cache(record.pk)
    logger = logging.getLogger("jupyter_cache.book")
    logger.setLevel(logging.ERROR)  # failures are reported below, from the stored traceback
    result = load_executor("local-parallel", cache, logger).run_and_cache(timeout=TIMEOUT)
    print(f"notebooks: {len(result.succeeded)} executed, {len(notebooks)} in the book", flush=True)
    for uri in result.excepted:
        traceback = re.sub(r"\x1b\[[\d;]*m", "", cache.get_project_record(uri).traceback or "")
        told = traceback.rpartition("nbclient.exceptions.")[2].splitlines()
        short = told if len(told) < 80 else [*told[:40], "...", *told[-40:]]
        print(f"\nFAILED {os.path.relpath(uri)}", *short, sep="\n", file=sys.stderr, flush=True)
    for uri in result.errored:
        print(f"\nNOT RUN {os.path.relpath(uri)}: see the error above", file=sys.stderr, flush=True)
    return not result.excepted and not result.errored


def build(source: Path) -> int:
    """Run the notebooks, build the pages; return the exit code."""
    # Notebooks must import this checkout, not an installed copy of the package.
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # notebooks run side by side
        os.environ.setdefault(name, "1")
    documents = set(parse_toc_yaml(source / "_toc.yml"))
    notebooks = [source / f"{name}.ipynb" for name in sorted(documents)]
    output = source / "_build"
    if not execute([path for path in notebooks if path.exists()], output / ".jupyter_cache"):
        return 1
    entry = "from jupyter_book.cli.main import main; main()"  # the package has no __main__
    # From nothing, since Sphinx would keep pages whose source is gone, and would forget the
    # warnings of a page that it need not read again, so that a faulty book passed the next time.
    shutil.rmtree(output / "html", ignore_errors=True)
    options = ["build", "--all", "-W", "-n", "--keep-going", str(source)]
    return subprocess.run([sys.executable, "-c", entry, *options], check=False).returncode


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Run the notebooks and build the site.")
    parser.add_argument("source", nargs="?", type=Path, default=ROOT, help="folder of the book")
    sys.exit(build(parser.parse_args().source.resolve()))
