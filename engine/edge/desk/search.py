"""Finding any piece of a text, in Chinese and in letters, on SQLite and PostgreSQL alike.

A text is folded (width, case) and cut into pairs of neighbouring characters; a search looks for all
pairs of what was asked, and the hits are compared with the folded text itself. Word parsers
of databases find no words in Chinese, and indexes of three characters cannot find two, which is
how long most Chinese words are (docs/decisions/0066).
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from sqlalchemy import ColumnElement, Connection, Table, column, text
from sqlalchemy import table as sql_table

MOST = 2_000
"""Characters of a text that can be found; what is longer is found by its beginning."""
ASKED_MOST = 80
"""Characters of a search that are looked for."""

TABLES = ("alert", "incident")
"""What can be searched; each has a table `<name>_words` of (seq, folded, pairs)."""


def fold(said: str) -> str:
    """One form for full and half width, capitals and small letters; pieces parted by spaces."""
    wide = unicodedata.normalize("NFKC", said).casefold()
    return " ".join("".join(char if char.isalnum() else " " for char in wide).split())


def folded(*parts: str) -> str:
    """What a search looks through, from the parts of a text."""
    return fold(" ".join(part for part in parts if part))[:MOST]


def pairs(text_: str) -> list[str]:
    """Every pair of neighbours of a folded text, and every single character; each once."""
    found = dict.fromkeys(piece for piece in text_ if piece != " ")
    for word in text_.split():
        found |= dict.fromkeys(word[at : at + 2] for at in range(len(word) - 1))
    return list(found)


def asked(query: str) -> list[str]:
    """The pieces of what somebody looks for: every one of them must be found."""
    return fold(query[:ASKED_MOST]).split()


def needles(query: str) -> list[str]:
    """The pairs that a text must hold to be a hit; a single character stands for itself."""
    found: dict[str, None] = {}
    for word in asked(query):
        found |= dict.fromkeys(_cut(word))
    return list(found)


def _cut(word: str) -> Iterator[str]:
    if len(word) == 1:
        yield word
    for at in range(len(word) - 1):
        yield word[at : at + 2]


def put(link: Connection, name: str, seq: int, words: str) -> None:
    """Let a row be found by a folded text, from now on by this one only."""
    lite = link.dialect.name == "sqlite"
    key = "rowid" if lite else "seq"
    query = f"SELECT folded FROM {name}_words WHERE {key} = :seq"  # noqa: S608 - one of two words
    before = link.execute(text(query), {"seq": seq}).scalar()
    if before == words:
        return
    if before is not None:
        link.execute(text(f"DELETE FROM {name}_words WHERE {key} = :seq"), {"seq": seq})  # noqa: S608
    cut = pairs(words)
    link.execute(
        text(f"INSERT INTO {name}_words ({key}, folded, pairs) VALUES (:seq, :folded, :pairs)"),  # noqa: S608
        {"seq": seq, "folded": words, "pairs": " ".join(cut) if lite else cut},
    )


@dataclass(frozen=True, slots=True)
class Hits:
    """The rows that hold every piece of what is asked.

    Attributes:
        where: Conditions that join the words to the rows that are searched.
        seq: The number of a hit. SQLite reads its index backwards when the newest come first by
            this one, and stops at the end of the page.

    """

    where: tuple[ColumnElement[bool], ...]
    seq: ColumnElement[int]


def hits(link: Connection, name: str, table: Table, query: str) -> Hits | None:
    """The rows of `table` that hold every piece of what is asked; None where nothing is."""
    said = asked(query)
    if not said:
        return None
    lite = link.dialect.name == "sqlite"
    words = sql_table(f"{name}_words", column("rowid" if lite else "seq"), column("folded"))
    seq: ColumnElement[int] = words.c.rowid if lite else words.c.seq
    cut = needles(query)
    if lite:
        found = text(f"{name}_words MATCH :needles")
        found = found.bindparams(needles=" AND ".join(f'"{one}"' for one in cut))
    else:
        found = text("pairs @> CAST(:needles AS TEXT[])").bindparams(needles=cut)
    likes = [words.c.folded.contains(word, autoescape=True) for word in said]
    return Hits((table.c.seq == seq, cast("ColumnElement[bool]", found), *likes), seq)
