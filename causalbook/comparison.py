"""Estimates beside one another: their difference, and a table of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from causalbook.estimate import Estimate, merge_notes

if TYPE_CHECKING:
    import pandas as pd


def contrast(a: Estimate, b: Estimate, *, independent: bool = False) -> Estimate:
    r"""Difference a - b of two estimates, on the same rows or on two separate samples.

    $$se^2 = \frac1{n^2}\sum_i (\psi_{a,i} - \psi_{b,i})^2 \quad\text{(same rows)}, \qquad
      se^2 = se_a^2 + se_b^2 \quad\text{(independent)}$$

    Parameters: two estimates; `independent` says that no unit is in both samples.
    Returns an `Estimate`, for separate samples over the stacked rows; Satterthwaite's degrees of
    freedom where both have some. Separate samples need no influence values: an estimate that has
    a standard error without them (matching) lends that error, and the difference has none either.
    Raises ValueError if the rows differ and `independent` is not set, or if it is set for the
    same rows. Source: Satterthwaite (1946, eq. 7).
    """
    if not independent:
        return a - b
    shared = set((a.sample or "").split("+")) & set((b.sample or "").split("+")) - {""}
    if shared:
        raise ValueError(
            "independent=True, but both estimates have the same rows, those of sample "
            f"{', '.join(shared)}: use contrast(a, b)"
        )
    n = a.n + b.n
    cluster = None
    if a.cluster is not None or b.cluster is not None:
        ga = np.arange(a.n) if a.cluster is None else a.cluster
        gb = np.arange(b.n) if b.cluster is None else b.cluster
        cluster = np.concatenate([ga, ga.max() + 1 + gb])
    dof = None
    if a.dof is not None and b.dof is not None and a.se + b.se > 0:
        dof = (a.se**2 + b.se**2) ** 2 / (a.se**4 / a.dof + b.se**4 / b.dof)
    notes = merge_notes(a, b)
    if a.sample is None or b.sample is None:
        notes = (*notes, "an estimate names no sample: taken to be separate rows")
    given = None if a.given_se is None and b.given_se is None else math.hypot(a.se, b.se)
    psi = np.concatenate([n / a.n * a.influence, -n / b.n * b.influence])
    return Estimate(
        a.value - b.value,
        psi if np.isfinite(psi).all() else np.full(n, np.nan),
        f"{a.estimand} - {b.estimand}",
        a.method if a.method == b.method else f"{a.method} - {b.method}",
        cluster=cluster,
        sample=f"{a.sample}+{b.sample}",
        dof=dof,
        notes=notes,
        given_se=None if given is None or math.isnan(given) else given,
    )


def compare(*estimates: Estimate, truth: float | None = None, level: float = 0.95) -> pd.DataFrame:
    """Table of estimates, one row each, indexed by method; with `truth`, their errors.

    Columns: estimand, value, se, low, high, n; with `truth` also error (value - truth) and
    covers (is the truth in the interval), which are NaN where there is no standard error: the
    notes, in the table's `attrs["notes"]`, say why.

    Parameters: the estimates; `truth` in their unit, where it is known; `level` of the intervals.
    Raises ValueError without an estimate.
    """
    import pandas as pd

    if not estimates:
        raise ValueError("compare needs at least one estimate: none was passed")
    table = pd.DataFrame(
        [(e.estimand, e.value, e.se, *e.conf_int(level), e.n) for e in estimates],
        columns=["estimand", "value", "se", "low", "high", "n"],
        index=pd.Index([e.method for e in estimates], name="method"),
    )
    table.attrs["notes"] = {e.method: e.notes for e in estimates}
    if truth is not None:
        table["error"] = table["value"] - truth
        covers = (table["low"] <= truth) & (truth <= table["high"])
        table["covers"] = covers.astype(object).where(table["se"].notna(), np.nan)
    return table
