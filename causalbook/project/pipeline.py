"""A run from an empty folder to a report and a decision."""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

from causalbook.estimate import Estimate
from causalbook.project import steps
from causalbook.project.configuration import RunConfig
from causalbook.project.contents import put
from causalbook.project.item_lists import recommend_items, shelf_names
from causalbook.project.learning import Learned, count_cells, learn
from causalbook.project.policy_tables import TablePolicy
from causalbook.project.run_folders import Folder, Step
from causalbook.project.run_report import write_report
from causalbook.project.simulated_runs import simulate_log, simulate_test
from causalbook.project.warehouse import Warehouse
from causalbook.project.warehouse_tables import TABLES

OWN = "warehouse.duckdb"
PARTS = ("ingest", "check", "identification", "effect", "offline", "choice", "test")


class Pipeline(Folder):
    """A run in a folder, which can be killed anywhere and run again to the same bytes.

    Parameters
    ----------
    folder : where the run leaves its files: empty, new, or that of the same run before
    config : what is to be decided
    url : of the warehouse; a DuckDB file in the folder by default
    connect : analyse what the warehouse at `url` holds, and write nothing to it; without it the
        shop is simulated

    Raises
    ------
    ValueError
        for a folder with something else in it or of another run, for `connect` without a `url` or
        with a file that is not there.

    Source: ours.
    """

    def __init__(
        self,
        folder: str | Path,
        config: RunConfig | None = None,
        *,
        url: str | None = None,
        connect: bool = False,
    ) -> None:
        if connect and not url:
            raise ValueError("connect needs url: say which warehouse holds the log")
        file = str(url).removeprefix("duckdb://")
        if connect and "://" not in file and not Path(file).exists():
            raise ValueError(f"url: there is no {file} to connect to")
        self.config, self.url, self.connect = config or RunConfig(), url, connect
        super().__init__(folder, asdict(self.config) | {"connect": connect})

    @cached_property
    def warehouse(self) -> Warehouse:
        """The warehouse of this run, opened when a step first needs it."""
        return Warehouse(self.url or self.folder / OWN)

    @property
    def steps(self) -> list[Step]:
        """The steps in their order."""
        ready, learned, policy = "check.json", "learned.json", "policy.json"
        both = ("baseline.json", "effect-driven.json")
        tables = () if self.connect else tuple(f"log/{name}.parquet" for name in TABLES)
        came, drawn, look = "ingest.json", "experiment.json", self.connect
        own = [] if self.connect else [Step("generate", self._generate, (), tables)]
        said, lists = "identification.json", ("recommendations.parquet",)
        told = tuple(f"{part}.json" for part in PARTS)
        return [
            *own,
            Step("ingest", self._ingest, tables, (came,), came, look),
            Step("check", self._check, (came,), (ready,)),
            Step("identify", self._identify, (ready,), (said,)),
            Step("train", self._train, (came, ready), (learned, *both)),
            Step("estimate", self._estimate, (came, learned, said), ("effect.json",)),
            Step("evaluate", self._evaluate, (came, learned, *both), ("offline.json",)),
            Step("choose", self._choose, ("offline.json", *both), ("choice.json", policy)),
            Step("test", self._test, ("choice.json", *both), (drawn,), drawn, look),
            Step("analyse", self._analyse, (came, drawn, "choice.json"), ("test.json",)),
            Step("recommend", self._recommend, (came, learned, policy), lists),
            Step("report", self._report, told, ("decision.json", "report.html")),
        ]

    def run(self, *, progress: bool = False) -> dict[str, Any]:
        """Take every step that is not done yet; return what `decision.json` says.

        Parameters: `progress`, whether to show a bar on a terminal. Raises ValueError as the steps
        do; what was done until then stays done.
        """
        try:
            self.take(self.steps, progress=progress)
        finally:
            if "warehouse" in self.__dict__:
                self.warehouse.close()
                del self.warehouse
        decision: dict[str, Any] = self.read("decision.json")
        return decision

    def still(self, counts: str) -> bool:
        """Whether the warehouse holds at least as many rows as it did."""
        stored = self.read(counts).get("stored", {})
        return all(self._count(name) >= n for name, n in stored.items())

    def _count(self, table: str) -> int:
        rows = self.warehouse.table(table)
        return int(self.warehouse.read(rows.agg(n=rows.count()))["n"][0])

    def _learned(self) -> Learned:
        return Learned.read(self.read("learned.json"))

    def _policy(self, name: str) -> TablePolicy:
        return TablePolicy.load(self.folder / f"{name}.json")

    def _halves(self) -> tuple[Any, Any]:
        return steps.halves(steps.reward_rounds(self.warehouse, self.config))

    def _generate(self) -> None:
        for name, table in simulate_log(self.config).items():
            self.put_frame(f"log/{name}.parquet", table)

    def _ingest(self) -> None:
        if not self.connect:
            self._refuse_foreign()
            for name in TABLES:
                self.say(str(self.warehouse.ingest(name, self.folder / f"log/{name}.parquet")))
        aside = self.warehouse.quarantine().groupby(["table", "reason"]).size().reset_index()
        stored = {name: self._count(name) for name in TABLES}
        self.put("ingest.json", {"stored": stored, "quarantined": aside.to_numpy().tolist()})

    def _refuse_foreign(self) -> None:
        """Refuse to write the simulated shop into a warehouse with somebody's own data."""
        drawn = self.warehouse.table("experiments")  # by this run's own test, if it was there
        shown = self.warehouse.table("impressions").anti_join(drawn, "user")
        versions = self.warehouse.read(shown.select("policy").distinct().limit(3))["policy"]
        if foreign := set(versions) - {"old"}:
            raise ValueError(
                f"{self.warehouse.name} holds impressions of policy {', '.join(sorted(foreign))}: "
                "to analyse them say --connect; the simulated shop needs an empty warehouse"
            )

    def _check(self) -> None:
        came = self.read("ingest.json")
        aside = sum(n for *_, n in came["quarantined"])
        share = aside / max(1, aside + sum(came["stored"].values()))
        rounds = steps.reward_rounds(self.warehouse, self.config)
        self.put("check.json", steps.check_log(self.warehouse, rounds, share).to_dict("list"))

    def _identify(self) -> None:
        found = steps.identify_effect(self.config)
        sets = [sorted(s) for s in found.sets]
        said = {"strategy": found.strategy, "sets": sets, "why": found.why}
        self.put("identification.json", said | {"estimand": found.estimand})

    def _train(self) -> None:
        teach, _ = self._halves()
        learned = learn(count_cells(self.warehouse, teach), shelf_names(self.warehouse))
        self.put("learned.json", asdict(learned))
        for name, policy in learned.policies().items():
            policy.explore(self.config.keep).save(self.folder / f"{name}.json")

    def _estimate(self) -> None:
        _, judge = self._halves()
        found = steps.identify_effect(self.config)
        effect = steps.estimate_effect(self.warehouse, judge, found, self._learned())
        balance = steps.check_balance(self.warehouse, judge)
        self.put("effect.json", {"ATE": self._told(effect), "balance": balance.to_dict("list")})

    def _evaluate(self) -> None:
        _, judge = self._halves()
        policies = {name: self._policy(name) for name in ("baseline", "effect-driven")}
        found = steps.evaluate_policies(self.warehouse, judge, policies, self._learned())
        values = {name: {k: self._told(e) for k, e in own.items()} for name, own in found.items()}
        chosen, other = steps.choose_policy(found)
        logged = steps.logged_value(self.warehouse, judge)
        spread = self.warehouse.read(judge.agg(sd=judge["reward"].std()))["sd"][0]
        picked = {"values": values, "as logged": self._told(logged), "spread": spread}
        gain = found[chosen]["DR"] - found[other]["DR"]
        self.put(
            "offline.json", picked | {"chosen": chosen, "other": other, "gain": self._told(gain)}
        )

    def _choose(self) -> None:
        offline = self.read("offline.json")
        arms = {arm: self._policy(offline[arm]) for arm in ("other", "chosen")}
        plan = {arm: [offline[arm], policy.version] for arm, policy in arms.items()}
        per_arm = steps.plan_test(self.config, offline["spread"])
        self.put("choice.json", plan | {"visitors per arm": per_arm})
        arms["chosen"].save(self.folder / "policy.json")

    def _test(self) -> None:
        if self.connect:
            drawn = self.warehouse.table("experiments")
            drawn = drawn.filter(drawn["experiment"] == self.config.experiment)
            n = int(self.warehouse.read(drawn.agg(n=drawn.count()))["n"][0])
            self.put("experiment.json", {"visitors": n})
            return
        choice = self.read("choice.json")
        arms = self._policy(choice["other"][0]), self._policy(choice["chosen"][0])
        tables = simulate_test(
            self.config, arms, choice["visitors per arm"], self.config.experiment
        )
        for name, table in tables.items():
            self.say(str(self.warehouse.ingest(name, table)))
        stored = {name: self._count(name) for name in TABLES}
        self.put("experiment.json", {"visitors": len(tables["experiments"]), "stored": stored})

    def _analyse(self) -> None:
        if not self.read("experiment.json")["visitors"]:
            why = f"no user is in an experiment named {self.config.experiment!r} yet"
            self.put("test.json", {"decision": "test", "why": why})
            return
        test = steps.analyse_test(self.warehouse, self.config, self.config.experiment)
        decision, why, money = steps.judge(self.config, test)
        arms = self._tested()
        if untested := {self._policy("policy").version} - {arms[1][1]}:
            why += f"; it tested {arms[1][1]}, and policy.json is {untested.pop()}, not tested yet"
        said = {"arms": arms, "counts": test.counts, "srm": test.srm, "money": asdict(money)}
        said |= {"gain": self._told(test.gain), "guard": self._told(test.guard)}
        self.put("test.json", {"decision": decision, "why": why} | said)

    def _tested(self) -> list[list[str]]:
        """Name and version of what decided in arm 0 and arm 1; a log that grew may choose anew."""
        choice = self.read("choice.json")
        names = {version: name for name, version in (choice["other"], choice["chosen"])}
        shown = steps.shown_in_test(self.warehouse, self.config, self.config.experiment)
        found = self.warehouse.read(shown.select("arm", "policy").distinct())
        arms = ["+".join(sorted(found["policy"][found["arm"] == arm])) for arm in (0, 1)]
        return [[names.get(version, f"arm {arm}"), version] for arm, version in enumerate(arms)]

    def _told(self, estimate: Estimate) -> dict[str, Any]:
        """Return an estimate as JSON keeps it, with its interval at the declared level."""
        low, high = estimate.conf_int(self.config.level)
        said = {"estimand": estimate.estimand, "method": estimate.method, "n": estimate.n}
        numbers = {"value": estimate.value, "se": estimate.se, "low": low, "high": high}
        return said | numbers | {"dof": estimate.dof, "notes": list(estimate.notes)}

    def _recommend(self) -> None:
        names, policy = shelf_names(self.warehouse), self._policy("policy")
        lists = recommend_items(self.warehouse, policy, self._learned(), names, self.config.items)
        self.put_frame("recommendations.parquet", lists)

    def _report(self) -> None:
        found = {part: self.read(f"{part}.json") for part in PARTS}
        found["warned"] = {step: said for step, said in self.state["warned"].items() if said}
        test, choice = found["test"], found["choice"]
        other, chosen = test.get("arms", (choice["other"], choice["chosen"]))
        decision = {"decision": test["decision"], "why": test["why"]}
        decision |= {"policy": chosen, "against": other}
        decision |= {k: test[k] for k in ("gain", "guard", "money") if k in test}
        self.put("decision.json", decision | {"declared": asdict(self.config)})
        put(self.folder / "report.html", write_report(self.config, found))
