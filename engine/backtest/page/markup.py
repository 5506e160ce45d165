"""Elements of a page, made from values: whatever is not an element itself is escaped."""

import re
from html import escape

_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
"""Characters that may not stand in a page, however they are written."""
_EMPTY = frozenset({"meta", "input", "br"})


class Html(str):
    """A text that is markup already. Only this file and resources of ours make one."""

    __slots__ = ()


Child = Html | str | int | float | None


def tag(name: str, /, *children: Child, **attributes: str | float | None) -> Html:
    """An element; `_` in names of attributes stands for `-`, one at their end for nothing.

    Children that are no elements are text, None is left out; an attribute of None too.
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_clean(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _EMPTY:
        return Html(f"<{name}{said}>")
    return Html(f"<{name}{said}>{join(*children)}</{name}>")


def join(*children: Child) -> Html:
    """Elements and texts after each other."""
    return Html(
        "".join(
            child if isinstance(child, Html) else _clean(child)
            for child in children
            if child is not None
        )
    )


def _clean(value: object) -> str:
    return escape(_FORBIDDEN.sub("\ufffd", str(value)), quote=True)
