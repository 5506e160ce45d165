"""How alike two short texts are, Chinese or English: for complaints that say the same."""

import re
import unicodedata
from zlib import crc32

_RUNS = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+|[^\W_]+")
_FIRST_HAN = "\u3400"

Marks = frozenset[int]
"""What a text is made of: hashes of pairs of Chinese characters, and of words in other scripts."""


def marks_of(text: str) -> Marks:
    """The marks of a text; case, width, spaces and punctuation do not count.

    Hashes, so that what is kept to compare texts does not hold their words.
    """
    found: set[str] = set()
    for run in _RUNS.findall(unicodedata.normalize("NFKC", text).casefold()):
        if run[0] >= _FIRST_HAN and len(run) > 1:
            found.update(run[at : at + 2] for at in range(len(run) - 1))
        else:
            found.add(run)
    return frozenset(crc32(one.encode()) for one in found)


def likeness(one: Marks, other: Marks) -> float:
    """The share of marks that two texts have in common, 0 to 1 (Jaccard); 0 without marks."""
    if not one or not other:
        return 0.0
    common = len(one & other)
    return common / (len(one) + len(other) - common)
