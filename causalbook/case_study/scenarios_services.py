"""Two declarations with a world for each: finance and travel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from causalbook.arrays import dice
from causalbook.case_study.declarations import Scenario, refuse_switch, sigma
from causalbook.case_study.treatment_plans import plan_value
from causalbook.causal_graphs import Graph
from causalbook.estimate import Estimate
from causalbook.estimators import regression_adjustment, wald
from causalbook.nuisance import logit
from causalbook.potential_outcomes import World, ab_test

if TYPE_CHECKING:
    import pandas as pd


def savers(n: int, *, selection: float = 1.0, hidden: float = 0.0, seed: int) -> World:
    r"""Simulate n savers; a fund is recommended by lot, and those who lose money close accounts.

    $$Q(a) = 0.5 + 0.5 \, \varepsilon_1 + a B (4 \, \varepsilon_2 - 0.5), \qquad
      Y(a) = Q(a) + 1.5 + \varepsilon_3 + a B (4 \, \varepsilon_4 + 1.5 \, R - 0.9), \qquad
      B = \sigma(R)$$

    **Data**, one row a saver: appetite (R, for risk, from a questionnaire, standardised);
    recommended (A, half of the savers, by lot); clicked on the fund's page; quarter (Q, result of
    the first quarter in per cent of the savings); open (S: the account still is, after a year);
    wealth (Y, change over the year in per cent, whatever bank it is in; missing where the account
    was closed). **Potential**: share (B, of the savings that would go into the fund), and
    `clicked_a`, `quarter_a`, `open_a`, `wealth_a` for a = 0, 1. **Truth**, of these n savers, who
    stayed or not: ATE, "ATE on clicks".

    **Switches**: `selection` 0: closing is by chance, else losses and a small appetite make it
    likelier. `hidden` above 0: what the rest of the year brings does as well, and that is in the
    table only for those who stayed.

    Raises ValueError for no savers, a seed that is no whole number, a switch below 0.
    Source: ours; survivors that look good: Brown, Goetzmann, Ibbotson and Ross (1992).
    """
    import pandas as pd

    refuse_switch("selection", selection)
    refuse_switch("hidden", hidden)
    rng = dice(n, seed, "savers")
    appetite, e1, e2, e3, e4 = rng.normal(size=(5, n))
    lot, leave, look = rng.random((3, n))
    recommended, share = (lot < 0.5).astype(np.int64), sigma(appetite)

    known = {"share": share}
    for a in (0, 1):
        quarter = 0.5 + 0.5 * e1 + a * share * (4 * e2 - 0.5)
        rest = 1.5 + e3 + a * share * (4 * e4 + 1.5 * appetite - 0.9)
        stays = sigma(1 + selection * (0.5 * quarter + 0.5 * appetite) + hidden * 0.7 * rest)
        known[f"clicked_{a}"] = (look < 0.1 + 0.3 * a).astype(np.int64)
        known |= {f"quarter_{a}": quarter, f"open_{a}": (leave < stays).astype(np.int64)}
        known[f"wealth_{a}"] = quarter + rest
    log = {"appetite": appetite, "recommended": recommended}
    for name in ("clicked", "quarter", "open", "wealth"):
        log[name] = np.where(recommended == 1, known[f"{name}_1"], known[f"{name}_0"])
    log["wealth"] = np.where(log["open"] == 1, log["wealth"], np.nan)
    truth = {"ATE": float((known["wealth_1"] - known["wealth_0"]).mean())}
    truth["ATE on clicks"] = float((known["clicked_1"] - known["clicked_0"]).mean())
    return World(pd.DataFrame(log), truth, pd.DataFrame(known))


def travellers(n: int, *, intent: float = 1.0, exclusion: float = 0.0, seed: int) -> World:
    r"""Simulate n searches for a hotel whose place in the list is drawn by lot.

    $$V(z) = 1\{u < \sigma(-1 + 1.5 \, z + 0.5 \, H + 2 \cdot \text{intent} \cdot (I - 0.5))\},
      \qquad P(Y(a, z) = 1) = 0.05 + 0.1 H + 0.2 \, \text{intent} \cdot I + 0.15 \, a
      + 0.1 \, \text{exclusion} \cdot z$$

    **Data**, one row a search: season (H: high); top (Z: the hotel stands in the upper half of the
    list, by lot); viewed (A: its page was opened); booked (Y). **Potential**: intent (I, which
    nobody logs), `viewed_0` and `viewed_1` by the place, `booked_0` and `booked_1` by the view, at
    the place as it was. **Truth**, of these n searches: ATE of viewing, "complier effect", of
    viewing on those who view at the top only.

    **Switches**: `intent` 0: those who want to travel neither view nor book more. `exclusion` above
    0: the place sells by itself. At most 3, so that chances stay below 1.

    Raises ValueError for no searches, a seed that is no whole number, a switch below 0 or above 3.
    Source: ours; the experiment with the order of hotels is that of Ursu (2018).
    """
    import pandas as pd

    for name, value in {"intent": intent, "exclusion": exclusion}.items():
        refuse_switch(name, value)
        if value > 3:
            raise ValueError(f"{name} is {value}: above 3 some chances exceed 1")
    rng = dice(n, seed, "travellers")
    season, top, wants = (rng.random((3, n)) < 0.5).astype(np.int64)
    look, buy = rng.random((2, n))

    known = {"intent": wants}
    for z in (0, 1):
        chance = sigma(-1 + 1.5 * z + 0.5 * season + 2 * intent * (wants - 0.5))
        known[f"viewed_{z}"] = (look < chance).astype(np.int64)
    viewed = np.where(top == 1, known["viewed_1"], known["viewed_0"])
    without = 0.05 + 0.1 * season + 0.2 * intent * wants + 0.1 * exclusion * top
    known |= {f"booked_{a}": (buy < without + 0.15 * a).astype(np.int64) for a in (0, 1)}
    booked = np.where(viewed == 1, known["booked_1"], known["booked_0"])
    log = {"season": season, "top": top, "viewed": viewed, "booked": booked}
    effect, complier = known["booked_1"] - known["booked_0"], known["viewed_1"] > known["viewed_0"]
    truth = {"ATE": float(effect.mean())}
    truth["complier effect"] = float(effect[complier].mean()) if complier.any() else np.nan
    return World(pd.DataFrame(log), truth, pd.DataFrame(known))


def _survivors(d: pd.DataFrame) -> Estimate:
    """Compare the accounts that are still in the table."""
    left = d[d["open"] == 1]
    return ab_test(left["wealth"], left["recommended"])


def _everybody(d: pd.DataFrame) -> Estimate:
    """Weigh the survivors up to all who began, by the chance that they stayed."""
    steps, past = d[["recommended", "open"]], d[["recommended", "quarter", "appetite"]]
    e = [np.full(len(d), 0.5), logit(past, d["open"])]  # the lottery is known
    y = d["wealth"]
    return plan_value(y, steps, e, (1, 1)) - plan_value(y, steps, e, (0, 1))


FINANCE = Scenario(
    name="finance",
    decision="whether the app recommends the fund to a saver",
    treatment="recommended",
    outcome="wealth",
    covariates=("appetite",),
    graph=Graph(
        "recommended -> quarter; recommended -> wealth; recommended -> clicked; "
        "quarter -> open; quarter -> wealth; appetite -> quarter; appetite -> open; "
        "appetite -> wealth"
    ),
    threat="survival: who lost money has left the table",
    method="weigh by the chance that the account is still open",
    constraint="suitability: no fund for those who cannot bear its losses",
    estimand="ATE",
    simulate=lambda n, seed: savers(n, seed=seed),
    naive=_survivors,
    estimate=_everybody,
)

TRAVEL = Scenario(
    name="travel",
    decision="whether the hotel pays the price that is asked for a view",
    treatment="viewed",
    outcome="booked",
    covariates=("season",),
    graph=Graph(
        "top -> viewed; viewed -> booked; season -> viewed; season -> booked; intent -> viewed; "
        "intent -> booked",
        latent="intent",
    ),
    threat="those who want to book view more",
    method="the place in the list, drawn by lot, as instrument (Wald)",
    constraint="a place that is paid for is labelled",
    estimand="complier effect",
    simulate=lambda n, seed: travellers(n, seed=seed),
    naive=lambda d: regression_adjustment(d["booked"], d["viewed"], d["season"]),
    estimate=lambda d: wald(d["booked"], d["viewed"], d["top"]),
)
