"""Causal inference for recommender systems: what the book's notebooks import."""

from causalbook import datasets
from causalbook.averages import mean_of, ratio_of
from causalbook.comparison import compare, contrast
from causalbook.estimate import Estimate

__all__ = ["Estimate", "compare", "contrast", "datasets", "mean_of", "ratio_of"]
__version__ = "0.8.0"
