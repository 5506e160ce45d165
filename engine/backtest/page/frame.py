"""The frame of a page that opens without a network: its own style and script, and nothing else."""

import base64
import hashlib
from functools import cache
from importlib.resources import files

from engine.backtest.page.markup import Child, Html, tag


def framed(title: str, lang: str, version: str, *body: Child, is_moving: bool = True) -> str:
    """A whole page as text; nothing of it is fetched from anywhere.

    Args:
        title: What the browser shows.
        lang: `en` or `zh`.
        version: Of Forewarn.
        body: What stands in it.
        is_moving: Whether the page needs its script.

    """
    style, script = _resource("report.css"), _resource("report.js") if is_moving else ""
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; "
        + (f"script-src '{_digest(script)}'; " if script else "")
        + "base-uri 'none'; form-action 'none'"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="generator", content=f"forewarn {version}"),
        tag("title", title),
        tag("style", Html(style)),
    )
    scripts = [tag("script", Html(script))] if script else []
    whole = tag("html", head, tag("body", *body, *scripts), lang="zh-CN" if lang == "zh" else "en")
    return f"<!DOCTYPE html>\n{whole}\n"


@cache
def _resource(name: str) -> str:
    return (files("engine.backtest.page") / name).read_text("utf-8").strip()


def _digest(text: str) -> str:
    """How a policy names a text that it allows."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
