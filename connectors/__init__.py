"""One file per outside system; this page is the table of which kind lives in which file.

A connector module has an `Options` (pydantic model: everything that may be declared about it) and
`build(name, options, context)`, which answers a `Source` or a `Sink` of `engine.ports`.
Outsiders add kinds through the entry-point groups `forewarn.sources` and `forewarn.sinks`, whose
values name such a module. A kind of ours cannot be replaced that way.
"""

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from types import ModuleType

SOURCES: Mapping[str, str] = {
    "file": "connectors.sources.file",
    "hj212": "connectors.sources.hj212",
    "http": "connectors.sources.http",
    "jtt808": "connectors.sources.jtt808",
    "kafka": "connectors.sources.kafka",
    "mqtt": "connectors.sources.mqtt",
    "nmea": "connectors.sources.nmea",
    "sql": "connectors.sources.sql",
    "topic": "connectors.sources.topic",
}
SINKS: Mapping[str, str] = {
    "cap": "connectors.sinks.cap",
    "console": "connectors.sinks.console",
    "dingtalk": "connectors.sinks.dingtalk",
    "feishu": "connectors.sinks.feishu",
    "jsonl": "connectors.sinks.jsonl",
    "kafka": "connectors.sinks.kafka",
    "mail": "connectors.sinks.mail",
    "mqtt": "connectors.sinks.mqtt",
    "sms": "connectors.sinks.sms",
    "sql": "connectors.sinks.sql",
    "webhook": "connectors.sinks.webhook",
    "wecom": "connectors.sinks.wecom",
}


def source_kinds() -> Mapping[str, str]:
    """All kinds of source that are installed, ours and outsiders', with the module of each."""
    return _kinds("forewarn.sources", SOURCES)


def sink_kinds() -> Mapping[str, str]:
    """All kinds of sink that are installed, ours and outsiders', with the module of each."""
    return _kinds("forewarn.sinks", SINKS)


def module_of(path: str) -> ModuleType:
    """Import the module of one kind; only the kinds in use are ever imported.

    Raises:
        ImportError: it cannot be imported, whatever it raises itself, or is no connector.

    """
    try:
        module = import_module(path)
    except ImportError:
        raise
    except Exception as error:  # what another package does wrong is no bug of ours
        why = f"{path}: {error!r}"
        raise ImportError(why) from error
    for name in ("Options", "build"):
        if not hasattr(module, name):
            why = f"module {path!r} has no attribute {name!r}"
            raise ImportError(why)
    return module


class Lacking(Exception):
    """A kind needs libraries that are not installed: those of the extra."""

    def __init__(self, extra: str) -> None:
        """Name the extra of this package."""
        super().__init__(extra)
        self.extra = extra


def need(module: ModuleType) -> None:
    """See that the libraries are there that a kind names in `EXTRA`: (extra, module, ...).

    They are imported when a connector is made, so the schema can be told without them.

    Raises:
        Lacking: one of them is not.

    """
    extra, *wanted = getattr(module, "EXTRA", ("",))
    if not all(map(_is_there, wanted)):
        raise Lacking(extra)


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _kinds(group: str, ours: Mapping[str, str]) -> Mapping[str, str]:
    outside = {entry.name: entry.value for entry in entry_points(group=group)}
    return {**outside, **ours}
