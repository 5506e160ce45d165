"""Rows that were read back and whose keys nothing has happened to since: they stay as bytes.

    start       row --> can it be read? which timers has it? --> dormant: its bytes, its timers
    first event or timer of the key --> taken up, and from then on like any other

Most keys of a large state are quiet when a worker starts. Nobody can tell a dormant row from one
that was taken up: it counts, its timers fire, and it is saved again only when it changes.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.operators.base import Logic
from engine.operators.dormancy import Dormancy
from engine.state.codec import read_usual, unpack_row

Handler = Callable[[str, Any, int], None]
Timer = tuple[int, int, str]


class Dormant:
    """The dormant rows of one partition of one key space.

    State: the bytes of each row, as they are saved, until its key is touched.

    Attributes:
        rows: By rule number and key.
        ways: By rule number, how they are taken up.

    """

    __slots__ = ("_logics", "rows", "ways")

    def __init__(self, logics: Sequence[Logic]) -> None:
        self.rows: dict[int, dict[str, bytes]] = {}
        self._logics = logics
        self.ways: dict[int, Dormancy] = {}

    def lay(
        self, number: int, way: Dormancy, stamp: str, rows: dict[str, bytes]
    ) -> tuple[dict[str, bytes], list[Timer]]:
        """Keep the rows of a rule as they are; call it once a rule.

        Every row is decoded, to learn its timers and so that damaged bytes are found at the start.

        Args:
            number: The rule's number.
            way: How its rows lie dormant.
            stamp: The rule's hash.
            rows: All its rows by key; they are kept, and changed as keys are touched.

        Returns:
            Rows that must be taken up at once: of other versions, or of another shape, and always
            one, so that a build which cannot read this operator's rows says so at the start.
            Then the timers of all the others.

        Raises:
            DecodeError: the bytes of a row are damaged.

        """
        read, wakes = read_usual(stamp), way.wakes
        awake: list[str] = []
        timers: list[Timer] = []
        for key, value in rows.items():
            payload = read(value)
            instants = None if payload is None or not awake else wakes(payload)
            if instants is None:
                awake.append(key)
            elif instants:
                timers += [(at_ms, number, key) for at_ms in instants]
        at_once = {key: rows.pop(key) for key in awake}
        if rows:
            self.rows[number], self.ways[number] = rows, way
        return at_once, timers

    def take_over(self, before: "Dormant", moved: Mapping[int, int]) -> None:
        """Go on with the rows of rules that had other numbers before: now to then."""
        for number, old in moved.items():
            if old in before.rows:
                self.rows[number], self.ways[number] = before.rows[old], before.ways[old]

    def guard(self, handlers: Sequence[list[Handler]], count: int) -> None:
        """Let the functions that take events take up a dormant row first.

        Args:
            handlers: For each feed the functions of the rules, then those for late events.
            count: How many rules there are.

        """
        for number in self.rows:
            for row in handlers:
                for place in (number, number + count):
                    row[place] = self._first(number, row[place])

    def _first(self, number: int, take: Handler) -> Handler:
        rows, rouse = self.rows[number], self.rouse

        def handle(key: str, event: Any, at_ms: int) -> None:
            if key in rows:
                rouse(number, key)
            take(key, event, at_ms)

        return handle

    def rouse(self, number: int, key: str) -> None:
        """Take up the row of a key, if it is dormant, before anything happens to the key.

        Its timers were asked for at the start; taking it up must not ask for them again.
        """
        rows = self.rows.get(number)
        if rows is None or key not in rows:
            return
        host = self.ways[number].host
        asked, host.timers = host.timers, []
        try:
            self._logics[number].load(key, unpack_row(rows[key])[1])
        finally:
            host.timers = asked
        del rows[key]
        if not rows:
            del self.rows[number]

    def size(self, number: int) -> int:
        """How many keys of a rule are dormant."""
        return len(self.rows.get(number, ()))
