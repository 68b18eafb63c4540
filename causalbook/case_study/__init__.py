"""Whole analyses, from the log to a decision in money: a shop, advertising, trends, ten domains."""

from causalbook.case_study.decisions import Decision, decide
from causalbook.case_study.funnel_world import funnel_shop
from causalbook.case_study.outcome_gaps import aipw_missing, missing_bounds
from causalbook.case_study.parquet_shop import write_shop

__all__ = [
    "Decision",
    "aipw_missing",
    "decide",
    "funnel_shop",
    "missing_bounds",
    "write_shop",
]
