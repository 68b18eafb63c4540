"""An audit of a log: its numbers by hand, its truth in the shop, and what it refuses to say."""

import re
from html.parser import HTMLParser
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from causalbook import datasets
from causalbook.case_study import asked, collect, funnel_shop
from causalbook.cross_fitting import numbered_folds
from causalbook.project import TablePolicy, audit_log, propensity_check, shop_context

COLUMNS = {"action": "shelf", "reward": "profit", "context": ["words"]}
POLICY, TREATMENT, ARMS, TIME = 1, 2, 3, 4  # where the answers stand


def values(answer):
    return {name: estimate.value for name, estimate in answer.estimates}


def checked(answer):
    return {check.name: check.passed for check in answer.checks}


@pytest.fixture(scope="module")
def shop():
    """A shop, the genre that each visit asks for as a policy, and the log of a noisy one."""
    world = funnel_shop(8000, seed=4)
    words = shop_context(world.data)
    wanted = TablePolicy(
        {w: np.eye(6)[k] for w, k in zip(words, asked(world.data["query"]), strict=True)}
    )
    logger = wanted.explore(0.5)
    visits = collect(world, logger.of(words), seed=5)
    log = visits[["user", "shelf", "pscore", "visited_at", "viewed"]].assign(words=words)
    log["profit"] = 0.3 * visits["order_value"] - 0.02 * (visits["shelf"] > 0)
    return world, wanted, log


def small(n=400, seed=0):
    rng = np.random.default_rng([1935, seed])
    x, a = rng.integers(2, size=n), rng.integers(3, size=n)
    reward = rng.normal(size=n) + a * x
    return pd.DataFrame({"x": x, "a": a, "r": reward, "p": 1 / 3})


def test_values_are_those_of_the_formulas():
    log, likes = small(), np.array([0.5, 0.3, 0.2])
    log["a"] = np.random.default_rng(9).choice(3, size=400, p=likes)
    log["p"] = likes[log["a"]]
    answer = audit_log(log, action="a", reward="r", pscore="p", context=["x"]).answers[POLICY]
    w = 1 / 3 / log["p"]
    found = values(answer)
    assert found["as logged"] == pytest.approx(log["r"].mean(), rel=1e-10)
    assert found["the uniform choice, IPS"] == pytest.approx((w * log["r"]).mean(), rel=1e-10)
    snips = (w * log["r"]).sum() / w.sum()
    assert found["the uniform choice, SNIPS"] == pytest.approx(snips, rel=1e-10)
    scores = []
    fold = numbered_folds(5, len(log), None, None, 0)
    q = {}  # a model for each row, from the rows of other folds
    for f, x, a in product(range(5), range(2), range(3)):
        own = log[(fold != f) & (log["a"] == a)]
        mean = (own["r"].sum() + 10 * log["r"].mean()) / (len(own) + 10)
        here = own[own["x"] == x]["r"]
        q[f, x, a] = (here.sum() + 10 * mean) / (len(here) + 10)
    for f, x, a, r, weight in zip(fold, log["x"], log["a"], log["r"], w, strict=True):
        scores.append(np.mean([q[f, x, b] for b in range(3)]) + weight * (r - q[f, x, a]))
    assert found["the uniform choice, DR"] == pytest.approx(np.mean(scores), rel=1e-10)
    by_dr = dict(answer.estimates)["the uniform choice, DR"]
    assert by_dr.se == pytest.approx(np.std(scores) / 20, rel=1e-10)
    gain = dict(answer.estimates)["gain over the log, DR"]
    assert gain.value == pytest.approx(np.mean(scores) - log["r"].mean(), rel=1e-9)
    assert gain.se == pytest.approx(np.std(scores - log["r"]) / 20, rel=1e-9)


@pytest.mark.parametrize("target", ["uniform", "the slot left empty", "what was asked for"])
def test_values_in_the_shop_hold_the_truth(shop, target):
    world, wanted, log = shop
    profit = 0.3 * world.potential[[f"value_{k}" for k in range(6)]].to_numpy()
    profit[:, 1:] -= 0.02
    policy = {"what was asked for": wanted, "uniform": wanted.explore(1)}.get(
        target, TablePolicy(dict.fromkeys(wanted.contexts, np.eye(6)[0]))
    )
    given = "uniform" if target == "uniform" else policy
    audit = audit_log(log, pscore="pscore", target=given, **COLUMNS)
    answer = audit.answers[POLICY]
    truth = (policy.of(log["words"]) * profit).sum(axis=1).mean()
    assert audit.sound
    assert answer.verdict == "yes"
    assert checked(answer) == dict.fromkeys(
        ("exploration", "propensities", "support", "interval"), True
    )
    for name, estimate in answer.estimates[1:4]:
        assert abs(estimate.value - truth) < 4 * estimate.se, name


def test_the_best_is_not_judged_by_the_rows_that_chose_it():
    """Rewards are noise: every policy is worth 0, and the best of the same rows looks better."""
    scores, naive = [], []
    each = {"cluster": "row"}  # with clusters no interval is simulated, which saves the time
    for seed in range(25):
        log = small(600, seed).assign(
            r=np.random.default_rng([3, seed]).normal(size=600), row=range(600)
        )
        by = audit_log(
            log, action="a", reward="r", pscore="p", context=["x"], target="best", **each
        )
        (name, dr) = by.answers[POLICY].estimates[3]
        assert name == "the best of each context, DR"
        scores.append(dr.value / dr.se)
        cells = log.groupby(["x", "a"])["r"].mean().groupby("x").max()
        naive.append(cells[log["x"]].mean())
    assert abs(np.mean(scores)) < 4 / np.sqrt(25)
    assert np.mean(naive) > 6 * np.std(naive) / np.sqrt(25)


def test_the_best_finds_what_is_best():
    log = small(3000).assign(row=range(3000))  # in context 1 the last action is, in 0 all are alike
    answer = audit_log(log, target="best", cluster="row", **GOOD)
    best = dict(answer.answers[POLICY].estimates)["the best of each context, DR"]
    assert abs(best.value - 2 * log["x"].mean()) < 4 * best.se


def test_a_wrong_propensity_is_found_and_nothing_is_estimated(shop):
    _, wanted, log = shop
    pscore = np.random.default_rng(0).permutation(log["pscore"])
    audit = audit_log(log.assign(pscore=pscore), pscore="pscore", target=wanted, **COLUMNS)
    answer = audit.answers[POLICY]
    assert answer.verdict == "no"
    assert answer.estimates == ()
    assert not audit.sound
    assert "the logged propensities are not those of this log" in answer.why


def test_rows_that_were_kept_by_what_came_after_are_found(shop):
    _, wanted, log = shop
    audit = audit_log(log[log["viewed"] == 1], pscore="pscore", target=wanted, **COLUMNS)
    assert audit.answers[POLICY].verdict == "no"
    assert "1/pscore of action" in audit.answers[POLICY].why


def test_a_deterministic_policy_speaks_of_itself_only(shop):
    world, wanted, log = shop
    visits = collect(world, wanted.of(log["words"]), seed=6)
    sure = log.assign(shelf=visits["shelf"], pscore=1.0)
    audit = audit_log(sure, pscore="pscore", target="uniform", **COLUMNS)
    assert audit.answers[POLICY].verdict == "no"
    assert "80.0% of what the uniform choice would show" in audit.answers[POLICY].why  # 5 shelves
    assert "Show a random choice to a small share" in audit.answers[POLICY].why
    assert checked(audit.answers[POLICY])["exploration"] is False
    same = audit_log(sure, pscore="pscore", target=wanted, **COLUMNS).answers[POLICY]
    assert same.verdict == "yes"
    assert values(same)["the policy, IPS"] == pytest.approx(log["profit"].mean(), rel=1e-9)


def test_without_propensities_it_is_an_assumption_or_nothing(shop):
    _, wanted, log = shop
    answer = audit_log(log, target=wanted, **COLUMNS).answers[POLICY]
    assert answer.verdict == "only if"
    assert "No data can check" in answer.why
    means = log.groupby(["words", "shelf"])["profit"].mean()
    shelf = {w: int(np.argmax(wanted.of([w])[0])) for w in wanted.contexts}
    by_hand = np.mean([means[w, shelf[w]] for w in log["words"]])
    assert values(answer) == {"the policy, if so": pytest.approx(by_hand, rel=1e-10)}
    blind = audit_log(log, action="shelf", reward="profit")
    assert blind.answers[POLICY].verdict == "no"
    assert "Log the propensity from now on" in blind.answers[POLICY].why
    assert not blind.sound
    gap = log[(log["words"] != "buys Drama") | (log["shelf"] != 4)]
    answer = audit_log(gap, target=wanted, **COLUMNS).answers[POLICY]
    share = (gap["words"] == "buys Drama").mean()
    assert answer.verdict == "no"
    assert f"{share:.1%} of what the policy would show was never shown" in answer.why


def test_real_logs():
    """Uniform from uniform can be told; uniform from Thompson's log: test_open_bandit_as_a_file."""
    frame = datasets.load("open_bandit")
    columns = {"action": "item_id", "reward": "click", "pscore": "propensity_score"}
    log = frame[frame["campaign"] == "all"]
    part = log[log["policy"] == "random"]
    random = audit_log(part, context=["position"], time="timestamp", **columns).answers
    assert random[POLICY].verdict == "yes"
    assert "It rests on little: the reward rests on 38.0" in random[POLICY].why
    assert not any("cannot speak" in check.sentence for check in random[POLICY].checks)
    clicks = log[log["policy"] == "random"]["click"].mean()
    found = values(random[POLICY])
    assert found["the uniform choice, IPS"] == pytest.approx(clicks, rel=1e-9)
    assert "7.0 days, 2019-11-24 to 2019-11-30" in random[TIME].why


def test_a_target_keeps_to_what_its_contexts_had():
    """In one of the two contexts the logger knows no third action, and the target wants it."""
    log = small(2000)
    few = pd.DataFrame({"x": 2, "a": np.arange(60) % 2, "r": 1.0, "p": 0.5})
    log = pd.concat([log, few])
    only = TablePolicy({"0": [0, 1, 0], "1": [0, 0, 1], "2": [0, 0, 1]})
    answer = audit_log(log, target=only, **GOOD).answers[POLICY]
    assert answer.verdict == "no"
    assert f"{60 / 2060:.1%} of what the policy would show was never shown" in answer.why
    mostly = TablePolicy({"0": [0, 1, 0], "1": [0, 0, 1], "2": [0, 0.9, 0.1]})
    answer = audit_log(log, target=mostly, **GOOD).answers[POLICY]
    assert answer.verdict == "yes"
    assert f"Of what it would show, {6 / 2060:.2%} was never shown" in answer.why


def test_rare_and_heavy_rows_are_no_contradiction():
    """Thompson's propensities fall to 1/20,000: actions with a few rows say nothing."""
    frame = datasets.load("open_bandit")
    for _, log in frame.groupby(["campaign", "policy"], observed=True):
        check = propensity_check(log["item_id"], log["propensity_score"], context=log["position"])
        assert check.passed is not False


def test_gaps_stop_what_needs_the_column_and_nothing_else(shop):
    _, _, log = shop
    lost = log["pscore"].mask(log["profit"] > 0)
    audit = audit_log(log.assign(pscore=lost), pscore="pscore", **COLUMNS)
    gaps = audit.checks[0]
    assert gaps.passed is False
    row = gaps.table.set_index("flag").loc["pscore"]
    assert row["missing"] == (log["profit"] > 0).sum()
    assert row["reward there"] == pytest.approx(log["profit"][log["profit"] > 0].mean())
    assert audit.answers[0].verdict == "yes"
    assert audit.answers[POLICY].verdict == "no"
    assert audit.answers[POLICY].why == "values are missing in pscore."


def test_rows_of_one_user_count_as_one():
    log = small(300)
    thrice = pd.concat([log.assign(user=np.arange(300))] * 3)
    by_user = audit_log(thrice, action="a", reward="r", pscore="p", context=["x"], cluster="user")
    by_row = audit_log(thrice, action="a", reward="r", pscore="p", context=["x"])
    once = audit_log(log, action="a", reward="r", pscore="p", context=["x"])
    for k in range(3):  # as logged, IPS, SNIPS
        se = [audit.answers[POLICY].estimates[k][1].se for audit in (by_user, by_row, once)]
        assert se[0] == pytest.approx(se[2], rel=1e-9)
        assert se[1] == pytest.approx(se[2] / np.sqrt(3), rel=1e-9)
    assert by_user.checks[1].table["repeated"][0] == 600
    assert "1.73 times that of independent rows" in by_user.checks[2].sentence
    assert by_row.checks[2].passed is None
    assert "name its column" in by_row.checks[2].sentence


def test_an_experiment_is_read_if_its_arms_are_as_drawn():
    rng = np.random.default_rng(2)
    arm = np.where(rng.random(4000) < 0.3, "new", "old")
    y = rng.normal(size=4000) + 0.2 * (arm == "new")
    log = pd.DataFrame({"arm": arm, "y": y})
    share = {"old": 0.7, "new": 0.3}
    answer = audit_log(log, arm="arm", share=share, outcome="y").answers[ARMS]
    welch = stats.ttest_ind(y[arm == "new"], y[arm == "old"], equal_var=False)
    ((name, effect),) = answer.estimates
    assert name == "new less old"
    assert effect.conf_int() == pytest.approx(tuple(welch.confidence_interval()), rel=1e-9)
    lost = log[(log["arm"] == "old") | (rng.random(4000) < 0.85)]
    audit = audit_log(lost, arm="arm", share=share, outcome="y")
    assert audit.answers[ARMS].verdict == "no"
    assert audit.answers[ARMS].estimates == ()
    assert "its result is not read" in audit.answers[ARMS].why
    counts = lost["arm"].value_counts()[["new", "old"]]
    p = stats.chisquare(counts, len(lost) * np.array([0.3, 0.7])).pvalue
    assert f"p = {p:.2g}" in audit.answers[ARMS].why


def test_a_unit_in_two_arms_spoils_an_experiment():
    log = pd.DataFrame({"user": np.arange(1000) // 2, "arm": np.arange(1000) % 2, "y": 1.0})
    audit = audit_log(log, arm="arm", share={"0": 0.5, "1": 0.5}, cluster="user", outcome="y")
    assert audit.answers[ARMS].verdict == "no"
    assert "500 units are in more than one arm" in audit.answers[ARMS].why


def test_a_treatment_by_known_propensity_by_strata_or_as_it_is():
    rng = np.random.default_rng(6)
    x = rng.integers(2, size=2000)
    e = np.array([0.3, 0.6])[x]
    t = (rng.random(2000) < e).astype(int)
    log = pd.DataFrame({"x": x, "t": t, "p": np.where(t == 1, e, 1 - e), "y": t + x + e})
    known = audit_log(log, treatment="t", outcome="y", pscore="p", context=["x"]).answers[TREATMENT]
    w = 1 / log["p"]
    hajek = [np.average(log["y"][t == a], weights=w[t == a]) for a in (0, 1)]
    assert known.verdict == "yes"
    assert values(known)["weighted by propensity"] == pytest.approx(hajek[1] - hajek[0], rel=1e-10)
    strata = audit_log(log, treatment="t", outcome="y", context=["x"]).answers[TREATMENT]
    assert strata.verdict == "only if"
    assert values(strata)["compared within contexts"] == pytest.approx(1, rel=1e-10)  # exactly
    raw = audit_log(log, treatment="t", outcome="y").answers[TREATMENT]
    apart = log["y"][t == 1].mean() - log["y"][t == 0].mean()
    assert values(raw) == {"compared as they are": pytest.approx(apart, rel=1e-10)}
    assert "only if chance alone decided" in raw.why
    one_arm = log[(log["x"] == 1) | (log["t"] == 0)]
    answer = audit_log(one_arm, treatment="t", outcome="y", context=["x"]).answers[TREATMENT]
    assert answer.verdict == "no"
    assert f"{(one_arm['x'] == 0).mean():.1%} of the rows have a context" in answer.why
    wrong = audit_log(
        log.assign(p=0.5), treatment="t", outcome="y", pscore="p", context=["x"]
    ).answers[TREATMENT]
    assert wrong.verdict == "no"
    assert "1/pscore" in wrong.why
    sure = log.assign(p=np.where((x == 0) & (t == 1), 1, log["p"]))[lambda f: (f.x == 1) | f.t == 1]
    answer = audit_log(sure, treatment="t", outcome="y", pscore="p", context=["x"])
    assert answer.answers[TREATMENT].verdict == "no"


def test_the_probability_of_treatment_is_recognised():
    """The commonest mistake: pscore is P(treatment = 1) in all rows."""
    rng = np.random.default_rng(8)
    x = rng.integers(2, size=2000)
    e = np.array([0.3, 0.6])[x]
    t = (rng.random(2000) < e).astype(int)
    log = pd.DataFrame({"x": x, "t": t, "p": e, "y": t + x + e})
    answer = audit_log(log, treatment="t", outcome="y", pscore="p", context=["x"])
    assert answer.answers[TREATMENT].verdict == "no"
    assert "looks like the probability of treatment 1" in answer.answers[TREATMENT].why
    log["p"] = np.where(t == 1, e, 1 - e)
    right = audit_log(log, treatment="t", outcome="y", pscore="p", context=["x"])
    assert right.answers[TREATMENT].verdict == "yes"
    wrong = audit_log(log.assign(p=0.2), treatment="t", outcome="y", pscore="p", context=["x"])
    assert "looks like" not in wrong.answers[TREATMENT].why


@pytest.mark.parametrize(("unit", "size"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_numbers_since_1970_are_times(unit, size):
    at = pd.Timestamp("2026-03-01").value // 10**9 + np.arange(400) * 3600
    why = audit_log(LOG.assign(t=at * size), reward="r", time="t").answers[TIME].why
    assert "16.6 days, 2026-03-01 to 2026-03-17 " in why
    assert f"read as time in {unit} since 1970" in why


def test_few_clusters_tell_no_error():
    log = small(600).assign(page=np.arange(600) % 29, user=np.arange(600) % 30)
    audit = audit_log(log, cluster="page", **GOOD)
    assert audit.checks[2].passed is False
    assert "Fewer than 30" in audit.checks[2].sentence
    assert audit.answers[POLICY].verdict == "no"
    assert audit.answers[POLICY].estimates == ()
    assert "29 groups of page" in audit.answers[POLICY].why
    audit = audit_log(log, cluster="user", **GOOD)
    assert audit.checks[2].passed
    assert audit.answers[POLICY].verdict == "yes"


def test_rows_that_repeat_are_doubled_only_if_something_tells_them_apart():
    log = small(300)
    assert audit_log(pd.concat([log, log[:9]]), reward="r").checks[1].passed is False
    few = audit_log(log[["x", "a"]], reward="a").checks[1]  # six different rows
    assert few.passed is None
    assert "may be chance" in few.sentence


def test_one_action_is_no_comparison():
    log = small().assign(a=2)
    answer = audit_log(log, action="a", reward="r", pscore="p").answers[POLICY]
    assert answer.verdict == "no"
    assert answer.why == "the log shows 2 in every row and nothing else."


def test_what_was_not_asked_is_not_answered():
    audit = audit_log(small(), reward="r")
    assert [answer.verdict for answer in audit.answers] == ["yes"] + ["not asked"] * 4
    assert "--action" in audit.answers[POLICY].why
    assert audit.sound


class Reader(HTMLParser):
    """Collects what a page would fetch, and its text."""

    def __init__(self):
        super().__init__()
        self.fetched, self.open, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.fetched += [v for k, v in attrs if k in ("src", "href", "xlink:href") and v[0] != "#"]

    def handle_data(self, data):
        self.text += data


def test_text_and_page_say_the_same():
    policy = TablePolicy({"0": [0.2, 0.3, 0.5], "1": [0, 0.1, 0.9]})
    audit = audit_log(small(), target=policy, title="<log> & co", **GOOD)
    text, reader = audit.text(), Reader()
    reader.feed(audit.html())
    assert reader.fetched == []
    assert not re.search(r"url\((?!#)|@import", audit.html())
    assert "Audit of <log> & co" in reader.text
    assert text.startswith("Audit of <log> & co: 400 rows\n")
    assert repr(audit) == text
    assert max(map(len, text.splitlines())) <= 88
    for answer in audit.answers:
        assert answer.question in reader.text
        assert answer.question.upper() in text
    assert "mass of pi on actions never logged" in reader.text  # a row of `support`
    assert "effective rounds: so many rows" not in text  # no sentence uses the words
    assert "propensity: the probability" in text
    assert "SNIPS:" not in audit_log(small(), treatment="x", outcome="r").text()
    for number in re.findall(r"the policy, DR +(\S+) +(\S+) +(\S+) to (\S+)", text)[0]:
        assert number in reader.text
    assert '<svg class="causalbook-figure" role="img" aria-label="95% intervals: as logged' in (
        audit.html()
    )


LOG = small()
GOOD = {"action": "a", "reward": "r", "pscore": "p", "context": ["x"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reward": "zz"}, "reward is no column of the log: 'zz'; it has x, a, r, p"),
        ({"reward": None}, "reward is missing: name at least --action and --reward"),
        ({"reward": None, "arm": "a"}, "reward is missing: --action needs the column"),
        ({"treatment": "x"}, "outcome is missing: --treatment needs the column"),
        ({"action": None}, "action is missing: say with --action"),
        ({"arm": "a"}, "share is missing: say what was designed"),
        ({"arm": "a", "share": {"0": 1.0}}, "share names the arms 0, the log has 0, 1, 2"),
        ({"context": ["r"]}, "context has 400 different values in 400 rows"),
        ({"context": ["x", "q"]}, "context is no column of the log: 'q'"),
        ({"target": "worst"}, "target is 'worst': pass uniform, best"),
        ({"target": TablePolicy({"0": [1, 0]})}, r"action holds other values than the target's 0"),
        ({"target": TablePolicy({"0": [1, 0, 0]})}, "context is unknown to policy"),
        ({"target": TablePolicy({"0": [1, 0, 0]}), "context": []}, "target is a policy by context"),
        ({"pscore": "r"}, "pscore .* is 0 or negative"),
        ({"time": "x", "frame": LOG.assign(x="noon")}, "time is no time in 400 of 400 rows"),
        ({"frame": LOG.assign(x=np.nan)}, "context is missing in 400 rows of 'x'"),
        ({"frame": LOG.assign(r="much")}, "reward .* holds text such as 'much', not numbers"),
        (
            {"frame": LOG.assign(p="33%")},
            "pscore .* holds text such as '33%', not numbers: write 0.3",
        ),
        ({"outcome": "r"}, "treatment is missing: --outcome is that"),
        ({"share": {"0": 0.5, "1": 0.5}}, "arm is missing: --share needs"),
        ({"frame": pd.concat([LOG, LOG["r"]], axis=1)}, "reward is the name of 2 columns"),
        ({"time": "t", "frame": LOG.assign(t="31/03/2026")}, "write it as 2026-03-02 14:05"),
        ({"time": "t", "frame": LOG.assign(t="03/04/2026")}, "time is no time in 400 of 400"),
        ({"time": "t", "frame": LOG.assign(t=20260302)}, "or as seconds since 1970"),
        ({"frame": LOG[:1]}, "the log has 1 rows"),
        ({"frame": LOG.assign(u=np.nan), "cluster": "u"}, "cluster .* is missing in 400 of 400"),
        ({"frame": [1]}, "frame is a list"),
    ],
)
def test_refusals(change, message):
    given = {"frame": LOG, **GOOD} | change
    with pytest.raises(ValueError, match=message):
        audit_log(given.pop("frame"), **given)


def test_a_near_name_is_offered():
    with pytest.raises(ValueError, match=r"did you mean 'profit'\?"):
        audit_log(LOG.rename(columns={"r": "profit"}), action="a", reward="profitt")


def test_what_an_estimate_warns_of_stands_in_the_answer():
    """Forty rows without propensities: the number is there, and how little it rests on."""
    frame = pd.DataFrame({"a": [0, 1] * 20, "r": [0.0, 0.0, 1.0, 1.0] * 10, "x": ["u"] * 40})
    audit = audit_log(frame, action="a", reward="r", context=["x"])
    (answer,) = [answer for answer in audit.answers if answer.verdict == "only if"]
    assert "the estimate rests on" in answer.why
    assert "the estimate rests on" in " ".join(audit.text().split())
