"""The databases that the desk works on: an SQLite file, and a real PostgreSQL."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy
from postgres import postgres as running

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL of our own."""
    with running(tmp_path_factory.mktemp("postgres")) as url:
        yield url


def fresh(server: str) -> str:
    """A new database of a server."""
    name = f"desk{next(_NUMBERS)}"
    engine = sqlalchemy.create_engine(
        server.replace("postgresql", "postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as link:
        link.execute(sqlalchemy.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.rsplit("/", 1)[0] + f"/{name}"


@pytest.fixture
def pg(postgres: str) -> str:
    """An empty PostgreSQL database."""
    return fresh(postgres)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/cases.db"
    return fresh(request.getfixturevalue("postgres"))
