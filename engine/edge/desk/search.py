"""Finding any piece of a text, in Chinese and in letters, on SQLite and PostgreSQL alike.

A text is folded (width, case) and cut into pairs of neighbouring characters; a search looks for all
pairs of what was asked, and the hits are compared with the folded text itself. Word parsers
of databases find no words in Chinese, and indexes of three characters cannot find two, which is
how long most Chinese words are (docs/decisions/0066).
"""

import unicodedata
from collections.abc import Iterator

from sqlalchemy import ColumnElement, Connection, Table, bindparam, text

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


def hits(link: Connection, name: str, table: Table, query: str) -> ColumnElement[bool] | None:
    """The condition that a row of `table` holds every piece of what is asked; None for nothing."""
    words = asked(query)
    if not words:
        return None
    lite = link.dialect.name == "sqlite"
    key = "rowid" if lite else "seq"
    found = f"{name}_words MATCH :needles" if lite else "pairs @> CAST(:needles AS TEXT[])"
    cut = needles(query)
    values: dict[str, object] = {
        "needles": " AND ".join(f'"{one}"' for one in cut) if lite else cut
    }
    likes = ""
    for number, word in enumerate(words):
        likes += f" AND folded LIKE :word{number}"
        values[f"word{number}"] = f"%{word}%"
    clause = text(f"{table.name}.seq IN (SELECT {key} FROM {name}_words WHERE {found}{likes})")  # noqa: S608
    return clause.bindparams(*(bindparam(key_, value) for key_, value in values.items()))  # type: ignore[return-value]
