"""Importing the package is cheap: what is heavy loads where it is used."""

import subprocess
import sys

HEAVY = ["pandas", "scipy", "matplotlib", "networkx", "torch", "transformers", "statsmodels"]


def fresh(code):
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout


def seconds(module):
    code = "from time import perf_counter as t; s = t(); import {}; print(t() - s)"
    return float(fresh(code.format(module)))


def test_importing_the_package_costs_at_most_twice_numpy():
    turns = [(seconds("causalbook"), seconds("numpy")) for _ in range(8)]
    ours, theirs = (min(side) for side in zip(*turns, strict=True))
    assert ours <= 2 * theirs, f"causalbook {ours:.3f} s, numpy {theirs:.3f} s"


def test_importing_the_package_and_its_parts_loads_nothing_heavy():
    parts = ("causal_graphs", "estimators", "potential_outcomes")
    for module in ("causalbook", *(f"causalbook.{part}" for part in parts)):
        loaded = fresh(f"import {module}, sys; print(*sys.modules)").split()
        assert module in loaded
        assert not set(loaded) & {*HEAVY, "sklearn", "linearmodels", "pyarrow", "ibis", "duckdb"}
