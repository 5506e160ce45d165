"""Serves the API inside the desk's process, on its own loop, until the desk ends."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
import uvicorn

from engine.cases.model import Role
from engine.edge.api.account_store import AccountStore
from engine.edge.api.app import make_app
from engine.edge.api.limits import Limits
from engine.edge.api.masking import CLEAR, Personal
from engine.edge.api.services import Figuring, Services
from engine.edge.api.shelf import Shelf
from engine.edge.api.signatures import is_key
from engine.edge.api_settings import ApiSettings
from engine.edge.desk.keeper import Keeper
from engine.errors import EnvironmentUnusable
from engine.kafka.access import is_loopback
from engine.secret_files import read_secret
from engine.text import say

log = structlog.get_logger("api")

_BACKLOG = 128
_GRACE_S = 5


def make_services(
    keeper: Keeper,
    figures: Figuring,
    personal: Callable[[], Personal],
    settings: ApiSettings,
    folder: Path,
    lang: str = "en",
) -> Services:
    """Everything that the routes work with.

    Raises:
        EnvironmentUnusable: a key's file cannot be read, a system has no key, or one that is none.

    """
    return Services(
        shelf=Shelf(keeper),
        accounts=AccountStore(keeper.store, keeper.ledger),
        figures=figures,
        personal=personal,
        keys=_keys(settings, folder, lang),
        clear=_clear(settings),
        requests=Limits(settings.per_minute),
        now_ms=keeper.store.now_ms,
        lang=lang,
        streams=settings.streams,
    )


@asynccontextmanager
async def served(services: Services, settings: ApiSettings, folder: Path) -> AsyncIterator[int]:
    """Listen while this is held; gives the port.

    Raises:
        EnvironmentUnusable: the port is taken, or tokens would go unencrypted over a network.

    """
    lang = services.lang
    if not (settings.certificate or settings.insecure or is_loopback(settings.host)):
        raise EnvironmentUnusable(say("api-unencrypted", lang, host=settings.host))
    app = make_app(services, settings.max_body, settings.per_address)
    listening = _listening(settings.host, settings.port, lang)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=settings.proxies or None,
        timeout_graceful_shutdown=_GRACE_S,
        ssl_certfile=_beside(folder, settings.certificate),
        ssl_keyfile=_beside(folder, settings.certificate_key),
    )
    try:
        config.load()
    except OSError as error:  # the certificate
        listening.close()
        why = error.strerror or str(error)
        raise EnvironmentUnusable(say("api-certificate", lang, why=why)) from error
    server = _Server(config)
    tasks = [
        asyncio.create_task(server.serve([listening]), name="api"),
        asyncio.create_task(services.shelf.spread(), name="api-events"),
    ]
    port = int(listening.getsockname()[1])
    log.info("api", host=settings.host, port=port)
    try:
        yield port
    finally:
        services.stopping = True
        services.shelf.rouse()
        server.should_exit = True
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Server(uvicorn.Server):
    """Leaves signals to the process it runs in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none."""
        yield


def _listening(host: str, port: int, lang: str) -> socket.socket:
    """A socket that listens, so that a port that is taken is told in our words."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(_BACKLOG)
    except OSError as error:
        made.close()
        why = error.strerror or str(error)
        sentence = say("port-taken", lang, host=host, port=port, why=why)
        raise EnvironmentUnusable(sentence) from error
    made.setblocking(False)
    return made


def _beside(folder: Path, name: str | None) -> str | None:
    return None if name is None else str(folder / name)


def _keys(settings: ApiSettings, folder: Path, lang: str) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, system in settings.systems.items():
        keys = (
            read_secret(system.secret, system.secret_file, folder, lang),
            read_secret(system.old_secret, system.old_secret_file, folder, lang),
        )
        found[name] = tuple(key for key in keys if key)
        if not found[name] or not all(map(is_key, found[name])):
            raise EnvironmentUnusable(say("api-system-key", lang, name=name))
    return found


def _clear(settings: ApiSettings) -> Mapping[Role, frozenset[str]]:
    said = settings.clear.model_dump(exclude_none=True)
    return {**CLEAR, **{Role(role): frozenset(kinds) for role, kinds in said.items()}}
