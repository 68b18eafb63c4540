"""Estimators of effects, and of the value of a policy from logs."""

from causalbook.estimators.adjustment import difference_in_means, regression_adjustment
from causalbook.estimators.checks import Check, balance, love_plot, overlap
from causalbook.estimators.event_time import event_study, pretrend_test
from causalbook.estimators.group_time import GroupTime, group_time_att
from causalbook.estimators.logged_data import Log
from causalbook.estimators.neighbours import matching
from causalbook.estimators.orthogonal import partially_linear
from causalbook.estimators.policy_values import (
    dm,
    dr,
    effective_sample_size,
    evaluate,
    ips,
    snips,
)
from causalbook.estimators.refutation import leave_one_out, negative_control, placebo
from causalbook.estimators.synthetic import SyntheticControl, synthetic_control
from causalbook.estimators.two_stage import (
    FirstStage,
    first_stage,
    two_stage_least_squares,
    wald,
)
from causalbook.estimators.two_way import did
from causalbook.estimators.unobserved import (
    benchmark,
    e_value,
    omitted_variable_bias,
    robustness_value,
)
from causalbook.estimators.weak import anderson_rubin
from causalbook.estimators.weighting import aipw, ipw

__all__ = [
    "Check",
    "FirstStage",
    "GroupTime",
    "Log",
    "SyntheticControl",
    "aipw",
    "anderson_rubin",
    "balance",
    "benchmark",
    "did",
    "difference_in_means",
    "dm",
    "dr",
    "e_value",
    "effective_sample_size",
    "evaluate",
    "event_study",
    "first_stage",
    "group_time_att",
    "ips",
    "ipw",
    "leave_one_out",
    "love_plot",
    "matching",
    "negative_control",
    "omitted_variable_bias",
    "overlap",
    "partially_linear",
    "placebo",
    "pretrend_test",
    "regression_adjustment",
    "robustness_value",
    "snips",
    "synthetic_control",
    "two_stage_least_squares",
    "wald",
]
