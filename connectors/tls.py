"""Whom a sink believes and who it is: certificates as operators declare them."""

import ssl
from pathlib import Path

from pydantic import BaseModel

from engine.errors import EnvironmentUnusable
from engine.text import say


class Trust(BaseModel):
    """What may be declared about certificates; relative files start at the data folder.

    Attributes:
        ca_file: Authorities that may have signed the peer's certificate (PEM); else the system's.
        cert_file: Our own certificate (PEM), where the peer wants one; `key_file` is its key.

    """

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


def trusting(name: str, trust: Trust, folder: Path, lang: str) -> ssl.SSLContext:
    """The declared certificates, ready for connections; names are always checked.

    Raises:
        EnvironmentUnusable: one of the files cannot be used.

    """
    try:
        context = ssl.create_default_context(
            cafile=None if trust.ca_file is None else str(folder / trust.ca_file)
        )
        if trust.cert_file is not None:
            key = None if trust.key_file is None else str(folder / trust.key_file)
            context.load_cert_chain(str(folder / trust.cert_file), key)
    except (OSError, ssl.SSLError, ValueError) as error:
        why = str(error)
        raise EnvironmentUnusable(say("sink-certificate", lang, name=name, why=why)) from error
    return context
