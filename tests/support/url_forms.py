"""URLs that lead where no sink may go, in every form there is, and a name server that lies."""

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from aiohttp.abc import AbstractResolver, ResolveResult

from connectors.client import Client, Reach
from engine.errors import DeliveryError, EnvironmentUnusable

PUBLIC = "93.184.216.34"
METADATA = "169.254.169.254"
FORBIDDEN = (
    METADATA, "127.0.0.1", "10.0.0.1", "172.16.5.9", "192.168.1.1", "100.100.100.200", "0.0.0.0",
    "169.254.0.23", "255.255.255.255", "224.0.0.1",
)  # fmt: skip
"""What a sink that may reach public addresses only must never reach."""
FORBIDDEN_V6 = (
    "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1", "2001:db8::1",
)  # fmt: skip

Form = Callable[[ipaddress.IPv4Address], str]


def octets(address: ipaddress.IPv4Address) -> list[int]:
    return list(address.packed)


def words(address: ipaddress.IPv4Address) -> str:
    one, two, three, four = octets(address)
    return f"{one:02x}{two:02x}:{three:02x}{four:02x}"


def wide(text: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if char.isdigit() else char for char in text)


def circled(text: str) -> str:
    return "".join("⓪①②③④⑤⑥⑦⑧⑨"[int(char)] if char.isdigit() else char for char in text)


FORMS: dict[str, Form] = {
    "plain": str,
    "decimal": lambda a: str(int(a)),
    "hexadecimal": lambda a: hex(int(a)),
    "octal": lambda a: f"0{int(a):o}",
    "octal-parts": lambda a: ".".join(f"0{part:o}" for part in octets(a)),
    "hexadecimal-parts": lambda a: ".".join(map(hex, octets(a))),
    "mixed-parts": lambda a: ".".join([hex(octets(a)[0]), *map(str, octets(a)[1:])]),
    "padded-parts": lambda a: ".".join(f"{part:04d}" for part in octets(a)),
    "three-parts": lambda a: "{}.{}.{}".format(*octets(a)[:2], octets(a)[2] * 256 + octets(a)[3]),
    "two-parts": lambda a: f"{octets(a)[0]}.{int(a) & 0xFFFFFF}",
    "last-dot": lambda a: f"{a}.",
    "too-large": lambda a: str(int(a) + 2**32),
    "wide-digits": lambda a: wide(str(a)),
    "wide-dots": lambda a: str(a).replace(".", "。"),
    "circled-digits": lambda a: circled(str(a)),
    "percent": lambda a: "".join(f"%{ord(char):02x}" for char in str(a)),
    "user": lambda a: f"good.example@{a}",
    "user-and-password": lambda a: f"good.example:443@{a}",
    "backslash": lambda a: f"{a}\\@good.example",
    "mapped": lambda a: f"[::ffff:{a}]",
    "mapped-words": lambda a: f"[::ffff:{words(a)}]",
    "mapped-long": lambda a: f"[0:0:0:0:0:ffff:{words(a)}]",
    "compatible": lambda a: f"[::{a}]",
    "6to4": lambda a: f"[2002:{words(a)}::1]",
    "nat64": lambda a: f"[64:ff9b::{words(a)}]",
    "teredo": lambda a: f"[2001:0:{words(a)}::1]",
}
ODD = [
    "file:///etc/passwd", "ftp://good.example/", "gopher://127.0.0.1/", "//127.0.0.1/", "http:/x",
    "http:///", "http://", "http://@127.0.0.1/", "http://:80/", "http://good.example:99999/",
    "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[::1/", "http://::1/",
    "http://127.0.0.1 .good.example/", "http://good.example\t@127.0.0.1/", "http://127.1/",
    "http://good.example\r\nHost: 127.0.0.1/", "http://good.example\\.127.0.0.1/", "http://0/",
    "http://0x7f.1/", "http://good.example#@127.0.0.1:80@x/".replace("#", "\\"), "http://1.1.1/",
    "http://a%2eb/", "http://[127.0.0.1]/", "http://good.example:80:80/",
    "http://good.example:/x y",
    "http://<127.0.0.1>/", "http://127.0.0.1`/", "http://{127.0.0.1}/", "http://0177.1/",
    "jar:http://127.0.0.1!/", "http:127.0.0.1/", "http:\\\\127.0.0.1\\", "\x00http://127.0.0.1/",
]  # fmt: skip


def table() -> list[str]:
    """All URLs that must reach nothing where only public addresses are allowed."""
    found = [
        f"{scheme}://{form(ipaddress.IPv4Address(address))}{rest}"
        for address in FORBIDDEN
        for name, form in FORMS.items()
        for scheme, rest in ([("http", "/latest")] if name != "plain" else
                             [("http", "/"), ("https", ":8443/x?y"), ("HTTP", "")])
    ]  # fmt: skip
    found += [f"http://[{address}]:80/" for address in FORBIDDEN_V6]
    found += [f"http://{name}/" for name in NAMES if name not in ("good.example", "mixed.example")]
    return found + ODD


class NameServer(AbstractResolver):
    """Answers what it is told; a name that rebinds says something harmless only at first."""

    def __init__(self) -> None:
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        del family
        self.asked += 1
        answers = NAMES[host.rstrip(".")]
        answer = (
            answers[min(self.asked, len(answers)) - 1] if host == "rebinds.example" else answers
        )
        return [
            ResolveResult(hostname=host, host=one, port=port, proto=0, flags=0,
                          family=socket.AF_INET6 if ":" in one else socket.AF_INET)
            for one in ([answer] if isinstance(answer, str) else answer)
        ]  # fmt: skip

    async def close(self) -> None:
        """Nothing is held."""


NAMES: dict[str, list[str]] = {
    "good.example": [PUBLIC],
    "mixed.example": [METADATA, PUBLIC, "::1"],
    "rebinds.example": [PUBLIC, METADATA],
    **{f"leads-to-{address.replace(':', '-').strip('-')}.example": [address]
       for address in (*FORBIDDEN, *FORBIDDEN_V6) if address != "::"},
    "leads-to-mapped.example": [f"::ffff:{METADATA}"],
    "leads-to-several.example": ["10.0.0.1", "::1", METADATA],
}  # fmt: skip


@contextmanager
def connections() -> Iterator[list[str]]:
    """Addresses to which a connection was begun; none leads anywhere but to a port in `OPEN`."""
    seen: list[str] = []
    loop = asyncio.selector_events.BaseSelectorEventLoop
    connect = loop.sock_connect

    async def noted(self: Any, sock: socket.socket, address: tuple[Any, ...]) -> None:
        seen.append(address[0])
        if address[0] == "127.0.0.1" and address[1] in OPEN:
            await connect(self, sock, address)
            return
        raise ConnectionRefusedError(*address[:1])

    with mock.patch.object(loop, "sock_connect", noted):
        yield seen
    OPEN.clear()


OPEN: set[int] = set()
"""Ports of the loopback that may be reached."""


async def tried(url: str, reach: Reach, times: int = 1) -> Exception | None:
    """What making a client and posting raises."""
    try:
        client = Client("a", url, reach, {}, 1, lookup=NameServer())
    except EnvironmentUnusable as error:
        return error
    failed = None
    await client.open()
    for _ in range(times):
        try:
            await client.post(b"{}", {})
        except DeliveryError as error:
            failed = error
    await client.close()
    return failed
