"""Three declarations with a world for each (social network, education, health), and all five."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from causalbook.arrays import Array, Ints, dice
from causalbook.case_study.declarations import Scenario, refuse_switch, sigma
from causalbook.case_study.scenarios_services import FINANCE, TRAVEL
from causalbook.case_study.treatment_plans import plan_value
from causalbook.causal_graphs import Graph
from causalbook.estimate import Estimate
from causalbook.estimators import aipw, difference_in_means, regression_adjustment
from causalbook.nuisance import logit
from causalbook.potential_outcomes import World, ab_test

if TYPE_CHECKING:
    import pandas as pd

SIZE = 20  # members of a community


def friends(n: int, *, interference: float = 1.0, leak: float = 0.0, seed: int) -> World:
    r"""Simulate n members of a network in communities of 20, and two lotteries side by side.

    $$Y_i(a, f) = 30 + 2 \, C_i + 2 \, a + 3 \cdot \text{interference} \cdot f + \varepsilon_i$$

    with f the share of a member's friends who are shown the new feed. All others in the community
    are friends, and with weight `leak` those in one other community.

    **Data**, one row a member: community; design ("member": in half of the communities each
    member is drawn; "community": the others are drawn whole); shown (A), `friends_shown` (f),
    minutes (Y, in the week). **Potential**: `minutes_none` and `minutes_all`, were nobody shown it
    or all; `minutes_0` and `minutes_1`, by the member's own lot with the friends as they were.
    **Truth**, of these n members: "total effect", all against none, and "direct effect", of the
    own lot. `interference` 0: friends do not matter. `leak` 0: no friends elsewhere.

    Raises ValueError for fewer than 160 members (8 communities), a seed that is no whole number,
    a switch below 0 or a leak above 1.
    Source: ours; two designs at once are those of Saveski et al. (2017).
    """
    import pandas as pd

    refuse_switch("interference", interference)
    refuse_switch("leak", leak)
    rng = dice(n, seed, "friends")
    if n < 8 * SIZE:
        raise ValueError(f"n is {n}: eight communities of {SIZE} need at least {8 * SIZE} members")
    if leak > 1:
        raise ValueError(f"leak is {leak}: it is a share, pass at most 1")
    community = np.arange(n) // SIZE
    k = community[-1] + 1
    order, ring, mood = rng.permutation(k), rng.permutation(k), rng.normal(size=k)
    lot, noise = rng.random(n), rng.normal(0.0, 8.0, size=n)

    rank = np.argsort(order)  # halves: the first by member, of the rest each second one is shown
    whole = rank >= k // 2
    shown = np.where(whole[community], rank[community] % 2, lot < 0.5).astype(np.int64)
    members, drawn = np.bincount(community), np.bincount(community, weights=shown)
    own = (drawn[community] - shown) / np.maximum(members[community] - 1, 1)
    elsewhere = (drawn / members)[np.roll(ring, 1)[np.argsort(ring)]][community]
    f = (1 - leak) * own + leak * elsewhere

    base = 30 + 2 * mood[community] + noise
    per_friend = 3 * interference
    hidden = {"minutes_none": base, "minutes_all": base + 2 + per_friend}
    hidden |= {f"minutes_{a}": base + 2 * a + per_friend * f for a in (0, 1)}
    log = {"community": community, "design": np.where(whole, "community", "member")[community]}
    log |= {"shown": shown, "friends_shown": f}
    log["minutes"] = np.where(shown == 1, hidden["minutes_1"], hidden["minutes_0"])
    truth = {"total effect": 2 + per_friend, "direct effect": 2.0}
    return World(pd.DataFrame(log), truth, pd.DataFrame(hidden))


def students(
    n: int, *, confounding: float = 1.0, feedback: float = 1.0, hidden: float = 0.0, seed: int
) -> World:
    r"""Simulate n students over two terms: scores decide on a course, which changes the scores.

    $$P(A_t = 1 \mid S_t) = \sigma(-\text{confounding} \cdot (S_t - 60) / 12), \qquad
      S_2 = S_2(A_1), \qquad Y = Y(A_1, A_2)$$

    **Data**, one row a student: `first_in_family` (G), `score_1` before the first term, `course_1`
    (recommended a remedial course), `score_2` before the second, `course_2`, exam (points).
    **Potential**: motivation, `score_2_0` and `score_2_1`, and `exam_00` to `exam_11` for the four
    plans, as in `exam_10` (first term only). **Truth**, of these n students: "always against
    never". A course in term one adds 6 points to the next score (`feedback` times as many), half
    of which last to the exam; one in term two adds 4, or 2 to those with G = 1, who have
    less time, and a tenth of a point more for each point that the score lies below 60.

    **Switches**: `confounding` 0: courses are drawn by lot. `feedback` 0: the first course leaves
    the next score alone. `hidden` above 0: motivation, which no table holds, decides too.

    Raises ValueError for no students, a seed that is no whole number, a switch below 0.
    Source: ours; the problem is that of Robins, Hernán and Brumback (2000).
    """
    import pandas as pd

    switches = {"confounding": confounding, "feedback": feedback, "hidden": hidden}
    for name, value in switches.items():
        refuse_switch(name, value)
    rng = dice(n, seed, "students")
    motivation, first = rng.normal(size=n), (rng.random(n) < 0.4).astype(np.int64)
    noise, lot = rng.normal(size=(3, n)), rng.random((2, n))

    def offered(score: Array, lot: Array) -> Ints:
        chance = sigma(-confounding * (score - 60) / 12 - hidden * motivation)
        drawn: Ints = (lot < chance).astype(np.int64)
        return drawn

    score_1 = 62 - 5 * first + 6 * motivation + 6 * noise[0]
    course_1 = offered(score_1, lot[0])
    without = 60 + 0.4 * (score_1 - 60) + 4 * motivation + 5 * noise[1]
    score_2 = {a: without + 6 * feedback * a for a in (0, 1)}
    seen = np.where(course_1 == 1, score_2[1], score_2[0])
    course_2 = offered(seen, lot[1])

    def sits(score: Array, course: Ints | int) -> Array:
        gain = 4 - 2 * first - 0.1 * (score - 60)
        points: Array = 60 + 0.5 * (score - 60) + 4 * motivation + gain * course + 5 * noise[2]
        return points

    exam = {f"exam_{a}{b}": sits(score_2[a], b) for a in (0, 1) for b in (0, 1)}
    log = {"first_in_family": first, "score_1": score_1, "course_1": course_1, "score_2": seen}
    log |= {"course_2": course_2, "exam": sits(seen, course_2)}
    known = {"motivation": motivation, "score_2_0": score_2[0], "score_2_1": score_2[1], **exam}
    truth = {"always against never": float((exam["exam_11"] - exam["exam_00"]).mean())}
    return World(pd.DataFrame(log), truth, pd.DataFrame(known))


def patients(n: int, *, confounding: float = 1.0, hidden: float = 0.0, seed: int) -> World:
    r"""Simulate n patients, of whom the sicker are recommended a nurse's call after discharge.

    $$e = \sigma(\text{confounding} \cdot (S + 0.3 \, G) + 2 \cdot \text{hidden} \cdot (U - 0.3)),
      \qquad p_0 = \sigma(0.6 - S - 0.3 \, G - 1.5 \, U), \qquad
      p_1 = p_0 + (0.35 - 0.2 \, F)(1 - p_0)$$

    **Data**, one row a patient: severity (S) and age (G), both standardised; far (F: lives far
    from the clinic, which makes the call less useful); called (A); recovered (Y, 0 or 1, within 90
    days). **Potential**: frail (U, three in ten), propensity, `recovered_0`, `recovered_1`: nobody
    is harmed by a call. **Truth**, of these n patients: ATE, and "risk ratio", of recovery.

    **Switches**: `confounding` 0: severity and age do not decide who is called. `hidden` above 0:
    the nurse sees who is frail, and no table holds it.

    Raises ValueError for no patients, a seed that is no whole number, a switch below 0.
    Source: ours; confounding by indication as in Hernán and Robins (2020, chapter 7).
    """
    import pandas as pd

    refuse_switch("confounding", confounding)
    refuse_switch("hidden", hidden)
    rng = dice(n, seed, "patients")
    severity, age = rng.normal(size=(2, n))
    far, frail = (rng.random((2, n)) < [[0.4], [0.3]]).astype(np.int64)
    lot, fate = rng.random((2, n))

    e = sigma(confounding * (severity + 0.3 * age) + 2 * hidden * (frail - 0.3))
    called = (lot < e).astype(np.int64)
    p0 = sigma(0.6 - severity - 0.3 * age - 1.5 * frail)
    p = {0: p0, 1: p0 + (0.35 - 0.2 * far) * (1 - p0)}
    recovered = {a: (fate < p[a]).astype(np.int64) for a in (0, 1)}
    log = {"severity": severity, "age": age, "far": far, "called": called}
    log["recovered"] = np.where(called == 1, recovered[1], recovered[0])
    known = {"frail": frail, "propensity": e}
    known |= {f"recovered_{a}": recovered[a] for a in (0, 1)}
    mean = {a: float(recovered[a].mean()) for a in (0, 1)}
    ratio = mean[1] / mean[0] if mean[0] > 0 else math.nan
    truth = {"ATE": mean[1] - mean[0], "risk ratio": ratio}
    return World(pd.DataFrame(log), truth, pd.DataFrame(known))


def _by_lottery(design: str, d: pd.DataFrame) -> Estimate:
    """Compare the arms of one of the two lotteries of `friends`, with the error it calls for."""
    own = d[d["design"] == design]
    cluster = own["community"] if design == "community" else None
    return ab_test(own["minutes"], own["shown"], cluster=cluster)


def _both_against_none(d: pd.DataFrame) -> Estimate:
    """Compare the students of both courses with those of none, as a table of scores invites to."""
    same = d[d["course_1"] == d["course_2"]]
    return regression_adjustment(same["exam"], same["course_1"], same[["score_1", "score_2"]])


def _always_against_never(d: pd.DataFrame) -> Estimate:
    """Weigh over the two terms, each by the score that decided then."""
    courses = d[["course_1", "course_2"]]
    e = [logit(d[f"score_{t}"], d[f"course_{t}"]) for t in (1, 2)]
    return plan_value(d["exam"], courses, e, (1, 1)) - plan_value(d["exam"], courses, e, (0, 0))


def _effect_of_a_call(d: pd.DataFrame) -> Estimate:
    """AIPW on what the record holds, with a logistic model for each arm."""
    X, y, a = d[["severity", "age", "far"]], d["recovered"], d["called"]
    mu0, mu1 = (logit(X, y, where=np.asarray(a == arm)) for arm in (0, 1))
    return aipw(y, a, logit(X, a), mu0, mu1)


SOCIAL = Scenario(
    name="social",
    decision="whether all members get the new feed, or none",
    treatment=("shown", "friends_shown"),
    outcome="minutes",
    covariates=("community",),
    graph=Graph(
        "design -> shown; design -> friends_shown; shown -> minutes; friends_shown -> minutes; "
        "community -> minutes"
    ),
    threat="interference: what friends are shown moves a member too",
    method="draw whole communities, and cluster the errors by them",
    constraint="minutes are not well-being, and friends never agreed to it",
    estimand="total effect",
    simulate=lambda n, seed: friends(n, seed=seed),
    naive=partial(_by_lottery, "member"),
    estimate=partial(_by_lottery, "community"),
)

EDUCATION = Scenario(
    name="education",
    decision="whether a course is recommended in both terms, or never",
    treatment=("course_1", "course_2"),
    outcome="exam",
    covariates=("score_1", "score_2"),
    graph=Graph(
        "score_1 -> course_1; score_1 -> score_2; course_1 -> score_2; score_2 -> course_2; "
        "score_2 -> exam; course_2 -> exam; first_in_family -> score_1; first_in_family -> exam; "
        "motivation -> score_1; motivation -> score_2; motivation -> exam",
        latent="motivation",
    ),
    threat="scores decide on the course that then changes the scores",
    method="weights over time (a marginal structural model)",
    constraint="places go not only to those with the time to gain most",
    estimand="always against never",
    simulate=lambda n, seed: students(n, seed=seed),
    naive=_both_against_none,
    estimate=_always_against_never,
)

HEALTH = Scenario(
    name="health",
    decision="whether every patient is called by a nurse",
    treatment="called",
    outcome="recovered",
    covariates=("severity", "age", "far"),
    graph=Graph(
        "severity -> called; age -> called; severity -> recovered; age -> recovered; "
        "far -> recovered; called -> recovered; frail -> recovered",
        latent="frail",
    ),
    threat="indication: the sicker are called",
    method="adjust for the record (AIPW), then an E-value",
    constraint="no claim without sensitivity; nobody is dropped for distance",
    estimand="ATE",
    simulate=lambda n, seed: patients(n, seed=seed),
    naive=lambda d: difference_in_means(d["recovered"], d["called"]),
    estimate=_effect_of_a_call,
)

SOCIETY = (SOCIAL, EDUCATION, HEALTH, FINANCE, TRAVEL)
