"""Data that several tests of estimators read."""

import pandas as pd
import pytest

from causalbook import datasets


@pytest.fixture(scope="session")
def nhefs():
    """The 1,566 rows and covariates of Hernan and Robins (2020), chapters 12 and 13."""
    frame = datasets.load("nhefs").dropna(subset=["wt82_71"])
    assert len(frame) == 1566
    kinds = frame[["education", "exercise", "active"]].astype(int).astype("category")
    x = pd.get_dummies(kinds, drop_first=True, dtype=float)
    for name in ("sex", "race"):
        x[name] = frame[name].astype(float)
    for name in ("age", "smokeintensity", "smokeyrs", "wt71"):
        x[name], x[f"{name}^2"] = frame[name], frame[name] ** 2
    return x, frame["qsmk"].to_numpy(float), frame["wt82_71"].to_numpy()
