"""Alerts as CAP 1.2 documents: alert, update and cancel, as files of a folder or posted."""

import asyncio
import os
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import ConfigDict, Field, SecretStr, model_validator

from connectors.client import Client, Reach
from connectors.extras import needed
from connectors.ledger import Ledger
from connectors.notice import Notice, read
from connectors.personal import ToPeople
from engine.errors import EnvironmentUnusable, Permanent, Retryable
from engine.ports import SinkContext
from engine.secret_files import read_secret
from engine.text import say

if TYPE_CHECKING:
    from connectors.cap import Issued

EXTRA = ("cap", "lxml")
_DISK, _INVALID, _NOTHING = "disk", "invalid", "nothing-to-cancel"
_ISSUER = r"^[0-9A-Za-z]{14}$"
_KEPT_S = 400 * 86_400.0
_SERIALS = 10


class Options(ToPeople, Reach):
    """What may be declared about CAP documents; how a URL may be reached stands at `Reach`.

    Attributes:
        folder: Where documents are put, one file each; or `url`, where they are posted.
        token: Sent as `Authorization: Bearer` with a URL; or `token_file`, which wins.
        sender: Unique name of the issuer, such as a domain; `sender_name` is for people.
        status: `Test` or `Exercise` until the receiver and you have agreed on `Actual`.
        scope: `Restricted` (to whom says `restriction`), or `Public` for an authority that may
            publish warnings.
        category: What kind of event it is, in CAP's words.
        issuer_code: The 14 characters of the issuing unit by GB/T 35965.1; identifiers then have
            the 31 characters of that standard.
        expires_h: Hours after which a message is void; 0 for never.
        radius_km: Of the circle around the place.
        languages: In which the text stands, in this order.

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["cap"] = "cap"
    folder: str | None = None
    url: str | None = Field(default=None, pattern=r"^https?://\S+$")
    token: SecretStr | None = None
    token_file: str | None = None
    sender: str = Field(pattern=r"^[^\s,<&]+$", max_length=200)
    sender_name: str = ""
    status: Literal["Actual", "Exercise", "Test"] = "Actual"
    scope: Literal["Restricted", "Public"] = "Restricted"
    restriction: str = ""
    category: Literal[
        "Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport",
        "Infra", "CBRNE", "Other",
    ] = "Safety"  # fmt: skip
    issuer_code: str | None = Field(default=None, pattern=_ISSUER)
    expires_h: float = Field(default=24.0, ge=0, le=8760)
    radius_km: float = Field(default=0.0, ge=0, le=20_000)
    languages: list[Literal["zh", "en"]] = Field(default=["zh", "en"], min_length=1)
    zone: str = "Asia/Shanghai"
    lang: str = "en"

    @model_validator(mode="after")
    def _one_way(self) -> "Options":
        """Exactly one of a folder and a URL."""
        if (self.folder is None) == (self.url is None):
            message = "give 'folder' or 'url'"
            raise ValueError(message)
        return self


def build(name: str, options: Options, context: SinkContext) -> "CapSink":
    """A sink that writes or posts CAP documents."""
    return CapSink(name, options, Path(context.folder))


class CapSink:
    """Gives out each delivery as a valid document under an identifier that it keeps.

    What was given out stands in a file of the sink's own (`cap-<name>.db`), so that changes and
    ends refer to it. A repeat has the same identifier and the same time.
    """

    parallel = 1

    def __init__(self, name: str, options: Options, folder: Path) -> None:
        """Read the secrets and prepare.

        Raises:
            EnvironmentUnusable: the extra is missing, or the address or a file is not fit.

        """
        with needed(name, EXTRA[0], options.lang):
            from connectors.cap import Issuer  # noqa: PLC0415 - an extra
        self.name = name
        self._options, self._data = options, folder
        self._issuer = Issuer(
            sender=options.sender, sender_name=options.sender_name, status=options.status,
            scope=options.scope, restriction=options.restriction, category=options.category,
            expires_h=options.expires_h, radius_km=options.radius_km, zone=options.zone,
        )  # fmt: skip
        self._folder = None if options.folder is None else folder / options.folder
        self._client = self._to_url(options.url, folder) if options.url else None
        self._ledger: Ledger | None = None

    async def open(self) -> None:
        """Open the ledger and make the folder or the session.

        Raises:
            EnvironmentUnusable: one of them cannot be used.

        """
        path = self._data / f"cap-{self.name}.db"
        try:
            if self._folder is not None:
                self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            why = error.strerror or str(error)
            found = say("sink-unusable", self._options.lang, name=self.name, path=path, why=why)
            raise EnvironmentUnusable(found) from error
        if self._ledger is None:
            self._ledger = Ledger(self.name, path, self._options.lang)
            self._ledger.forget(time.time() - _KEPT_S)
        if self._client is not None:
            await self._client.open()

    async def send(self, delivery_id: str, body: bytes, attempt: int) -> None:
        """Give out one delivery; returns when its document is on disk or was taken."""
        del attempt
        from connectors.cap import Issued, document  # noqa: PLC0415

        assert self._ledger is not None  # noqa: S101 - `open` comes first
        options = self._options
        notices = [
            read(body, lang, delivery_id, personal=options.personal) for lang in options.languages
        ]
        first = notices[0]
        try:
            issued = self._issued(first)
            found = self._ledger.earlier(first.reference or delivery_id, first.references)
        except sqlite3.Error as error:
            raise Retryable(_DISK, str(error)) from error
        earlier = [Issued(*one) for one in found if one[0] != issued.identifier]
        if first.is_over and not earlier:
            raise Permanent(_NOTHING, first.reference)
        try:
            raw = document(notices, self._issuer, issued, earlier)
        except ValueError as error:
            raise Permanent(_INVALID, str(error)) from error
        if self._client is not None:
            await self._client.post(raw, {"Idempotency-Key": delivery_id})
        else:
            await self._put(f"{issued.identifier}.xml", raw)
        try:
            self._ledger.taken(delivery_id)
        except sqlite3.Error as error:
            raise Retryable(_DISK, str(error)) from error

    async def close(self) -> None:
        """Close ledger and session; safe to call twice."""
        ledger, self._ledger = self._ledger, None
        if ledger is not None:
            ledger.close()
        if self._client is not None:
            await self._client.close()

    def _issued(self, notice: Notice) -> "Issued":
        """The identifier of a delivery: the one it has, or a new one noted before it is used."""
        from connectors.cap import Issued, instant  # noqa: PLC0415

        assert self._ledger is not None  # noqa: S101 - asked by `send`
        had = self._ledger.find(notice.delivery_id)
        if had is not None:
            return Issued(had[0], had[1])
        now_s, second = time.time(), int(time.time())
        reference = notice.reference or notice.delivery_id
        while True:
            sent = instant(second * 1000, self._options.zone)
            for name in self._names(notice, sent):
                if self._ledger.note(notice.delivery_id, reference, name, sent, now_s):
                    return Issued(name, sent)
            second += 1  # ten in one second are taken: the standard has no eleventh

    def _names(self, notice: Notice, sent: str) -> list[str]:
        """Identifiers that this message may have at that second."""
        code = self._options.issuer_code
        if code is None:
            safe = "".join(char if char.isalnum() else "-" for char in notice.delivery_id)
            return [f"forewarn-{safe}"]
        digits = "".join(char for char in sent[:19] if char.isdigit())
        return [f"{code}_{digits}_{serial}" for serial in range(_SERIALS)]

    async def _put(self, name: str, raw: bytes) -> None:
        try:
            await asyncio.to_thread(self._write, name, raw)
        except OSError as error:
            raise Retryable(_DISK, error.strerror or str(error)) from error

    def _write(self, name: str, raw: bytes) -> None:
        """A file that is there whole or not at all."""
        assert self._folder is not None  # noqa: S101 - asked by `send`
        part = self._folder / f".{name}.part"
        with part.open("wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._folder / name)
        above = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(above)
        finally:
            os.close(above)

    def _to_url(self, url: str, folder: Path) -> Client:
        options = self._options
        token = read_secret(options.token, options.token_file, folder, options.lang)
        headers = {"User-Agent": "forewarn/1", "Content-Type": "application/cap+xml"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return Client(
            self.name, url, options, headers, 1,
            folder=folder, lang=options.lang, secrets=[token or ""],
        )  # fmt: skip
