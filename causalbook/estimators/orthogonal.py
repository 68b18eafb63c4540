"""The partially linear model: residual on residual, with any learners (double machine learning)."""

from __future__ import annotations

from typing import Any

from causalbook.arrays import codes, fingerprint, numbers, same_length
from causalbook.estimate import Estimate
from causalbook.nuisance import Linear, cross_fit


def partially_linear(
    y: Any,
    a: Any,
    X: Any,
    *,
    learner_y: Any = None,
    learner_a: Any = None,
    folds: Any = 5,
    seed: int = 0,
    cluster: Any = None,
) -> Estimate:
    r"""Constant effect of a treatment of any kind, beside an unknown function of the covariates.

    $$Y = \theta A + g(X) + \varepsilon, \qquad
      u_i = Y_i - \hat\ell(X_i), \quad v_i = A_i - \hat m(X_i), \qquad
      \hat\theta = \frac{\sum_i v_i u_i}{\sum_i v_i^2}, \qquad
      \psi_i = \frac{v_i (u_i - \hat\theta v_i)}{\frac1n \sum_j v_j^2}$$

    with $\ell(x) = E[Y|X=x]$ and $m(x) = E[A|X=x]$ cross-fitted: each row's two predictions come
    from the other folds. Small errors of the learners matter at second order only:

    $$\hat\theta \to \theta + \frac{E[\delta_m (\delta_\ell - \theta \delta_m)]}
                                {E[Var(A|X)] + E[\delta_m^2]}, \qquad
      \delta_\ell = \ell - \hat\ell, \quad \delta_m = m - \hat m$$

    so that a wrong l alone does no harm, and a wrong m harms by its square.

    Parameters: `y` (n,) outcomes; `a` (n,) treatments, two values or many; `X` (n, p) covariates
    from before the treatment; `learner_y`, `learner_a`, objects with fit and predict (or
    predict_proba), by default `Linear()`; `folds`, how many or (n,) labels; `seed` draws them;
    `cluster` (n,) labels of groups that share a fate: each stays in one fold.
    Raises ValueError for NaN, unequal lengths, one cluster, a treatment that does not vary or that
    X explains without remainder, and as `cross_fit` does.
    Source: Robinson (1988); Chernozhukov et al. (2018, eq. 4.4).
    """
    outcome, treatment = numbers("y", y), numbers("a", a)
    groups = None if cluster is None else codes("cluster", cluster)
    same_length(y=outcome, a=treatment, cluster=groups)
    if groups is not None and groups.max() == 0:
        raise ValueError(
            "cluster has one group: the error is learned from how groups differ; pass finer "
            "labels, or none"
        )
    if treatment.min() == treatment.max():
        raise ValueError(
            f"a is {treatment[0]:g} in every row: an effect needs treatments that differ"
        )
    # Not `learner_y or Linear()`: an ensemble of scikit-learn has a length, and fails when asked.
    by_y, by_a = (Linear() if it is None else it for it in (learner_y, learner_a))
    how = {"folds": folds, "cluster": groups, "seed": seed}
    u = outcome - cross_fit(by_y, X, outcome, **how)
    v = treatment - cross_fit(by_a, X, treatment, **how)
    left = float(v @ v) / len(v)
    if left <= 1e-12 * float(treatment.var()):
        raise ValueError(
            "a is predicted from X without remainder: no two units with equal X were treated "
            "differently, so there is nothing to compare; leave out of X what decides a alone"
        )
    theta = float(v @ u) / float(v @ v)
    return Estimate(
        theta,
        v * (u - theta * v) / left,
        "constant effect",
        "partially linear (cross-fitted)",
        cluster=groups,
        sample=fingerprint(outcome),
        notes=(
            "if the effect differs between units, this is its average with weights "
            "Var(A | X): units whose treatment X hardly predicts count most",
        ),
    )
