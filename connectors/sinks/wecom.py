"""Alerts as messages of a WeCom group robot: at most 20 a minute of 4,096 bytes, folded beyond."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from connectors.robots import Code, Dialect, RobotOptions, RobotSink, Signed
from connectors.wording import harmless
from engine.ports import SinkContext

_COLOURS = {"red": "warning", "orange": "warning", "yellow": "comment", "blue": "info"}


class Options(RobotOptions):
    """What may be declared about a WeCom robot; the rest stands at `RobotOptions`.

    These robots sign nothing: the key in the address is all that proves who sends.

    Attributes:
        url: The robot service; another one only for a private installation or a gateway.
        per_minute: Most messages a minute; WeCom refuses more than 20.

    """

    kind: Literal["wecom"] = "wecom"
    url: str = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send"
    per_minute: int = Field(default=18, ge=1, le=20)


def build(name: str, options: Options, context: SinkContext) -> RobotSink:
    """A sink that posts into the robot's group."""
    rates = {"minute": options.per_minute}
    return RobotSink(name, options.url, options, DIALECT, rates, Path(context.folder))


def _wrap(title: str, lines: Sequence[str], level: str) -> Mapping[str, Any]:
    colour = _COLOURS.get(level, "comment")
    text = "\n".join([f'**<font color="{colour}">{title}</font>**', *lines])
    return {"msgtype": "markdown", "markdown": {"content": text}}


def _unsigned(secret: str, now: datetime) -> Signed:
    del secret, now
    return Signed({}, {})


DIALECT = Dialect(
    limit=4096,
    wrap=_wrap,
    harmless=harmless,
    sign=_unsigned,
    place=lambda url, token: (url, {"key": token}),
    code="errcode",
    said="errmsg",
    codes={
        -1: Code("busy"),
        45009: Code("rate", 60.0),
        45033: Code("rate", 60.0),
        93000: Code("credentials"),
        93004: Code("credentials"),
        93008: Code("credentials"),
        40008: Code("refused", is_final=True),
        40058: Code("refused", is_final=True),
        44004: Code("refused", is_final=True),
        45002: Code("too-large", is_final=True),
    },
)
