"""What the exercises of the part ask about: small tables, and the answers they lead to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

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


def weighted() -> pd.Series[float]:
    """Rewards of the matching rounds over their propensities."""
    log = practice_log()
    return (log["action"] == 1) / log["pscore"] * log["reward"]


def value() -> float:
    """Mean over all rounds: IPS."""
    return float(weighted().mean())


def matching_only() -> float:
    """Click rate of the rounds that match."""
    log = practice_log()
    return float(log["reward"][log["action"] == 1].mean())


def divided_by_matches() -> float:
    """Weighted rewards over the rounds that match."""
    return float(weighted().sum() / (practice_log()["action"] == 1).sum())


def practice_influences() -> pd.DataFrame:
    """Return the influence of six visitors on two estimates, for pen and paper."""
    import pandas as pd

    rows = {"regression": [3.0, -2.0, 1.0, -1.0, 2.0, -3.0]}
    return pd.DataFrame({**rows, "weights": [4.0, -2.0, 1.0, -2.0, 3.0, -4.0]})


def error(psi: pd.Series[float]) -> float:
    """Standard error from influence values."""
    return float((psi**2).sum() ** 0.5 / len(psi))


def errors() -> tuple[float, float]:
    """Standard errors of the two estimates."""
    practice = practice_influences()
    return error(practice["weights"]), error(practice["regression"])


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


def hajek(weight0: Callable[[pd.Series[float]], pd.Series[float]]) -> float:
    """Difference of the weighted means, visits without an offer weighing weight0(e)."""
    v = practice_visits()
    w1, w0 = v["A"] / v["e"], (1 - v["A"]) * weight0(v["e"])
    return float((w1 * v["Y"]).sum() / w1.sum() - (w0 * v["Y"]).sum() / w0.sum())


def one_rule_for_both() -> float:
    """Weigh both arms by 1/e."""
    return hajek(lambda e: 1 / e)


def offered_minus_not() -> float:
    """Difference of the means as they are."""
    v = practice_visits()
    return float(v["Y"][v["A"] == 1].mean() - v["Y"][v["A"] == 0].mean())


def divided_by_visits() -> float:
    """Divide by all visits, as Horvitz and Thompson do."""
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


def doubly_robust(
    *, predicted: bool = True, weighted: bool = True, corrected: bool = True
) -> float:
    """Score of AIPW with parts of it left out."""
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


def second_difference() -> float:
    """Difference of the changes."""
    means = practice_panel().groupby("new")[["before", "after"]].mean()
    change = means["after"] - means["before"]
    return float(change[1] - change[0])


def after_only() -> float:
    """Difference of the groups afterwards."""
    means = practice_panel().groupby("new")["after"].mean()
    return float(means[1] - means[0])


def treated_only() -> float:
    """Change of the treated alone."""
    frame = practice_panel().query("new == 1")
    return float((frame["after"] - frame["before"]).mean())


def audited(bias: Callable[[float, float], float]) -> float:
    """Return the coefficient, .2 with error .01 on 2,500 degrees of freedom, less a bias."""
    return 0.2 - 0.01 * 50 * bias(1 / 5, 1 / 25)


def practice_mail() -> pd.DataFrame:
    """Return an experiment on forty users, counted: who was mailed, who used, who bought."""
    import pandas as pd

    rows = [(1, 1, 12, 9), (1, 0, 8, 1), (0, 1, 4, 3), (0, 0, 16, 3)]
    return pd.DataFrame(rows, columns=["Z", "A", "users", "bought"])


def rate(what: str, query: str) -> float:
    """Share of the users in the query who bought, or who used."""
    rows = practice_mail().query(query)
    counted = rows["bought"] if what == "Y" else rows["A"] * rows["users"]
    return float(counted.sum() / rows["users"].sum())


def gap(what: str, treated: str, control: str) -> float:
    """Difference of two rates."""
    return rate(what, treated) - rate(what, control)


def of_compliers() -> float:
    """Ratio of the two effects of the lottery."""
    return gap("Y", "Z == 1", "Z == 0") / gap("A", "Z == 1", "Z == 0")


def practice_twins() -> pd.DataFrame:
    """Return eight users, three of them shown an item, for pen and paper."""
    import pandas as pd

    visits, spent = [2, 5, 9, 1, 3, 6, 8, 4], [4, 7, 9, 1, 2, 6, 5, 3]
    return pd.DataFrame({"A": [1] * 3 + [0] * 5, "visits": visits, "spent": spent})


def twins(arms: tuple[int, ...], first: bool = False) -> float:
    """Mean difference to the nearest users of the other arm; of equally near ones all, or one."""
    users, gaps = practice_twins(), []
    for _, user in users[users["A"].isin(arms)].iterrows():
        others = users[users["A"] != user["A"]]
        far = (others["visits"] - user["visits"]).abs()
        spent = others["spent"][far == far.min()]
        twin = spent.iloc[0] if first else spent.mean()
        gaps.append((2 * user["A"] - 1) * (user["spent"] - twin))
    return float(sum(gaps) / len(gaps))


def unmatched() -> float:
    """Difference of the means without matching."""
    mean = practice_twins().groupby("A")["spent"].mean()
    return float(mean[1] - mean[0])


def practice_arms() -> pd.DataFrame:
    """Return ten visitors of two intents, some of them shown an item, for pen and paper."""
    import pandas as pd

    intent, shown = [0] * 6 + [1] * 4, [0, 0, 0, 0, 1, 1, 0, 1, 1, 1]
    spent = [0, 1, 1, 2, 2, 4, 2, 7, 8, 9]
    return pd.DataFrame({"intent": intent, "shown": shown, "spent": spent})


def standardised(weight: Callable[[float, float], float]) -> float:
    """Mean of the effects in the intents, each of n users, a share e shown, with weight(n, e)."""
    total = weights = 0.0
    for _, cell in practice_arms().groupby("intent"):
        mean = cell.groupby("shown")["spent"].mean()
        w = weight(len(cell), float(cell["shown"].mean()))
        total, weights = total + w * float(mean[1] - mean[0]), weights + w
    return total / weights


def arms_as_they_are() -> float:
    """Difference of the means without adjustment."""
    mean = practice_arms().groupby("shown")["spent"].mean()
    return float(mean[1] - mean[0])
