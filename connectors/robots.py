"""What the chat robots have in common: options, words, the limit, and that the body decides.

A robot answers HTTP 200 also to what it refuses; the code in the body's JSON says what happened.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, SecretStr
from pyrate_limiter import Duration, Rate

from connectors.client import Client, Reach
from connectors.digest import Courier
from connectors.ledger import Ledger
from connectors.notice import Notice, read
from connectors.personal import ToPeople
from connectors.wording import cut
from engine.errors import EnvironmentUnusable, Permanent, Retryable
from engine.model.formats import format_time
from engine.secret_files import read_secret
from engine.text import say

PARALLEL = 64
"""Deliveries that may be folded into one message."""
_LINE = 400
"""Bytes of a delivery within a digest."""
_WINDOW_S = 60.0
"""Messages older than this count for no limit any more."""
_MESSAGES = "messages"


class RobotOptions(ToPeople, Reach):
    """What may be declared about any robot.

    Attributes:
        token: What stands in the robot's webhook address behind the last `=` or `/`; or
            `token_file`, which wins.
        secret: Signs messages where the robot demands it; or `secret_file`, which wins.
        keyword: A word the robot demands in every message, where it is set up so.
        desk: Where the console of the case desk is, for links into it.

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: SecretStr | None = None
    token_file: str | None = None
    secret: SecretStr | None = None
    secret_file: str | None = None
    keyword: str = ""
    desk: str = Field(default="", pattern=r"^(https?://[^\s?#]+)?$")
    lang: str = "zh"


@dataclass(frozen=True, slots=True)
class Code:
    """What a code in the body means: tried again after `wait_s`, or never."""

    reason: str
    wait_s: float | None = None
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class Signed:
    """What proves that a message is ours."""

    query: Mapping[str, str]
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of robot is spoken to.

    Attributes:
        limit: Bytes that a message's text may take.
        wrap: The message as JSON, of a title, its lines and a level.
        harmless: Makes a text of an event mean nothing to this robot.
        sign: Signs a message at an instant, given the robot's secret.
        place: Address and query of the robot, of the declared address and its token.
        code: Name of the field of an answer that holds the code; `said` holds its words.
        codes: What the known codes mean; 0 is success, others are tried again.

    """

    limit: int
    wrap: Callable[[str, Sequence[str], str], Mapping[str, Any]]
    harmless: Callable[[str], str]
    sign: Callable[[str, datetime], Signed]
    place: Callable[[str, str], tuple[str, Mapping[str, str]]]
    code: str
    said: str
    codes: Mapping[int, Code]


_MALFORMED, _CODE = "malformed-answer", "code"


class RobotSink:
    """Posts alerts into a chat group, folded when the robot's limit is reached.

    When messages were sent stands in a file of the sink's own (`robot-<name>.db`), so that a
    restart does not exceed the limit: some robots are shut for ten minutes then.
    A crash between the robot's answer and our note of it posts a message twice; the number at its
    end is the same.
    """

    parallel = PARALLEL

    def __init__(
        self, name: str, url: str, options: RobotOptions, dialect: Dialect,
        rates: Mapping[str, int], folder: Path,
    ) -> None:  # fmt: skip
        """Read the secrets and prepare; `open` makes the session.

        Raises:
            EnvironmentUnusable: there is no token, or it cannot be read, or the address is not fit.

        """
        self.name = name
        self._options, self._dialect, self._data = options, dialect, folder
        self._ledger: Ledger | None = None
        token = read_secret(options.token, options.token_file, folder, options.lang)
        if token is None:
            raise EnvironmentUnusable(say("sink-token-missing", options.lang, name=name))
        secret = read_secret(options.secret, options.secret_file, folder, options.lang)
        self._url, self._token = url, SecretStr(token)
        self._secret = None if secret is None else SecretStr(secret)
        headers = {
            "User-Agent": "forewarn/1",
            "Content-Type": "application/json; charset=utf-8",
        }
        self._client = Client(
            name, dialect.place(url, token)[0], options, headers, 1,
            folder=folder, lang=options.lang, secrets=[token, secret or ""],
        )  # fmt: skip
        spans = {"second": Duration.SECOND, "minute": Duration.MINUTE}
        limits = [Rate(count, spans[span]) for span, count in rates.items()]
        self._courier = Courier(self._post, self._one, self._many, limits)

    async def open(self) -> None:
        """Make the session, and count what was sent shortly before a restart.

        Raises:
            EnvironmentUnusable: the file of its own cannot be used.

        """
        if self._ledger is None:
            path = self._data / f"robot-{self.name}.db"
            self._ledger, now_s = Ledger(self.name, path, self._options.lang), time.time()
            self._ledger.forget(now_s - _WINDOW_S)
            sent = self._ledger.spent(_MESSAGES, now_s - _WINDOW_S)
            self._courier.remember([max(0.0, now_s - at_s) for at_s in sent])
        await self._client.open()

    async def send(self, delivery_id: str, body: bytes, attempt: int) -> None:
        """Say one delivery; returns when the robot took a message with it."""
        del attempt
        options = self._options
        notice = read(
            body, options.lang, delivery_id, personal=options.personal, desk=options.desk
        )  # fmt: skip
        await self._courier.send(notice)

    async def close(self) -> None:
        """Send nothing more and close the session; safe to call twice."""
        await self._courier.close()
        ledger, self._ledger = self._ledger, None
        if ledger is not None:
            ledger.close()
        await self._client.close()

    def _one(self, notice: Notice) -> bytes:
        lines = message_lines(notice, self._dialect.harmless)
        return self._message(notice.headline, lines, notice.level)

    def _many(self, notices: Sequence[Notice]) -> tuple[bytes, int]:
        highest = notices[0]
        lang, harmless = self._options.lang, self._dialect.harmless
        room = self._dialect.limit - 200
        lines: list[str] = []
        for number, notice in enumerate(notices, 1):
            line = cut(f"{number}. {digest_line(notice, harmless)}", _LINE)
            room -= len(line.encode()) + 2
            if room < 0 and lines:
                break
            lines.append(line)
        level = say(f"notice-level-{highest.level}", lang)
        title = say("notice-digest", lang, count=len(lines), level=level)
        return self._message(title, lines, highest.level), len(lines)

    def _message(self, title: str, lines: Sequence[str], level: str) -> bytes:
        """A message within the robot's limit: the last lines give way."""
        kept: list[str] = []
        line = self._dialect.harmless(title)
        room = self._dialect.limit - len(line.encode()) - 100
        if self._options.keyword and self._options.keyword not in line:
            room -= len(self._options.keyword.encode()) + 4
        for text in lines:
            if len(text.encode()) + 4 > room:
                kept += [cut(text, room - 4)] if room > 100 else []  # noqa: PLR2004 - a stump
                break
            kept.append(text)
            room -= len(text.encode()) + 4
        if self._options.keyword and self._options.keyword not in line:
            kept.append(self._options.keyword)
        wrapped = {**self._dialect.wrap(line, kept, level)}
        return json.dumps(wrapped, ensure_ascii=False).encode()

    async def _post(self, message: bytes) -> None:
        if self._ledger is not None:
            with suppress(sqlite3.Error):  # a full disk stops no alert: at worst we are too fast
                self._ledger.spend(_MESSAGES, time.time())
        query = dict(self._dialect.place(self._url, self._token.get_secret_value())[1])
        fields: dict[str, str] = {}
        if self._secret is not None:
            signed = self._dialect.sign(self._secret.get_secret_value(), datetime.now(UTC))
            query |= signed.query
            fields |= signed.fields
        if fields:
            message = json.dumps({**fields, **json.loads(message)}, ensure_ascii=False).encode()
        answer = await self._client.post(message, {}, query)
        self._judge(answer.body)

    def _judge(self, body: bytes) -> None:
        """The code in the body decides; without one nobody knows whether it was taken."""
        try:
            found = json.loads(body)
            code = int(found[self._dialect.code])
        except (ValueError, TypeError, KeyError) as error:
            text = self._client.hidden(body.decode("utf-8", "replace"))
            raise Retryable(_MALFORMED, text[:200]) from error
        if code == 0:
            return
        detail = self._client.hidden(f"{code}: {found.get(self._dialect.said, '')}")
        known = self._dialect.codes.get(code, Code(_CODE))
        if known.is_final:
            raise Permanent(known.reason, detail)
        raise Retryable(known.reason, detail, known.wait_s)


def message_lines(notice: Notice, harmless: Callable[[str], str]) -> list[str]:
    """A delivery line by line: its text, fields, link and number, then the playbook."""
    lang = notice.lang

    def field(label: str, value: str) -> str:
        return say("notice-colon", lang, label=harmless(label), value=harmless(value))

    lines = [harmless(notice.text)] if notice.text else []
    lines += [field(label, value) for label, value in notice.fields]
    if notice.link.startswith(("https://", "http://")):
        lines.append(f"{say('notice-link', lang)} {_address(notice.link)}")
    lines.append(field(say("notice-number", lang), notice.delivery_id[:12]))
    for heading, parts in notice.sections():
        lines.append(say("notice-colon", lang, label=heading, value=""))
        lines += [f"{number}. {harmless(part)}" for number, part in enumerate(parts, 1)]
    return lines


def digest_line(notice: Notice, harmless: Callable[[str], str]) -> str:
    """A delivery on one line of a digest."""
    at = format_time(notice.at_ms, lang=notice.lang) if notice.at_ms else ""
    number = f"#{notice.delivery_id[:12]}"
    parts = (notice.headline, at, number, notice.text or notice.place)
    return " ".join(harmless(part) for part in parts if part)


def _address(link: str) -> str:
    """A link of the desk without what would end it early."""
    return "".join(char for char in link if char.isascii() and char not in " <>()[]\"'`\\")
