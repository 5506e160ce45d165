"""The verbs that move records: replay, backtest, run, simulate, receive, demo."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.edge.cli.options import Json, Lang, Packs

# The work is imported inside the verbs, so that their help comes at once.
# ruff: noqa: PLC0415


def replay(
    data: Annotated[list[str], typer.Argument(metavar="DATA")],
    rules: Packs = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME")] = None,
    sort: Annotated[bool, typer.Option("--sort")] = False,
    rejected: Annotated[Path | None, typer.Option("--rejected", metavar="FILE")] = None,
    json: Json = False,
    lang: Lang = None,
) -> int:
    """Run recordings through the rules."""
    from engine.edge.cli.replaying import replay_recordings

    del json, lang
    return replay_recordings(data, rules or [], out=out, until=until, sort=sort, rejected=rejected)


def backtest(
    rules: Annotated[Path, typer.Argument(metavar="RULES")],
    data: Annotated[list[str], typer.Argument(metavar="DATA")],
    against: Annotated[Path | None, typer.Option("--against", metavar="OLD")] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="TIME")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE")] = None,
    form: Annotated[str, typer.Option("--format", metavar="text|json")] = "",
    sort: Annotated[bool, typer.Option("--sort")] = False,
    json: Json = False,
    lang: Lang = None,
) -> int:
    """Try rules on recorded feeds."""
    from engine.edge.cli.backtesting import Asked, backtest_rules

    del json, lang
    return backtest_rules(Asked(rules, tuple(data), against, since, until, out, form, sort))


def run(
    target: Annotated[Path, typer.Argument(metavar="FOLDER|FILE")] = Path(),
    once: Annotated[bool, typer.Option("--once")] = False,
    role: Annotated[str | None, typer.Option("--role", metavar="worker|dispatcher|gateway")] = None,
    broker: Annotated[str | None, typer.Option("--broker", metavar="URL")] = None,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR")] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait")] = False,
    json: Json = False,
    lang: Lang = None,
) -> int:
    """Run the daemon."""
    from engine.edge.cli.daemon import run_daemon

    del json
    return run_daemon(
        target, once=once, role=role, broker=broker, data=data, lang=lang, wait=not no_wait
    )


def reload(
    target: Annotated[Path, typer.Argument(metavar="FOLDER|FILE")] = Path(),
    plan: Annotated[bool, typer.Option("--plan")] = False,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR")] = None,
    json: Json = False,
    lang: Lang = None,
) -> int:
    """Bring edited rules into the running daemon."""
    from engine.edge.cli.reload_verb import ask_for_reload

    del json, lang
    return ask_for_reload(target, only_plan=plan, data=data)


def simulate(
    context: typer.Context,
    world: Annotated[str, typer.Argument(metavar="WORLD")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR")],
    seed: Annotated[int, typer.Option("--seed", metavar="N")] = 7,
    rate: Annotated[float, typer.Option("--rate", metavar="N")] = 0.0,
    http: Annotated[str | None, typer.Option("--http", metavar="URL")] = None,
    kafka: Annotated[str | None, typer.Option("--kafka", metavar="SERVERS")] = None,
    json: Json = False,
    lang: Lang = None,
) -> int:
    """Make a simulated world."""
    from engine.edge.cli.simulating import simulate_world

    del json, lang
    return simulate_world(
        world, out=out, seed=seed, rate=rate, http=http, kafka=kafka, more=context.args
    )


def receive(
    port: Annotated[int, typer.Option("--port", metavar="N")] = 8700,
    secret: Annotated[str | None, typer.Option("--secret", metavar="SECRET")] = None,
    truth: Annotated[Path | None, typer.Option("--truth", metavar="FILE")] = None,
    quiet_after: Annotated[float, typer.Option("--quiet-after", metavar="SECONDS")] = 0.0,
    json: Json = False,
    lang: Lang = None,
) -> int:
    """Receive alerts and print them."""
    from engine.edge.cli.receive import receive_alerts

    del json, lang
    return receive_alerts(port, secret=secret, truth=truth, quiet_after_s=quiet_after)


def demo(
    seed: Annotated[int, typer.Option("--seed", metavar="N")] = 7,
    keep: Annotated[Path | None, typer.Option("--keep", metavar="DIR")] = None,
    kafka: Annotated[bool, typer.Option("--kafka")] = False,
    json: Json = False,
    lang: Lang = None,
) -> int:
    """Show a simulated city with its alerts."""
    from engine.edge.cli.demo import show

    del json, lang
    return show(seed=seed, keep=keep, kafka=kafka)


COMMANDS: Mapping[str, Callable[..., Any]] = {
    "replay": replay,
    "backtest": backtest,
    "run": run,
    "reload": reload,
    "simulate": simulate,
    "receive": receive,
    "demo": demo,
}
