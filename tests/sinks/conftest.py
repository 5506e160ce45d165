"""Servers that the tests of sinks share."""

from collections.abc import Iterator

import pytest
from services import SHARED


@pytest.fixture(scope="session", autouse=True)
def shared_servers_end() -> Iterator[None]:
    """What the first test that needed it has started ends with the last."""
    yield
    SHARED.close()
