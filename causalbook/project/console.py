"""The command `causalbook`: each function here is one of its subcommands and only reads flags."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

EXIT_CODES = (
    "Exit codes: 0 done; 2 something must be changed, and one line on stderr says what; "
    "3 done, but a check failed, so that nothing is decided; 130 interrupted, run it again."
)
app = typer.Typer(
    help="From a log of recommendations to a decision that can be checked.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@contextmanager
def plainly() -> Iterator[None]:
    """Turn a refusal (ValueError) or a file error into one line on stderr and exit code 2."""
    try:
        yield
    except (ValueError, OSError) as refusal:
        typer.echo(f"causalbook: {' '.join(str(refusal).split())}", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        typer.echo("causalbook: interrupted; run it again, and it goes on", err=True)
        raise typer.Exit(130) from None


@app.callback()
def causalbook() -> None:
    """From a log of recommendations to a decision that can be checked."""


def _example(wanted: bool) -> None:
    """Print every field of a declaration with its default."""
    if wanted:
        from causalbook.project.configuration import RunConfig

        typer.echo(RunConfig().to_toml(), nl=False)
        raise typer.Exit


@app.command(epilog=EXIT_CODES)
def run(
    folder: Annotated[Path, typer.Argument(help="Empty or new, or that of the same run before.")],
    config: Annotated[
        Path | None, typer.Option(help="TOML: estimand, outcome, guard-rail, ...; see --example.")
    ] = None,
    users: Annotated[int | None, typer.Option(help="Visits in the simulated log.")] = None,
    seed: Annotated[int | None, typer.Option(help="Chance of the simulated shop.")] = None,
    url: Annotated[
        str | None, typer.Option(help="Warehouse; a DuckDB file in the folder by default.")
    ] = None,
    connect: Annotated[
        bool, typer.Option("--connect", help="Analyse what the warehouse holds; write nothing.")
    ] = False,
    example: Annotated[
        bool,
        typer.Option(
            "--example", is_eager=True, callback=_example, help="Print a config, and stop."
        ),
    ] = False,
) -> None:
    """Go from an empty folder to a report and a decision; run it again to go on.

    The steps: generate, ingest, check, identify, train, estimate, evaluate, choose, test, analyse,
    recommend, report. Killed anywhere and run again, it leaves the same files. The first to read is
    FOLDER/report.html, then decision.json, policy.json (for serve), recommendations.parquet.

    Example: causalbook run first

    Example: causalbook run second --seed 2 --config run.toml

    Example: causalbook run ours --connect --url postgresql://warehouse/shop
    """
    from causalbook.project.configuration import read_config

    with plainly():
        declared = read_config(config, users=users, seed=seed)
        from causalbook.project.pipeline import Pipeline

        decision = Pipeline(folder, declared, url=url, connect=connect).run(progress=True)
    typer.echo(f"{decision['decision']}: {decision['why']}\nreport: {folder / 'report.html'}")
    if decision["decision"] == "undecided":
        raise typer.Exit(3)


@app.command(epilog=EXIT_CODES)
def ingest(
    table: Annotated[
        str, typer.Argument(help="users, items, impressions, outcomes or experiments.")
    ],
    rows: Annotated[Path, typer.Argument(help="A parquet file, or a folder of them.")],
    url: Annotated[
        str | None,
        typer.Option(help="Warehouse: a DuckDB file or an address; or set CAUSALBOOK_URL."),
    ] = None,
    chunk: Annotated[int, typer.Option(help="Rows a transaction.")] = 100_000,
) -> None:
    """Add rows to a table of the warehouse; killed at any row and run again, none lost or doubled.

    Exit code 3 says that rows were quarantined: the receipt counts them by reason.

    Example: causalbook ingest impressions log/impressions --url shop.duckdb
    """
    with plainly():
        from causalbook.project.warehouse import Warehouse

        if not (url or os.environ.get("CAUSALBOOK_URL")):
            raise ValueError("--url is not given: say where the rows go, or set CAUSALBOOK_URL")
        with Warehouse(url) as w:
            receipt = w.ingest(table, rows, chunk=chunk)
    typer.echo(str(receipt))
    if receipt.quarantined:
        raise typer.Exit(3)


@app.command(epilog=EXIT_CODES)
def serve(
    policy: Annotated[
        list[Path],
        typer.Option(help="policy.json; twice, for arm 0 and arm 1, with --experiment."),
    ],
    log: Annotated[Path, typer.Option(help="Folder of the log; a restart goes on in it.")],
    experiment: Annotated[str, typer.Option(help="Name of the test of the two policies.")] = "",
    share: Annotated[float, typer.Option(help="Share of the users in arm 1.")] = 0.5,
    items: Annotated[Path | None, typer.Option(help="JSON list: one item an action.")] = None,
    planned: Annotated[float, typer.Option(help="Least share of effective rounds.")] = 0.01,
    sync: Annotated[bool, typer.Option(help="Wait for the disk: survives a power cut.")] = False,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
) -> None:
    """Answer POST /recommend, with policy version and propensity in the log before the answer.

    Example: causalbook serve --policy run/policy.json --log served
    """
    from causalbook.project.web_server import serve as run_server

    with plainly():
        typer.echo(f"causalbook: starts on http://{host}:{port}, log in {log}", err=True)
        run_server(
            policy,
            log,
            host=host,
            port=port,
            experiment=experiment,
            share=share,
            items=items,
            planned=planned,
            sync=sync,
        )


@app.command(epilog=EXIT_CODES)
def explain(
    log: Annotated[
        Path,
        typer.Argument(
            help="A log as parquet or CSV, of another time than the "
            "one from which the policy was learned."
        ),
    ],
    policy: Annotated[Path, typer.Option(help="policy.json, as run writes it.")],
    context: Annotated[str, typer.Option(help='A context of the policy, such as "looks Drama".')],
    action: Annotated[int, typer.Option(help="The action to explain, from 0.")],
    against: Annotated[int, typer.Option(help="The action to compare it with.")] = 0,
    context_column: Annotated[str, typer.Option(help="Column of contexts.")] = "context",
    action_column: Annotated[str, typer.Option(help="Column of actions.")] = "action",
    reward: Annotated[str, typer.Option(help="Column of rewards.")] = "reward",
    pscore: Annotated[str, typer.Option(help="Column of logged propensities.")] = "pscore",
    cluster: Annotated[str, typer.Option(help="Column of the user, if rows repeat users.")] = "",
) -> None:
    """Say why an action was chosen in a context, and what it changes there.

    Example: causalbook explain log.parquet --policy policy.json --context "looks Drama" --action 4
    """
    from causalbook.project.explanation_cards import explain_from_file

    with plainly():
        columns = {"action": action_column, "reward": reward, "pscore": pscore}
        columns |= {"context": context_column} | ({"cluster": cluster} if cluster else {})
        typer.echo(repr(explain_from_file(log, policy, context, action, against, columns)))


@app.command(epilog=EXIT_CODES)
def audit(
    log: Annotated[Path, typer.Argument(help="Your log, .csv or .parquet: a row a decision.")],
    action: Annotated[str, typer.Option(help="Column of what was shown.")] = "",
    reward: Annotated[str, typer.Option(help="Column of what came of it: click, money.")] = "",
    pscore: Annotated[
        str, typer.Option(help="Column of the probability with which it was shown.")
    ] = "",
    context: Annotated[
        str, typer.Option(help="Columns of what was known before, with commas between.")
    ] = "",
    cluster: Annotated[str, typer.Option(help="Column of the user, if rows repeat users.")] = "",
    target: Annotated[
        str, typer.Option(help="Policy to value: uniform, best, or a policy.json.")
    ] = "uniform",
    treatment: Annotated[str, typer.Option(help="Column of a treatment, 0 or 1.")] = "",
    outcome: Annotated[str, typer.Option(help="Column of the treatment's outcome.")] = "",
    arm: Annotated[str, typer.Option(help="Column of the arm of an experiment.")] = "",
    share: Annotated[
        str, typer.Option(help="Designed shares, control first: old=0.5,new=0.5.")
    ] = "",
    time: Annotated[str, typer.Option(help="Column of the time.")] = "",
    html: Annotated[Path | None, typer.Option(help="Where to write the page (.html).")] = None,
) -> None:
    """Say what can be estimated from a log of your own, estimate it, and say what cannot and why.

    Example: causalbook audit log.csv --action item --reward click --pscore p --context page
    --cluster user --target best --html audit.html

    Name what you have: each column answers a question more. Without --pscore no other policy can
    be valued but under an assumption; with --arm and --share an experiment is checked. Exit code 3
    says that the log cannot answer a question that you asked.
    """
    from causalbook.project.audit_files import audit_file

    with plainly():
        named = {"action": action, "reward": reward, "pscore": pscore, "treatment": treatment}
        named |= {"outcome": outcome, "cluster": cluster, "arm": arm, "time": time}
        found = audit_file(log, context=context, share=share, target=target, html=html, **named)
        typer.echo(found.text(), nl=False)
    if not found.sound:
        raise typer.Exit(3)


@app.command(epilog=EXIT_CODES)
def launches(
    number: Annotated[int, typer.Option(help="How many launches to simulate.")] = 50,
    visits: Annotated[int, typer.Option(help="Visits in the log of each launch.")] = 4_000,
    units: Annotated[float, typer.Option(help="Visits that a launch concerns.")] = 1_000_000,
    seed: Annotated[int, typer.Option(help="Chance of the simulated shops.")] = 1,
) -> None:
    """Simulate launches, and count how often each offline number picks the better of two models.

    Example: causalbook launches --number 20 --visits 20000
    """
    with plainly():
        from causalbook.project import right_choices, simulate_launches

        table = right_choices(simulate_launches(number, visits=visits, seed=seed), units=units)
        typer.echo(table.round({"regret": 0}).round(3).to_string())


@app.command(epilog=EXIT_CODES)
def release(
    log: Annotated[Path, typer.Argument(help="An experiment, .csv or .parquet: a row a user.")],
    treatment: Annotated[str, typer.Option(help="Column of the arm, 0 or 1, as randomised.")],
    outcome: Annotated[str, typer.Option(help="Column of the outcome.")],
    low: Annotated[float, typer.Option(help="Least outcome that counts, not read off the data.")],
    high: Annotated[float, typer.Option(help="Largest outcome that counts, likewise.")],
    epsilon: Annotated[float, typer.Option(help="Privacy loss of this release.")],
    total: Annotated[float, typer.Option(help="Privacy loss of all releases about these users.")],
    budget: Annotated[Path, typer.Option(help="File that keeps count of the releases.")],
) -> None:
    """Release the effect of an experiment with differential privacy, and count what it spends.

    Example: causalbook release users.csv --treatment arm --outcome spent --low 0 --high 30
    --epsilon 0.5 --total 1 --budget spent.json
    """
    from causalbook.project.budgets import Budget, release_effect

    with plainly():
        purse = Budget(budget, total)
        effect = release_effect(
            log,
            treatment=treatment,
            outcome=outcome,
            low=low,
            high=high,
            epsilon=epsilon,
            budget=purse,
        )
        typer.echo(f"{effect!r}\nspent: {purse.spent:g} of {total:g}")


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
