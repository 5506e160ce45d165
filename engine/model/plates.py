"""Chinese number plates in one spelling, with the plate's colour: a number alone is not unique.

`苏F12345-yellow` is the canonical form: number, hyphen, colour. A plate whose colour was not said
has no suffix; it is another key than the same number with a colour.
"""

import re
import unicodedata
from collections.abc import Mapping

PROVINCES = "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新"

COLOURS: Mapping[int, str] = {
    1: "blue",
    2: "yellow",
    3: "black",
    4: "white",
    9: "other",
    91: "farm-yellow",
    92: "farm-green",
    93: "yellow-green",
    94: "green",
}
"""Plate colour codes of JT/T 415-2021 and our names for them; 94 is the fading green of small
new-energy vehicles."""

_NAMES = {
    **{name: name for name in COLOURS.values()},
    **{str(code): name for code, name in COLOURS.items()},
    "蓝": "blue",
    "黄": "yellow",
    "黑": "black",
    "白": "white",
    "其他": "other",
    "农黄": "farm-yellow",
    "农绿": "farm-green",
    "黄绿": "yellow-green",
    "绿": "green",
    "渐变绿": "green",
    "gradient-green": "green",
}

_PLATE = re.compile(
    rf"(?P<number>[{PROVINCES}][A-HJ-NP-Z]"
    r"(?:[A-HJ-NP-Z0-9]{4}[A-HJ-NP-Z0-9挂学警港澳]"  # ordinary, seven characters
    r"|[A-HJK][A-HJ-NP-Z0-9][0-9]{4}"  # new energy, small
    r"|[0-9]{5}[A-HJK]))"  # new energy, large
    r"(?:(?:[-_/:,(]+|(?=[A-Z]{4}|[\u4e00-\u9fff]))(?P<colour>[^-_/:,()][^()]*)\)?)?"
)
_IGNORED = dict.fromkeys(map(ord, " \t\u00b7\u2022\u30fb\u2027\u22c5."))


def normalise(text: str) -> str | None:
    """The plate in its canonical spelling, or None if the text is no plate.

    Full-width letters and digits, lower case, spaces and the dot after the office letter are
    evened out. The colour may follow as a word (English or Chinese) or as its JT/T 415 code.
    """
    flat = unicodedata.normalize("NFKC", text).upper().translate(_IGNORED)
    found = _PLATE.fullmatch(flat)
    if found is None:
        return None
    number, colour = found["number"], found["colour"]
    if colour is None:
        return number
    word = colour.lower()
    name = _NAMES.get(word) or _NAMES.get(word.removesuffix("色").removesuffix("牌"))
    return f"{number}-{name}" if name else None


def of_code(number: str, colour: int) -> str | None:
    """The plate of a JT/T 808 or 809 message, which carries number and colour code apart."""
    name = COLOURS.get(colour)
    return normalise(f"{number}-{name}") if name else None
