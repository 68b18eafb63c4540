"""Make the environment of the book, once for each state of the pins.

    python3 scripts/environment.py FOLDER

Creates a virtual environment in FOLDER with the versions of constraints.txt and this checkout of
causalbook installed in place. Does nothing where that has been done for the same pins. Uses the
standard library alone, since it runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = "llm,book,dev,project,spark"


def fingerprint() -> str:
    """Hash what decides what is installed: the pins, the requirements, the Python."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [project["dependencies"], project["optional-dependencies"], project["scripts"], EXTRAS]
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    pins = (ROOT / "constraints.txt").read_bytes()
    return hashlib.sha256(pins + repr(asked).encode() + python.encode()).hexdigest()


def main(folder: Path) -> None:
    """Make the environment if it is not there, or remake it if the pins have changed."""
    if sys.version_info < (3, 11):
        raise SystemExit(
            f"Python {sys.version.split()[0]} is too old: the book needs 3.11 or newer. "
            "Name another one, for example: make book PYTHON=python3.12"
        )
    stamp, pins = folder / "causalbook-pins", fingerprint()
    if stamp.exists() and stamp.read_text() == pins:
        return
    if folder.exists() and any(folder.iterdir()):
        if not stamp.exists():
            raise SystemExit(f"{folder} is no environment of the book: move it, or set VENV=")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    stamp.write_text("unfinished")  # ours to remake, even if what follows is interrupted
    print(f"Installing the environment in {folder} (minutes, 3 GB or more) ...", flush=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(folder)], check=False)
    if made.returncode:
        raise SystemExit(
            "python3 could not make a virtual environment. On Debian and Ubuntu its module is a "
            "package of its own: apt-get install python3-venv"
        )
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    install = ["install", "-q", "-c", str(ROOT / "constraints.txt"), "-e", f"{ROOT}[{EXTRAS}]"]
    subprocess.run([*pip, *install], check=True)
    subprocess.run([*pip, "check"], check=True)
    small_model = [str(folder / "bin" / "python"), str(ROOT / "scripts" / "small_model.py")]
    subprocess.run(small_model, check=True)
    stamp.write_text(pins)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
