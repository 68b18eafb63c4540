"""Oracle of the identification tests: random discrete models, enumerated by plain loops.

Nothing here imports the package. A model is a list of (name, parents, number of values) in causal
order and a table of Fractions for each; graphs are dictionaries of parents in which a bidirected
edge has already become a hidden parent of both.
"""

import random
from fractions import Fraction
from itertools import combinations, product

import pandas as pd


class Model:
    """A discrete model: `parents` in causal order, `cards`, hidden names, tables of Fractions."""

    def __init__(self, parents, cards, hidden, seed=0):
        self.parents, self.cards, self.hidden = parents, cards, hidden
        chance = random.Random(seed)
        self.tables = {}
        for name, above in parents.items():
            for values in product(*(range(cards[u]) for u in above)):
                parts = [chance.randint(1, 9) for _ in range(cards[name])]
                self.tables[name, values] = [Fraction(p, sum(parts)) for p in parts]

    @property
    def observed(self):
        return [name for name in self.parents if name not in self.hidden]

    def joint(self, do=None):
        """Probability of every cell of all variables, hidden ones too, under do."""
        do = do or {}
        names, cells = list(self.parents), {}
        for cell in product(*(range(self.cards[name]) for name in names)):
            at = dict(zip(names, cell, strict=True))
            p = Fraction(1)
            for name, above in self.parents.items():
                if name in do:
                    p *= at[name] == do[name]
                else:
                    p *= self.tables[name, tuple(at[u] for u in above)][at[name]]
                if not p:
                    break
            if p:
                cells[cell] = p
        return cells

    def marginal(self, kept, do=None):
        """Probability of the cells of some variables, in the order given."""
        names, total = list(self.parents), {}
        places = [names.index(name) for name in kept]
        for cell, p in self.joint(do).items():
            key = tuple(cell[k] for k in places)
            total[key] = total.get(key, 0) + p
        return total

    def series(self, kept=None):
        """The observed joint as the package wants it."""
        kept = kept or self.observed
        cells = self.marginal(kept)
        index = pd.MultiIndex.from_tuples(cells, names=kept)
        return pd.Series(list(cells.values()), index, dtype=object)

    def truth(self, a, y):
        """{(values of a, values of y): P(y | do(a))} for tuples of names a and y."""
        out = {}
        for values in product(*(range(self.cards[name]) for name in a)):
            for cell, p in self.marginal(y, dict(zip(a, values, strict=True))).items():
                out[(*values, *cell)] = p
        return out


def random_model(seed, observed=(3, 5), hidden=(1, 3), edge=0.45, big=0.2):
    """A random model: hidden nodes anywhere in the order, with parents of either kind."""
    chance = random.Random(seed)
    names = [f"V{k}" for k in range(chance.randint(*observed))]
    unseen = [f"U{k}" for k in range(chance.randint(*hidden))]
    order = [*names, *unseen]
    chance.shuffle(order)
    parents = {}
    for k, name in enumerate(order):
        p = edge if name not in unseen else edge / 2
        parents[name] = [u for u in order[:k] if chance.random() < (0.6 if u in unseen else p)]
    cards = {name: 3 if chance.random() < big else 2 for name in order}
    return Model(parents, cards, set(unseen), seed)


def random_arcs(seed, observed=(4, 6), arcs=(2, 3), edge=0.5):
    """A sparse random model whose hidden nodes are roots with two effects: hard cases abound."""
    chance = random.Random(seed)
    names = [f"V{k}" for k in range(chance.randint(*observed))]
    pairs = chance.sample(list(combinations(names, 2)), chance.randint(*arcs))
    parents = {f"U{k}": [] for k in range(len(pairs))}
    for k, name in enumerate(names):
        above = [u for u in names[:k] if chance.random() < edge]
        parents[name] = above + [f"U{j}" for j, pair in enumerate(pairs) if name in pair]
    cards = {name: 3 if chance.random() < 0.1 else 2 for name in parents}
    return Model(parents, cards, {f"U{k}" for k in range(len(pairs))}, seed)


def edges(model):
    return [(u, v) for v, above in model.parents.items() for u in above]


def up(parents, start):
    """Ancestors, the start included."""
    found, todo = set(start), list(start)
    while todo:
        for u in parents[todo.pop()]:
            if u not in found:
                found.add(u)
                todo.append(u)
    return found


def down(parents, start):
    """Descendants, the start included."""
    return {v for v in parents if up(parents, [v]) & set(start)}


def separated(parents, x, y, given=()):
    """d-separation by moralising the ancestral graph (Lauritzen et al. 1990)."""
    x, y, given = set(x), set(y), set(given)
    alive = up(parents, x | y | given)
    near = {v: set() for v in alive}
    for v in alive:
        family = [*parents[v], v]
        for u, w in combinations(family, 2):
            near[u].add(w)
            near[w].add(u)
    reached, todo = set(x), list(x)
    while todo:
        for w in near[todo.pop()] - given - reached:
            reached.add(w)
            todo.append(w)
    return not reached & y


def cut(parents, into=(), out=()):
    """Parents after edges into some nodes and out of some others are deleted."""
    return {
        v: [] if v in into else [u for u in above if u not in out] for v, above in parents.items()
    }


def all_subsets(pool):
    pool = sorted(pool)
    return [set(s) for size in range(len(pool) + 1) for s in combinations(pool, size)]


def backdoor(parents, hidden, a, y, s):
    """Pearl 2009, definition 3.3.1, word by word."""
    if s & (down(parents, [a]) | hidden | {a, y}):
        return False
    return separated(cut(parents, out=[a]), [a], [y], s)


def frontdoor(parents, hidden, a, y, s):
    """Pearl 2009, definition 3.3.3, where there is a directed path to intercept."""
    if y not in down(parents, [a]) or s & (hidden | {a, y}):
        return False
    if y in down(cut(parents, out=s), [a]):
        return False
    return separated(cut(parents, out=[a]), [a], s) and separated(cut(parents, out=s), s, [y], [a])


def minimal_ones(sets):
    return [s for s in sets if not any(r < s for r in sets)]


def adjust(model, a, y, s):
    """The back-door formula, from the observed joint by loops."""
    s, out = sorted(s), {}
    full, below = model.marginal([a, y, *s]), model.marginal([a, *s])
    weight = model.marginal(s)
    for i, j in product(range(model.cards[a]), range(model.cards[y])):
        out[i, j] = sum(full.get((i, j, *z), 0) / below[(i, *z)] * p for z, p in weight.items())
    return out


def mediate(model, a, y, s):
    """The front-door formula, from the observed joint by loops."""
    s, out = sorted(s), {}
    of_a, with_m = model.marginal([a]), model.marginal([a, *s])
    full = model.marginal([a, y, *s])
    for i, j in product(range(model.cards[a]), range(model.cards[y])):
        out[i, j] = Fraction(0)
        for m in model.marginal(s):
            inner = sum(
                full[(k, j, *m)] / with_m[(k, *m)] * of_a[(k,)] for k in range(model.cards[a])
            )
            out[i, j] += with_m[(i, *m)] / of_a[(i,)] * inner
    return out


# Identifiability as sets, by c-components (Tian and Pearl 2002; complete: Huang and Valtorta 2006).


def projection(parents, hidden):
    """Directed parents among the observed, and the pairs that something hidden causes."""

    def ends(start):  # observed ends of paths start -> hidden -> ... -> observed
        kids = [v for v in parents if start in parents[v]]
        return {w for v in kids for w in (ends(v) if v in hidden else {v})}

    observed = [v for v in parents if v not in hidden]
    above = {v: [] for v in observed}
    for u in observed:
        for v in ends(u):
            above[v].append(u)
    arcs = {frozenset(p) for h in hidden for p in combinations(sorted(ends(h)), 2)}
    return above, arcs


def districts(nodes, arcs):
    left, found = set(nodes), []
    while left:
        block = {left.pop()}
        grown = True
        while grown:
            more = {v for v in nodes for u in block if frozenset((u, v)) in arcs} - block
            block |= more
            grown = bool(more)
        left -= block
        found.append(block)
    return found


def within(above, kept):
    return {v: [u for u in above[v] if u in kept] for v in above if v in kept}


def identifiable(parents, hidden, a, y):
    """Whether P(y | do(a)) is a function of the observed joint."""
    above, arcs = projection(parents, hidden)
    rest = within(above, set(above) - set(a))
    alive = up(rest, y)

    def from_q(c, t):  # Q[c] from Q[t]?
        roots = up(within(above, t), c)
        if roots == c:
            return True
        if roots == t:
            return False
        (t2,) = (d for d in districts(roots, arcs) if c <= d)
        return from_q(c, t2)

    return all(
        from_q(d, next(t for t in districts(above, arcs) if d <= t)) for d in districts(alive, arcs)
    )


# Two models from a hedge (Shpitser and Pearl 2006, theorem 4): parities of fair coins.


def coins_of(nodes, arcs, start):
    """A spanning tree of arcs, grown from some nodes that count as joined already."""
    tree, done = [], set(start)
    while grown := [
        e for e in sorted(map(sorted, arcs)) if set(e) <= nodes and len(set(e) & done) == 1
    ]:
        tree.append(tuple(grown[0]))
        done |= set(grown[0])
    return tree if done >= nodes else None


def ways_down(above, starts, y, avoid):
    """{node: next node} so that each start leads to some y; None if the avoided are in the way."""
    onward = {}
    reach, todo = set(y), list(y)
    while todo:
        v = todo.pop(0)
        for u in above[v]:
            if u not in reach and (u not in avoid or u in starts):
                onward[u] = v
                reach.add(u)
                if u not in starts:
                    todo.append(u)
    return onward if starts <= reach else None


def hedge_models(above, arcs, larger, smaller, a, y):
    """Two models with one observed joint; None where the way from the roots to y meets F or a."""
    kids = {v: [w for w in above if v in above[w]] for v in above}
    roots = {v for v in smaller if not set(kids[v]) & smaller}
    y = set(y) - (larger - roots)
    onward = ways_down(above, roots, y, larger | set(a))
    inner = coins_of(smaller, arcs, [min(smaller)])
    outer = coins_of(larger, arcs, smaller)
    if onward is None or inner is None or outer is None:
        return None
    child = {v: min(set(kids[v]) & smaller) for v in smaller - roots}
    child |= {v: min(set(kids[v]) & larger) for v in larger - smaller}
    for start in roots:
        while start not in y:
            child[start] = onward[start]
            start = onward[start]
    heard = {v: [u for u in child if child[u] == v] for v in above}  # parents that count
    coin = {e: f"coin {e[0]} {e[1]}" for e in [*inner, *outer]}
    for e, name in coin.items():
        for v in e:
            heard[v].append(name)
    beyond = (larger - smaller) | {coin[e] for e in outer}  # what F' does not hear in the second
    deaf = {v: [u for u in heard[v] if v not in smaller or u not in beyond] for v in above}
    hidden = set(coin.values())
    twins = []
    for listens in (heard, deaf):
        parents = {name: [] for name in hidden} | {v: heard[v] for v in above}
        twin = Model(parents, dict.fromkeys(parents, 2), hidden)
        for (name, values), p in twin.tables.items():
            if name in hidden:
                p[:] = [Fraction(1, 2)] * 2
            else:
                said = zip(heard[name], values, strict=True)
                bit = sum(x for u, x in said if u in listens[name]) % 2
                p[:] = [Fraction(bit == 0), Fraction(bit == 1)]
        twins.append(twin)
    return twins
