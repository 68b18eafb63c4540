"""Rows of the parity table: recommenders and encoders of text."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import scipy.optimize
import scipy.stats
import statsmodels.api as sm
from linearmodels.iv import IV2SLS
from parity_rows import Pair, against
from scipy.spatial.distance import pdist
from sklearn.cluster import AgglomerativeClustering
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import Ridge
from sklearn.metrics import ndcg_score, recall_score
from sklearn.metrics.pairwise import cosine_similarity

from causalbook import datasets
from causalbook.llm_encoding import TextEncoder, distil, item_clusters, probe, proximal
from causalbook.recommenders import (
    click_model,
    diversity,
    exposure_propensity,
    item_knn,
    ndcg,
    recall,
)


@cache
def judged() -> tuple[Any, Any, Any]:
    """Lists of five, scores and graded relevance of 200 users and 40 items."""
    rng = np.random.default_rng(8)
    scores = rng.permuted(np.tile(np.arange(40), (200, 1)), axis=1)
    gain = rng.integers(0, 4, size=scores.shape)
    return np.argsort(-scores, axis=1)[:, :5], scores, gain


@against("recommenders", "ndcg", "sklearn.ndcg_score", what="nDCG@5", data="drawn, 200 users")
def gains() -> Pair:
    lists, scores, gain = judged()
    return ndcg(lists, gain).value, ndcg_score(gain, scores, k=5)


@against("recommenders", "recall", "sklearn.recall_score", what="recall@5", data="drawn, 200 users")
def recalled() -> Pair:
    lists, _, gain = judged()
    listed = np.zeros(gain.shape, dtype=int)
    np.put_along_axis(listed, lists, 1, axis=1)
    return recall(lists, gain).value, recall_score(gain > 0, listed, average="samples")


@against(
    "recommenders", "diversity", "scipy.spatial.distance.pdist", what="mean distance", data="drawn"
)
def distances() -> Pair:
    lists, vectors = judged()[0], np.random.default_rng(9).normal(size=(40, 6))
    theirs = np.mean([pdist(vectors[row], "cosine").mean() for row in lists])
    return diversity(lists, vectors).value, theirs


@against(
    "recommenders",
    "item_knn",
    "sklearn.cosine_similarity",
    what="scores, 15 neighbours",
    data="drawn",
)
def neighbours() -> Pair:
    rng = np.random.default_rng(3)
    table = np.where(rng.random((40, 60)) < 0.3, rng.uniform(1, 5, (40, 60)), 0.0)
    cosine = cosine_similarity(table.T)
    np.fill_diagonal(cosine, -1)
    near = np.argsort(-cosine, axis=1)[:, :15]
    theirs = np.stack([table[:, near[i]] @ cosine[i, near[i]] for i in range(60)], axis=1)
    user, item = np.nonzero(table)
    rows = pd.DataFrame({"user": user, "item": item, "rating": table[user, item]})
    return item_knn(rows, k=15, shape=table.shape).scores(np.arange(40)), theirs


@against(
    "recommenders",
    "exposure_propensity",
    "statsmodels.GLM",
    what="probabilities of the pairs seen",
    data="drawn, 12 users, 9 items",
    tolerance=1e-8,
    note="the peer stops its iterations at a change of 1e-12 in the deviance",
)
def exposures() -> Pair:
    seen = np.random.default_rng(1).random((12, 9)) < 0.4
    u, i = np.indices(seen.shape)
    names = pd.DataFrame({"u": u.ravel(), "i": i.ravel()})
    X = pd.get_dummies(names, columns=["u", "i"]).astype(float).drop(columns="i_0")
    fit = sm.GLM(seen.ravel(), X, family=sm.families.Binomial()).fit(tol=1e-12, maxiter=200)
    theirs = fit.fittedvalues.to_numpy().reshape(seen.shape)[np.nonzero(seen)]
    return exposure_propensity(*np.nonzero(seen)), theirs


@against(
    "recommenders",
    "click_model",
    "scipy.optimize.minimize",
    what="looks at positions 2 and 3 (BFGS)",
    data="drawn, 3,000 views",
    tolerance=1e-6,
    note="the peer's derivatives are numerical; ours has the higher likelihood",
)
def looks() -> Pair:
    rng = np.random.default_rng(1)
    i, j = rng.integers(4, size=3000), rng.integers(3, size=3000)
    theta, gamma = np.array([1.0, 0.6, 0.3]), np.linspace(0.6, 0.15, 4)
    c = (rng.random(3000) < theta[j] * gamma[i]).astype(float)

    def loss(x: Any) -> float:
        eta = np.minimum(np.append(0.0, x[:2])[j] + x[2:][i], -1e-9)
        return float(-(c * eta + (1 - c) * np.log1p(-np.exp(eta))).sum())

    best = scipy.optimize.minimize(loss, np.log([0.5, 0.5, 0.3, 0.3, 0.3, 0.3]), method="BFGS")
    model = click_model(i, j + 1, c)
    return [model.examination[k].value for k in (2.0, 3.0)], np.exp(best.x[:2])


@cache
def titles() -> list[str]:
    """Sixty titles of films."""
    names = datasets.load("films")["title"].drop_duplicates()
    return [str(name) for name in names.iloc[::300][:60]]


@against(
    "llm_encoding",
    "TextEncoder",
    "sentence_transformers.SentenceTransformer",
    what="vectors of unit length",
    data="60 film titles, MiniLM",
    tolerance=1e-5,
    note="single precision; padding alone moves a number by a millionth",
)
def vectors() -> Pair:
    from sentence_transformers import SentenceTransformer

    from causalbook.llm_encoding.weights import folder

    ours = TextEncoder(cache=False).encode(titles())
    theirs = SentenceTransformer(str(folder(None)), device="cpu").encode(
        titles(), show_progress_bar=False, normalize_embeddings=True
    )
    return ours / np.linalg.norm(ours, axis=1, keepdims=True), theirs


class Teacher:
    """Any encoder will do: vectors of characters."""

    def encode(self, texts: list[str]) -> Any:
        """Count characters by their code, modulo seven."""
        return np.array([np.bincount([ord(c) % 7 for c in t], minlength=7) for t in texts], float)


@against(
    "llm_encoding",
    "distil",
    "sklearn.CountVectorizer",
    what="weighted means of word vectors",
    data="60 film titles",
    tolerance=1e-6,
    note="ours are single precision",
)
def words() -> Pair:
    counter = CountVectorizer(token_pattern=r"\w+")
    counts = counter.fit_transform(titles()).toarray()
    weighted = counts * (1 / (1 + counts.sum(axis=0) / counts.sum()))
    theirs = weighted @ Teacher().encode(list(counter.get_feature_names_out()))
    ours = distil(titles(), Teacher(), smoothing=1.0).encode(titles())
    return ours, theirs / weighted.sum(axis=1, keepdims=True)


@against(
    "llm_encoding",
    "item_clusters",
    "sklearn.AgglomerativeClustering",
    what="which of 30 items share one of 7 groups (1 or 0)",
    data="drawn",
)
def groups() -> Pair:
    v = np.random.default_rng(7).normal(size=(30, 4))
    sides = item_clusters(v, 7), AgglomerativeClustering(7, linkage="ward").fit_predict(v)
    ours, theirs = (group[:, None] == group for group in sides)
    return ours, theirs


@against(
    "llm_encoding", "probe", "sklearn.Ridge", what="accuracy, five folds", data="drawn, 300 rows"
)
def read_off() -> Pair:
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=300)
    v = np.eye(3, 4)[labels] + rng.normal(size=(300, 4))
    fold, said = np.arange(300) % 5, np.empty(300, dtype=int)
    for k in range(5):
        learn = fold != k
        penalty = ((v[learn] - v[learn].mean(axis=0)) ** 2).sum(axis=0).mean()
        fit = Ridge(alpha=penalty).fit(v[learn], np.eye(3)[labels[learn]])
        said[~learn] = fit.predict(v[~learn]).argmax(axis=1)
    return probe(v, labels, folds=fold, seed=0).accuracy.value, np.mean(said == labels)


@against(
    "llm_encoding",
    "proximal",
    "linearmodels.IV2SLS",
    what="effect and robust error",
    data="drawn, 500 rows",
)
def two_readings() -> Pair:
    rng = np.random.default_rng(7)
    u = rng.normal(size=(500, 2))
    a = (rng.random(500) < 1 / (1 + np.exp(-u.sum(axis=1)))).astype(float)
    w, z = (u + 0.7 * rng.normal(size=(500, 2)) for _ in range(2))
    y = 0.7 * a + u @ [1.0, 0.5] + rng.normal(size=500)
    exogenous = pd.DataFrame({"one": np.ones(500), "a": a})
    peer = IV2SLS(y, exogenous, pd.DataFrame(w), pd.DataFrame(z)).fit(cov_type="robust")
    ours = proximal(y, a, w, z)
    return [ours.value, ours.se], [peer.params["a"], peer.std_errors["a"]]
