"""Whether a receipt comes from the outside system that it names: Standard Webhooks signatures."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress

from standardwebhooks import Webhook

from engine.edge.api.problems import Code, Refusal

HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
KEEP_MS = 24 * 3_600_000
"""For so long the id of a receipt is remembered; its signature is old after five minutes."""
_LONGEST_ID = 200


def verify(keys: Sequence[str], headers: Mapping[str, str], body: bytes) -> str:
    """The id of a receipt that one of the keys has signed within five minutes of now.

    Two keys are given while one takes the other's place. Every key is tried whatever came of the
    one before, and comparisons take the same time wherever they differ.

    Args:
        keys: Signing keys as `whsec_...`.
        headers: Of the request, names in lower case.
        body: The raw bytes; what is signed is never read and written again before.

    Raises:
        Refusal: `receipt-refused`, whatever is wrong with it.

    """
    shown = {name: headers.get(name, "") for name in HEADERS}
    number = shown["webhook-id"]
    fits = 0 < len(number) <= _LONGEST_ID and number.isprintable()
    signed = [_signed(key, shown, body) for key in keys]
    if not fits or not any(signed):
        raise Refusal(Code.RECEIPT_REFUSED)
    return number


def is_key(text: str) -> bool:
    """Whether a text can be a signing key: base64 of something, with or without `whsec_`."""
    try:
        return bool(base64.b64decode(text.strip().removeprefix("whsec_"), validate=True))
    except ValueError:
        return False


def fingerprint(body: bytes) -> str:
    """What is kept of a receipt's body, to tell a repeat from a change."""
    return hashlib.sha256(body).hexdigest()


def _signed(key: str, headers: Mapping[str, str], body: bytes) -> bool:
    # The library raises its own error for a wrong signature, and others for malformed headers.
    with suppress(Exception):
        Webhook(key).verify(body, dict(headers), json_parse=False)
        return True
    return False
