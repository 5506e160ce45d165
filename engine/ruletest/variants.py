"""A case told in other ways that must give the same alerts: restarted, shuffled, doubled, cut."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from engine.ruletest.wire import Letter

PRIME = 7
_USUAL = 50


class Telling(StrEnum):
    """How a case is told."""

    AS_WRITTEN = "as-written"
    RESTARTED = "restarted"
    SHUFFLED = "shuffled"
    DOUBLED = "doubled"
    SINGLY = "singly"
    BY_SEVEN = "by-seven"
    AT_ONCE = "at-once"


@dataclass(frozen=True, slots=True)
class Script:
    """Letters in order of arrival, the size of a batch, and before which batches all restarts."""

    letters: Sequence[Letter]
    batch: int
    restarts: frozenset[int] = frozenset()


def script(telling: Telling, letters: Sequence[Letter], lateness: Mapping[str, int]) -> Script:
    """The letters of a case as one telling brings them.

    Args:
        telling: Which one.
        letters: As written, in order of arrival.
        lateness: For each feed, by how much its records may come late (ms).

    """
    count = len(letters)
    match telling:
        case Telling.RESTARTED:
            size = max(1, count // 12)
            batches = -(-count // size)
            points = {batches // 4, batches // 2, batches * 3 // 4} - {0}
            return Script(letters, size, frozenset(points))
        case Telling.SHUFFLED:
            return Script(_shuffled(letters, lateness), _USUAL)
        case Telling.DOUBLED:
            return Script([letter for one in letters for letter in (one, one)], _USUAL)
        case Telling.SINGLY:
            return Script(letters, 1)
        case Telling.BY_SEVEN:
            return Script(letters, PRIME)
        case Telling.AT_ONCE:
            return Script(letters, max(1, count))
        case _:
            return Script(letters, _USUAL)


def _shuffled(letters: Sequence[Letter], lateness: Mapping[str, int]) -> list[Letter]:
    """Delay every record by less than its feed allows, the same way each time.

    Nothing moves past a record that comes late on purpose or past a heartbeat, so what was late
    stays late and nothing else becomes so.
    """
    out: list[Letter] = []
    block: list[Letter] = []
    for letter in letters:
        if letter.barrier:
            out += [*_mixed(block, lateness), letter]
            block = []
        else:
            block.append(letter)
    return [*out, *_mixed(block, lateness)]


def _mixed(block: Sequence[Letter], lateness: Mapping[str, int]) -> list[Letter]:
    def arrival(item: tuple[int, Letter]) -> tuple[float, int]:
        index, letter = item
        seed = hashlib.sha256(b"%d:%b" % (index, letter.value)).digest()
        share = int.from_bytes(seed[:4], "big") / 2**32
        return letter.at_ms + share * lateness.get(letter.feed, 0) * 0.999, -index

    return [letter for _, letter in sorted(enumerate(block), key=arrival)]
