"""Recommenders: models that rank, what is measured of them, and the bias of what they log."""

from causalbook.recommenders.classics import (
    Recommender,
    content_based,
    item_knn,
    popularity,
)
from causalbook.recommenders.clicks import ClickModel, click_model
from causalbook.recommenders.exposure import exposure_propensity, rating_propensity
from causalbook.recommenders.factors import Factors, MatrixFactorization
from causalbook.recommenders.loops import Loop, feedback_loop
from causalbook.recommenders.ranking import (
    coverage,
    diversity,
    ndcg,
    recall,
    rerank,
    top_k,
)
from causalbook.recommenders.risk import dr_risk, ips_risk, snips_risk
from causalbook.recommenders.simulator import catalogue

__all__ = [
    "ClickModel",
    "Factors",
    "Loop",
    "MatrixFactorization",
    "Recommender",
    "catalogue",
    "click_model",
    "content_based",
    "coverage",
    "diversity",
    "dr_risk",
    "exposure_propensity",
    "feedback_loop",
    "ips_risk",
    "item_knn",
    "ndcg",
    "popularity",
    "rating_propensity",
    "recall",
    "rerank",
    "snips_risk",
    "top_k",
]
