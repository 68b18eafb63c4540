"""The service: one answer at a time, and its line in the log before it leaves."""
# No `from __future__ import annotations`: FastAPI reads those of functions within a function.

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

from causalbook.project.monitors import Traffic
from causalbook.project.policy_tables import TablePolicy, shop_context
from causalbook.project.request_log import RequestLog, arm_of, draw_action

if TYPE_CHECKING:
    from fastapi import FastAPI

ANSWER = ("impression", "action", "item", "policy", "pscore")


def create_app(
    policies: Sequence[TablePolicy],
    log: RequestLog,
    *,
    experiment: str = "",
    share: float = 0.5,
    items: Sequence[int] = (),
    planned: float = 0.01,
) -> "FastAPI":
    r"""Build the service of one policy, or of two that an experiment compares.

    $$\text{arm} = 1\{H(\text{experiment}, \text{user}) < share\}, \qquad
      a \sim \pi_{arm}(\cdot \mid x)$$

    POST /recommend {user, context or query} answers {impression, action, item, policy, pscore};
    POST /feedback {impression, kind, value, outcome} may be said again with the same effect; GET
    /health and /metrics. A bad request gets 422 and a reason. Without its line in the log no
    answer leaves: a full disk gives 503.

    Parameters: `policies`, one, or those of arm 0 and arm 1; `log` to write to, read once at the
    start; `experiment` its name, `share` of users in arm 1; `items`, one for each action (-1:
    none); `planned` share of effective rounds below which the overlap alarm rings.
    Raises ValueError for two policies without an experiment and the reverse, items that are not
    one an action, and as `Traffic` does. Source: ours.
    """
    from fastapi import FastAPI, HTTPException, Request
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse, Response
    from prometheus_client import (
        CONTENT_TYPE_LATEST,
        CollectorRegistry,
        Counter,
        Gauge,
        Histogram,
        generate_latest,
    )
    from pydantic import BaseModel, ConfigDict, Field
    from starlette.exceptions import HTTPException as AnyHTTPException

    if len(policies) != 1 + bool(experiment):
        raise ValueError(
            f"policies are {len(policies)}, experiment is {experiment!r}: pass one policy, or two "
            "and the name of the experiment that compares them"
        )
    traffic = Traffic(policies, experiment=experiment, share=share, planned=planned)
    shelf = list(items) or [-1] * policies[0].n_actions
    if len(shelf) != policies[0].n_actions:
        raise ValueError(f"items are {len(shelf)}: pass one for each of {policies[0].n_actions}")
    chances = [{x: list(map(float, p.probabilities[x])) for x in p.contexts} for p in policies]
    of_query("drama")  # pays for pandas before the first visitor comes
    outcomes: dict[str, tuple[str, str, float]] = {}
    for line in log.lines():  # a restart goes on where the log ends
        if "outcome" in line:
            outcomes[line["outcome"]] = line["impression"], line["kind"], line["value"]
        else:
            traffic.see(line)

    own = CollectorRegistry()
    shown = Counter("causalbook_impressions", "Answers", ["policy"], registry=own)
    came = Counter("causalbook_feedback", "Outcomes", ["kind"], registry=own)
    refused = Counter("causalbook_refused", "Requests refused", ["status"], registry=own)
    took = Histogram(
        "causalbook_answer_seconds",
        "From the request read to the answer",
        buckets=(0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5),
        registry=own,
    )
    evidence = Gauge("causalbook_evidence", "Log evidence of a fault", ["monitor"], registry=own)
    effective = Gauge("causalbook_effective_share", "Effective rounds", registry=own)
    size = Gauge("causalbook_log_bytes", "Bytes of the log", registry=own)
    torn = Gauge("causalbook_log_torn_bytes", "Cut off when the log was opened", registry=own)
    torn.set(log.cut)

    class Ask(BaseModel):
        model_config = ConfigDict(extra="forbid")
        user: int = Field(ge=0, lt=2**63, strict=True)
        context: str | None = None
        query: str | None = Field(None, max_length=500)

    class Came(BaseModel):
        model_config = ConfigDict(extra="forbid")
        impression: str = Field(max_length=64)
        kind: Literal["view", "cart", "purchase"]
        value: float = Field(0.0, ge=0, allow_inf_nan=False)
        outcome: str = Field("", max_length=128)

    app = FastAPI(title="causalbook", docs_url=None, redoc_url=None)

    def refuse(status: int, reason: str) -> JSONResponse:
        refused.labels(str(status)).inc()
        return JSONResponse({"reason": reason}, status)

    @app.exception_handler(RequestValidationError)
    async def unreadable(_: Request, error: RequestValidationError) -> JSONResponse:
        said = [f"{'.'.join(map(str, e['loc'][1:])) or 'body'}: {e['msg']}" for e in error.errors()]
        return refuse(422, "; ".join(said))

    @app.exception_handler(AnyHTTPException)
    async def told(_: Request, error: AnyHTTPException) -> JSONResponse:
        return refuse(error.status_code, str(error.detail))

    def write(line: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
        try:
            return log.write(line)
        except OSError as full:
            raise HTTPException(503, f"the log cannot be written, so no answer: {full}") from full

    def seen(ask: Ask) -> str:
        """The context that the policy looks at."""
        if (ask.context is None) == (ask.query is None):
            raise HTTPException(422, "context, query: send one of the two")
        try:
            context = of_query(ask.query) if ask.context is None else ask.context
        except ValueError as error:
            raise HTTPException(422, str(error)) from error
        if context not in chances[0]:
            raise HTTPException(422, f"context: {context!r} is unknown to the policy")
        return context

    @app.post("/recommend")
    async def recommend(ask: Ask) -> JSONResponse:
        start, context = perf_counter(), seen(ask)
        arm = arm_of(experiment, ask.user, share) if experiment else 0
        policy, p = policies[arm].version, chances[arm][context]

        def line(impression: str) -> dict[str, Any]:
            action = draw_action(log.salt, impression, p)
            made = {"impression": impression, "at": _now(), "user": ask.user, "context": context}
            made |= {"action": action, "item": shelf[action], "policy": policy}
            made |= {"pscore": p[action]}
            lot = {"experiment": experiment, "arm": arm, "share": share if arm else 1 - share}
            return made | lot if experiment else made

        entry = write(line)  # nothing below may come before this
        traffic.see(entry)
        shown.labels(policy).inc()
        took.observe(perf_counter() - start)
        return JSONResponse({name: entry[name] for name in ANSWER})

    @app.post("/feedback")
    async def feedback(said: Came) -> JSONResponse:
        if not log.issued(said.impression):
            raise HTTPException(422, f"impression: {said.impression!r} was never given out here")
        name = said.outcome or f"{said.impression}-{said.kind}"
        event = said.impression, said.kind, said.value
        if (stored := name not in outcomes) is False and outcomes[name] != event:
            raise HTTPException(409, f"outcome: {name!r} is in the log with other values")
        if stored:
            entry = {"outcome": name, "impression": said.impression, "at": _now()}
            write(lambda _: entry | {"kind": said.kind, "value": said.value})
            outcomes[name] = event
            came.labels(said.kind).inc()
        return JSONResponse({"outcome": name, "stored": stored})

    @app.get("/health")
    async def health() -> JSONResponse:
        versions = [policy.version for policy in policies]
        return JSONResponse({"status": "ok", "policies": versions, "experiment": experiment})

    @app.get("/metrics")
    async def metrics() -> Response:
        for check in traffic.checks():
            evidence.labels(check.name).set(check.table["evidence"][0])
        effective.set(traffic.effective())
        size.set(log.size)
        return Response(generate_latest(own), media_type=CONTENT_TYPE_LATEST)

    return app


@lru_cache(maxsize=4096)
def of_query(query: str) -> str:
    """Context of one query; the shop's users type few different ones."""
    import pandas as pd

    return str(shop_context(pd.DataFrame({"query": [query]}))[0])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
