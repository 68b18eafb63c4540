"""The checker of the exercise on scale knows the right error and three others."""

import math

import pytest

from causalbook.project.answers_scale import practice_buckets


def test_the_exercise_knows_its_answer_and_three_mistakes(examine):
    rows = [tuple(map(int, row)) for row in practice_buckets()[["n", "w", "wr"]].to_numpy()]
    n, w, wr = (sum(column) for column in zip(*rows, strict=True))

    def root(residuals):
        return math.sqrt(sum(r * r for r in residuals))

    right = root(c - wr / n * a for a, _, c in rows) / n
    rates = [c / a for a, _, c in rows if a]
    mean = sum(rates) / 5
    examine(
        "project.scale",
        right,
        {
            "the sizes": (root(c - wr / 6 for *_, c in rows) / n, "four times the rounds"),
            "the rates": (root(r - mean for r in rates) / 5, "a mean of the buckets' rates"),
            "self-normalised": (root(c - wr / w * b for _, b, c in rows) / w, "error of SNIPS"),
        },
        "The residual of a bucket is wr less the estimate times n",
    )


def test_one_bucket_is_empty_and_changes_nothing():
    full = practice_buckets().query("n > 0")
    assert len(full) == 5
    residual = full["wr"] - full["wr"].sum() / full["n"].sum() * full["n"]
    every = practice_buckets()
    whole = every["wr"] - every["wr"].sum() / every["n"].sum() * every["n"]
    assert (whole @ whole) == pytest.approx(residual @ residual)
