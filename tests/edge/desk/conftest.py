"""The databases that the desk works on: an SQLite file, and a real PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres import fresh
from postgres import postgres as running


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL of our own."""
    with running(tmp_path_factory.mktemp("postgres")) as url:
        yield url


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
