"""A secret that an operator gives directly or in a file; for the daemon and for connectors."""

from pathlib import Path

from pydantic import SecretStr

from engine.errors import EnvironmentUnusable
from engine.text import say


def read_secret(value: SecretStr | None, file: str | None, folder: Path, lang: str) -> str | None:
    """A secret given directly or in a file, without the spaces and line ends around it.

    Raises:
        EnvironmentUnusable: the file cannot be read or is empty.

    """
    if file is None:
        return None if value is None else value.get_secret_value()
    path = folder / file
    try:
        secret = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise EnvironmentUnusable(
            say("secret-unreadable", lang, path=path, why=str(error))
        ) from error
    if not secret:
        raise EnvironmentUnusable(say("secret-empty", lang, path=path))
    return secret
