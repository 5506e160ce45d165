"""Sets of declarations that were live, kept in the daemon's folder under the hash of their content.

What a folder of rules holds may be broken at the worst moment. The set that is live is kept here,
so that a restart comes up with it. Small files lie in the set's own file, big ones (tables, zones)
once each beside it, whatever sets they belong to.
"""

import hashlib
import os
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

from engine.ruleset.source import DeclaredFile

log = structlog.get_logger("reload")

FOLDER = "rules"
_SET, _BIG = ".set", ".part"
_NOTED = "noted.json"
_INLINE = 256 * 1024
"""A file of so many bytes or more is kept by itself."""


def name_of(files: Iterable[DeclaredFile]) -> str:
    """First 16 hex digits of the SHA-256 over names and contents."""
    whole = hashlib.sha256()
    for file in sorted(files, key=lambda one: one.path):
        whole.update(b"%d %d\n" % (len(file.path.encode()), len(file.raw)))
        whole.update(file.path.encode() + file.raw)
    return whole.hexdigest()[:16]


class GoodSets:
    """The sets kept in a data folder."""

    def __init__(self, data_folder: Path) -> None:
        """Nothing is made until a set is kept."""
        self._folder = data_folder / FOLDER

    def keep(self, files: Iterable[DeclaredFile]) -> str:
        """Keep a set; when this returns it would survive a power cut. Answers its name."""
        held = list(files)
        name = name_of(held)
        if (self._folder / f"{name}{_SET}").exists():
            return name
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        listed: list[tuple[str, str, bytes]] = []
        for file in held:
            digest = hashlib.sha256(file.raw).hexdigest()
            is_big = len(file.raw) >= _INLINE
            if is_big and not (self._folder / f"{digest}{_BIG}").exists():
                self._write(f"{digest}{_BIG}", file.raw)
            listed.append((file.path, digest, b"" if is_big else file.raw))
        self._write(f"{name}{_SET}", msgspec.msgpack.encode(listed))
        return name

    def read(self, name: str) -> list[DeclaredFile] | None:
        """The files of a set; None when it is not there or not whole."""
        try:
            raw = (self._folder / f"{name}{_SET}").read_bytes()
            listed = msgspec.msgpack.decode(raw, type=list[tuple[str, str, bytes]])
            files = [DeclaredFile(path, self._content(digest, raw)) for path, digest, raw in listed]
        except (OSError, ValueError):
            return None
        return files if name_of(files) == name else None

    def forget_all_but(self, names: Collection[str]) -> None:
        """Delete the other sets, and big files that none of these needs."""
        needed: set[str] = set()
        for name in names:
            with suppress(OSError, ValueError):
                raw = (self._folder / f"{name}{_SET}").read_bytes()
                listed = msgspec.msgpack.decode(raw, type=list[tuple[str, str, bytes]])
                needed |= {f"{digest}{_BIG}" for _, digest, inline in listed if not inline}
                needed.add(f"{name}{_SET}")
        with suppress(OSError):
            for path in self._folder.iterdir():
                if path.suffix in (_SET, _BIG) and path.name not in needed:
                    path.unlink()

    def note(self, what: str, name: str) -> None:
        """Keep which set is `live` or was `refused`, where no database says so; no name: none."""
        noted = {**self.noted(), what: name}
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write(_NOTED, msgspec.json.encode({one: noted[one] for one in noted if noted[one]}))

    def noted(self) -> dict[str, str]:
        """What was noted, by `live` and `refused`."""
        try:
            raw = (self._folder / _NOTED).read_bytes()
            return msgspec.json.decode(raw, type=dict[str, str])
        except (OSError, msgspec.DecodeError):
            return {}

    def _content(self, digest: str, inline: bytes) -> bytes:
        path = self._folder / f"{digest}{_BIG}"
        return inline if inline or not path.exists() else path.read_bytes()

    def _write(self, name: str, content: bytes) -> None:
        beside = self._folder / f"{name}.new"
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._folder / name)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class GoodSetsWhereTheyCan(GoodSets):
    """The same in the folder of a worker, which may have none that it can write to.

    It runs all the same; a start with broken rules then has nothing to fall back on.
    """

    _told = False

    def keep(self, files: Iterable[DeclaredFile]) -> str:
        """Keep a set, if that can be done."""
        held = list(files)
        try:
            return super().keep(held)
        except OSError as error:
            self._tell(error)
            return name_of(held)

    def note(self, what: str, name: str) -> None:
        """Keep which set is live or was refused, if that can be done."""
        try:
            super().note(what, name)
        except OSError as error:
            self._tell(error)

    def _tell(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            log.warning("rules-not-kept", error=str(error))
