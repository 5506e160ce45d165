"""How a client gets into a Kafka broker: TLS and SASL, as an operator declares them.

Opening what was declared reads files: certificates, keys and passwords.
"""

import ipaddress
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, SecretStr

from engine.errors import EnvironmentUnusable
from engine.text import say

SCHEME = "kafka://"
_PORT = 9092
_HIGHEST_PORT = 65_535
_TLS_ONLY = ("ca_file", "cert_file", "key_file", "key_password", "key_password_file")
_SASL_ONLY = ("username", "password", "password_file")


class Access(BaseModel):
    """What may be declared about getting in; a base of every section that names a broker.

    Relative files start at the folder of the settings, in a connector at the data folder, as all
    its paths do. A `..._file` wins over the value beside it.

    Attributes:
        tls: Whether to speak TLS; when left out, yes if any certificate file is named.
        ca_file: Authorities that may have signed the broker's certificate (PEM); the system's
            when left out.
        cert_file: Our own certificate with its chain (PEM), where the broker wants one.
        key_file: The key of that certificate; when left out it stands in `cert_file`.
        key_password: Opens an encrypted key. Or `key_password_file`.
        check_names: Whether the certificate must be made out to the address we connect to.
        sasl: How a user name is proved.
        username: Who we are; `password` or `password_file` proves it.
        insecure: Allows an unencrypted connection to another machine.

    """

    tls: bool | None = None
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    key_password: SecretStr | None = None
    key_password_file: str | None = None
    check_names: bool = True
    sasl: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    username: str | None = None
    password: SecretStr | None = None
    password_file: str | None = None
    insecure: bool = False

    @property
    def speaks_tls(self) -> bool:
        """Whether connections are encrypted."""
        if self.tls is None:
            return any(getattr(self, name) is not None for name in _TLS_ONLY)
        return self.tls


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in an `Access`: the key it shows at, the code and the words of its sentence.

    `key` is empty where the address of the broker is meant.
    """

    key: str
    code: str
    words: dict[str, object]


def faults(access: Access, bootstrap: str) -> Iterator[Fault]:
    """All that is wrong with how a broker is to be reached."""
    try:
        places = addresses(bootstrap)
    except ValueError:
        yield Fault("", "S111", {"found": bootstrap})
        places = []
    strangers = [host for host, _ in places if not is_loopback(host)]
    if strangers and not access.speaks_tls and not access.insecure:
        yield Fault("", "S108", {"place": strangers[0]})
    if access.sasl:
        secret = access.password is not None or access.password_file is not None
        lacking = [*([] if access.username else ["username"]), *([] if secret else ["password"])]
        for name in lacking:
            yield Fault("sasl", "S109", {"name": "sasl", "lacking": name})
    else:
        for name in _given(access, _SASL_ONLY):
            yield Fault(name, "S110", {"name": name, "without": "sasl"})
    if access.key_file is not None and access.cert_file is None:
        yield Fault("key_file", "S109", {"name": "key_file", "lacking": "cert_file"})
    if access.tls is False:
        for name in _given(access, _TLS_ONLY):
            yield Fault(name, "S110", {"name": name, "without": "tls"})


def _given(access: Access, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if getattr(access, name) is not None]


def addresses(bootstrap: str) -> list[tuple[str, int]]:
    """Host and port of each broker named, `kafka://` before them or not; the port may be left out.

    Raises:
        ValueError: it is not a list of addresses.

    """
    found: list[tuple[str, int]] = []
    for one in bootstrap.removeprefix(SCHEME).split(","):
        place = one.strip().removeprefix(SCHEME)
        host, colon, port = place.rpartition(":")
        if not colon or place.endswith("]"):
            host, port = place, str(_PORT)
        host = host.removeprefix("[").removesuffix("]")
        if not host or "/" in host or not port.isdecimal() or not 0 < int(port) <= _HIGHEST_PORT:
            raise ValueError(place)
        found.append((host, int(port)))
    return found


def is_loopback(host: str) -> bool:
    """Whether an address never leaves this machine, judged by its name alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def servers(bootstrap: str) -> list[str]:
    """The same addresses as `host:port`, as clients take them."""
    places = addresses(bootstrap)
    return [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in places]


@dataclass(frozen=True, slots=True)
class Way:
    """An opened `Access`: what a client must be given to get in. Never prints its password."""

    context: ssl.SSLContext | None = None
    mechanism: str = ""
    username: str = ""
    password: str = field(default="", repr=False)

    @property
    def protocol(self) -> str:
        """Kafka's name for it."""
        return f"{'SASL_' if self.mechanism else ''}{'SSL' if self.context else 'PLAINTEXT'}"

    def client(self) -> dict[str, Any]:
        """Arguments for any aiokafka client."""
        arguments: dict[str, Any] = {
            "security_protocol": self.protocol,
            "ssl_context": self.context,
        }
        if self.mechanism:
            arguments |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return arguments


PLAIN = Way()
"""No encryption and no name."""


def open_way(access: Access, folder: Path, lang: str = "en") -> Way:
    """Read the files that an `Access` names.

    Raises:
        EnvironmentUnusable: a file cannot be read or used; says which and why.

    """
    password = _secret(access.password, access.password_file, folder, lang)
    return Way(
        context=_context(access, folder, lang) if access.speaks_tls else None,
        mechanism=access.sasl or "",
        username=access.username or "",
        password=password or "",
    )


def _context(access: Access, folder: Path, lang: str) -> ssl.SSLContext:
    """Certificates are always checked; names are unless told not to."""
    ca_file = None if access.ca_file is None else folder / access.ca_file
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise _unusable(ca_file, error, lang) from error
    context.check_hostname = access.check_names
    if access.cert_file is not None:
        cert, key = folder / access.cert_file, folder / (access.key_file or access.cert_file)
        opens = _secret(access.key_password, access.key_password_file, folder, lang) or ""
        for path in (cert, key):
            if not path.is_file():
                raise _unusable(path, FileNotFoundError(2, "No such file"), lang)
        try:
            context.load_cert_chain(cert, key, lambda: opens)  # never asks at a terminal
        except (OSError, ValueError) as error:
            raise _unusable(key, error, lang) from error
    return context


def _secret(value: SecretStr | None, file: str | None, folder: Path, lang: str) -> str | None:
    if file is None:
        return None if value is None else value.get_secret_value()
    path = folder / file
    try:
        secret = path.read_text("utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, error, lang) from error
    if not secret:
        raise _unusable(path, ValueError(say("access-empty", lang)), lang)
    return secret


def coded(code: str, lang: str, **words: object) -> str:
    """A sentence with its code, so that it can be looked up in `docs/kafka.md`."""
    return f"{code}: {say(code, lang, **words)}"


def _unusable(path: Path | None, error: Exception, lang: str) -> EnvironmentUnusable:
    why = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
    return EnvironmentUnusable(coded("K111", lang, path=path, why=why))
