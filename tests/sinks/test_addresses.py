"""Whatever a URL looks like, and whatever a name server says, no forbidden address is reached."""

import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from url_forms import FORMS, METADATA, OPEN, PUBLIC, connections, table, tried

from connectors.addresses import NEVER, Guard
from connectors.client import Client, Reach
from engine.errors import EnvironmentUnusable, Permanent


@pytest.fixture
def reached() -> Iterator[list[str]]:
    """Addresses to which a connection was begun."""
    with connections() as seen:
        yield seen


async def test_no_form_of_url_reaches_an_address_that_is_not_public(reached: list[str]) -> None:
    urls = table()
    assert len(urls) >= 200
    strict = Reach(private_addresses=False, timeout_s=2)
    for url in urls:
        reached.clear()
        assert await tried(url, strict) is not None, url
        allowed = {PUBLIC} if "rebinds" in url else set()
        assert set(reached) <= allowed, url


async def test_public_names_and_addresses_are_reached(reached: list[str]) -> None:
    strict = Reach(private_addresses=False, timeout_s=2)
    for url in (f"http://{PUBLIC}/", "http://good.example/", "https://GOOD.example.:444/a?b#c"):
        reached.clear()
        await tried(url.replace(".:", ":"), strict)
        assert reached == [PUBLIC], url


async def test_of_a_mixed_answer_only_what_is_permitted_is_tried(reached: list[str]) -> None:
    await tried("http://mixed.example/", Reach(private_addresses=False))
    assert reached == [PUBLIC]


async def test_a_name_that_rebinds_is_not_followed(
    reached: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiohttp.connector._DNSCacheTable.expired", lambda *_: True)
    await tried("http://rebinds.example/", Reach(private_addresses=False), times=4)
    assert set(reached) == {PUBLIC}


async def test_even_an_intranet_s_sink_reaches_no_metadata_unless_listed(
    reached: list[str],
) -> None:
    for form in FORMS.values():
        await tried(f"http://{form(ipaddress.IPv4Address(METADATA))}/", Reach(timeout_s=2))
    await tried("http://leads-to-mapped.example/", Reach(timeout_s=2))
    assert METADATA not in reached
    assert all(ipaddress.ip_address(one).is_global for one in reached), reached
    await tried(f"http://{METADATA}/", Reach(allow_addresses=["169.254.169.254/32"]))
    await tried("http://10.0.0.1/", Reach())
    assert reached[-2:] == [METADATA, "10.0.0.1"]


async def test_only_declared_hosts_are_reached_where_hosts_are_declared(
    reached: list[str],
) -> None:
    only = Reach(allow_hosts=["good.example", "10.0.0.1"])
    for url, expected in {
        "http://good.example/": [PUBLIC],
        "http://Good.Example./": [PUBLIC],
        "http://10.0.0.1/": ["10.0.0.1"],
        "http://bad.good.example/": [],
        "http://good.example.evil.example/": [],
        "http://10.0.0.10/": [],
    }.items():
        reached.clear()
        await tried(url, only)
        assert reached == expected, url


async def test_a_redirect_to_metadata_is_refused_and_not_followed(reached: list[str]) -> None:
    async def elsewhere(request: web.Request) -> web.Response:
        del request
        return web.Response(status=307, headers={"Location": f"http://{METADATA}/latest"})

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", elsewhere)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    OPEN.add(port)
    failed = await tried(f"http://127.0.0.1:{port}/", Reach())
    await runner.cleanup()
    assert isinstance(failed, Permanent)
    assert set(reached) == {"127.0.0.1"}


@pytest.mark.parametrize("network", NEVER, ids=str)
def test_what_is_never_reached_is_reached_when_listed(network: Any) -> None:
    first = network[0]
    assert not Guard().permits(first)
    assert Guard(listed=[str(network)]).permits(first)


def test_a_network_that_is_none_is_said_in_a_sentence() -> None:
    with pytest.raises(EnvironmentUnusable, match=r"write networks as 10\.1\.0\.0/16"):
        Client("a", "http://h/", Reach(allow_addresses=["10.1.0/16"]), {}, 1, folder=Path("/"))
