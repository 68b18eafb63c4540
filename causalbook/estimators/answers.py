"""Exercises of the part: right answers and misconceptions, computed from the same data."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from causalbook.exercises import Exercise

if TYPE_CHECKING:
    import pandas as pd


def practice_log() -> pd.DataFrame:
    """Return eight rounds of a policy with two items, for pen and paper."""
    import pandas as pd

    return pd.DataFrame(
        {
            "action": [0, 1, 0, 0, 1, 0, 1, 0],
            "pscore": [0.8, 0.2, 0.5, 0.8, 0.5, 0.8, 0.2, 0.5],
            "reward": [1, 1, 0, 1, 1, 0, 0, 1],
        }
    )


def _weighted() -> pd.Series[float]:
    log = practice_log()
    return (log["action"] == 1) / log["pscore"] * log["reward"]


def _value() -> float:
    return float(_weighted().mean())


def _matching_only() -> float:
    log = practice_log()
    return float(log["reward"][log["action"] == 1].mean())


def _divided_by_matches() -> float:
    return float(_weighted().sum() / (practice_log()["action"] == 1).sum())


def practice_influences() -> pd.DataFrame:
    """Return the influence of six visitors on two estimates, for pen and paper."""
    import pandas as pd

    rows = {"regression": [3.0, -2.0, 1.0, -1.0, 2.0, -3.0]}
    return pd.DataFrame({**rows, "weights": [4.0, -2.0, 1.0, -2.0, 3.0, -4.0]})


def _error(psi: pd.Series[float]) -> float:
    return float((psi**2).sum() ** 0.5 / len(psi))


def _errors() -> tuple[float, float]:
    practice = practice_influences()
    return _error(practice["weights"]), _error(practice["regression"])


def practice_visits() -> pd.DataFrame:
    """Return eight visits with the logged probability of an offer, for pen and paper."""
    import pandas as pd

    return pd.DataFrame(
        {
            "A": [1, 1, 1, 0, 1, 0, 0, 0],
            "e": [0.8, 0.8, 0.5, 0.8, 0.2, 0.5, 0.2, 0.2],
            "Y": [1, 1, 0, 1, 1, 0, 0, 1],
        }
    )


def _hajek(weight0: Callable[[pd.Series[float]], pd.Series[float]]) -> float:
    """Difference of the weighted means, visits without an offer weighing weight0(e)."""
    v = practice_visits()
    w1, w0 = v["A"] / v["e"], (1 - v["A"]) * weight0(v["e"])
    return float((w1 * v["Y"]).sum() / w1.sum() - (w0 * v["Y"]).sum() / w0.sum())


def _one_rule_for_both() -> float:
    return _hajek(lambda e: 1 / e)


def _offered_minus_not() -> float:
    v = practice_visits()
    return float(v["Y"][v["A"] == 1].mean() - v["Y"][v["A"] == 0].mean())


def _divided_by_visits() -> float:
    v = practice_visits()
    return float((v["A"] * v["Y"] / v["e"] - (1 - v["A"]) * v["Y"] / (1 - v["e"])).mean())


def scored_visits() -> pd.DataFrame:
    """Return eight visits with both models' predictions, for pen and paper."""
    import pandas as pd

    return pd.DataFrame(
        {
            "A": [1, 1, 1, 0, 0, 0, 1, 0],
            "Y": [1, 0, 1, 0, 1, 0, 1, 0],
            "e": [0.8, 0.5, 0.5, 0.2, 0.5, 0.2, 0.8, 0.5],
            "mu0": [0.3, 0.2, 0.2, 0.1, 0.2, 0.1, 0.3, 0.2],
            "mu1": [0.6, 0.4, 0.4, 0.2, 0.4, 0.2, 0.6, 0.4],
        }
    )


def _doubly_robust(
    *, predicted: bool = True, weighted: bool = True, corrected: bool = True
) -> float:
    v = scored_visits()
    received = (v["A"] * v["e"] + (1 - v["A"]) * (1 - v["e"])) if weighted else 1.0
    residual = v["Y"] - (v["A"] * v["mu1"] + (1 - v["A"]) * v["mu0"])
    correction = (2 * v["A"] - 1) * residual / received
    return float((predicted * (v["mu1"] - v["mu0"]) + corrected * correction).mean())


def practice_panel() -> pd.DataFrame:
    """Return five cities in two months, orders per 1,000 visits; two get the new recommender."""
    import pandas as pd

    return pd.DataFrame(
        {
            "city": list("ABCDE"),
            "new": [1, 1, 0, 0, 0],
            "before": [40, 52, 31, 35, 30],
            "after": [50, 60, 37, 40, 34],
        }
    )


def _second_difference() -> float:
    means = practice_panel().groupby("new")[["before", "after"]].mean()
    change = means["after"] - means["before"]
    return float(change[1] - change[0])


def _after_only() -> float:
    means = practice_panel().groupby("new")["after"].mean()
    return float(means[1] - means[0])


def _treated_only() -> float:
    frame = practice_panel().query("new == 1")
    return float((frame["after"] - frame["before"]).mean())


def _audited(bias: Callable[[float, float], float]) -> float:
    """Return the coefficient, .2 with error .01 on 2,500 degrees of freedom, less a bias."""
    return 0.2 - 0.01 * 50 * bias(1 / 5, 1 / 25)


def practice_mail() -> pd.DataFrame:
    """Return an experiment on forty users, counted: who was mailed, who used, who bought."""
    import pandas as pd

    rows = [(1, 1, 12, 9), (1, 0, 8, 1), (0, 1, 4, 3), (0, 0, 16, 3)]
    return pd.DataFrame(rows, columns=["Z", "A", "users", "bought"])


def _rate(what: str, query: str) -> float:
    """Share of the users in the query who bought, or who used."""
    rows = practice_mail().query(query)
    counted = rows["bought"] if what == "Y" else rows["A"] * rows["users"]
    return float(counted.sum() / rows["users"].sum())


def _gap(what: str, treated: str, control: str) -> float:
    return _rate(what, treated) - _rate(what, control)


def _of_compliers() -> float:
    return _gap("Y", "Z == 1", "Z == 0") / _gap("A", "Z == 1", "Z == 0")


def practice_twins() -> pd.DataFrame:
    """Return eight users, three of them shown an item, for pen and paper."""
    import pandas as pd

    visits, spent = [2, 5, 9, 1, 3, 6, 8, 4], [4, 7, 9, 1, 2, 6, 5, 3]
    return pd.DataFrame({"A": [1] * 3 + [0] * 5, "visits": visits, "spent": spent})


def _twins(arms: tuple[int, ...], first: bool = False) -> float:
    """Mean difference to the nearest users of the other arm; of equally near ones all, or one."""
    users, gaps = practice_twins(), []
    for _, user in users[users["A"].isin(arms)].iterrows():
        others = users[users["A"] != user["A"]]
        far = (others["visits"] - user["visits"]).abs()
        spent = others["spent"][far == far.min()]
        twin = spent.iloc[0] if first else spent.mean()
        gaps.append((2 * user["A"] - 1) * (user["spent"] - twin))
    return float(sum(gaps) / len(gaps))


def _unmatched() -> float:
    mean = practice_twins().groupby("A")["spent"].mean()
    return float(mean[1] - mean[0])


def practice_arms() -> pd.DataFrame:
    """Return ten visitors of two intents, some of them shown an item, for pen and paper."""
    import pandas as pd

    intent, shown = [0] * 6 + [1] * 4, [0, 0, 0, 0, 1, 1, 0, 1, 1, 1]
    spent = [0, 1, 1, 2, 2, 4, 2, 7, 8, 9]
    return pd.DataFrame({"intent": intent, "shown": shown, "spent": spent})


def _standardised(weight: Callable[[float, float], float]) -> float:
    """Mean of the effects in the intents, each of n users, a share e shown, with weight(n, e)."""
    total = weights = 0.0
    for _, cell in practice_arms().groupby("intent"):
        mean = cell.groupby("shown")["spent"].mean()
        w = weight(len(cell), float(cell["shown"].mean()))
        total, weights = total + w * float(mean[1] - mean[0]), weights + w
    return total / weights


def _arms_as_they_are() -> float:
    mean = practice_arms().groupby("shown")["spent"].mean()
    return float(mean[1] - mean[0])


EXERCISES = {
    "difference_in_differences": Exercise(
        _second_difference,
        {
            "after only": (
                _after_only,
                "This compares the two groups of cities in the second month. They differed in the "
                "first month too; take each group's change.",
            ),
            "treated cities only": (
                _treated_only,
                "This is what changed in the cities with the new recommender. Part of it changed "
                "in the other cities as well; subtract their change.",
            ),
        },
        "Average the change from before to after in each group of cities, and subtract that of the "
        "cities without the new recommender.",
    ),
    "doubly_robust": Exercise(
        _doubly_robust,
        {
            "models only": (
                partial(_doubly_robust, corrected=False),
                "This is the mean of mu1 - mu0: what the outcome models say, with no second "
                "chance. Add the weighted residuals of the visits.",
            ),
            "residuals without weights": (
                partial(_doubly_robust, weighted=False),
                "The residuals are there, but each counts once. Divide each by the probability "
                "of what the visit received: e if shown, 1 - e if not.",
            ),
            "correction only": (
                partial(_doubly_robust, predicted=False),
                "This is only the correction, the mean of the weighted residuals. It is added to "
                "what the models predict, mu1 - mu0.",
            ),
        },
        "For each visit take mu1 - mu0, add (Y - mu1) / e where it was shown and subtract "
        "(Y - mu0) / (1 - e) where it was not, and average over all visits.",
    ),
    "instruments": Exercise(
        _of_compliers,
        {
            "mailed minus not mailed": (
                partial(_gap, "Y", "Z == 1", "Z == 0"),
                "This is the effect of the mail, and it is right for the mail. The mail moved "
                "only some users; divide by how many it moved.",
            ),
            "users minus others": (
                partial(_gap, "Y", "A == 1", "A == 0"),
                "You compared those who used it with those who did not. They chose to; only the "
                "mail was drawn by lot. Compare by Z, then divide.",
            ),
            "those who did as told": (
                partial(_gap, "Y", "Z == 1 and A == 1", "Z == 0 and A == 0"),
                "You left out who did not do as the mail said. Those who remain in the two groups "
                "are different people: keep everyone, compare by Z, then divide.",
            ),
        },
        "Take the difference in the share of buyers between mailed and not mailed, and divide it "
        "by the difference in the share of users of the feature.",
    ),
    "matching": Exercise(
        lambda: _twins((1,)),
        {
            "first of the tied": (
                lambda: _twins((1,), first=True),
                "Two users are as near as each other to some of the shown, and you took the first "
                "in the table. Its order is no information: average the two.",
            ),
            "everyone matched": (
                lambda: _twins((0, 1)),
                "You matched the users who were not shown as well: that is the ATE. The question "
                "is about the shown, so average over their three differences.",
            ),
            "difference in means": (
                _unmatched,
                "This compares the two groups as they are, and the shown visit more often. Compare "
                "each shown user with those who visit as often.",
            ),
        },
        "For each shown user find the unshown one whose visits are nearest (both, if two are), "
        "take the difference in spending, and average the three differences.",
    ),
    "one_result_type": Exercise(
        lambda: _error(practice_influences()["weights"] - practice_influences()["regression"]),
        {
            "as if from other people": (
                lambda: sum(se**2 for se in _errors()) ** 0.5,
                "This adds the two variances, as for two groups of people. These are the same six: "
                "subtract row by row first, so that what the two share cancels.",
            ),
            "difference of the errors": (
                lambda: _errors()[0] - _errors()[1],
                "This subtracts one standard error from the other. An error is no number that an "
                "estimate brings along; subtract the influences, then take the error.",
            ),
        },
        "Subtract the two influences row by row; square, add, take the root, divide by the rows.",
    ),
    "off_policy": Exercise(
        _value,
        {
            "click rate where shown": (
                _matching_only,
                "This is the click rate of the rounds that showed item 1. It speaks of the "
                "visitors to whom item 1 was shown; weigh each round by one over its propensity.",
            ),
            "divided by the matches": (
                _divided_by_matches,
                "The weights are right. You divided by the number of rounds that showed item 1; "
                "IPS divides by all rounds, those with weight zero included.",
            ),
        },
        "Give each round the weight (1 if item 1 was shown, else 0) / pscore, multiply by the "
        "reward, and average over all rounds.",
    ),
    "propensity": Exercise(
        lambda: _hajek(lambda e: 1 / (1 - e)),
        {
            "one weight for both arms": (
                _one_rule_for_both,
                "You gave every visit 1/e. A visit without an offer stands for those like it that "
                "had none either: one over the probability of its own arm, 1/(1 - e).",
            ),
            "offered minus not": (
                _offered_minus_not,
                "This is the difference in means as it stands. The policy chose whom to offer; "
                "weigh each visit by one over the probability of what it got.",
            ),
            "divided by the visits": (
                _divided_by_visits,
                "The weights are right, and this is Horvitz-Thompson: it divides by the number of "
                "visits. Hájek divides each arm by the sum of its own weights.",
            ),
        },
        "Weigh offered visits by 1/e and the others by 1/(1 - e), take the weighted mean of Y in "
        "each arm, and subtract.",
    ),
    "regression": Exercise(
        lambda: _standardised(lambda n, e: n),
        {
            "difference in means": (
                _arms_as_they_are,
                "This compares the arms as they are, and more of the shown have high intent. "
                "Compare within each intent, then average.",
            ),
            "one coefficient": (
                lambda: _standardised(lambda n, e: n * e * (1 - e)),
                "This is the coefficient of shown beside intent, without their product: it weighs "
                "an intent by how evenly it was split. Weigh it by its number of visitors.",
            ),
            "those shown": (
                lambda: _standardised(lambda n, e: n * e),
                "You averaged over the visitors who were shown the item: that is the ATT. The "
                "question is about all ten.",
            ),
        },
        "Take the difference between shown and not shown within each intent, and average the two "
        "over all ten visitors.",
    ),
    "sensitivity": Exercise(
        lambda: _audited(lambda ra, ry: math.sqrt(ry * ra / (1 - ra))),
        {
            "below the robustness value": (
                lambda: _audited(lambda ra, ry: 0.0),
                "This is the coefficient as it stands. Both shares are below the robustness value, "
                "so the intent cannot take *all* of the effect; it takes what the formula says.",
            ),
            "without the root": (
                lambda: _audited(lambda ra, ry: ry * ra / (1 - ra)),
                "The shares are squares of correlations, and the bias goes with their root: you "
                "left the square root out.",
            ),
            "all of the treatment": (
                lambda: _audited(lambda ra, ry: math.sqrt(ry * ra)),
                "Divide by what the intent leaves of the treatment, 1 less its share, under the "
                "root: the less is left, the more a bias shifts the coefficient.",
            ),
        },
        "Take the formula for the size of the bias: the standard error, the root of the degrees of "
        "freedom, the root of a product of shares; then subtract.",
    ),
}
