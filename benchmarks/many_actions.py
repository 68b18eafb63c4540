"""Many actions: the error of MIPS beside IPS, DR and DM, as Saito and Joachims (2022) compare them.

    python benchmarks/many_actions.py [ROUNDS REPLICATIONS]

One setting of their synthetic experiments, from the configuration that they publish
(usaito/icml2022-mips, src/synthetic/conf/setting/default.yaml): ten normal contexts, embeddings of
three columns with ten categories each, drawn from p(e_d | a), a softmax of normals; a mean reward
linear in context, category and their products, weighed over the columns; noise 2.5; logging policy
softmax(-q), target the best action but for 5% at random; 10,000 rounds; the number of actions
varies. Unlike theirs the weights of the columns are drawn once a world (their code draws them anew
for the test data), and q is a line in x with shrunken means of actions, not a forest.

An action draws its embedding, so the embedding is what is decided: MIPS is the package's `ips` on
a log of embeddings. The last column, "product", is obp's rule instead: over the columns, the
product of sums over actions. Printed are mean squared errors over the replications.
"""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from causalbook.estimators import Log, dm, dr, ips

CONTEXTS, COLUMNS, CATEGORIES, LATENT = 10, 3, 10, 5
NOISE, BETA, EPSILON, SEED = 2.5, -1.0, 0.05, 12345


def softmax(logits: Any) -> Any:
    """Probabilities over the last axis."""
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return p / p.sum(axis=-1, keepdims=True)


class World:
    """Contexts, actions that draw embeddings, and rewards that depend on the embedding alone."""

    def __init__(self, actions: int, rng: np.random.Generator) -> None:
        """Draw what stays the same in all replications."""
        self.p = softmax(rng.normal(size=(COLUMNS, actions, CATEGORIES)))
        latent = rng.normal(size=(COLUMNS, CATEGORIES, LATENT))
        x, c = rng.uniform(-1, 1, (COLUMNS, CONTEXTS)), rng.uniform(-1, 1, (COLUMNS, LATENT))
        both = rng.uniform(-1, 1, (COLUMNS, CONTEXTS, LATENT))
        self.slope = x[:, :, None] + np.einsum("dpl,dcl->dpc", both, latent)
        self.level = np.einsum("dl,dcl->dc", c, latent)
        self.share = rng.dirichlet(rng.uniform(size=COLUMNS))
        self.joint = np.einsum("ai,aj,ak->aijk", *self.p).reshape(actions, -1)

    def means(self, x: Any) -> tuple[Any, Any]:
        """Mean rewards by column and category, and of each action."""
        q = np.einsum("np,dpc->dnc", x, self.slope) + self.level[:, None]
        q = (q - q.mean(axis=(1, 2), keepdims=True)) / q.std(axis=(1, 2), keepdims=True)
        q *= self.share[:, None, None]
        return q, np.einsum("dnc,dac->na", q, self.p)

    def target(self, q: Any) -> Any:
        """The best action, but for a few rounds at random."""
        pi = np.full_like(q, EPSILON / q.shape[1])
        pi[np.arange(len(q)), q.argmax(axis=1)] += 1 - EPSILON
        return pi


def choose(p: Any, rng: np.random.Generator) -> Any:
    """Draw one column a row."""
    return (rng.random((len(p), 1)) > p.cumsum(axis=1)[:, :-1]).sum(axis=1)


def reward_model(x: Any, action: Any, reward: Any, actions: int) -> Any:
    """A line in x and shrunken means of the actions, learned from the other half of the rounds."""
    q, z = np.empty((len(x), actions)), np.column_stack([np.ones(len(x)), x])
    for fold in (0, 1):
        fit = np.arange(len(x)) % 2 == fold
        b = np.linalg.lstsq(z[fit], reward[fit], rcond=None)[0]
        count = np.bincount(action[fit], minlength=actions)
        left = np.bincount(action[fit], reward[fit] - z[fit] @ b, minlength=actions)
        q[~fit] = (z[~fit] @ b)[:, None] + left / (count + 10)
    return q


def replicate(world: World, rounds: int, rng: np.random.Generator) -> dict[str, float]:
    """Return the values that the estimators find in one log."""
    x, n = rng.normal(size=(rounds, CONTEXTS)), np.arange(rounds)
    by_column, q = world.means(x)
    logging, pi = softmax(BETA * q), world.target(q)
    action = choose(logging, rng)
    e = [choose(p[action], rng) for p in world.p]
    mean = sum(by_column[d, n, e[d]] for d in range(COLUMNS))
    reward = mean + NOISE * rng.normal(size=rounds)
    log = Log(action, reward, logging[n, action], policy=logging)
    model = reward_model(x, action, reward, q.shape[1])
    code = np.ravel_multi_index(e, (CATEGORIES,) * COLUMNS)
    shown, wanted = logging @ world.joint, pi @ world.joint
    product = np.ones(rounds)
    for p, column in zip(world.p, e, strict=True):
        product *= (pi @ p)[n, column] / (logging @ p)[n, column]
    return {
        "IPS": ips(log, pi).value,
        "DR": dr(log, pi, model).value,
        "DM": dm(log, pi, model).value,
        "MIPS": ips(Log(code, reward, shown[n, code], policy=shown), wanted).value,
        "product": float((product * reward).mean()),
    }


def errors(actions: int, rounds: int, replications: int, seed: int = SEED) -> dict[str, float]:
    """Mean squared errors against the value in a large sample of contexts."""
    rng = np.random.default_rng([seed, actions])
    world = World(actions, rng)
    q = world.means(rng.normal(size=(20_000, CONTEXTS)))[1]
    truth = float((world.target(q) * q).sum(axis=1).mean())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="the estimate rests on")
        found = [replicate(world, rounds, rng) for _ in range(replications)]
    return {m: float(np.mean([(f[m] - truth) ** 2 for f in found])) for m in found[0]}


def main() -> None:
    """Print the errors by the number of actions."""
    rounds, replications = map(int, sys.argv[1:3]) if len(sys.argv) > 2 else (10_000, 30)
    for actions in (10, 100, 500, 1000):
        mse = errors(actions, rounds, replications)
        shown = "  ".join(f"{m} {v:.5f}" for m, v in mse.items())
        print(f"{actions:5} actions: {shown}  MIPS/IPS {mse['MIPS'] / mse['IPS']:.3f}", flush=True)


if __name__ == "__main__":
    main()
