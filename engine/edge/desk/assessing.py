"""The moves that an assessment counts, read case by case so that a month of any size fits."""

from collections.abc import Iterator
from itertools import groupby

import msgspec
from sqlalchemy import Connection, select

from engine.cases.assessment import Assessment, Span, assess
from engine.cases.model import Move
from engine.edge.desk.tables import moves

_AT_ONCE = 500
_decode = msgspec.json.Decoder(Move).decode


def assessed(link: Connection, span: Span) -> Assessment:
    """The figures of a span, of all cases with a move in it."""
    return assess(_cases(link, span), span)


def _cases(link: Connection, span: Span) -> Iterator[list[Move]]:
    """Of each case with a move in the span, its moves from the first one up to the span's end."""
    moved = select(moves.c.incident).where(
        moves.c.at_ms >= span.from_ms, moves.c.at_ms < span.until_ms
    )
    query = (
        select(moves.c.incident, moves.c.body)
        .where(moves.c.incident.in_(moved), moves.c.at_ms < span.until_ms)
        .order_by(moves.c.incident, moves.c.ordinal)
        .execution_options(yield_per=_AT_ONCE)
    )
    for _, rows in groupby(link.execute(query), key=lambda row: row.incident):
        yield [_decode(row.body) for row in rows]
