"""Alerts as cards of a Feishu (Lark) group robot: signed, 100 a minute and 5 a second."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from connectors.robots import Code, Dialect, RobotOptions, RobotSink, Signed
from connectors.wording import one_line
from engine.ports import SinkContext

_COLOURS = frozenset({"red", "orange", "yellow", "blue"})
_TWINS = str.maketrans('"\\', "\uff02\uff3c")


class Options(RobotOptions):
    """What may be declared about a Feishu robot; the rest stands at `RobotOptions`.

    Attributes:
        url: The robot service; for Lark outside China `https://open.larksuite.com/...`.
        per_minute: Most messages a minute; Feishu refuses more than 100.
        per_second: Most messages a second; Feishu refuses more than 5.

    """

    kind: Literal["feishu"] = "feishu"
    url: str = "https://open.feishu.cn/open-apis/bot/v2/hook"
    per_minute: int = Field(default=90, ge=1, le=100)
    per_second: int = Field(default=4, ge=1, le=5)


def build(name: str, options: Options, context: SinkContext) -> RobotSink:
    """A sink that posts into the robot's group."""
    second, minute = options.per_second, options.per_minute
    rates = {}
    if second < minute:  # else the minute's limit alone is the stricter one
        rates["second"] = second
    if minute < 60 * second:  # else the second's
        rates["minute"] = minute
    return RobotSink(name, options.url, options, DIALECT, rates, Path(context.folder))


def _harmless(text: str) -> str:
    """A text on one line; plain texts have no markup, and quotes would grow when encoded."""
    return one_line(text).translate(_TWINS)


def _wrap(title: str, lines: Sequence[str], level: str) -> Mapping[str, Any]:
    """A card of plain texts: nothing in them is markup."""
    header = {
        "title": {"tag": "plain_text", "content": title},
        "template": level if level in _COLOURS else "grey",
    }
    text = {"tag": "plain_text", "content": "\n".join(lines)}
    card = {"header": header, "elements": [{"tag": "div", "text": text}]}
    return {"msg_type": "interactive", "card": card}


def sign(secret: str, now: datetime) -> Signed:
    """HMAC-SHA256 over nothing, with time in seconds and secret as its key; in the body."""
    stamp = str(int(now.timestamp()))
    digest = hmac.new(f"{stamp}\n{secret}".encode(), b"", hashlib.sha256).digest()
    return Signed({}, {"timestamp": stamp, "sign": base64.b64encode(digest).decode()})


DIALECT = Dialect(
    limit=18_000,
    wrap=_wrap,
    harmless=_harmless,
    sign=sign,
    place=lambda url, token: (f"{url.rstrip('/')}/{token}", {}),
    code="code",
    said="msg",
    codes={
        9499: Code("refused", is_final=True),
        11232: Code("rate", 60.0),
        11233: Code("rate", 60.0),
        19001: Code("credentials"),
        19021: Code("credentials"),
        19022: Code("credentials"),
        19024: Code("credentials"),
        230011: Code("credentials"),
        10208: Code("credentials"),
        230025: Code("too-large", is_final=True),
        11246: Code("refused", is_final=True),
    },
)
"""A request is at most 20,000 bytes."""
