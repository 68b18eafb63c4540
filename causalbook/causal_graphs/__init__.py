"""Causal graphs: what they say, what they identify, and the models that stand behind them."""

from causalbook.causal_graphs.dag import Graph
from causalbook.causal_graphs.do_calculus import Identification, identify
from causalbook.causal_graphs.equations import SCM
from causalbook.causal_graphs.explorer import explore
from causalbook.causal_graphs.mixtures import LatentIntent
from causalbook.causal_graphs.networks import BayesNet
from causalbook.causal_graphs.testing import check_independences

__all__ = [
    "SCM",
    "BayesNet",
    "Graph",
    "Identification",
    "LatentIntent",
    "check_independences",
    "explore",
    "identify",
]
