"""Words of ours inside sentences: a term that knows its name in each language."""

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
