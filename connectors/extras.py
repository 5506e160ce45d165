"""Libraries that only one kind of connector needs: what is said where they are not installed."""

from collections.abc import Iterator
from contextlib import contextmanager

from engine.errors import EnvironmentUnusable
from engine.text import say


@contextmanager
def needed(name: str, extra: str, lang: str) -> Iterator[None]:
    """Imports made inside say which extra a connector lacks, when they fail.

    Raises:
        EnvironmentUnusable: one of them is not installed.

    """
    try:
        yield
    except ImportError as error:
        raise EnvironmentUnusable(
            say("sink-extra-missing", lang, name=name, extra=extra)
        ) from error
