"""Every checked exercise of the book, as its page has it: asked, solved, solved otherwise, missed.

The tests of a part hold the numbers of each exercise; these hold that what stands on the page is
what the checker means. `EQUIVALENT` solves each exercise by another way than its page, from the
data that the page shows, and never calls what computes the checker's answer.
"""

import ast
import math
import re
from fractions import Fraction as F  # noqa: N817
from importlib import import_module
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from page_slices import ROOT, exercise, run
from scipy import integrate, stats

from causalbook.exercises import check

PARTS = ["intro", "recommenders", "potential_outcomes", "causal_graphs", "estimators"]
PARTS += ["llm_encoding", "case_study", "project"]
REGISTRY = {
    f"{part}.{page}": found
    for part in PARTS
    for page, found in import_module(f"causalbook.{part}.answers").EXERCISES.items()
}
PAGES = [
    path
    for part in PARTS
    for path in sorted((ROOT / "chapters" / part).glob("*.ipynb"))
]  # fmt: skip
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?(?:/\d+)?")


def weighted_mean(values, weights):
    return float(np.average(np.asarray(values, float), weights=np.asarray(weights, float)))


def dummies(frame, y, columns, weights=None):
    """Coefficients of a saturated regression: a constant, then the columns."""
    design = sm.add_constant(frame[columns].astype(float))
    return sm.WLS(frame[y].astype(float), design, weights=1 if weights is None else weights).fit()


def standardised(frame, stratum, arm, y, weights=None):
    """A saturated regression predicts every row under both arms; the mean of the differences."""
    w = np.ones(len(frame)) if weights is None else frame[weights].to_numpy(float)
    z = pd.factorize(frame[stratum])[0]
    a = frame[arm].to_numpy(float)
    design = np.column_stack([np.ones(len(frame)), z, a, a * z])
    root = np.sqrt(w)[:, None]
    b = np.linalg.lstsq(design * root, frame[y].to_numpy(float) * root[:, 0], rcond=None)[0]
    return weighted_mean(b[2] + b[3] * z, w)


def advertising(n):
    """The expected loss of the known and of the unknown part, by integration over the effect."""
    profit = n["practice_profit"]()
    moves = profit.se * math.sqrt(6_000 / 8_000)

    def best(m):
        return max(m, 0) * stats.norm.pdf(m, profit.value, moves)

    after, _ = integrate.quad(best, -0.3, 0.3, points=[0], epsabs=1e-13)
    return 44_000 * after + 3_000 * profit.value - 50_000 * profit.value


def shop_log(n):
    """Moments in hours after the visit; user 2 lives eight hours behind."""
    rows = n["bought"].drop_duplicates("event_id")
    rows = rows[rows["value"] > 0]
    at = [pd.Timestamp(text) for text in rows["at"]]
    at = [t.tz_localize("Etc/GMT+8") if t.tzinfo is None else t for t in at]
    visit = pd.Timestamp("2026-03-10T20:00:00+00:00")
    soon = {
        user
        for user, t in zip(rows["user"], at, strict=True)
        if pd.Timedelta(0) <= t - visit <= pd.Timedelta(days=7)
    }
    return F(len(soon & {1, 2, 3, 4}), 4) - F(len(soon & {5, 6, 7, 8, 9}), 5)


def paths_open(n):
    """Each path by hand: its inner nodes, and which of them are colliders."""
    held = set(n["held"])
    opens_reviews = bool({"reviews", "badge"} & held)
    return sum(
        [
            True,  # shown -> cart -> purchase, and the cart is not held
            "intent" not in held,
            "popularity" not in held and opens_reviews,
            "revisit" in held,
            "support" in held,
        ]
    )


def slot_sales(n):
    """Throw all the dice: of those shown who bought, who would not have?"""
    dice = [(x, u, d) for x in (0, 1) for u in range(4) for d in range(1, 7)]
    buys = n["buys"]
    sold = [(x, d) for x, u, d in dice if n["shown"](x, u) and buys(1, x, d)]
    return F(sum(not buys(0, x, d) for x, d in sold), len(sold))


def same_skeleton(n):
    """Graphs of the same independences: those without a collider on the line."""
    return sum(
        not any(left == "->" and right == "<-" for left, right in pairwise(turns))
        for turns in [(a, b, c) for a in ("->", "<-") for b in ("->", "<-") for c in ("->", "<-")]
    )


def bayes(n):
    """Bayes' rule, weights one over the chance of the banner in the segment: IPW on the counts."""
    week = n["week"]
    in_segment = week.groupby("X")["users"].transform("sum")
    weight = in_segment / week["users"] / week["users"].sum()
    return ((2 * week["A"] - 1) * weight * week["buyers"]).sum()


def cells_weighted(n):
    """The same by weights: one over P(A | X), on the four cells of X and A."""
    cells = n["rentals"].groupby(["X", "A"], as_index=False)[["users", "rented"]].sum()
    chance = cells["users"] / cells.groupby("X")["users"].transform("sum")
    return ((2 * cells["A"] - 1) * cells["rented"] / chance).sum() / cells["users"].sum()


def nearest_twins(n):
    """Nearest twins, all that are equally near, by the table of distances."""
    users = n["users"]
    shown, others = (users[users["A"] == a] for a in (1, 0))
    far = np.abs(np.subtract.outer(shown["visits"].to_numpy(), others["visits"].to_numpy()))
    near = far == far.min(axis=1, keepdims=True)
    twin = near @ others["spent"].to_numpy() / near.sum(axis=1)
    return float((shown["spent"].to_numpy() - twin).mean())


def two_stages(n):
    """Two stages: the fitted use of the mailed and the others explains who bought."""
    t = n["practice_mail"]()
    z, users = t["Z"].to_numpy(float), t["users"].to_numpy(float)
    used = np.polyval(np.polyfit(z, t["A"], 1, w=np.sqrt(users)), z)
    rate = t["bought"] / users
    return float(np.polyfit(used, rate, 1, w=np.sqrt(users))[0])


def weighted_fit(n):
    """Weighted least squares of Y on A gives the difference of the two weighted means."""
    log = n["log"]
    weights = 1 / np.where(log["A"] == 1, log["e"], 1 - log["e"])
    return dummies(log, "Y", ["A"], weights).params["A"]


def arm_by_arm(n):
    """Each arm by itself: the mean of its predictions and of the weighted errors of its rows."""
    v = n["visits"]
    one = v["mu1"].mean() + ((v["Y"] - v["mu1"]) / v["e"])[v["A"] == 1].sum() / 8
    none = v["mu0"].mean() + ((v["Y"] - v["mu0"]) / (1 - v["e"]))[v["A"] == 0].sum() / 8
    return one - none


def why_causal(n):
    """Every way to give out the messages in hundreds, and the best of them."""
    s = n["segments"].assign(adds=lambda t: t["with"] - t["without"])
    best = np.full(21, -np.inf)
    best[0] = 0.0
    for users, adds in zip(s["users"] // 100, s["adds"], strict=True):
        best = np.array(
            [max(best[k - j] + 100 * j * adds for j in range(min(k, users) + 1)) for k in range(21)]
        )
    return best.max()


def annotation(n):
    """The people's labels weighted, and the model's mean less its weighted share of the same."""
    t = n["practice"]
    read = t.dropna()
    w = 1 / read["probability"]
    return (w * read["person"]).sum() / 8 + t["model"].mean() - (w * read["model"]).sum() / 8


def films(n):
    """Within a group, what the new policy wants of a film less what MIPS believes it wants."""
    t = n["practice"]
    group = t.groupby("cluster")[["logging", "target"]].transform("sum")
    believed = t["logging"] * group["target"] / group["logging"]
    return ((believed - t["target"]) * t["click"]).sum()


def reading(n):
    """Intent, treatment and reading enumerated: the slope of intent on treatment."""
    rows = [(u, a, r) for u in (0, 1) for a in (0, 1) for r in (0, 1)]
    t = pd.DataFrame(rows, columns=["intent", "treated", "read"])
    agree = np.where(t["intent"] == t["read"], 0.9, 0.1)
    weights = agree * np.where(t["intent"] == t["treated"], 0.75, 0.25)
    short, long = (dummies(t, "intent", c, weights) for c in (["treated"], ["treated", "read"]))
    return long.params["treated"] / short.params["treated"]


def year(n):
    """One column: the squared distance over the variance; three columns: their mean."""
    t = n["practice"]
    part = (t.iloc[0] - t.iloc[1]) ** 2 / t.var(ddof=0)
    text = part[["text_1", "text_2", "text_3"]].mean()
    return part["year"] / (part["year"] + text)


def survey(n):
    """The variance of one randomised answer, from its two outcomes."""
    task = n["survey"]()
    q, p = task["yes"], task["honest"]
    says_yes = q * p + (1 - q) * (1 - p)
    return says_yes * (1 - says_yes) / (2 * p - 1) ** 2 / (q * (1 - q))


def dcg(n):
    gains = [1 / math.log2(1 + rank) for rank in (1, 2, 3, 4)]
    return (gains[1] + gains[3]) / sum(gains[:3])


def launches(n):
    t = n["practice"]
    auc = np.sign(t["AUC, second"] - t["AUC, first"])
    got = np.where(auc > 0, t["value, second"], t["value, first"])
    got = np.where(auc == 0, (t["value, first"] + t["value, second"]) / 2, got)
    return (t[["value, first", "value, second"]].max(axis=1) - got).mean()


def rounds(n):
    t = n["practice"].query("context == 'new'")
    return dummies(t, "reward", ["action"], 1 / t["pscore"]).params["action"]


def buckets(n):
    """The delta method on the means of buckets, with their covariance."""
    t = n["practice"]
    ratio = t["wr"].sum() / t["n"].sum()
    (v_wr, cov), (_, v_n) = np.cov(t["wr"], t["n"], ddof=0)
    return math.sqrt(len(t) * (v_wr - 2 * ratio * cov + ratio**2 * v_n)) / t["n"].sum()


def positions(n):
    """Log click rates in the two ways: the effect of the position, the items held fixed."""
    t = n["cells"].assign(
        rate=lambda t: np.log(t["clicks"] / t["impressions"]),
        second=lambda t: t["position"] == 2,
        other=lambda t: t["item"] == "B",
    )
    return math.exp(dummies(t, "rate", ["second", "other"]).params["second"])


EQUIVALENT = {
    "intro.how_to_use": lambda n: sum(
        math.comb(12, k) * F(1, 20) ** k * F(19, 20) ** (12 - k) for k in range(1, 13)
    ),
    "intro.why_causal": why_causal,
    "recommenders.baselines": dcg,
    "recommenders.feedback_loops": positions,
    "potential_outcomes.science_table": lambda n: F(3 + 3 + 6 + 4 - (2 + 3 + 4 + 5), 4),
    "potential_outcomes.selection_bias": lambda n: standardised(
        n["visits"].assign(rate=n["visits"]["purchases"] / n["visits"]["visits"]),
        "intent",
        "offered",
        "rate",
        "visits",
    ),
    "potential_outcomes.experiments": lambda n: F(150 - 120, 400 - 100),
    "potential_outcomes.direct_and_indirect": lambda n: F(8, 10) * F(5, 100) + F(2, 10) * F(3, 10),
    "potential_outcomes.bounds": lambda n: F(17 + 6 * 1, 10) - F(18 + 4 * 5, 10),
    "causal_graphs.reading_graphs": paths_open,
    "causal_graphs.identification": cells_weighted,
    "causal_graphs.bayesian_networks": bayes,
    "causal_graphs.structural_models": slot_sales,
    "causal_graphs.discovery": same_skeleton,
    "estimators.one_result_type": lambda n: (
        np.std(n["practice"]["weights"] - n["practice"]["regression"]) / 6**0.5
    ),
    "estimators.regression": lambda n: standardised(n["visitors"], "intent", "shown", "spent"),
    "estimators.matching": nearest_twins,
    "estimators.propensity": weighted_fit,
    "estimators.doubly_robust": arm_by_arm,
    "estimators.difference_in_differences": lambda n: dummies(
        n["practice_panel"]().assign(gain=lambda t: t["after"] - t["before"]), "gain", ["new"]
    ).params["new"],
    "estimators.instruments": two_stages,
    "estimators.uplift": lambda n: (
        sum(
            F(y) / F(chance)
            for y, chance in [(6, "1/2"), (2, "1/5"), (4, "4/5"), (2, "1/2"), (8, "4/5")]
        )
        / 8
    ),
    "estimators.sensitivity": lambda n: 0.2 - math.sqrt((0.01**2 * 2500) * (1 / 25) / (5 - 1)),
    "estimators.off_policy": lambda n: (
        sum(r / p for a, p, r in n["practice"].itertuples(index=False) if a == 1) / 8
    ),
    "estimators.off_policy_learning": lambda n: F(1, 10) * 2 / ((6 * F(2, 10) + 4 * F(6, 10)) / 10),
    "estimators.debiased_recommenders": lambda n: (2 * 1 + 5 * 4 + F(5, 4) * 1 + 2 * 3) / 6,
    "llm_encoding.encoding": lambda n: F(
        1 * 16 + 1 * 8, 1 * 16 + 4 * 8 + 1 * 4 + 1 * 8
    ),  # in 32nds, from 7, 14, 21 and 14 days
    "llm_encoding.annotation": annotation,
    "llm_encoding.interest_and_relevance": lambda n: standardised(
        n["practice"].assign(rate=lambda t: t["watched"] / t["rounds"]),
        "users",
        "shown",
        "rate",
        "rounds",
    ),
    "llm_encoding.text_as_confounder": reading,
    "llm_encoding.multimodal": year,
    "llm_encoding.fine_tuning": lambda n: standardised(n["practice"], "kind", "shown", "bought"),
    "llm_encoding.embeddings_for_policies": films,
    "llm_encoding.cost": lambda n: (
        (np.cov(n["practice"]["cheap"] - n["practice"]["full"], ddof=0) / 6) ** 0.5
    ),
    "llm_encoding.privacy": lambda n: stats.laplace(scale=(1 / 250) / 0.5).std(),
    "llm_encoding.article_code": lambda n: standardised(n["practice"], "text", "shown", "spend"),
    "case_study.advertising": advertising,
    "case_study.ghost_ads": lambda n: F(1090 - 1000, 8000),
    "case_study.shop_log": shop_log,
    "case_study.shop": lambda n: (
        F(3, 10) * (4000 * F(3, 10) + 6000 * F(1, 2) - 6000 * F(1, 5)) - F(2, 100) * 16_000
    ),
    "case_study.shop_outcomes": lambda n: F(1, 10) * (F(10, 8) + 2 * F(10, 4)),
    "case_study.shop_policy": lambda n: (
        F(2, 8) * (F(3, 10) * (14 + 0) - 2 * F(2, 100) - F(3, 10) * (0 + 6))
    ),
    "case_study.trends": lambda n: F(63 - 55 + 68 - 58, 2),
    "case_study.scenarios": lambda n: (
        sum(
            F(m) / F(k)
            for m, k in [(5, "9/10"), (50, "2/5"), (10, "4/5"), (30, "1/2"), (15, "3/4")]
        )
        / 8
    ),
    "project.data": lambda n: (1 / F(1, 4) + 1 / F(1, 2)) / 8,  # b and d, in time by action 1
    "project.pipeline": lambda n: (F(3) / F(1, 4) + F(2) / F(3, 4) + 5 / F(1, 2) + 4 / F(1, 4)) / 7,
    "project.evaluation": launches,
    "project.explanation": rounds,
    "project.online_learning": lambda n: (1 / F(1, 2) + 1 / F(1, 5)) / 10,
    "project.scale": buckets,
    "project.service": lambda n: (2 / F(4, 5) + 1 / F(1, 4)) / 8,
    "project.privacy": survey,
}


def test_every_page_has_one_exercise_and_every_exercise_its_page():
    names = [exercise(path).name for path in PAGES]
    assert len(set(names)) == len(names), "two pages ask the same"
    for path, name in zip(PAGES, names, strict=True):
        assert name == f"{path.parent.name}.{path.stem}"
    assert set(names) == set(REGISTRY) == set(EQUIVALENT)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_the_page_asks_and_its_solution_passes_and_so_does_another(path):
    task, said = exercise(path), []
    names = task.namespace(said)
    (((_, answer), open_yet),) = said
    assert answer is ...
    assert "Not answered yet" in open_yet.message

    names["check"] = lambda *answer: said.append((answer, check(*answer))) or said[-1][1]
    run(ast.parse(task.solution), names)
    (name, right), feedback = said[1]
    assert name == task.name
    assert feedback.correct, f"the solution on the page gives {right}: {feedback}"

    other = EQUIVALENT[task.name](names)
    assert check(task.name, other).correct, f"another way gives {other}"


@pytest.mark.parametrize("name", REGISTRY)
def test_each_misconception_fails_with_its_own_hint(name):
    asks = REGISTRY[name]
    right = float(asks.answer())
    hints = [hint for _, hint in asks.misconceptions.values()]
    assert len(hints) >= 2
    assert len({*hints, asks.hint}) == len(hints) + 1, "two mistakes share a hint"
    for mistake, (wrong, hint) in asks.misconceptions.items():
        feedback = check(name, wrong())
        assert not feedback
        assert (feedback.misconception, feedback.message) == (mistake, hint)
    for hint in [*hints, asks.hint]:
        assert not tells(hint, right), f"the hint tells the answer: {hint}"


def tells(hint, right):
    """Whether a number in the hint is the right answer, or the answer rounded or in per cent."""
    for text in NUMBER.findall(hint):
        places = len(text.partition(".")[2])
        number = float(F(text.replace(",", "")))
        for form in (right, 100 * right):
            if "/" in text and math.isclose(number, form):
                return True
            if "/" not in text and number == round(form, places) and (places or form == number):
                return True
    return False


def test_a_hint_that_tells_the_answer_would_be_seen():
    for hint in ("It is 0.456.", "About 45.6 of 100.", "5/11 would be right: 57/125.", "Say 4."):
        right = 4.0 if "Say" in hint else 0.456
        assert tells(hint, right)
    assert not tells("Divide by all 45 users, not by 4.", 0.456)
