"""The ten declarations of the page on scenarios, by name."""

from __future__ import annotations

from causalbook.case_study.declarations import Scenario
from causalbook.case_study.scenarios_media import FIVE
from causalbook.case_study.scenarios_society import SOCIETY

SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in (*FIVE, *SOCIETY)}
