"""Alerts as messages of a DingTalk group robot: signed, at most 20 a minute, folded beyond."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from connectors.robots import Code, Dialect, RobotOptions, RobotSink, Signed
from connectors.wording import harmless
from engine.ports import SinkContext

_REST_S = 600.0
"""A robot that was sent more than 20 messages in a minute is shut for ten minutes."""


class Options(RobotOptions):
    """What may be declared about a DingTalk robot; the rest stands at `RobotOptions`.

    Attributes:
        url: The robot service; another one only for a private installation or a gateway.
        per_minute: Most messages a minute; DingTalk shuts a robot that exceeds 20.

    """

    kind: Literal["dingtalk"] = "dingtalk"
    url: str = "https://oapi.dingtalk.com/robot/send"
    per_minute: int = Field(default=18, ge=1, le=20)


def build(name: str, options: Options, context: SinkContext) -> RobotSink:
    """A sink that posts into the robot's group."""
    rates = {"minute": options.per_minute}
    return RobotSink(name, options.url, options, DIALECT, rates, Path(context.folder))


def _wrap(title: str, lines: Sequence[str], level: str) -> Mapping[str, Any]:
    del level
    text = "\n\n".join([f"### {title}", *lines])
    return {"msgtype": "markdown", "markdown": {"title": title, "text": text}}


def sign(secret: str, now: datetime) -> Signed:
    """HMAC-SHA256 with the secret over the time in milliseconds and the secret; in the query."""
    stamp = str(int(now.timestamp() * 1000))
    digest = hmac.new(secret.encode(), f"{stamp}\n{secret}".encode(), hashlib.sha256).digest()
    return Signed({"timestamp": stamp, "sign": base64.b64encode(digest).decode()}, {})


DIALECT = Dialect(
    limit=18_000,
    wrap=_wrap,
    harmless=harmless,
    sign=sign,
    place=lambda url, token: (url, {"access_token": token}),
    code="errcode",
    said="errmsg",
    codes={
        -1: Code("busy"),
        130101: Code("rate", _REST_S),
        410100: Code("rate", _REST_S),
        300001: Code("credentials"),
        310000: Code("credentials"),
        400101: Code("credentials"),
        400102: Code("credentials"),
        400106: Code("credentials"),
        400013: Code("credentials"),
        40035: Code("refused", is_final=True),
        400105: Code("refused", is_final=True),
        430101: Code("refused", is_final=True),
        430102: Code("refused", is_final=True),
        430103: Code("refused", is_final=True),
        430104: Code("refused", is_final=True),
        460101: Code("too-large", is_final=True),
    },
)
"""A message is at most 20,000 bytes. What an operator can mend (a wrong sign, a missing keyword,
a robot that is switched off) is tried again, so that nothing is lost until it is mended."""
