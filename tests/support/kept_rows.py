"""Holds the rows that a partition packs from memory against those that its outcomes have saved."""

from collections.abc import Mapping

from engine.pipeline import Space
from engine.saved import rows_of
from engine.state.codec import OWN, unpack_row


def check_kept(space: Space, saved: Mapping[tuple[str, str], bytes]) -> None:
    """Assert that memory packs to what was saved of every rule, to the byte.

    A row that came from elsewhere with an instant of its own is compared by what it holds.
    """
    rules = {rule.spec.id for rule in space.program.rules}
    packed = {(row.rule, row.key): row.value or b"" for row in rows_of(space, rules)}
    kept = {name: value for name, value in saved.items() if not name[0].startswith(OWN)}
    if packed != kept:
        assert packed.keys() == kept.keys()
        for name, value in kept.items():
            assert unpack_row(packed[name]) == unpack_row(value), name
