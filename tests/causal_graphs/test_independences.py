"""Tests of implied independences against scipy and statsmodels, and against their own level."""

import re

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.multitest import multipletests

from causalbook.causal_graphs import Graph, check_independences

CHAIN = Graph("A -> B -> C -> D")


def numbers(n, seed):
    """A linear chain A -> B -> C -> D."""
    rng = np.random.default_rng(seed)
    frame = {"A": rng.normal(size=n)}
    for before, name in zip("ABC", "BCD", strict=True):
        frame[name] = 0.7 * frame[before] + rng.normal(size=n)
    return pd.DataFrame(frame)


def categories(n, seed):
    """The same chain in three, three, two and two values; D is a word."""
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 3, n)
    b = (a + rng.integers(0, 2, n)) % 3
    c = (rng.random(n) < 0.2 + 0.2 * b).astype(int)
    d = np.where(rng.random(n) < 0.3 + 0.3 * c, "yes", "no")
    return pd.DataFrame({"A": a, "B": b, "C": c == 1, "D": d})


# -- parity ----------------------------------------------------------------------------------


def test_partial_correlations_are_those_of_statsmodels():
    frame = numbers(400, 0)
    found = check_independences(CHAIN, frame)
    assert list(map(str, found["independence"])) == ["A ⊥ C | B", "A ⊥ D | B", "B ⊥ D | C"]
    assert set(found["test"]) == {"Fisher's z"}
    assert found["dof"].isna().all()
    for row in found.itertuples():
        x, y, (s,) = row.independence
        fit = sm.OLS(frame[x], sm.add_constant(frame[[y, s]])).fit()
        r = fit.tvalues[y] / np.sqrt(fit.tvalues[y] ** 2 + fit.df_resid)
        z = np.arctanh(r) * np.sqrt(400 - 1 - 3)
        assert row.statistic == pytest.approx(z, rel=1e-10)
        assert row.pvalue == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-10)


def test_without_a_condition_it_is_the_correlation():
    frame = numbers(50, 1)
    (row,) = check_independences(Graph("A; B"), frame).itertuples()
    r = stats.pearsonr(frame["A"], frame["B"])
    assert row.statistic == pytest.approx(np.arctanh(r.statistic) * np.sqrt(47), rel=1e-10)
    # scipy's own interval rests on the same law: at the level 1 - p it touches zero
    touches = r.confidence_interval(1 - row.pvalue)
    assert min(map(abs, touches)) == pytest.approx(0, abs=1e-7)


def test_chi_squares_are_those_of_scipy_and_statsmodels_summed_over_strata():
    frame = categories(800, 2)
    found = check_independences(CHAIN, frame)
    assert set(found["test"]) == {"chi-square"}
    for row in found.itertuples():
        x, y, (s,) = row.independence
        tables = [pd.crosstab(part[x], part[y]) for _, part in frame.groupby(s)]
        by_scipy = [stats.chi2_contingency(table, correction=False) for table in tables]
        by_sm = [sm.stats.Table(t, shift_zeros=False).test_nominal_association() for t in tables]
        assert row.statistic == pytest.approx(sum(t.statistic for t in by_scipy), rel=1e-10)
        assert row.statistic == pytest.approx(sum(t.statistic for t in by_sm), rel=1e-10)
        assert row.dof == sum(t.dof for t in by_scipy) == sum(t.df for t in by_sm)
        assert row.pvalue == pytest.approx(stats.chi2.sf(row.statistic, row.dof), rel=1e-10)
    single = check_independences(Graph("A; D"), frame).iloc[0]
    table = pd.crosstab(frame["A"], frame["D"])
    assert single["statistic"] == pytest.approx(stats.chi2_contingency(table, False).statistic)


def test_two_conditions_make_strata_of_pairs():
    frame = categories(3000, 3).assign(E=np.random.default_rng(3).integers(0, 2, 3000))
    (row,) = (
        check_independences(Graph("E -> A; E -> D; B -> A; B -> D"), frame).iloc[-1:].itertuples()
    )
    assert str(row.independence) == "A ⊥ D | B, E"
    parts = [pd.crosstab(part["A"], part["D"]) for _, part in frame.groupby(["B", "E"])]
    by_scipy = [stats.chi2_contingency(t, correction=False) for t in parts]
    assert row.statistic == pytest.approx(sum(t.statistic for t in by_scipy), rel=1e-10)
    assert row.dof == sum(t.dof for t in by_scipy)


@pytest.mark.parametrize("make", [numbers, categories])
def test_the_adjustment_is_holms(make):
    graph = Graph("A -> B; C; D")  # some independences are false, some nearly so
    found = check_independences(graph, make(60, 4))
    expected = multipletests(found["pvalue"], method="holm")[1]
    assert found["holm"].to_numpy() == pytest.approx(expected, rel=1e-12)


def test_the_rule_one_float_makes_all_of_them_numbers():
    frame = categories(300, 5).assign(F=np.random.default_rng(5).normal(size=300))
    found = check_independences(Graph("A -> B; F"), frame).set_index("independence")["test"]
    assert set(found) == {"Fisher's z"}
    assert check_independences(Graph("B; C"), frame)["test"].tolist() == ["chi-square"]
    assert check_independences(Graph("C; F"), frame)["test"].tolist() == ["Fisher's z"]
    as_float = check_independences(Graph("B; C"), frame.astype({"B": float}))
    assert as_float["test"].tolist() == ["Fisher's z"]


# -- level and power -------------------------------------------------------------------------


@pytest.mark.parametrize("make", [numbers, categories])
def test_true_independences_are_rejected_at_their_level(make):
    """1,000 worlds of 300 rows, seeds 0 to 999: rejections at 5% in a 99.9% binomial band."""
    p = np.array([check_independences(CHAIN, make(300, seed))["pvalue"] for seed in range(1000)])
    low, high = stats.binom.interval(0.999, 1000, 0.05)
    rejected = (p < 0.05).sum(axis=0)
    assert ((low <= rejected) & (rejected <= high)).all(), rejected


@pytest.mark.parametrize("make", [numbers, categories])
def test_a_missing_arrow_is_found(make):
    frame = make(2000, 6)
    wrong = check_independences(Graph("A -> B; C -> D"), frame).set_index("independence")
    strong = [i for i in wrong.index if {i.x, i.y} == {"B", "C"}]
    assert wrong.loc[strong, "holm"].max() < 1e-6


# -- what is thin, empty or impossible -------------------------------------------------------


def test_a_stratum_that_does_not_vary_says_nothing():
    frame = pd.DataFrame({"A": [0, 0, 1, 1] * 10 + [1] * 40, "B": [0] * 40 + [1] * 40})
    frame["C"] = [0, 1, 0, 1] * 10 + [0, 1] * 20
    (row,) = check_independences(Graph("A <- B -> C"), frame).itertuples()
    assert (row.dof, row.statistic, row.pvalue) == (1, 0.0, 1.0)


def test_where_no_stratum_varies_there_is_no_p_value():
    frame = pd.DataFrame({"A": [0, 1] * 20, "B": [0, 1] * 20, "C": [0, 1, 1, 0] * 10})
    found = check_independences(Graph("A <- B -> C"), frame)
    assert found["dof"].tolist() == [0]
    assert found[["statistic", "pvalue", "holm"]].isna().all(axis=None)


def test_thin_cells_warn_and_are_not_pooled():
    frame = categories(30, 7)
    with pytest.warns(UserWarning, match=r"more than a fifth of the cells .* A ⊥ C \| B; .*rough"):
        found = check_independences(CHAIN, frame)
    assert len(found) == 3


def test_a_graph_that_implies_nothing_has_an_empty_table():
    found = check_independences(Graph("A -> B; A <-> B"), numbers(10, 0))
    assert list(found.columns) == ["independence", "test", "statistic", "dof", "pvalue", "holm"]
    assert len(found) == 0


def test_a_perfect_correlation_is_no_error():
    x = np.linspace(0, 1, 9)
    (row,) = check_independences(Graph("A; B"), pd.DataFrame({"A": x, "B": -x})).itertuples()
    assert row.statistic == -np.inf
    assert row.pvalue == 0


def test_unused_levels_of_a_category_do_not_count():
    frame = categories(400, 8)
    wide = frame.assign(B=pd.Categorical(frame["B"], [0, 1, 2, 9]))
    for graph in (Graph("A -> B -> C"), Graph("B; C")):
        a, b = (check_independences(graph, f).drop(columns="independence") for f in (frame, wide))
        assert a.equals(b)


def frame_of(**columns):
    return pd.DataFrame({"A": [0.0, 1, 2, 4, 3, 1], "B": [1.0, 0, 2, 2, 1, 1]} | columns)


@pytest.mark.parametrize(
    ("graph", "frame", "message"),
    [
        ("A -> B -> C", frame_of(), "frame lacks the columns C, observed in the graph"),
        ("A; B", frame_of(A=[0.0, np.nan, np.nan, 1, 2, 3]), "frame has 2 missing values in A"),
        ("A; B", frame_of(B=[1] * 6), "frame has a constant column, B"),
        ("A; B", frame_of(B=list("xyxyxy")), "frame holds no numbers in B, and floats in another"),
        ("A; B", frame_of().head(3), "frame has 3 rows: Fisher's z given 0 columns needs 4"),
        ("A <- B -> C", frame_of(C=[2.0, 0, 4, 4, 2, 2]), "frame has C as a linear function of B"),
    ],
)
def test_data_that_cannot_be_tested_are_refused(graph, frame, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        check_independences(Graph(graph), frame)


def test_a_latent_column_is_not_asked_for():
    assert len(check_independences(Graph("U -> A; U -> B", latent="U"), frame_of())) == 0


def test_data_without_named_columns_are_refused():
    with pytest.raises(ValueError, match="frame is a ndarray: pass a DataFrame"):
        check_independences(Graph("X -> Y"), np.zeros((3, 2)))
