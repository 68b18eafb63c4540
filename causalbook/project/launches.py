"""Simulated launches of the shop's recommender: two models, one log, and what each is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import Array, Ints, dice
from causalbook.case_study.queries import GENRES
from causalbook.potential_outcomes import World, sample_size
from causalbook.project.policy_tables import TablePolicy, shop_context

if TYPE_CHECKING:
    import pandas as pd

MARGIN = 0.30  # of an order value that the shop keeps
EXPLORED = 0.10  # share of the log in which chance alone fills the slot
WORTHWHILE = 0.05  # the A/B test is planned to find this much profit a visit, four times in five
KINDS = ("likely", "gain", "popular", "likely, each cell", "gain, each cell")
PROPOSED = (0.40, 0.40, 0.10, 0.05, 0.05)  # how often each comes up
FEWEST = 500  # visits in a log
SHELVES = len(GENRES) + 1  # shelf 0 is the empty slot


@dataclass(frozen=True, eq=False)
class Candidate:
    """A proposal: a model, and the policy that somebody made of it.

    Parameters: `kind`; `score` (n_contexts, n_shelves), by which the model ranks, the empty slot
    being shelf 0; `promise`, of the same shape, the profit that it predicts, in money a visit;
    `policy` over the contexts, in the same order.
    """

    kind: str
    score: Array
    promise: Array
    policy: TablePolicy


@dataclass(frozen=True, eq=False)
class Launch:
    """Two candidates, the log they are judged by, their A/B test, and what they are worth.

    Parameters: `candidates`; `mix` (3,), shares of visits by those who look around, compare, buy;
    `cost` of a filled slot, in money; `log`, one row a visit: context,
    action (the shelf), view, purchase, bought (the genre, as a shelf; 0: nothing), profit, pscore;
    `test`, the same, with `arm` (0, 1: which candidate served) in place of pscore; `truth` (2,),
    profit a visit if a candidate served all people of the shop.
    """

    candidates: tuple[Candidate, Candidate]
    mix: Array
    cost: float
    log: pd.DataFrame
    test: pd.DataFrame
    truth: Array


def simulate_launch(world: World, *, visits: int = 4_000, seed: int) -> Launch:
    r"""Let a team propose two models, log the old recommender, and run their A/B test.

    $$R_i(k) = 0.30\, Y_i(k) - c\, 1\{k > 0\}, \qquad
      V(\pi) = \sum_i p_i \sum_k \pi(k \mid x_i)\, R_i(k), \qquad
      \pi_0 = 0.9\, \pi_{\text{old}} + 0.1 / 6$$

    A launch has its own mix p of those who look around, compare and buy, its own cost c of a
    filled slot (0 to 20 cents), and two candidates that show different things. "popular" shows
    everybody the genre bought most. "likely" fills the slot where a purchase is most likely, for
    a share of the visits (a quarter to all). "gain" shows what is predicted to earn most, or
    nothing. The last two pool the genres, or learn "each cell" of context and shelf by itself.
    Each candidate learns from visits of its own, 500 to 8,000. The test has the size that finds
    five cents a visit four times in five.

    Parameters: `world` from `funnel_shop`: its users are the people of the shop, from whom all
    visits are drawn, and over whom the truth is exact; `visits` in the log; `seed`.
    Raises ValueError for a world without the shop's potential outcomes, for fewer than 500 visits
    and for a seed that is no whole number. Source: ours.
    """
    return launch(People(world), dice(visits, seed, "simulate_launch"), visits)


class People:
    """The users of a shop, as arrays: their contexts, and what they do at each shelf."""

    def __init__(self, world: World) -> None:
        hidden: Any = getattr(world, "potential", ())
        if absent := [c for c in ("urgency", f"value_{SHELVES - 1}") if c not in hidden]:
            raise ValueError(f"world has no {', '.join(absent)}: pass one from funnel_shop")
        self.contexts, self.context = np.unique(shop_context(world.data), return_inverse=True)
        self.urgency, self.want = hidden["urgency"].to_numpy(), hidden["want"].to_numpy()
        self.outcomes: dict[str, Array] = {
            name: hidden[[f"{name}_{k}" for k in range(SHELVES)]].to_numpy(dtype=np.float64)
            for name in ("pscore", "value", "view", "purchase")
        }
        # With the genres pooled: how the query sounds, by empty slot, genre asked, another genre.
        sounds, genres = zip(*(str(x).split(" ") for x in self.contexts), strict=True)
        asked = np.array([1 + GENRES.index(g) for g in genres])[:, None]
        k = np.arange(SHELVES)
        sound = np.unique(sounds, return_inverse=True)[1][:, None]
        self.pooled: Ints = 3 * sound + np.where(k == 0, 0, np.where(k == asked, 1, 2))

    def profit(self, cost: float) -> Array:
        """Profit (n, n_shelves) of each person at each shelf, in money."""
        return MARGIN * self.outcomes["value"] - cost * (np.arange(SHELVES) > 0)

    def visit(self, who: Ints, pi: Array, cost: float, rng: np.random.Generator) -> pd.DataFrame:
        """Fill the slot of these people by pi (n, n_shelves), and write down what they do."""
        import pandas as pd

        shelf = (rng.random((len(who), 1)) >= pi.cumsum(axis=1)[:, :-1]).sum(axis=1)
        bought = self.outcomes["purchase"][who, shelf]
        genre = np.where(shelf > 0, shelf, self.want[who])  # the slot's genre, or the one wanted
        x = pd.Categorical.from_codes(self.context[who], categories=pd.Index(self.contexts))
        log = {"context": x, "action": shelf}
        log |= {"view": self.outcomes["view"][who, shelf], "purchase": bought}
        log |= {"bought": (bought * genre).astype(np.int64)}
        log |= {"profit": self.profit(cost)[who, shelf]}
        return pd.DataFrame(log | {"pscore": pi[np.arange(len(who)), shelf]})


def launch(people: People, rng: np.random.Generator, visits: int) -> Launch:
    """Run one launch among these people."""
    if visits < FEWEST:
        raise ValueError(f"visits is {visits}: in fewer than {FEWEST} some shelf is never shown")
    for_log, for_test = rng.spawn(2)  # a longer log leaves candidates and test as they are
    mix, cost = rng.dirichlet((5.0, 3.0, 2.0)), rng.uniform(0.0, 0.20)
    p = (mix / np.bincount(people.urgency, minlength=3))[people.urgency]
    p /= p.sum()
    old = (1 - EXPLORED) * people.outcomes["pscore"] + EXPLORED / SHELVES

    def someone(n: int, chance: np.random.Generator) -> Ints:
        return chance.choice(len(p), size=n, p=p)

    def proposal() -> Candidate:
        who = someone(int(2 ** rng.uniform(9, 13)), rng)
        log = people.visit(who, old[who], cost, rng)
        kind = str(rng.choice(KINDS, p=PROPOSED))
        return _propose(kind, log, people, cost, rng.uniform(0.25, 1.0))

    one, other = proposal(), proposal()
    while other.policy.version == one.policy.version:  # two names for one policy: nothing to choose
        other = proposal()
    who = someone(visits, for_log)
    log = people.visit(who, old[who], cost, for_log)
    who = someone(2 * sample_size(WORTHWHILE, float(log["profit"].std())), for_test)
    arm = for_test.integers(0, 2, len(who))
    tables = np.stack([c.policy.table for c in (one, other)])
    test = people.visit(who, tables[arm, people.context[who]], cost, for_test)
    earned = people.profit(cost) * p[:, None]
    truth = (tables[:, people.context] * earned).sum(axis=(1, 2))
    return Launch((one, other), mix, cost, log, test.drop(columns="pscore").assign(arm=arm), truth)


def _propose(kind: str, log: pd.DataFrame, people: People, cost: float, share: float) -> Candidate:
    """Learn a model from a log of its own, and make a policy of it."""
    n = len(people.contexts)
    x, k = log["context"].cat.codes.to_numpy(dtype=np.int64), log["action"].to_numpy()
    each = np.arange(n * SHELVES).reshape(n, SHELVES)
    cell = each if "each" in kind else people.pooled
    if kind == "popular":
        cell = np.tile(np.arange(SHELVES), (n, 1))
    w = 1 / log["pscore"].to_numpy() if "gain" in kind else np.ones(len(log))

    def model(outcome: str) -> Array:
        found: Array = cell_means(log[outcome].to_numpy(), cell[x, k], w, n * SHELVES)[cell]
        return found

    promise = model("profit")
    if kind == "popular":
        score = np.tile(np.bincount(log["bought"], minlength=SHELVES) / len(log), (n, 1))
        score[:, 0] = 0
        pick = score.argmax(axis=1)
    elif "gain" in kind:
        score = promise - promise[:, :1]
        pick = score.argmax(axis=1)
    else:
        score = model("purchase")
        pick = 1 + score[:, 1:].argmax(axis=1)
        first = np.argsort(-score[np.arange(n), pick], kind="stable")
        visits = np.bincount(x, minlength=n)[first] / len(log)
        pick[first[visits.cumsum() - visits >= share]] = 0  # the slot is full for the others
    policy = TablePolicy(dict(zip(people.contexts, np.eye(SHELVES)[pick], strict=True)))
    return Candidate(kind, score, promise, policy)


def cell_means(y: Array, cell: Ints, w: Array, size: int) -> Array:
    """Weighted mean of each of `size` cells, drawn by one row of mean weight to that of all."""
    sums, sizes = np.bincount(cell, w * y, size), np.bincount(cell, w, size)
    means: Array = (sums + (w * y).mean()) / (sizes + w.mean())
    return means
