"""Which addresses a sink that speaks HTTP may connect to: checked where a connection is made.

Destinations are what the operator declared, never something an event said. In a city's intranet
they lie in private ranges, so these are allowed unless the settings say otherwise; addresses that
clouds keep for their machines' own secrets, and link-local ones, are reached only when listed.
"""

import ipaddress
import re
import socket
import unicodedata
from collections.abc import Collection, Sequence
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

NEVER: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "169.254.0.0/16",  # link-local, and where clouds tell a machine its credentials
        "100.100.100.200/32",  # the same at Alibaba Cloud
        "168.63.129.16/32",  # the same at Azure
        "192.0.0.192/32",  # the same at Oracle
        "fd00:ec2::254/128",  # the same at Amazon, IPv6
        "fd20:ce::254/128",  # the same at Google, IPv6
        "fe80::/10",
        "0.0.0.0/8",
        "::/128",
        "224.0.0.0/4",
        "ff00::/8",
        "240.0.0.0/4",
    )
)
"""What no alert is ever sent to unless it is listed."""

_WELL_KNOWN = tuple(ipaddress.ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48"))
_COMPATIBLE = ipaddress.ip_network("::/96")
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s\x00-\x20\x7f\\/?#@:\[\]%<>\"'`{}|^]+)"
    r"(?::(?P<port>[0-9]{1,5}))?(?:[/?#][^\s\x00-\x20\x7f\\]*)?",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?:0[xX][0-9a-fA-F]*|[0-9]+)$")
_HIGHEST_PORT = 65_535
_LOW_32 = 0xFFFF_FFFF


class Forbidden(OSError):
    """A destination that must not be connected to; a name may lead elsewhere another time."""


class Guard:
    """The addresses and names that one sink may reach.

    Args:
        hosts: The only host names and addresses allowed, exactly; empty for all.
        listed: Networks (CIDR) that are allowed whatever they are.
        private: Whether loopback and private ranges are allowed without being listed.

    Raises:
        ValueError: a network is not written as one.

    """

    def __init__(
        self, hosts: Collection[str] = (), listed: Sequence[str] = (), *, private: bool = True
    ) -> None:
        self._hosts = frozenset(_plain(host) for host in hosts)
        self._listed = tuple(ipaddress.ip_network(text, strict=False) for text in listed)
        self._private = private

    def permits(self, address: Address) -> bool:
        """Whether an address may be connected to; one inside another counts as both."""
        if self._is_listed(_unwrapped(address)):
            return True
        return all(self._is_harmless(one) for one in _meant(address))

    def permits_host(self, host: str) -> bool:
        """Whether a name (or a literal address) is among the declared ones."""
        return not self._hosts or _plain(host) in self._hosts

    def _is_listed(self, address: Address) -> bool:
        return any(address in network for network in self._listed)

    def _is_harmless(self, address: Address) -> bool:
        if self._is_listed(address):
            return True
        if any(address in network for network in NEVER) or address.is_multicast:
            return False
        local = isinstance(address, ipaddress.IPv6Address) and address.is_site_local
        return (address.is_global and not local) or self._private

    def check(self, url: str) -> None:
        """Look at a URL before anything is connected.

        Only `http` and `https`, no user name, no address in a spelling that programs read
        differently (decimal, octal, hexadecimal, shortened), no forbidden literal address.

        Raises:
            Forbidden: it may not be used, with the reason in a word.

        """
        found = _URL.fullmatch(url)
        if found is None or int(found["port"] or 0) > _HIGHEST_PORT:
            raise Forbidden(_FORM)
        host = _plain(found["host"])
        if not host or not host.isascii() or _is_odd(host):
            raise Forbidden(_FORM)
        if not self.permits_host(host):
            raise Forbidden(_HOST)
        literal = _literal(host)
        if literal is not None and not self.permits(literal):
            raise Forbidden(_ADDRESS)

    def resolver(self, inner: AbstractResolver | None = None) -> AbstractResolver:
        """A resolver that answers permitted addresses only."""
        return _Resolver(self, inner)

    def socket(self, info: tuple[Any, ...]) -> socket.socket:
        """The last gate: a socket for an address about to be connected to, if it may be."""
        family, kind, protocol, _, place = info
        if not self.permits(ipaddress.ip_address(str(place[0]).partition("%")[0])):
            raise Forbidden(_ADDRESS)
        return socket.socket(family=family, type=kind, proto=protocol)


_FORM, _HOST, _ADDRESS = "form", "host", "address"


class _Resolver(AbstractResolver):
    """Asks the name server, and keeps of its answer what may be connected to."""

    def __init__(self, guard: Guard, inner: AbstractResolver | None) -> None:
        self._guard = guard
        self._inner = ThreadedResolver() if inner is None else inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The permitted addresses of a name."""
        if not self._guard.permits_host(host):
            raise Forbidden(_HOST)
        found = await self._inner.resolve(host, port, family)
        kept = [
            one
            for one in found
            if self._guard.permits(ipaddress.ip_address(one["host"].partition("%")[0]))
        ]
        if not kept:
            raise Forbidden(_ADDRESS)
        return kept

    async def close(self) -> None:
        """Close the inner one."""
        await self._inner.close()


def _plain(host: str) -> str:
    """A host in one spelling: no brackets, no last dot, small letters."""
    return unicodedata.normalize("NFKC", host).strip("[]").rstrip(".").casefold()


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_odd(host: str) -> bool:
    """Whether a host ends in a number without being an address: `2130706433`, `0177.0.0.1`."""
    return _literal(host) is None and _NUMBER.match(host.rpartition(".")[2]) is not None


def _unwrapped(address: Address) -> Address:
    """An IPv4 address that is written inside an IPv6 one."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped


def _meant(address: Address) -> list[Address]:
    """All addresses that a packet to this one may end at."""
    address = _unwrapped(address)
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    found: list[Address] = [address]
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    if address.teredo is not None:
        found += address.teredo
    inside = any(address in network for network in _WELL_KNOWN)
    if inside or (address in _COMPATIBLE and int(address) > 1):
        found.append(ipaddress.IPv4Address(int(address) & _LOW_32))
    return found
