"""The project: a recommender whose effect is known, from database to service."""

from causalbook.project.bandits import UCB, EpsilonGreedy, Thompson
from causalbook.project.big_log import (
    big_log_part,
    big_log_policy,
    big_log_value,
    watched_rates,
    write_big_log,
)
from causalbook.project.bucket_estimates import (
    bucket_cuped,
    bucket_difference,
    bucket_dr,
    bucket_ips,
    bucket_snips,
)
from causalbook.project.bucket_sums import add_sums, arm_sums, policy_sums
from causalbook.project.budgets import Budget, release_effect
from causalbook.project.configuration import RunConfig, read_config
from causalbook.project.explanation_cards import (
    Card,
    effect_in_context,
    explain_decision,
    explain_recommendation,
    nearest_counterfactual,
    necessity,
)
from causalbook.project.federation import mask, pair_keys, unmask
from causalbook.project.item_lists import recommend_items
from causalbook.project.launch_judges import judge_launch, right_choices, simulate_launches
from causalbook.project.launches import Candidate, Launch, simulate_launch
from causalbook.project.learning import Learned, count_cells, learn
from causalbook.project.log_audits import Audit, audit_log
from causalbook.project.monitors import (
    Traffic,
    draw_evidence,
    effect_drift,
    overlap_evidence,
    split_evidence,
    weight_cost,
)
from causalbook.project.online_logs import Online, adaptive_aipw, learn_online, replay
from causalbook.project.pipeline import Pipeline
from causalbook.project.policy_tables import TablePolicy, shop_context
from causalbook.project.private_release import (
    PrivateSums,
    debias,
    private_sums,
    randomised_response,
)
from causalbook.project.private_training import (
    exposure,
    train_privately,
    training_epsilon,
)
from causalbook.project.propensity_checks import propensity_check
from causalbook.project.request_log import (
    RequestLog,
    arm_of,
    draw_action,
    read_requests,
)
from causalbook.project.row_sorting import Receipt
from causalbook.project.service import (
    create_app,
)
from causalbook.project.shop_in_tables import shop_tables
from causalbook.project.simulated_runs import old_policy, simulate_log, simulate_test
from causalbook.project.steps import (
    check_log,
    estimate_effect,
    halves,
    identify_effect,
    reward_rounds,
)
from causalbook.project.warehouse import Warehouse
from causalbook.project.warehouse_tables import bucket_of
from causalbook.project.web_server import (
    serve,
)

__all__ = [
    "UCB",
    "Audit",
    "Budget",
    "Candidate",
    "Card",
    "EpsilonGreedy",
    "Launch",
    "Learned",
    "Online",
    "Pipeline",
    "PrivateSums",
    "Receipt",
    "RequestLog",
    "RunConfig",
    "TablePolicy",
    "Thompson",
    "Traffic",
    "Warehouse",
    "adaptive_aipw",
    "add_sums",
    "arm_of",
    "arm_sums",
    "audit_log",
    "big_log_part",
    "big_log_policy",
    "big_log_value",
    "bucket_cuped",
    "bucket_difference",
    "bucket_dr",
    "bucket_ips",
    "bucket_of",
    "bucket_snips",
    "check_log",
    "count_cells",
    "create_app",
    "debias",
    "draw_action",
    "draw_evidence",
    "effect_drift",
    "effect_in_context",
    "estimate_effect",
    "explain_decision",
    "explain_recommendation",
    "exposure",
    "halves",
    "identify_effect",
    "judge_launch",
    "learn",
    "learn_online",
    "mask",
    "nearest_counterfactual",
    "necessity",
    "old_policy",
    "overlap_evidence",
    "pair_keys",
    "policy_sums",
    "private_sums",
    "propensity_check",
    "randomised_response",
    "read_config",
    "read_requests",
    "recommend_items",
    "release_effect",
    "replay",
    "reward_rounds",
    "right_choices",
    "serve",
    "shop_context",
    "shop_tables",
    "simulate_launch",
    "simulate_launches",
    "simulate_log",
    "simulate_test",
    "split_evidence",
    "train_privately",
    "training_epsilon",
    "unmask",
    "watched_rates",
    "weight_cost",
    "write_big_log",
]
