"""Potential outcomes: what an experiment says of them."""

from causalbook.potential_outcomes.exact import ExactWorld
from causalbook.potential_outcomes.experiments import ab_test, cuped, ratio_metric
from causalbook.potential_outcomes.manski import Bounds, bounds
from causalbook.potential_outcomes.mediation import controlled_direct_effect, mediate
from causalbook.potential_outcomes.peeking import confidence_sequence
from causalbook.potential_outcomes.planning import (
    holm,
    sample_size,
    sample_size_proportions,
    srm_test,
)
from causalbook.potential_outcomes.simulator import World, shop

__all__ = [
    "Bounds",
    "ExactWorld",
    "World",
    "ab_test",
    "bounds",
    "confidence_sequence",
    "controlled_direct_effect",
    "cuped",
    "holm",
    "mediate",
    "ratio_metric",
    "sample_size",
    "sample_size_proportions",
    "shop",
    "srm_test",
]
