"""Which version this is, and of what it is made."""

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from engine.edge.cli.exits import Exit
from engine.edge.cli.voice import voice

NAME = "forewarn"
UNKNOWN = "0+source"


def own_version() -> str:
    """The installed version, or a mark that this runs from sources without installation."""
    try:
        return version(NAME)
    except PackageNotFoundError:
        return UNKNOWN


def parts() -> Iterator[tuple[str, str]]:
    """Name and installed version of each direct dependency; empty where it is missing."""
    try:
        wanted = requires(NAME) or []
    except PackageNotFoundError:
        wanted = []
    for line in wanted:
        if "extra ==" in line:
            continue
        name = line.split(";")[0].split("[")[0]
        for sign in "<>=!~ ":
            name = name.split(sign)[0]
        try:
            yield name, version(name)
        except PackageNotFoundError:
            yield name, ""


def tell_version() -> int:
    """Print the version; as JSON also Python's and each dependency's."""
    if voice().json:
        voice().data(
            {"forewarn": own_version(), "python": platform.python_version(), "parts": dict(parts())}
        )
    else:
        voice().line(f"forewarn {own_version()} (Python {platform.python_version()})")
    return Exit.FINE
