"""The claims of benchmarks/encoding.py, as ratios in one run."""

import importlib.util
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def measured():
    folder = Path(__file__).parents[2] / "benchmarks"
    sys.path.insert(0, str(folder))  # it takes its clock from the file beside it
    try:
        spec = importlib.util.spec_from_file_location("encoding", folder / "encoding.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
    return module.measure(256, repeats=3)


def test_the_vectors_are_those_of_sentence_transformers(measured):
    _, overlap, largest = measured["sentence-transformers"]
    assert largest < 1e-5
    assert overlap > 0.999


def test_the_default_path_keeps_up_and_the_static_one_is_far_faster(measured):
    speed = {name: found[0] for name, found in measured.items()}
    assert speed["package"] > 0.8 * speed["sentence-transformers"]
    # Whether 8 bits are faster depends on the processor's instructions: no claim of every machine.
    assert speed["package, static"] > 10 * max(speed["package"], speed["package, int8"])


def test_eight_bits_keep_nine_neighbours_in_ten(measured):
    assert 0.9 < measured["package, int8"][1] < 0.999
    assert measured["package, static"][1] < 0.6
