"""Estimators of effects, and of the value of a policy from logs."""

from causalbook.estimators.adjustment import difference_in_means, regression_adjustment
from causalbook.estimators.checks import Check, balance, love_plot, overlap
from causalbook.estimators.embeddings import mips
from causalbook.estimators.event_time import event_study, pretrend_test
from causalbook.estimators.group_time import GroupTime, group_time_att
from causalbook.estimators.honest_trees import CausalTree, causal_tree
from causalbook.estimators.interval_checks import IntervalCheck, interval_check, support
from causalbook.estimators.logged_data import Log
from causalbook.estimators.loggers import pool
from causalbook.estimators.meta_learners import (
    EffectModel,
    dr_learner,
    r_learner,
    s_learner,
    t_learner,
    x_learner,
)
from causalbook.estimators.neighbours import matching
from causalbook.estimators.orthogonal import partially_linear
from causalbook.estimators.policy_learning import LearnedPolicy, learn_policy
from causalbook.estimators.policy_values import (
    dm,
    dr,
    effective_sample_size,
    evaluate,
    ips,
    snips,
)
from causalbook.estimators.refutation import leave_one_out, negative_control, placebo
from causalbook.estimators.slates import position_ips, slate_ips
from causalbook.estimators.switching import switch_dr
from causalbook.estimators.synthetic import SyntheticControl, synthetic_control
from causalbook.estimators.targeting import (
    Calibration,
    Qini,
    calibration,
    policy_value,
    qini,
    within_budget,
)
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
    "Calibration",
    "CausalTree",
    "Check",
    "EffectModel",
    "FirstStage",
    "GroupTime",
    "IntervalCheck",
    "LearnedPolicy",
    "Log",
    "Qini",
    "SyntheticControl",
    "aipw",
    "anderson_rubin",
    "balance",
    "benchmark",
    "calibration",
    "causal_tree",
    "did",
    "difference_in_means",
    "dm",
    "dr",
    "dr_learner",
    "e_value",
    "effective_sample_size",
    "evaluate",
    "event_study",
    "first_stage",
    "group_time_att",
    "interval_check",
    "ips",
    "ipw",
    "learn_policy",
    "leave_one_out",
    "love_plot",
    "matching",
    "mips",
    "negative_control",
    "omitted_variable_bias",
    "overlap",
    "partially_linear",
    "placebo",
    "policy_value",
    "pool",
    "position_ips",
    "pretrend_test",
    "qini",
    "r_learner",
    "regression_adjustment",
    "robustness_value",
    "s_learner",
    "slate_ips",
    "snips",
    "support",
    "switch_dr",
    "synthetic_control",
    "t_learner",
    "two_stage_least_squares",
    "wald",
    "within_budget",
    "x_learner",
]
