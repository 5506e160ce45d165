"""Words and sentences of ours inside sentences, each knowing how it reads in each language."""

from collections.abc import Mapping
from typing import Self

from engine.text import LANGUAGES, catalogue, say


class Term(str):
    """A text that stands for a word of the catalogue.

    `{kind:en}` and `{kind:zh}` in a sentence print the entry `term-<text>` in that language;
    everywhere else, also in JSON, it is the plain text.
    """

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        if spec not in LANGUAGES:
            return super().__format__(spec)
        name = f"term-{self}"
        return say(name, spec) if name in catalogue() else str(self)


class Sentence(str):
    """A sentence of the catalogue inside another one.

    `{why:en}` and `{why:zh}` print it in that language; everywhere else it reads in English.
    """

    __slots__ = ("_found", "_name")
    _name: str
    _found: Mapping[str, object]

    def __new__(cls, name: str, found: Mapping[str, object]) -> Self:
        """Take the entry's name and the words that go into it."""
        made = super().__new__(cls, say(name, "en", **found))
        made._name, made._found = name, found
        return made

    def __format__(self, spec: str) -> str:
        if spec not in LANGUAGES:
            return super().__format__(spec)
        return say(self._name, spec, **self._found)
