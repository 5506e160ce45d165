"""Alerts as short messages: an approved template, declared numbers, a budget for each number."""

import hashlib
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from connectors.ledger import Ledger
from connectors.notice import Notice, read
from connectors.personal import ToPeople
from connectors.sms import AnyGateway, make
from connectors.wording import one_line
from engine.errors import DeliveryError, Permanent, Retryable
from engine.model.formats import format_time
from engine.ports import SinkContext
from engine.text import say

Number = Annotated[str, StringConstraints(pattern=r"^\+?[0-9]{5,20}$")]
_BUDGET, _DISK = "budget", "disk"
_SPANS = {"minute": 60.0, "hour": 3600.0, "day": 86_400.0}
_SAID = Literal["title", "text", "level", "stage", "place", "subject", "time", "number"]


class Budget(BaseModel):
    """Most messages to one number in any minute, hour and day.

    The defaults lie below what operators of mobile networks in China let through.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    minute: int = Field(default=1, ge=1)
    hour: int = Field(default=5, ge=1)
    day: int = Field(default=40, ge=1)


class Options(ToPeople):
    """What may be declared about short messages.

    Attributes:
        gateway: `provider: http` or `provider: aliyun`, and what that one needs.
        numbers: Who gets them; only these, whatever events say.
        values: For each variable of the approved template, what of an alert is put in.
        longest: Characters a value may have; gateways refuse longer ones.
        budget: Most messages to one number.

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["sms"] = "sms"
    gateway: AnyGateway
    numbers: list[Number] = Field(min_length=1, max_length=100)
    values: dict[str, _SAID] = Field(min_length=1, max_length=20)
    longest: int = Field(default=35, ge=4, le=500)
    budget: Budget = Budget()
    lang: str = "zh"


def build(name: str, options: Options, context: SinkContext) -> "SmsSink":
    """A sink that sends to the declared numbers."""
    return SmsSink(name, options, Path(context.folder))


class SmsSink:
    """Sends each delivery to every number, within that number's budget.

    Who was reached already is not written to again when others are tried again. A number whose
    budget is used up waits until it has room: short messages are never the only channel. Budgets
    and who was reached stand in a file of the sink's own (`sms-<name>.db`).
    """

    parallel = 1

    def __init__(
        self, name: str, options: Options, folder: Path, clock: Callable[[], float] = time.time
    ) -> None:
        """Read the secrets and prepare; `clock` tells Unix seconds.

        Raises:
            EnvironmentUnusable: a secret or an address is not fit.

        """
        self.name = name
        self._options, self._clock = options, clock
        self._path = folder / f"sms-{name}.db"
        self._gateway = make(name, options.gateway, folder, options.lang)
        self._ledger: Ledger | None = None

    async def open(self) -> None:
        """Open the ledger and the gateway.

        Raises:
            EnvironmentUnusable: the ledger cannot be used.

        """
        if self._ledger is None:
            self._ledger = Ledger(self.name, self._path, self._options.lang)
            self._ledger.forget(self._clock() - 30 * _SPANS["day"])
        await self._gateway.open()

    async def send(self, delivery_id: str, body: bytes, attempt: int) -> None:
        """Send one delivery; returns when the gateway has taken it for every number."""
        del attempt
        notice = read(body, self._options.lang, delivery_id, personal=self._options.personal)
        values = {
            name: _short(_said(notice, what), self._options.longest)
            for name, what in self._options.values.items()
        }
        failed: list[DeliveryError] = []
        for number in self._options.numbers:
            try:
                await self._to(number, values, delivery_id)
            except (Retryable, Permanent) as error:
                failed.append(error)
        _tell(failed)

    async def close(self) -> None:
        """Close gateway and ledger; safe to call twice."""
        ledger, self._ledger = self._ledger, None
        if ledger is not None:
            ledger.close()
        await self._gateway.close()

    async def _to(self, number: str, values: dict[str, str], delivery_id: str) -> None:
        """One message, noted before it is sent: a budget is rather undershot than overrun."""
        assert self._ledger is not None  # noqa: S101 - `open` comes first
        who, now_s = _unnamed(number), self._clock()
        mark = f"{delivery_id}/{who}"
        try:
            found = self._ledger.find(mark)
            if found is not None and found[2]:
                return
            wait_s = self._wait_s(who, now_s)
            if wait_s > 0:
                raise Retryable(_BUDGET, f"{wait_s:.0f} s", wait_s)
            self._ledger.spend(who, now_s)
            await self._gateway.send(number, values, delivery_id)
            self._ledger.note(mark, delivery_id, mark, "", now_s)
            self._ledger.taken(mark)
        except sqlite3.Error as error:
            raise Retryable(_DISK, str(error)) from error

    def _wait_s(self, who: str, now_s: float) -> float:
        """How long a number has no room left in its budget; 0 when it has."""
        assert self._ledger is not None  # noqa: S101 - asked by `_to`
        wait_s = 0.0
        for span, length_s in _SPANS.items():
            most = getattr(self._options.budget, span)
            times = self._ledger.spent(who, now_s - length_s)
            if len(times) >= most:
                wait_s = max(wait_s, times[-most] + length_s - now_s)
        return wait_s


def _tell(failed: Sequence[DeliveryError]) -> None:
    """Fail as the numbers did: again if any may be reached later, else for good."""
    later = [error for error in failed if isinstance(error, Retryable)]
    if later:
        waits = [error.retry_after_s for error in later if error.retry_after_s]
        raise Retryable(later[0].reason, later[0].detail, min(waits, default=None))
    if failed:
        raise Permanent(failed[0].reason, failed[0].detail)


def _said(notice: Notice, what: str) -> str:
    match what:
        case "level":
            return say(f"notice-level-{notice.level}", notice.lang)
        case "stage":
            return notice.staged
        case "time":
            return format_time(notice.at_ms, lang=notice.lang) if notice.at_ms else ""
        case "subject":
            return notice.fields[0][1] if notice.fields else ""
        case "number":
            return notice.delivery_id[:12]
        case "title" | "text" | "place":
            return str(getattr(notice, what))
    raise AssertionError(what)


def _short(text: str, longest: int) -> str:
    """A text on one line and no longer than a template's value may be; never empty."""
    line = one_line(text) or "-"
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _unnamed(number: str) -> str:
    """A number as it stands in the ledger: recognisable to us, readable to nobody."""
    return hashlib.sha256(number.encode()).hexdigest()[:16]
