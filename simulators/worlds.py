"""The worlds by name, with the sizes each can be asked for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from simulators.city import City
from simulators.fleet import Fleet
from simulators.payroll import Payroll
from simulators.scenario import World


@dataclass(frozen=True, slots=True)
class Option:
    """One size or choice of a world."""

    name: str
    type: Callable[[str], Any]
    default: Any
    help: str
    choices: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of world and its options."""

    build: Callable[..., World]
    help: str
    options: tuple[Option, ...]


def _default(build: type, name: str) -> Any:
    return build.__dataclass_fields__[name].default  # type: ignore[attr-defined]


def _options(build: type, *names: str) -> tuple[Option, ...]:
    """The options of a world, with its own defaults."""
    return tuple(_option(build, name) for name in names)


def _option(build: type, name: str) -> Option:
    read, text, *choices = _ABOUT[name]
    default = _default(build, name)
    return Option(name, read, default, text, choices[0] if choices else None)


def count(text: str) -> int:
    """A whole number above zero."""
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number


def span(text: str) -> float:
    """A number of hours above zero."""
    if not 0 < (hours := float(text)) < _LONGEST_H:
        raise ValueError(text)
    return hours


def instant(text: str) -> str:
    """An instant with its offset, as it was written."""
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError(text)
    return text


_LONGEST_H = 100_000
_NOISE = ("none", "default", "heavy")
_ABOUT: dict[str, Any] = {
    "seed": (int, "the same seed makes the same world"),
    "vehicles": (count, "how many vehicles"),
    "hours": (span, "how long the vehicles are watched"),
    "projects": (count, "how many construction projects"),
    "days": (count, "how many days the ledgers cover"),
    "start": (instant, "first instant, ISO with offset"),
    "every_s": (count, "seconds between two fixes on the way"),
    "datum": (str, "datum of the positions sent", ("gcj02", "wgs84")),
    "noise": (str, "what the world does to clean records", _NOISE),
}

WORLDS = {
    "fleet": Kind(
        Fleet,
        "hazmat vehicles on the road",
        _options(Fleet, "seed", "vehicles", "hours", "start", "every_s", "datum", "noise"),
    ),
    "payroll": Kind(
        Payroll,
        "construction projects and their wage ledgers",
        _options(Payroll, "seed", "projects", "days", "start", "noise"),
    ),
    "city": Kind(
        City,
        "fleet and payroll on one clock, ending at the same instant",
        _options(
            City,
            "seed",
            "vehicles",
            "hours",
            "projects",
            "days",
            "start",
            "every_s",
            "datum",
            "noise",
        ),
    ),
}


def make(name: str, **sizes: Any) -> World:
    """A world by name; sizes left out have their defaults."""
    return WORLDS[name].build(**sizes)


def simulate(name: str = "fleet", **sizes: Any) -> Iterator[tuple[str, str, int, bytes]]:
    """The records of a world in order of arrival: feed, key, event time (UTC ms), bytes.

    The key is empty for a heartbeat.
    """
    for item in make(name, **sizes).items():
        yield item.feed, item.key, item.time_ms, item.value
