"""Whole analyses, from the log to a decision in money: a shop, advertising, trends, ten domains."""

from causalbook.case_study.banner_world import banners
from causalbook.case_study.cleaning import STEPS, Step, build_table, clean_events, quarantine
from causalbook.case_study.decisions import Decision, decide
from causalbook.case_study.declarations import Finding, Scenario, run_scenario
from causalbook.case_study.fair_allocation import equal_opportunity, equal_rates
from causalbook.case_study.funnel_world import funnel_shop
from causalbook.case_study.ghost_ads_world import ad_campaign
from causalbook.case_study.interrupted import Interruption, interrupted_series
from causalbook.case_study.outcome_gaps import aipw_missing, missing_bounds
from causalbook.case_study.parquet_shop import write_shop
from causalbook.case_study.scenarios_media import posts, sessions, songs, stories
from causalbook.case_study.scenarios_services import savers, travellers
from causalbook.case_study.scenarios_society import friends, patients, students
from causalbook.case_study.shop_analysis import (
    Outcome,
    Study,
    lottery_check,
    read_query,
    shop_covariates,
    study,
)
from causalbook.case_study.shop_events import raw_events
from causalbook.case_study.shop_schema import Variable, dictionary, validate
from causalbook.case_study.shop_steps import (
    analyse,
    asked,
    collect,
    initialise,
    optimise,
    predict,
    preprocess,
    train,
)
from causalbook.case_study.ten_domains import SCENARIOS
from causalbook.case_study.treatment_plans import plan_value
from causalbook.case_study.trend_world import item_sales
from causalbook.case_study.waiting import gain_from_testing

__all__ = [
    "SCENARIOS",
    "STEPS",
    "Decision",
    "Finding",
    "Interruption",
    "Outcome",
    "Scenario",
    "Step",
    "Study",
    "Variable",
    "ad_campaign",
    "aipw_missing",
    "analyse",
    "asked",
    "banners",
    "build_table",
    "clean_events",
    "collect",
    "decide",
    "dictionary",
    "equal_opportunity",
    "equal_rates",
    "friends",
    "funnel_shop",
    "gain_from_testing",
    "initialise",
    "interrupted_series",
    "item_sales",
    "lottery_check",
    "missing_bounds",
    "optimise",
    "patients",
    "plan_value",
    "posts",
    "predict",
    "preprocess",
    "quarantine",
    "raw_events",
    "read_query",
    "run_scenario",
    "savers",
    "sessions",
    "shop_covariates",
    "songs",
    "stories",
    "students",
    "study",
    "train",
    "travellers",
    "validate",
    "write_shop",
]
