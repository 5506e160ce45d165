"""What a running API has at hand: the shelf of cases, the accounts, masks, limits and figures."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

from fastapi import Request

from engine.cases.model import Role
from engine.edge.api.accounts import Accounts
from engine.edge.api.documents import Feed, Rule
from engine.edge.api.limits import Limits
from engine.edge.api.masking import CLEAR, Personal
from engine.edge.api.shelf import Shelf


def wall_ms() -> int:
    """Now, in UTC milliseconds."""
    return time.time_ns() // 1_000_000


class Figuring(Protocol):
    """How rules and feeds are, asked whenever somebody wants to know."""

    async def rules(self) -> Sequence[Rule]:
        """The rules in force."""

    async def feeds(self) -> Sequence[Feed]:
        """The feeds that they read."""


@dataclass(slots=True)
class Services:
    """What the routes work with.

    Attributes:
        personal: Which fields are personal data, as the rules in force say.
        keys: For each outside order system the keys that it may sign receipts with.
        requests: How often an account may ask; `failures`, how often an address may fail to show
            a good token.
        sinks: Those of the settings; None: not known. An order handed to another waits for ever.
        streams: The most streams of events that are open at once; `open_streams` how many are.

    """

    shelf: Shelf
    accounts: Accounts
    figures: Figuring
    personal: Callable[[], Personal] = Personal
    keys: Mapping[str, Sequence[str]] = field(default_factory=dict)
    clear: Mapping[Role, frozenset[str]] = field(default_factory=lambda: CLEAR)
    requests: Limits = field(default_factory=lambda: Limits(600))
    failures: Limits = field(default_factory=lambda: Limits(10))
    now_ms: Callable[[], int] = wall_ms
    lang: str = "en"
    heartbeat_s: float = 15.0
    sinks: Collection[str] | None = None
    streams: int = 200
    open_streams: int = 0
    stopping: bool = False


def services_of(request: Request) -> Services:
    """The services of the application that serves a request."""
    return cast("Services", request.app.state.services)
