"""1,541 film titles into vectors: TextEncoder against sentence-transformers, and the cheaper ones.

    PYTHONPATH=. python benchmarks/encoding.py [texts]

The same weights (all-MiniLM-L6-v2), the same texts, batches of 32, one thread, no cache; every
encoder has warmed up. Times are medians of turns in one process, of the processor. Printed beside
them: the share of each text's ten nearest texts (by cosine, among the texts) that an encoder has in
common with the package's full one, and the largest difference of its unit vectors to those of the
package. The peer (sentence-transformers, in the book's environment) scales to unit length.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from turns import keep, seconds

from causalbook import datasets
from causalbook.llm_encoding import TextEncoder, distil
from causalbook.llm_encoding.weights import folder


def titles(n: int) -> list[str]:
    """Return titles of films, evenly over the table, so that lengths are those of all."""
    films = datasets.load("films")["title"].drop_duplicates().to_numpy()
    return [str(title) for title in films[:: max(1, len(films) // n)][:n]]


def unit(vectors: Any) -> Any:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def nearest(vectors: Any, k: int = 10) -> Any:
    """Return the k nearest rows of each row, itself left out."""
    cosine = unit(vectors) @ unit(vectors).T
    np.fill_diagonal(cosine, -np.inf)
    return np.argsort(-cosine, axis=1)[:, :k]


def overlap(a: Any, b: Any) -> float:
    pairs = zip(nearest(a), nearest(b), strict=True)
    return float(np.mean([len(set(x) & set(y)) / len(x) for x, y in pairs]))


def encoders(texts: list[str]) -> dict[str, Any]:
    """Return each side as a function of no arguments, ready to encode the texts."""
    peer = SentenceTransformer(str(folder(None)), device="cpu")
    package, whole = TextEncoder(cache=False), TextEncoder(cache=False, quantize=True)
    return {
        "sentence-transformers": partial(
            peer.encode, texts, batch_size=32, show_progress_bar=False
        ),
        "package": partial(package.encode, texts),
        "package, int8": partial(whole.encode, texts),
        "package, static": partial(distil(texts, package).encode, texts),
    }


def measure(n: int, repeats: int = 5) -> dict[str, tuple[float, float, float]]:
    """Return for each side texts a second, overlap and largest difference to the package."""
    torch.set_num_threads(1)
    texts = titles(n)
    sides = encoders(texts)
    took = seconds(*sides.values(), repeats=repeats)
    vectors = {name: encode() for name, encode in sides.items()}
    full = vectors["package"]
    return {
        name: (len(texts) / time, overlap(full, v), float(np.abs(unit(full) - unit(v)).max()))
        for (name, v), time in zip(vectors.items(), took, strict=True)
    }


def main() -> None:
    n = int(sys.argv[1]) if sys.argv[1:] else 1541
    found = measure(n)
    times = {name: n / found[name][0] for name in ("package", "sentence-transformers")}
    work = f"{n:,} film titles into vectors (MiniLM)"
    keep(work, times, peers=["sentence-transformers"], clock="processor")
    for name, (speed, same, far) in found.items():
        print(f"{name:22s} {speed:9,.0f} texts/s   overlap {same:.3f}   largest step {far:.1e}")


if __name__ == "__main__":
    main()
