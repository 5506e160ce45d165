"""Talks to the API of a desk: where it is, with which token, and what its refusals mean here."""

import http.client
import json
import os
import ssl
import urllib.parse
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.edge.cli.voice import voice
from engine.errors import EnvironmentUnusable
from engine.kafka.access import is_loopback

URL, TOKEN, TOKEN_FILE = "FOREWARN_API_URL", "FOREWARN_API_TOKEN", "FOREWARN_API_TOKEN_FILE"
CA = "FOREWARN_API_CA"
DEFAULT = "http://127.0.0.1:8712"
BASE = "/api/v1"
_PATIENCE_S = 30.0


class NotDone(Exception):
    """The API answered, and did not do it; carries its problem document."""

    def __init__(self, problem: dict[str, Any]) -> None:
        """Hold the problem."""
        self.problem = problem
        super().__init__(str(problem.get("detail", "")))


@dataclass(frozen=True, slots=True)
class Link:
    """An API and a token for it."""

    url: str
    token: str
    ca: str | None = None

    def get(self, path: str, **query: Any) -> Any:
        """Ask for something; empty parts of the query are left out.

        Raises:
            NotDone: the API refuses.
            EnvironmentUnusable: nobody answers there, or not as an API does.

        """
        given = {name: value for name, value in query.items() if value not in (None, "", (), [])}
        words = urllib.parse.urlencode(given, doseq=True)
        return self._ask("GET", path + (f"?{words}" if words else ""), None, {})

    def post(
        self, path: str, body: dict[str, Any], *, key: str | None = None, seen: int | None = None
    ) -> Any:
        """Have something done, once: a request that is made again has the same key.

        Raises:
            NotDone: the API refuses.
            EnvironmentUnusable: nobody answers there, or not as an API does.

        """
        headers = {"Idempotency-Key": key or uuid.uuid4().hex, "Content-Type": "application/json"}
        if seen is not None:
            headers["If-Match"] = f'"{seen}"'
        return self._ask("POST", path, json.dumps(body).encode(), headers)

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Any:
        parts = urllib.parse.urlsplit(self.url)
        link = self._connection(parts.scheme, parts.hostname or "", parts.port)
        sent = {"Authorization": f"Bearer {self.token}", "Accept-Language": voice().lang, **headers}
        try:
            link.request(method, parts.path.rstrip("/") + BASE + path, body, sent)
            answer = link.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            sentence = voice().say("api-silent", url=self.url, why=why)
            raise EnvironmentUnusable(sentence) from error
        finally:
            link.close()
        return self._read(answer.status, said)

    def _connection(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        if scheme == "https":
            try:
                trusted = ssl.create_default_context(cafile=self.ca)
            except OSError as error:
                sentence = voice().say("api-silent", url=self.url, why=f"{self.ca}: {error}")
                raise EnvironmentUnusable(sentence) from error
            return http.client.HTTPSConnection(host, port, timeout=_PATIENCE_S, context=trusted)
        if scheme != "http" or not host:
            raise EnvironmentUnusable(voice().say("api-no-url", url=self.url))
        if not is_loopback(host):
            raise EnvironmentUnusable(voice().say("api-readable", url=self.url))
        return http.client.HTTPConnection(host, port, timeout=_PATIENCE_S)

    def _read(self, status: int, said: bytes) -> Any:
        try:
            document = json.loads(said)
        except ValueError as error:
            sentence = voice().say("api-strange", url=self.url, status=status)
            raise EnvironmentUnusable(sentence) from error
        if status < http.HTTPStatus.BAD_REQUEST:
            return document
        if not isinstance(document, dict) or "code" not in document:
            raise EnvironmentUnusable(voice().say("api-strange", url=self.url, status=status))
        if status == http.HTTPStatus.UNAUTHORIZED:
            detail = document.get("detail", "")
            raise EnvironmentUnusable(voice().say("api-token-refused", detail=detail))
        raise NotDone(document)


def link_to(url: str | None, token_file: Path | None, ca: Path | None) -> Link:
    """The API that flags name, else the environment, else the one of this machine.

    Raises:
        EnvironmentUnusable: there is no token, or its file cannot be read.

    """
    file = token_file or (Path(named) if (named := os.environ.get(TOKEN_FILE)) else None)
    token = os.environ.get(TOKEN, "") if file is None else _read_token(file)
    if not token:
        raise EnvironmentUnusable(voice().say("api-no-token", file=TOKEN_FILE, token=TOKEN))
    trusted = str(ca) if ca is not None else os.environ.get(CA)
    return Link(url or os.environ.get(URL) or DEFAULT, token, trusted)


def _read_token(file: Path) -> str:
    try:
        return file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise EnvironmentUnusable(voice().say("secret-unreadable", path=file, why=why)) from error
