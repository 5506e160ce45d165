"""Cuts bytes into records, one a line, and remembers where each began."""

LONGEST = 1_048_576
"""Bytes of a record that are kept; a longer one is cut there, and decoding refuses its size."""


class Lines:
    """Takes bytes as they come and gives whole lines with their place in the file.

    Blank lines are no records. With `quoted`, a line end between double quotes belongs to the
    record, as in CSV. A line longer than `LONGEST` is given once, cut to one byte more than that,
    and the rest of it is passed over, so a file without line ends cannot fill memory.
    """

    def __init__(self, place: int = 0, *, quoted: bool = False) -> None:
        """Start at byte `place` of the file, which must be the beginning of a record."""
        self._place = place
        self._rest = b""
        self._quoted = quoted
        self._skipping = False

    @property
    def place(self) -> int:
        """Where the first byte stands that is not part of a given record."""
        return self._place

    def take(self, chunk: bytes) -> list[tuple[int, bytes]]:
        """The records that are complete now, with the place of each."""
        data = self._rest + chunk if self._rest else chunk
        may_hold_ends = self._quoted and b'"' in data
        pieces = _quoted_lines(data) if may_hold_ends else data.split(b"\n")
        self._rest = pieces.pop()
        found: list[tuple[int, bytes]] = []
        place = self._place
        for piece in pieces:
            begun, place = place, place + len(piece) + 1
            if self._skipping:
                self._skipping = False
            elif line := piece.rstrip(b"\r"):
                found.append((begun, line if len(line) <= LONGEST else line[: LONGEST + 1]))
        if len(self._rest) > LONGEST:
            if not self._skipping:
                found.append((place, self._rest[: LONGEST + 1]))
            place += len(self._rest)
            self._rest, self._skipping = b"", True
        self._place = place
        return found

    def finish(self) -> list[tuple[int, bytes]]:
        """The last record of a file that does not end with a line end."""
        last, self._rest = self._rest.rstrip(b"\r"), b""
        begun, self._place = self._place, self._place + len(last)
        return [(begun, last)] if last and not self._skipping else []


def _quoted_lines(data: bytes) -> list[bytes]:
    """Split at line ends outside of double quotes; the last piece is what remains."""
    *lines, last = data.split(b"\n")
    pieces: list[bytes] = []
    open_: list[bytes] = []
    odd = False
    for line in lines:
        odd ^= line.count(b'"') % 2 == 1
        open_.append(line)
        if not odd:
            pieces.append(b"\n".join(open_))
            open_ = []
    return [*pieces, b"\n".join([*open_, last])]
