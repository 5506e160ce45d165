"""What went wrong, as a document that people and programs can read (RFC 9457), in both languages.

A refusal has a code that never changes; its sentences are entries `api-<code>` of the catalogue.
Nothing of an answer comes from an exception of ours or of a library.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import orjson
from starlette.responses import Response

from engine.text import LANGUAGES, say

MEDIA = "application/problem+json"


class Code(StrEnum):
    """What is wrong, for programs; these words never change."""

    MALFORMED = "malformed"
    PAGE = "page"
    KEY_MISSING = "key-missing"
    TOKEN_MISSING = "token-missing"  # noqa: S105 - a word about tokens
    TOKEN_WRONG = "token-wrong"  # noqa: S105 - a word about tokens
    TOKEN_OVER = "token-over"  # noqa: S105 - a word about tokens
    RECEIPT_REFUSED = "receipt-refused"
    ROLE = "role"
    ROLE_HERE = "role-here"
    NOT_FOUND = "not-found"
    METHOD = "method"
    NOT_ALLOWED = "not-allowed"
    RECEIPT_CHANGED = "receipt-changed"
    VERSION = "version"
    TOO_LARGE = "too-large"
    MEDIA = "media"
    INVALID = "invalid"
    KEY_REUSED = "key-reused"
    ROLES_TOGETHER = "roles-together"
    SILENCE_TOO_WIDE = "silence-too-wide"
    TOO_MANY = "too-many"
    INTERNAL = "internal"
    AWAY = "away"


STATUSES: Mapping[Code, int] = {
    Code.MALFORMED: 400,
    Code.PAGE: 400,
    Code.KEY_MISSING: 400,
    Code.TOKEN_MISSING: 401,
    Code.TOKEN_WRONG: 401,
    Code.TOKEN_OVER: 401,
    Code.RECEIPT_REFUSED: 401,
    Code.ROLE: 403,
    Code.ROLE_HERE: 403,
    Code.NOT_FOUND: 404,
    Code.METHOD: 405,
    Code.NOT_ALLOWED: 409,
    Code.RECEIPT_CHANGED: 409,
    Code.VERSION: 412,
    Code.TOO_LARGE: 413,
    Code.MEDIA: 415,
    Code.INVALID: 422,
    Code.KEY_REUSED: 422,
    Code.ROLES_TOGETHER: 422,
    Code.SILENCE_TOO_WIDE: 422,
    Code.TOO_MANY: 429,
    Code.INTERNAL: 500,
    Code.AWAY: 503,
}
"""The status that goes with each code."""


class Refusal(Exception):
    """A request that is not carried out, and why.

    Attributes:
        detail: What is said instead of the catalogue's sentence, by language; or empty.
        found: Words that go into the sentence.
        headers: What else the answer says (`Retry-After`, `WWW-Authenticate`).
        errors: Single fields that are wrong: pointer, code, sentence by language.
        extra: What programs want to know besides.

    """

    def __init__(
        self,
        code: Code,
        *,
        detail: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
        extra: Mapping[str, Any] | None = None,
        **found: object,
    ) -> None:
        """Refuse; an unknown code is an error of ours."""
        self.code, self.status = code, STATUSES[code]
        self.detail, self.found = detail or {}, found
        self.headers, self.errors, self.extra = dict(headers or {}), errors, extra or {}
        super().__init__(code)

    def document(self, lang: str, request: str) -> dict[str, Any]:
        """The refusal as RFC 9457 has it, with its code."""
        detail = self.detail.get(lang) or say(f"api-{self.code}", lang, **self.found)
        document: dict[str, Any] = {
            "type": f"urn:forewarn:problem:{self.code}",
            "title": say(f"api-{self.code}-title", lang),
            "status": self.status,
            "detail": detail,
            "code": self.code,
            "instance": f"urn:forewarn:request:{request}",
            **self.extra,
        }
        if self.errors:
            document["errors"] = [
                {**one, "detail": one["detail"][lang] if isinstance(one["detail"], dict) else ""}
                for one in self.errors
            ]
        return document

    def answer(self, lang: str, request: str) -> Response:
        """The refusal as an answer."""
        return Response(
            orjson.dumps(self.document(lang, request)),
            self.status,
            {**self.headers, "Content-Language": lang},
            MEDIA,
        )


def too_many(wait_s: int) -> Refusal:
    """Refuse until so many seconds have passed."""
    return Refusal(Code.TOO_MANY, headers={"Retry-After": str(wait_s)}, seconds=wait_s)


def preferred(header: str, otherwise: str = "en") -> str:
    """The language that `Accept-Language` asks for, of those we speak.

    A header that cannot be read asks for nothing.
    """
    best, rank = otherwise, 0.0
    for part in header.split(",")[:20]:
        name, _, weight = part.strip().partition(";")
        value = weight.strip().removeprefix("q=").strip()
        try:
            quality = float(value) if value else 1.0
        except ValueError:
            continue
        if name[:2].lower() in LANGUAGES and rank < quality <= 1:
            best, rank = name[:2].lower(), quality
    return best


def wrong_field(pointer: str, code: str, **found: object) -> dict[str, Any]:
    """One field of a request that is wrong: where it is, and what would be right."""
    return {
        "pointer": pointer,
        "code": code,
        "detail": {lang: say(f"api-field-{code}", lang, **found) for lang in LANGUAGES},
    }
