"""Potential outcomes: what an experiment says of them."""

from causalbook.potential_outcomes.experiments import ab_test

__all__ = ["ab_test"]
