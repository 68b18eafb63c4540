"""A declaration states its question before it sees data, or is refused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from causalbook import mean_of
from causalbook.case_study import Scenario, run_scenario
from causalbook.case_study.declarations import refuse_switch, sigma
from causalbook.causal_graphs import Graph
from causalbook.potential_outcomes import World


def gap(data):
    return mean_of(data["minutes"], estimand="minutes", method="mean")


VIDEO = Scenario(
    name="video",
    decision="whether to recommend",
    treatment="recommended",
    outcome="minutes",
    covariates=("history",),
    graph=Graph("history -> recommended -> clicked -> minutes; history -> minutes"),
    threat="history",
    method="adjust",
    constraint="a limit for minors",
    estimand="ATE",
    simulate=lambda n, seed: World(
        pd.DataFrame(
            {"history": 0.0, "recommended": np.arange(n) % 2, "minutes": np.arange(n) + float(seed)}
        ),
        {"ATE": 7.0},
        pd.DataFrame(),
    ),
    naive=gap,
    estimate=lambda data: gap(data) + 1,
)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"treatment": ""}, "no treatment is named"),
        ({"treatment": ()}, "no treatment is named"),
        ({"treatment": ("", " ")}, "no treatment is named"),
        # S3-038: the recommended video is Y in one line, the watch time in another.
        ({"outcome": "recommended"}, "treatment and outcome at once"),
        ({"outcome": "watch_time"}, "watch_time not among the observed nodes"),
        ({"treatment": "shown"}, "shown not among the observed nodes"),
        ({"covariates": ("age",)}, "age not among the observed nodes"),
        ({"treatment": "minutes", "outcome": "history", "covariates": ()}, "no directed path"),
        ({"covariates": ("history", "clicked")}, "clicked comes after the treatment"),
        ({"covariates": ("history", "recommended")}, "recommended named twice"),
        ({"covariates": ("history", "history")}, "history named twice"),
        ({"treatment": ("recommended", "recommended")}, "recommended named twice"),
        ({"covariates": "history"}, "covariates is a text, 'history': pass a tuple"),
        ({"threat": " "}, "threat is empty"),
        ({"decision": ""}, "decision is empty"),
        ({"constraint": ""}, "constraint is empty"),
    ],
)
def test_refuses_a_declaration_that_is_none(change, said):
    with pytest.raises(ValueError, match=said):
        replace(VIDEO, **change)


def test_refuses_a_latent_outcome():
    graph = Graph("history -> recommended -> minutes", latent=["minutes"])
    with pytest.raises(ValueError, match="minutes not among the observed nodes"):
        replace(VIDEO, graph=graph)


def test_mediators_are_what_lies_between_and_is_seen():
    assert VIDEO.mediators == ("clicked",)
    hidden = Graph("history -> recommended -> clicked -> minutes -> rating", latent=["clicked"])
    assert replace(VIDEO, graph=hidden).mediators == ()


def test_a_treatment_over_time_may_have_a_covariate_between_its_steps():
    graph = Graph("term_1 -> score -> term_2 -> minutes; score -> minutes; term_1 -> minutes")
    plan = replace(VIDEO, treatment=("term_1", "term_2"), covariates=("score",), graph=graph)
    assert plan.treatments == ("term_1", "term_2")
    assert plan.mediators == ()  # the score lies between the steps, and decides the second
    with pytest.raises(ValueError, match="score comes after"):
        replace(plan, treatment="term_1")
    with pytest.raises(ValueError, match="term_1 comes before term_2 in the graph"):
        replace(plan, treatment=("term_2", "term_1"))


def test_the_runner_puts_both_estimates_beside_the_truth():
    found = run_scenario(VIDEO, n=5, seed=3)
    assert (found.truth, found.naive.value, found.estimate.value) == (7.0, 5.0, 6.0)
    assert (found.naive_error, found.error) == (-2.0, -1.0)
    assert found.identification.strategy == "back door"
    assert found.identification.sets == [frozenset({"history"})]


def test_the_runner_refuses_a_world_that_is_not_the_declared_one():
    with pytest.raises(ValueError, match=r"video: the truth has no 'ATT', only \['ATE'\]"):
        run_scenario(replace(VIDEO, estimand="ATT"), n=5, seed=3)
    graph = Graph("device -> recommended -> minutes")
    with pytest.raises(ValueError, match="the data lack device; they have history, recommended"):
        run_scenario(replace(VIDEO, graph=graph, covariates=("device",)), n=5, seed=3)


@pytest.mark.parametrize("value", [-1, float("inf"), float("nan")])
def test_a_switch_is_a_number_from_0(value):
    refuse_switch("decay", 0.0)
    with pytest.raises(ValueError, match="decay is"):
        refuse_switch("decay", value)


def test_sigma_is_the_logistic_function():
    assert np.allclose(sigma(np.log([1, 3, 1 / 3])), [0.5, 0.75, 0.25], atol=1e-15)
    assert sigma(np.array([-1e9, 1e9])).tolist() == [0, 1]  # and no warning
