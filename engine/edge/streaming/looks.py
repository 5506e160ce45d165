"""One thing that was looked at on a cluster, and how it is."""

from typing import NamedTuple

from engine.kafka.access import coded
from engine.text import say

FINE, WARN, BAD = "fine", "warn", "bad"
ENVIRONMENT, STATE = 4, 5


class Look(NamedTuple):
    """What was found about one matter.

    Attributes:
        matter: A word for programs: broker, security, topics, rights, clock, state, backlog.
        state: `fine`, `warn` or `bad`.
        text: The sentence about it.
        code: Its code, if it has one.
        exit: The exit code that it means if it is bad.

    """

    matter: str
    state: str
    text: str
    code: str = ""
    exit: int = ENVIRONMENT


def look(matter: str, state: str, sentence: str, lang: str, **words: object) -> Look:
    """A look whose sentence is in the catalogue."""
    if sentence.startswith("K"):
        return Look(matter, state, coded(sentence, lang, **words), sentence)
    return Look(matter, state, say(sentence, lang, **words))
