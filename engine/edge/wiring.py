"""The one place that knows which connectors exist and puts the parts of a daemon together."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr

import connectors
from engine.decode.record import Bad, FeedDecoder
from engine.decode.shape import columns_of_feed
from engine.dispatch.inhibit import DownFeeds, Routing, down_feeds
from engine.dispatch.retry import RetryPolicy
from engine.dispatch.route import unknown_sinks
from engine.edge.kafka_settings import access_problems
from engine.edge.layers import Layers
from engine.edge.settings import Configured, OutboxSettings, RetentionSettings
from engine.edge.store.keep import Retention
from engine.errors import DeclarationError, Level, Problem
from engine.kafka.access import Access, is_loopback
from engine.ports import Journal, Sink, SinkContext, Source, SourceContext
from engine.ruleset.shape import nearest, validate
from engine.ruleset.spec import Project, RouteSpec
from engine.secret_files import read_secret

if TYPE_CHECKING:
    from connectors.sources.http import Intake

OWN_SINK = "alerts"
"""Where no sink is declared, every alert goes to this JSON lines file of the data folder."""

FEED_PARTITIONS = 4096
"""Streams that one source of a feed may have; the next source of that feed counts on from there."""


@dataclass(frozen=True, slots=True)
class Declared:
    """One connector of the settings, checked against the schema of its kind."""

    name: str
    kind: str
    module: ModuleType
    options: Any

    @property
    def has_inbox(self) -> bool:
        """Whether it keeps in the inbox of its feed what it is handed."""
        return bool(getattr(self.module, "INBOX", False))


@dataclass(frozen=True, slots=True)
class Plan:
    """The connectors that settings declare, not yet made, and who hears of what."""

    sources: Sequence[Declared] = ()
    sinks: Sequence[Declared] = ()
    routes: Mapping[str, RouteSpec] = field(default_factory=dict)
    down: DownFeeds = field(default_factory=DownFeeds)

    @property
    def route(self) -> Routing:
        """Which sinks must hear of a change, and which changes wait while a feed is down."""
        return Routing(self.routes, self.down)

    def secrets(self, configured: Configured) -> list[str]:
        """Every secret of the settings and of files they name, so that logs can cut it out."""
        values, folder = configured.values, configured.folder
        found = _secrets(values.http, folder) + _secrets(values.kafka, folder)
        for system in values.api.systems.values():
            found += _secrets(system, folder)
        for one in (*self.sources, *self.sinks):
            found += _secrets(one.options, configured.data_folder)
        return found


def plan_connectors(configured: Configured, project: Project, lang: str) -> Plan:
    """Check every declared connector and route.

    Raises:
        DeclarationError: an unknown kind, feed or sink, or an option that does not fit; all of
            them at once.

    """
    problems: list[Problem] = []
    sources, sinks = _both(configured.layers, problems, lang)
    problems += _misplaced(configured, sources, project)
    routes, names = dict(project.routes), list(configured.values.sinks)
    if not configured.values.sinks:
        sinks = [_own_sink(lang)]
        routes, names = _all_to(OWN_SINK, routes), [OWN_SINK]
    problems += [
        Problem(route.at, "S104", {"route": route.name, "found": sink}, nearest(sink, names))
        for route, sink in unknown_sinks(routes.values(), names)
    ]
    if problems:
        raise DeclarationError(problems)
    return Plan(sources, sinks, routes, down_feeds(project))


def connector_problems(layers: Layers) -> list[Problem]:
    """What is wrong with the declared connectors by themselves, whatever else is wrong."""
    problems: list[Problem] = []
    _both(layers, problems, "en")
    return problems


def open_doors(configured: Configured, plan: Plan) -> list[Problem]:
    """Warnings: records are taken from other machines, and from anybody there."""
    found = [
        Problem(
            configured.layers.at(("sources", one.name, "host")),
            "S117",
            {"host": one.options.host},
            level=Level.WARNING,
        )
        for one in plan.sources
        if not getattr(one.options, "guarded", True) and not is_loopback(one.options.host)
    ]
    http = configured.values.http
    guarded = http.token is not None or http.token_file is not None
    if guarded or is_loopback(http.host) or all(one.kind != "http" for one in plan.sources):
        return found
    at = configured.layers.at(("http", "host"))
    return [*found, Problem(at, "S115", {"host": http.host}, level=Level.WARNING)]


def make_sinks(plan: Plan, folder: Path) -> list[Sink]:
    """Make the declared sinks; relative paths start at the data folder."""
    context = SinkContext(str(folder))
    return [sink.module.build(sink.name, sink.options, context) for sink in plan.sinks]


def make_sources(
    plan: Plan,
    decoders: Mapping[str, FeedDecoder],
    folder: Path,
    journal: Journal,
    count: Callable[[str, str, int], None] | None = None,
) -> list[Source]:
    """Make the declared sources; each source of a feed gets its own range of streams.

    Figures of their own go to `count` with the source's name.
    """
    counts: dict[str, int] = {}
    made: list[Source] = []
    for source in plan.sources:
        feed = source.options.feed
        number = counts[feed] = counts.get(feed, -1) + 1
        context = feed_context(decoders[feed], number * FEED_PARTITIONS, folder, journal)
        if count is not None:
            context = replace(context, count=partial(count, source.name))
        made.append(source.module.build(source.name, source.options, context))
    return made


def feed_context(
    decoder: FeedDecoder, partition: int, folder: Path, journal: Journal
) -> SourceContext:
    """What a source is told about the feed it fills."""
    spec = decoder.spec
    return SourceContext(
        feed=spec.name,
        format=spec.format,
        partition=partition,
        folder=str(folder),
        time_of=time_reader(decoder),
        reason=_judge(decoder),
        journal=journal,
        columns=columns_of_feed(spec),
    )


def time_reader(decoder: FeedDecoder) -> Callable[[bytes], int | None]:
    """Event time (UTC ms) of a raw record or heartbeat, or None."""

    def time_of(value: bytes) -> int | None:
        said = decoder.watermark(value)
        if said is not None:
            return said
        found = decoder.decode(value)
        return None if isinstance(found, Bad) else found[0]

    return time_of


def make_intake(
    sources: Sequence[Source], configured: Configured, feeds: Sequence[str], lang: str
) -> "Intake | None":
    """The HTTP port for the sources that are posted to; None when there are none."""
    # The server is imported by the daemon alone: the verbs that read its settings answer at once.
    from connectors.sources.http import HttpSource, Intake  # noqa: PLC0415

    posted = [source for source in sources if isinstance(source, HttpSource)]
    if not posted:
        return None
    http = configured.values.http
    return Intake(
        posted,
        token=read_secret(http.token, http.token_file, configured.folder, lang),
        max_body=http.max_body,
        max_record=http.max_record,
        inbox_limit=http.inbox_limit,
        lang=lang,
        known=feeds,
    )


def _secrets(options: BaseModel, folder: Path) -> list[str]:
    """The secrets among some options, and those in files; an unreadable file is told elsewhere."""
    found: list[str] = []
    values = dict(options)
    for name, value in values.items():
        if isinstance(value, BaseModel):
            found += _secrets(value, folder)
        elif isinstance(value, SecretStr):
            found.append(value.get_secret_value())
        elif value and name.endswith("_file") and name.removesuffix("_file") in values:
            with suppress(OSError, UnicodeDecodeError):
                found.append((folder / value).read_text("utf-8").strip())
    return found


def retry_policy(settings: OutboxSettings) -> RetryPolicy:
    """How patient the senders are."""
    return RetryPolicy(
        first_s=settings.first_wait_s,
        most_s=settings.most_wait_s,
        give_up_s=settings.give_up_s,
        attempts=settings.attempts,
    )


def retention(settings: RetentionSettings) -> Retention:
    """How long the store keeps what is over."""
    return Retention(**settings.model_dump())


def _judge(decoder: FeedDecoder) -> Callable[[bytes], tuple[str, str] | None]:
    def reason(value: bytes) -> tuple[str, str] | None:
        if decoder.watermark(value) is not None:
            return None
        found = decoder.decode(value)
        return (found.reason, found.detail) if isinstance(found, Bad) else None

    return reason


def _both(
    layers: Layers, problems: list[Problem], lang: str
) -> tuple[list[Declared], list[Declared]]:
    """Sources and sinks that are right; what is wrong with the others."""
    sources = _declared(layers, "sources", connectors.source_kinds(), "S101", problems, lang)
    return sources, _declared(layers, "sinks", connectors.sink_kinds(), "S102", problems, lang)


def _declared(
    layers: Layers,
    section: str,
    kinds: Mapping[str, str],
    code: str,
    problems: list[Problem],
    lang: str,
) -> list[Declared]:
    """Every connector of a section whose kind and options are right."""
    found: list[Declared] = []
    declared = layers.value.get(section) if isinstance(layers.value, dict) else None
    for name, values in declared.items() if isinstance(declared, dict) else ():
        if not isinstance(values, dict):
            continue  # its shape is wrong, which is said where shapes are looked at
        kind: Any = values.get("kind")
        if kind not in kinds:
            at = layers.at((section, name, "kind"))
            words = {"found": kind or "", "kinds": ", ".join(sorted(kinds))}
            problems.append(Problem(at, code, words, nearest(str(kind or ""), kinds)))
            continue
        try:
            module = connectors.module_of(kinds[kind])
            connectors.need(module)
        except connectors.Lacking as error:
            words = {"name": kind, "extra": error.extra}
            problems.append(Problem(layers.at((section, name, "kind")), "S116", words))
            continue
        except ImportError as error:
            words = {"name": kind, "why": str(error)}
            problems.append(Problem(layers.at((section, name, "kind")), "S107", words))
            continue
        schema: type[BaseModel] = module.Options
        options = validate(schema, layers.document(section, name))
        if isinstance(options, tuple):
            problems += options
            continue
        if isinstance(options, Access):
            place = (section, name)
            address = str(getattr(options, "bootstrap", ""))
            problems += access_problems(options, address, layers, place, (*place, "bootstrap"))
        if "lang" in schema.model_fields and "lang" not in values:
            options = options.model_copy(update={"lang": lang})
        found.append(Declared(name, kind, module, options))
    return found


def _misplaced(
    configured: Configured, sources: Sequence[Declared], project: Project
) -> list[Problem]:
    """Sources for feeds that do not exist, and second ones that use the inbox of a feed."""
    problems: list[Problem] = []
    posted: set[str] = set()
    for source in sources:
        feed, at = source.options.feed, configured.layers.at(("sources", source.name, "feed"))
        if feed not in project.feeds:
            words = {"source": source.name, "found": feed}
            problems.append(Problem(at, "S103", words, nearest(feed, project.feeds)))
        if source.has_inbox and feed in posted:
            problems.append(Problem(at, "S106", {"feed": feed}))
        if source.has_inbox:
            posted.add(feed)
    return problems


def _own_sink(lang: str) -> Declared:
    module = connectors.module_of(connectors.SINKS["jsonl"])
    return Declared(OWN_SINK, "jsonl", module, module.Options(path="alerts.jsonl", lang=lang))


def _all_to(sink: str, routes: Mapping[str, RouteSpec]) -> dict[str, RouteSpec]:
    """The same routes, all to one sink, with a default for rules that name none."""
    every = {"default": RouteSpec("default", (sink,)), **routes}
    return {
        name: RouteSpec(name, (sink,), route.min_severity, route.labels, route.at)
        for name, route in every.items()
    }


def connector_options() -> Mapping[str, Mapping[str, type[BaseModel]]]:
    """What may be declared about each kind of connector: by section of the settings and kind."""
    found = {"sources": connectors.source_kinds(), "sinks": connectors.sink_kinds()}
    return {
        section: {kind: connectors.module_of(path).Options for kind, path in sorted(kinds.items())}
        for section, kinds in found.items()
    }
