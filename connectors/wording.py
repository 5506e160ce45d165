"""Texts of events made harmless for one channel each: they were written by strangers.

Chat programs differ in which backslashes they honour, so what has a meaning in their markup is
replaced by its full-width twin, which reads the same and means nothing.
"""

import re
import unicodedata

_ELLIPSIS = "…"
_KEPT = "\n"
_TWINS = str.maketrans('[]()<>*_`#~|\\!"', "［］（）＜＞＊＿｀＃～｜＼！＂")
_LINK = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{0,20}):(?=//)")
_AT = re.compile(r"@(?=\S)")


def clean(text: str) -> str:
    """A text without control characters and without what turns the direction of writing."""
    kept = (
        char
        for char in text.replace("\r\n", "\n").replace("\r", "\n")
        if char == _KEPT or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    )
    return "".join(kept)


def one_line(text: str) -> str:
    """A clean text without line breaks and doubled spaces."""
    return " ".join(clean(text.replace("\u2028", " ").replace("\u2029", " ")).split())


def harmless(text: str) -> str:
    """A text on one line that no chat program takes for markup, a link or a call to a person."""
    line = _LINK.sub("\\1\uff1a", one_line(text))
    return _AT.sub("\uff20", line.translate(_TWINS))


def cut(text: str, most: int) -> str:
    """The beginning of a text that takes at most so many bytes of UTF-8; a cut one ends in `…`."""
    raw = text.encode()
    if len(raw) <= most:
        return text
    room = max(0, most - len(_ELLIPSIS.encode()))
    return raw[:room].decode("utf-8", "ignore") + _ELLIPSIS
