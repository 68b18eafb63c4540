"""Text that carries a confounder: only from before, trained to what confounds, in two halves."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from causalbook.arrays import (
    Array,
    binary,
    codes,
    design,
    fingerprint,
    label,
    missing,
    numbers,
    rows,
    same_length,
)
from causalbook.cross_fitting import numbered_folds
from causalbook.estimate import Estimate

if TYPE_CHECKING:
    import torch

WEAK = 10.0  # the rule of thumb of Staiger and Stock (1997)
WIDTH, STEPS, RATE, DECAY = 16, 60, 0.01, 20.0  # features; steps of AdamW, decay of B


class Nuisances(NamedTuple):
    """Cross-fitted nuisances (n,) for `aipw`; `gap`, how far the arms lie apart in the features."""

    e: Array
    mu0: Array
    mu1: Array
    gap: float


def require_before(text_time: Any, treatment_time: Any) -> None:
    """Refuse text that is not from before the treatment: it may be an effect of it.

    Parameters: `text_time`, for each row one time or an array of times, one for each text;
    `treatment_time`, one time for each row, or one for all. Times as pandas or numpy know them, or
    numbers on one clock.
    Raises ValueError with the number of rows whose text is as late as the treatment or later, for a
    missing time, for rows without a text, for strings, for times that cannot be compared.
    Source: Rosenbaum (1984) on adjusting for what the treatment has affected.
    """
    import pandas as pd

    if isinstance(text_time, str) or not hasattr(text_time, "__iter__"):
        raise ValueError("text_time is one value: pass, for each row, one time or an array of them")
    times = [np.atleast_1d(t) for t in text_time]
    if not times:
        raise ValueError("text_time is empty: pass, for each row, one time or an array of them")
    single = isinstance(treatment_time, str) or not hasattr(treatment_time, "__iter__")
    one = [treatment_time] if single else list(treatment_time)
    if any(np.ndim(t) for t in one):
        raise ValueError("treatment_time has several times in a row: pass one for each row")
    at = np.ravel(treatment_time)
    treated_at = pd.Series(at if len(at) != 1 else np.repeat(at, len(times))).infer_objects()
    same_length(text_time=np.empty(len(times)), treatment_time=treated_at.to_numpy())
    none = np.array([len(t) == 0 for t in times])
    if none.any():
        raise ValueError(f"text_time is empty in {rows(none)}: a row without a text has no vector")
    row = np.repeat(np.arange(len(times)), [len(t) for t in times])
    written = pd.Series(np.concatenate(times)).infer_objects()
    for name, x in {"text_time": written, "treatment_time": treated_at}.items():
        gaps = missing(x.to_numpy())
        if gaps.any():
            raise ValueError(f"{name} is missing in {rows(gaps)}: find out when it was")
        if pd.api.types.infer_dtype(x) == "string":  # compared letter by letter
            raise ValueError(f"{name} holds strings: make them times with pandas.to_datetime")
    try:
        late = (written >= treated_at.iloc[row].reset_index(drop=True)).to_numpy()
    except TypeError as unlike:
        raise ValueError(
            f"text_time and treatment_time cannot be compared ({unlike}): put both on one clock"
        ) from unlike
    if late.any():
        bad = np.bincount(row, weights=late, minlength=len(times)) > 0
        raise ValueError(
            f"{label('text_time', text_time)} is not before the treatment in {rows(bad)}: such a "
            "text may be an effect of the treatment or of the outcome; leave it out"
        )


def proximal(y: Any, a: Any, w: Any, z: Any, *, cluster: Any = None) -> Estimate:
    r"""Effect adjusted for a confounder of which there are only two noisy readings, w and z.

    $$\hat\beta = (\hat w^\top \tilde w)^{-1} \hat w^\top \tilde Y, \quad
      \hat w = \tilde z (\tilde z^\top \tilde z)^{-1} \tilde z^\top \tilde w, \qquad
      R_i = Y_i - \hat\beta^\top w_i, \quad \hat\tau = \bar R_{a=1} - \bar R_{a=0}$$

    where a tilde means: less the mean of the arm. A regression on w finds too small a $\beta$,
    since part of w is noise; z, whose noise is another's, keeps what the two share. This is
    two-stage least squares of Y on (A, w) with (A, z).

    It is right if, given the confounder U, w has nothing to do with A and z; given U and A, z has
    nothing to do with Y; and E[Y | A, U] is $\tau A$ plus a linear function of E[w | U], as where U
    has few values and w has columns enough to tell them apart. No log proves this; that z tells w
    is checked (`Warns`).

    Parameters: `y` (n,) outcomes; `a` (n,) 0 or 1; `w` (n,) or (n, k) one reading; `z` (n,) or
    (n, m) the other, m >= k; `cluster` (n,) labels.
    Raises ValueError for NaN, unequal lengths, one arm, fewer columns in z than in w, columns that
    are constant within the arms or depend on each other, a z that tells nothing of w.
    Warns where z tells some combination of the columns of w with an F below 10.
    Source: Miao, Geng and Tchetgen Tchetgen (2018); Kuroki and Pearl (2014); for texts Chen,
    Bhattacharya and Keith (2024).
    """
    outcome, treated = numbers("y", y), binary("a", a)
    w_, z_ = design("w", w), design("z", z)
    groups = None if cluster is None else codes("cluster", cluster)
    same_length(y=outcome, a=treated, w=w_, z=z_, cluster=groups)
    if z_.shape[1] < w_.shape[1]:
        raise ValueError(
            f"z has {z_.shape[1]} columns for the {w_.shape[1]} of w: pass as many, or merge w"
        )
    w_in, z_in = _within(label("w", w), w_, treated), _within(label("z", z), z_, treated)
    w_hat = z_in @ np.linalg.solve(z_in.T @ z_in, z_in.T @ w_in)
    f = _strength(w_in, w_hat, z_in.shape[1])
    if f < 1e-8:
        raise ValueError(
            "z tells nothing of some combination of w: pass two readings of one confounder"
        )
    if f < WEAK:
        warnings.warn(
            f"z tells some combination of w with an F of {f:.1f}: below {WEAK:.0f} the estimate is "
            "drawn to the one adjusted for w, and its interval is too short",
            stacklevel=2,
        )
    beta = np.linalg.solve(w_hat.T @ w_in, w_hat.T @ _centred(outcome[:, None], treated)[:, 0])
    r = outcome - w_ @ beta
    left = _centred(r[:, None], treated)[:, 0]
    share = treated.mean()
    arm = treated / share - (1 - treated) / (1 - share)
    apart = arm @ w_ / len(r)  # how far the readings differ between the arms
    moved = w_hat @ np.linalg.solve(w_in.T @ w_hat / len(r), apart)
    psi = (arm - moved) * left
    return Estimate(
        float(arm @ r / len(r)),
        psi - psi.mean(),  # less what rounding leaves
        "constant effect",
        "proximal (two readings)",
        cluster=groups,
        sample=fingerprint(outcome),
        notes=(
            f"z tells w with an F of {f:,.0f}; takes the effect to be the same for all",
            "that w is unrelated to a and z given the confounder, and z to y given it and a, "
            "cannot be checked",
        ),
    )


def trained_nuisances(
    vectors: Any, a: Any, y: Any, *, balance: float = 0.0, folds: Any = 5, seed: int
) -> Nuisances:
    r"""Features of an encoding that are trained to the treatment and the outcome, cross-fitted.

    $$h = \tanh(B \phi + b), \qquad e = \sigma(\alpha^\top h), \quad \mu_a = \gamma_a^\top h$$

    $$\min \; \frac1n \sum_i \Big[\ell(A_i, e_i) + \frac{(Y_i - \mu_{A_i})^2}{s_Y^2}\Big]
      + \lambda\, \frac{\lVert \bar h_1 - \bar h_0 \rVert^2}{\sum_j s_{h_j}^2}$$

    with $\ell$ the cross-entropy. What predicts neither who is treated nor the outcome need not be
    adjusted for, so few features suffice. The last term, for $\lambda$ > 0, draws the arms together
    in the features (a balanced representation). The network and its training are fixed: 16
    features, 60 steps of AdamW on all rows, weight decay of B alone; chosen after pilots on three
    logs of `film_shop`, so look at the log loss of `e` before you trust them elsewhere.

    Parameters: `vectors` (n, d) encodings from before the treatment; `a` (n,) 0 or 1; `y` (n,)
    outcomes; `balance` $\lambda \ge 0$; `folds`, how many or (n,) labels; `seed`.
    Returns e, mu0, mu1, each row's by a network that has not seen it, and `gap`, the ratio in the
    last term on those rows, averaged over the folds.
    Raises ValueError for NaN, unequal lengths, one arm (also in a fold or outside it), outcomes or
    vectors that do not vary, a negative balance, and as `cross_fit` does.
    Source: Veitch, Sridhar and Blei (2020) for texts; Shalit, Johansson and Sontag (2017) for the
    last term.
    """
    import torch

    x, treated, outcome = design("vectors", vectors), binary("a", a), numbers("y", y)
    same_length(vectors=x, a=treated, y=outcome)
    if not 0 <= balance < np.inf:
        raise ValueError(f"balance is {balance}: a penalty is a number from 0")
    fold = numbered_folds(folds, len(outcome), None, None, seed)
    found, gaps = np.empty((3, len(outcome))), list[float]()
    for k in range(fold.max() + 1):
        held = fold == k
        for part in (held, ~held):
            binary(f"a in {'' if part is held else 'all but '}fold {k}", treated[part])
        for name, v in {"vectors": x, "y": outcome}.items():
            if not np.ptp(v[~held], axis=0).any():
                raise ValueError(f"{name} does not vary in all but fold {k}: nothing to learn")
        network = _Network(x[~held], treated[~held], outcome[~held], float(balance), seed)
        with torch.no_grad():
            h, outputs = network(torch.from_numpy(x[held]))
            gaps.append(float(_gap(h, torch.from_numpy(treated[held]))))
        found[:, held] = outputs.numpy().T
    e, mu0, mu1 = found
    return Nuisances(e, mu0, mu1, float(np.mean(gaps)))


class _Network:
    """The features and the three heads, trained when made; called with vectors it gives both."""

    def __init__(self, x: Array, a: Array, y: Array, balance: float, seed: int) -> None:
        import torch

        chance = torch.Generator().manual_seed(int(seed))
        self.middle, self.spread = torch.from_numpy(x.mean(0)), float(x.std(axis=0).mean())
        self.level, self.scale = float(y.mean()), float(y.std())

        def layer(inside: int, outside: int) -> Any:
            start = torch.randn(inside, outside, generator=chance, dtype=torch.float64)
            return (start / inside**0.5).requires_grad_()

        self.body, self.heads = layer(x.shape[1], WIDTH), layer(WIDTH, 3)
        free = [torch.zeros(m, dtype=torch.float64, requires_grad=True) for m in (WIDTH, 3)]
        self.body_free, self.heads_free = free
        groups: list[dict[str, Any]] = [{"params": [self.body], "weight_decay": DECAY}]
        groups.append({"params": [self.heads, *free], "weight_decay": 0.0})
        optimiser = torch.optim.AdamW(groups, lr=RATE)
        vectors, treated, outcome = (torch.from_numpy(v) for v in (x, a, y))
        vectors = self._standard(vectors)
        target = (outcome - self.level) / self.scale
        for _ in range(STEPS):
            h, outputs = self._features(vectors)
            e, mu0, mu1 = outputs.T
            mu = torch.where(treated == 1, mu1, mu0)
            loss = torch.nn.functional.binary_cross_entropy_with_logits(e, treated)
            loss = loss + ((target - mu) ** 2).mean() + balance * _gap(h, treated)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()

    def __call__(self, vectors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        h, outputs = self._features(self._standard(vectors))
        e, mu0, mu1 = outputs.T
        back = [self.level + self.scale * mu for mu in (mu0, mu1)]
        return h, torch.stack([torch.sigmoid(e), *back], dim=1)

    def _standard(self, vectors: torch.Tensor) -> torch.Tensor:
        return (vectors - self.middle) / self.spread  # one unit for all columns: no noise is raised

    def _features(self, vectors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        h = torch.tanh(vectors @ self.body + self.body_free)
        return h, h @ self.heads + self.heads_free


def _gap(h: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    """Squared distance of the arms' mean features, in units of the features' spread."""
    apart = h[a == 1].mean(0) - h[a == 0].mean(0)
    return (apart**2).sum() / h.var(0, unbiased=False).sum()


def _centred(x: Array, a: Array) -> Array:
    """Columns less the mean of their arm."""
    centred: Array = x - np.where(a[:, None] == 1, x[a == 1].mean(0), x[a == 0].mean(0))
    return centred


def _within(called: str, x: Array, a: Array) -> Array:
    """Columns less the mean of their arm; refuse those that do not vary there, or together."""
    inside = _centred(x, a)
    spread = inside.std(axis=0)
    still = spread <= 1e-12 * np.abs(x).max(axis=0)
    if still.any():
        raise ValueError(
            f"{called} does not vary within the arms in {still.sum()} of {len(still)} columns: "
            "drop them"
        )
    if np.linalg.cond(inside / spread) > 1e6:
        raise ValueError(f"{called} has columns that depend on each other: drop one of them")
    return inside


def _strength(w: Array, w_hat: Array, m: int) -> float:
    """F of z for the combination of w that it tells least (for one column the first stage's F)."""
    r2 = float(np.linalg.eigvals(np.linalg.solve(w.T @ w, w_hat.T @ w)).real.min())
    return (len(w) - m - 2) / m * max(r2, 0.0) / max(1 - r2, 1e-15)
