"""Rows of the parity table: numbers in print, on the data from which they were computed."""

from __future__ import annotations

import pandas as pd
from parity_designs import card, darfur
from parity_estimators import PART, smokers
from parity_rows import Pair, in_print

from causalbook import datasets
from causalbook.estimators import (
    did,
    difference_in_means,
    e_value,
    first_stage,
    ipw,
    robustness_value,
    two_stage_least_squares,
)
from causalbook.nuisance import Linear, logit


@in_print(
    PART,
    "difference_in_means",
    "DehejiaWahba1999",
    "table 3",
    what="effect of the training on earnings of 1978, by lot and against CPS-1",
    data="NSW and CPS",
    digits=0,
)
def earnings() -> Pair:
    nsw, cps = datasets.load("nsw_mixtape"), datasets.load("cps_mixtape")
    survey = pd.concat([nsw[nsw["treat"] == 1], cps], ignore_index=True)
    ours = [difference_in_means(frame["re78"], frame["treat"]).value for frame in (nsw, survey)]
    return ours, [1794, -8498]


@in_print(
    PART,
    "difference_in_means",
    "HernanRobins2020",
    "section 12.1",
    what="kilograms gained after quitting, without adjustment",
    data="NHEFS",
    digits=1,
)
def raw_gain() -> Pair:
    _, a, y = smokers()
    return difference_in_means(y, a).value, 2.5


@in_print(
    PART,
    "ipw",
    "HernanRobins2020",
    "section 12.2",
    what="the same by weighting, with its interval",
    data="NHEFS",
    digits=1,
    note="weights taken as known, as there; knowing that they are estimated gives 2.5 to 4.4",
)
def weighted_gain() -> Pair:
    x, a, y = smokers()
    known = ipw(y, a, logit(x, a).values)
    return [known.value, *known.conf_int()], [3.4, 2.4, 4.5]


@in_print(
    PART,
    "Linear",
    "HernanRobins2020",
    "section 13.3",
    what="the same by standardisation, with their one model for both arms",
    data="NHEFS",
    digits=1,
    note="one model an arm (`regression_adjustment`) gives 3.4",
)
def standardised_gain() -> Pair:
    x, a, y = smokers()
    sets = [x.assign(a=arm, product=arm * x["smokeintensity"]) for arm in (a, 1.0, 0.0)]
    model = Linear().fit(sets[0], y)
    return (model.predict(sets[1]) - model.predict(sets[2])).mean(), 3.5


@in_print(
    PART,
    "did",
    "Cunningham2021",
    "section 9.6",
    what="castle doctrine laws and log homicides",
    data="castle doctrine",
    digits=3,
)
def castle() -> Pair:
    frame = datasets.load("castle")
    return did(frame, "l_homicide", "sid", "year", "post").value, 0.069


@in_print(
    PART,
    "did",
    "HuntingtonKlein2021",
    "chapter 18",
    what="active choice and organ donations in California",
    data="organ donations",
    digits=3,
)
def donations() -> Pair:
    frame = datasets.load("organ_donations")
    now = (frame["State"] == "California") & (frame["Quarter_Num"] > 3)
    return did(frame.assign(now=now * 1), "Rate", "State", "Quarter_Num", "now").value, -0.022


@in_print(
    PART,
    "two_stage_least_squares",
    "Card1995",
    "table 3",
    what="log wage for a year of school",
    data="Card",
    digits=3,
    note="his error of .055 is the classical one; ours, robust, is .054",
)
def schooling() -> Pair:
    return two_stage_least_squares(*card()).value, 0.132


@in_print(
    PART,
    "first_stage",
    "Card1995",
    "table 3",
    what="years of school for a college nearby",
    data="Card",
    digits=3,
)
def nearby() -> Pair:
    _, a, z, x = card()
    return first_stage(a, z, x).coefficients[0].value, 0.320


@in_print(
    PART,
    "two_stage_least_squares",
    "Cunningham2021",
    "section 7.8",
    what="the same from his shorter extract, with fewer controls",
    data="close_college",
    digits=3,
)
def fewer_controls() -> Pair:
    few = datasets.load("close_college").dropna()
    x = few[["exper", "black", "south", "married", "smsa"]]
    return two_stage_least_squares(few["lwage"], few["educ"], few["nearc4"], x).value, 0.124


@in_print(
    PART,
    "robustness_value",
    "CinelliHazlett2020",
    "table 1",
    what="robustness values, without and with a level of 95%",
    data="Darfur",
    digits=3,
)
def robustness_in_print() -> Pair:
    fit = darfur()[3]
    t, dof = float(fit.tvalues["directlyharmed"]), float(fit.df_resid)
    return [robustness_value(t, dof), robustness_value(t, dof, level=0.95)], [0.139, 0.076]


@in_print(
    PART,
    "e_value",
    "VanderWeeleDing2017",
    "their first example",
    what="E-value of a risk ratio of 3.9 (1.8 to 8.7), and of its limit",
    data="",
    digits=2,
)
def confounders() -> Pair:
    return e_value(3.9, (1.8, 8.7)), [7.26, 3.00]
