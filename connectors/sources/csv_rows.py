"""Lines of a CSV file, whose header may name the columns in any order, as lines of the feed."""

import csv
import io
from collections.abc import Callable, Sequence

_HEARTBEAT = b"#watermark,"
_BOM = b"\xef\xbb\xbf"


class CsvRows:
    """Turns the rows of one file into rows whose columns stand as the feed declares them.

    A feed's CSV record is a line without header, so every file must bring its own header line and
    the rows are rearranged by it. Columns that the feed does not declare are left out; a declared
    one that the file lacks is empty. Heartbeat lines go through as they are. A row with too many
    or too few cells goes through unchanged, with its count kept wrong, so that it is refused.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        """Expect a header line first; `columns` are the feed's."""
        self._columns = tuple(columns)
        self._arrange: Callable[[bytes], bytes] | None = None

    def take(self, line: bytes) -> bytes | None:
        """A row of the feed, or None for the header line."""
        if self._arrange is not None:
            return line if line.startswith(_HEARTBEAT) else self._arrange(line)
        if line.startswith(_HEARTBEAT):
            return line
        header = [name.strip() for name in _cells(line.removeprefix(_BOM)) or []]
        self._arrange = _arranger(header, self._columns)
        return None


def _arranger(header: Sequence[str], columns: Sequence[str]) -> Callable[[bytes], bytes]:
    if not columns or tuple(header) == tuple(columns):
        return lambda line: line
    places = [header.index(name) if name in header else None for name in columns]
    width = len(header)

    def arrange(line: bytes) -> bytes:
        if b'"' not in line:
            cells = line.split(b",")
            if len(cells) == width:
                return b",".join([b"" if at is None else cells[at] for at in places])
            return _still_wrong(line, len(cells), len(columns))
        texts = _cells(line)
        if texts is None or len(texts) != width:
            return _still_wrong(line, len(texts or ()), len(columns))
        out = io.StringIO()
        csv.writer(out, lineterminator="").writerow(
            ["" if at is None else texts[at] for at in places]
        )
        return out.getvalue().encode()

    return arrange


def _still_wrong(line: bytes, found: int, wanted: int) -> bytes:
    """A row of the wrong width must not fit by chance once its columns have another order."""
    return line + b"," if found == wanted else line


def _cells(line: bytes) -> list[str] | None:
    try:
        rows = list(csv.reader([line.decode()], strict=True))
    except (UnicodeDecodeError, csv.Error):
        return None
    return rows[0] if len(rows) == 1 else None
