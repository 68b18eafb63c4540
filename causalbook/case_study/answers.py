"""Exercises of the part: each page's right answer and misconceptions, by the page's name."""

from __future__ import annotations

from causalbook.case_study.answers_advertising import EXERCISE as ADVERTISING
from causalbook.case_study.answers_ghost_ads import EXERCISE as GHOST_ADS
from causalbook.case_study.answers_scenarios import EXERCISE as SCENARIOS
from causalbook.case_study.answers_shop import EXERCISE as SHOP
from causalbook.case_study.answers_shop_log import EXERCISE as SHOP_LOG
from causalbook.case_study.answers_shop_outcomes import EXERCISE as SHOP_OUTCOMES
from causalbook.case_study.answers_shop_policy import EXERCISE as SHOP_POLICY
from causalbook.case_study.answers_trends import EXERCISE as TRENDS
from causalbook.exercises import Exercise

EXERCISES: dict[str, Exercise] = {
    "scenarios": SCENARIOS,
    "advertising": ADVERTISING,
    "ghost_ads": GHOST_ADS,
    "shop": SHOP,
    "shop_log": SHOP_LOG,
    "shop_outcomes": SHOP_OUTCOMES,
    "shop_policy": SHOP_POLICY,
    "trends": TRENDS,
}
