"""Ten declarations, one runner: near the truth as declared, and not by the obvious table."""

import pytest

from causalbook.case_study import SCENARIOS, run_scenario

ORDER = "shop media news music video social education health finance travel"
BY = {"social": "ID", "education": "ID", "travel": "none"}  # all others: back door


def test_the_ten_domains():
    assert list(SCENARIOS) == ORDER.split()
    assert all(name == scenario.name for name, scenario in SCENARIOS.items())


@pytest.mark.parametrize("name", ORDER.split())
def test_the_right_estimate_is_near_the_truth_and_the_naive_one_is_not(name):
    found = run_scenario(SCENARIOS[name], n=10_000, seed=2026)
    assert abs(found.error) < 4 * found.estimate.se
    assert abs(found.naive_error) > 3 * found.naive.se
    assert found.identification.strategy == BY.get(name, "back door")


@pytest.mark.parametrize("name", ORDER.split())
def test_a_declaration_says_what_the_articles_leave_out(name):
    s = SCENARIOS[name]
    assert s.treatments
    assert s.outcome not in s.covariates
    assert not set(s.mediators) & set(s.covariates)
    assert s.threat != s.method != s.constraint
