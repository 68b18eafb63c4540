"""A folder of artefacts made step by step: each step is done once, also if it is killed."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causalbook.project.contents import digest, get_json, put_json, rounded

if TYPE_CHECKING:
    import pandas as pd

STATE = "run.json"


@dataclass(frozen=True)
class Step:
    """One step: its name, what it does, the files that it reads and writes.

    `stored` is a file of counts that the warehouse must still hold for the step to count as done;
    a step that looks at what others write is done anew each time (`always`).
    """

    name: str
    run: Callable[[], None]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    stored: str = ""
    always: bool = False


class Folder:
    """The files of a run and what is known of them: `run.json` names each step that is done.

    Parameters: `folder`, empty, new, or that of the same run before; `declared`, what makes it the
    same run. Raises ValueError for a folder with something else in it, or of another run.
    """

    def __init__(self, folder: str | Path, declared: dict[str, Any]) -> None:
        self.folder = Path(folder)
        self.state = rounded({"made by": "causalbook run", "declared": declared})
        self.state |= {"done": {}, "warned": {}}
        self._claim()

    def _claim(self) -> None:
        """Take the folder, or refuse it, before anything is computed."""
        if self.folder.exists() and not self.folder.is_dir():
            raise ValueError(f"{self.folder} is a file: pass a folder")
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / STATE
        if not path.exists():
            if there := sorted(p.name for p in self.folder.iterdir() if p.suffix != ".part"):
                raise ValueError(
                    f"{self.folder} holds {', '.join(there[:3])} and no run: pass an empty folder"
                )
            put_json(path, self.state)
        found = get_json(path)
        was, now = found["declared"], self.state["declared"]
        changed = [f"{k} was {was.get(k)!r}, is {v!r}" for k, v in now.items() if was.get(k) != v]
        if changed:
            raise ValueError(
                f"{self.folder} holds another run ({'; '.join(changed)}): pass another folder, or "
                "remove this one"
            )
        self.state = found

    def still(self, counts: str) -> bool:
        """Whether what a step put elsewhere is still there; here nothing is elsewhere."""
        return True

    def take(self, steps: Sequence[Step], *, progress: bool) -> None:
        """Take every step that is not done yet, in their order; log each in `run.log`."""
        from tqdm import tqdm  # type: ignore[import-untyped]

        bar = tqdm(steps, disable=None if progress else True, unit="step")
        try:
            for step in bar:
                bar.set_description(step.name)
                if self._done(step):
                    self.say(f"{step.name}: done before")
                    continue
                begun = time.perf_counter()
                with warnings.catch_warnings(record=True) as caught:
                    warnings.filterwarnings("always", category=UserWarning)
                    step.run()
                # An estimate's warnings belong in the report; all others go on as they came.
                said = {str(w.message) for w in caught if w.category is UserWarning}
                for w in caught:
                    if w.category is not UserWarning:
                        warnings.warn_explicit(w.message, w.category, w.filename, w.lineno)
                self.state["warned"][step.name] = sorted(said)
                self.state["done"][step.name] = self._made(step)
                put_json(self.folder / STATE, self.state)
                self.say(f"{step.name}: done in {time.perf_counter() - begun:.2f} s")
        except ValueError as refusal:
            self.say(f"stopped: {refusal}")
            raise

    def _done(self, step: Step) -> bool:
        """Tell whether a step's files are there, made from the files that are there now."""
        same = self.state["done"].get(step.name) == self._made(step)
        return same and not step.always and (not step.stored or self.still(step.stored))

    def _made(self, step: Step) -> dict[str, dict[str, str]]:
        def digests(names: Sequence[str]) -> dict[str, str]:
            found = {name: self.folder / name for name in names}
            return {name: digest(path) if path.exists() else "" for name, path in found.items()}

        return {"reads": digests(step.reads), "writes": digests(step.writes)}

    def read(self, name: str) -> Any:
        """Return the contents of a JSON file."""
        return get_json(self.folder / name)

    def put(self, name: str, x: Any) -> None:
        """Write a JSON file."""
        put_json(self.folder / name, x)

    def put_frame(self, name: str, frame: pd.DataFrame) -> None:
        """Write a parquet file."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        part = path.with_name(path.name + ".part")
        frame.to_parquet(part, index=False)
        part.replace(path)

    def say(self, text: str) -> None:
        """Add a line with the time to `run.log`, the one file that differs from run to run."""
        with (self.folder / "run.log").open("a", encoding="utf-8") as log:
            log.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}\n")
