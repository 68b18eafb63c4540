"""Estimators of effects, and of the value of a policy from logs."""

from causalbook.estimators.logged_data import Log
from causalbook.estimators.policy_values import (
    dm,
    dr,
    effective_sample_size,
    evaluate,
    ips,
    snips,
)

__all__ = ["Log", "dm", "dr", "effective_sample_size", "evaluate", "ips", "snips"]
