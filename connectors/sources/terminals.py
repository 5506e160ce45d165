"""Who may call a gateway: the terminals that the settings list, with the codes they must show.

A file of terminals is CSV with the header `terminal,code,device,plate`; all columns but the first
may be left out or empty. It is read again when it has changed, so a new vehicle needs no restart.
"""

import asyncio
import csv
import hashlib
import hmac
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pydantic import SecretStr

from connectors.sources.door import DoorOptions
from engine.errors import EnvironmentUnusable
from engine.text import say

LOOK_S = 5.0
_CODE_LENGTH = 16
_MOST_PLATES = 200_000
_LIST, _HEADER = "gateway-list", "gateway-header"


class TerminalOptions(DoorOptions):
    """What may be declared about a port for terminals.

    Attributes:
        terminals: Numbers of terminals that may call.
        terminals_file: A file with more of them; relative to the settings file.
        secret: Makes a code of its own for each listed terminal that has none in the file. Or
            `secret_file`.
        open: Let everybody in, unknown terminals too.

    """

    terminals: tuple[str, ...] = ()
    terminals_file: str | None = None
    secret: SecretStr | None = None
    secret_file: str | None = None
    open: bool = False

    @property
    def guarded(self) -> bool:
        """Whether strangers stay out: not everybody may call, or not from everywhere."""
        return not self.open or bool(self.senders)


class Entry(NamedTuple):
    """A terminal that may call.

    Attributes:
        code: What it must show; empty where nothing is asked for.
        device: The device id that it must register with; empty where any will do.
        plate: Of the vehicle that it is built into.
        shared: Whether the code was given to it beforehand, so that we must not give it away.

    """

    code: str = ""
    device: str = ""
    plate: str = ""
    shared: bool = False


@dataclass(slots=True)
class Register:
    """The terminals of a gateway, shared by all its connections."""

    entries: Mapping[str, Entry]
    is_open: bool = False
    plates: dict[str, str] = field(default_factory=dict)

    def find(self, terminal: str) -> Entry | None:
        """What is known of a terminal; None if it may not call."""
        entry = self.entries.get(plain(terminal))
        return Entry() if entry is None and self.is_open else entry

    def admits(self, terminal: str, code: str) -> bool:
        """Whether a terminal may call with this code; takes the same time for every wrong code."""
        entry = self.find(terminal)
        if entry is None:
            return False
        return not entry.code or hmac.compare_digest(entry.code.encode(), code.encode())

    def plate(self, terminal: str) -> str:
        """The plate of a terminal as listed, else as it registered since the start; or empty."""
        entry = self.entries.get(terminal)
        return (entry.plate if entry is not None else "") or self.plates.get(terminal, "")

    def note_plate(self, terminal: str, plate: str) -> None:
        """Remember what a terminal registered with; bounded."""
        if terminal in self.plates or len(self.plates) < _MOST_PLATES:
            self.plates[terminal] = plate


class Roll:
    """Keeps a register as its file says."""

    def __init__(self, name: str, options: TerminalOptions, folder: Path) -> None:
        """Read the list.

        Raises:
            EnvironmentUnusable: it cannot be read, or nobody is listed and not everybody may call.

        """
        self._name, self._options, self._folder = name, options, folder
        if not (options.terminals or options.terminals_file or options.open):
            raise EnvironmentUnusable(say("gateway-nobody", options.lang, name=name))
        self._seen = self._stamp()
        self.register = Register(self._read(), options.open)

    async def watch(self) -> None:
        """Look at the file for ever; while it cannot be read, the list stays as it was."""
        while self._options.terminals_file is not None:
            await asyncio.sleep(LOOK_S)
            stamp = await asyncio.to_thread(self._stamp)
            if stamp == self._seen or stamp is None:
                continue
            try:
                self.register.entries = await asyncio.to_thread(self._read)
            except EnvironmentUnusable:
                continue  # half written: looked at again, as the stamp is not taken yet
            self._seen = stamp

    def _stamp(self) -> tuple[int, int] | None:
        if self._options.terminals_file is None:
            return None
        try:
            about = (self._folder / self._options.terminals_file).stat()
        except OSError:
            return None
        return about.st_mtime_ns, about.st_size

    def _read(self) -> dict[str, Entry]:
        options, secret = self._options, self._secret()
        entries = {plain(number): Entry() for number in options.terminals}
        if options.terminals_file is not None:
            path = self._folder / options.terminals_file
            try:
                text = path.read_text("utf-8-sig")
            except (OSError, UnicodeDecodeError) as error:
                raise self._unusable(_LIST, path=path, why=str(error)) from error
            rows = csv.DictReader(io.StringIO(text))
            if "terminal" not in (rows.fieldnames or ()):
                raise self._unusable(_HEADER, path=path)
            for row in rows:
                number = plain(row["terminal"] or "")
                if number:
                    code, device, plate = (
                        (row.get(name) or "").strip() for name in ("code", "device", "plate")
                    )
                    entries[number] = Entry(code, device, plate, bool(code))
        if secret:
            return {
                number: entry if entry.code else entry._replace(code=code_of(number, secret))
                for number, entry in entries.items()
            }
        return entries

    def _secret(self) -> str:
        options = self._options
        if options.secret_file is None:
            return "" if options.secret is None else options.secret.get_secret_value()
        path = self._folder / options.secret_file
        try:
            return path.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            found = {"path": path, "why": str(error)}
            raise EnvironmentUnusable(say("secret-unreadable", options.lang, **found)) from error

    def _unusable(self, sentence: str, **found: object) -> EnvironmentUnusable:
        return EnvironmentUnusable(say(sentence, self._options.lang, name=self._name, **found))


def code_of(terminal: str, secret: str) -> str:
    """The code that belongs to a terminal: the same after a restart, without keeping any."""
    return hmac.new(secret.encode(), terminal.encode(), hashlib.sha256).hexdigest()[:_CODE_LENGTH]


def plain(number: str) -> str:
    """A terminal's number without leading zeros; other identifiers as they are."""
    text = number.strip()
    return (text.lstrip("0") or text) if text.isdecimal() else text
