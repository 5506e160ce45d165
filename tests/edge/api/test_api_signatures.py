"""Receipts that are forged, replayed late or early, or signed by another key are not trusted."""

import base64
import hashlib
import hmac
import time

import pytest

from engine.edge.api.problems import Code, Refusal
from engine.edge.api.signatures import verify

KEY = "whsec_" + base64.b64encode(b"k" * 32).decode()
NEXT = "whsec_" + base64.b64encode(b"n" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 32).decode()
BODY = '{"order": "20260314-0042", "status": "已签收"}'.encode()


def signed(body=BODY, key=KEY, *, at=None, name="msg-1", said=None):
    """Headers as Standard Webhooks has them; written here anew, not by the library."""
    moment = str(int(time.time()) if at is None else at)
    secret = base64.b64decode(key.removeprefix("whsec_"))
    whole = f"{name}.{moment}.".encode() + body
    mac = base64.b64encode(hmac.new(secret, whole, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": name,
        "webhook-timestamp": moment,
        "webhook-signature": said or f"v1,{mac}",
    }


def now():
    return int(time.time())


def test_a_signed_receipt_is_trusted():
    assert verify([KEY], signed(), BODY) == "msg-1"


@pytest.mark.parametrize("key", [KEY, NEXT])
def test_while_keys_change_both_are_good(key):
    assert verify([KEY, NEXT], signed(key=key), BODY) == "msg-1"


def test_one_good_signature_among_others_is_enough():
    good = signed()["webhook-signature"]
    bad = signed(key=OTHER)["webhook-signature"]
    assert verify([KEY], signed(said=f"{bad} v2,xx {good}"), BODY) == "msg-1"


@pytest.mark.parametrize("seconds", [-290, 290])
def test_five_minutes_either_way_are_fine(seconds):
    assert verify([KEY], signed(at=now() + seconds), BODY) == "msg-1"


def changed(**other):
    return lambda: (signed() | other, BODY)


FORGED = {
    "no headers": lambda: ({}, BODY),
    "no id": changed(**{"webhook-id": ""}),
    "no time": changed(**{"webhook-timestamp": ""}),
    "no signature": changed(**{"webhook-signature": ""}),
    "one byte of the body": lambda: (signed(), BODY.replace(b"42", b"43")),
    "a byte more": lambda: (signed(), BODY + b" "),
    "another id": changed(**{"webhook-id": "msg-2"}),
    "another time": lambda: (signed() | {"webhook-timestamp": str(now() - 60)}, BODY),
    "key of another system": lambda: (signed(key=OTHER), BODY),
    "signature of another version": lambda: (
        signed() | {"webhook-signature": signed()["webhook-signature"].replace("v1", "v0")},
        BODY,
    ),
    "signature without version": lambda: (
        signed() | {"webhook-signature": signed()["webhook-signature"][3:]},
        BODY,
    ),
    "signature cut short": lambda: (
        signed() | {"webhook-signature": signed()["webhook-signature"][:-6]},
        BODY,
    ),
    "no base64": changed(**{"webhook-signature": "v1,%%%%"}),
    "empty signature": changed(**{"webhook-signature": "v1,"}),
    "signature not ASCII": changed(**{"webhook-signature": "v1,签名"}),
    "time in words": changed(**{"webhook-timestamp": "now"}),
    "time not a number": changed(**{"webhook-timestamp": "nan"}),
    "time without end": changed(**{"webhook-timestamp": "inf"}),
    "too old": lambda: (signed(at=now() - 305), BODY),
    "replayed after a day": lambda: (signed(at=now() - 86_400), BODY),
    "too far ahead": lambda: (signed(at=now() + 310), BODY),
    "time in milliseconds": lambda: (signed(at=now() * 1000), BODY),
    "negative time": lambda: (signed(at=-1), BODY),
    "body that is no UTF-8": lambda: (signed(b"\xff\xfe"), b"\xff\xfe"),
    "id with a line end": lambda: (signed(name="a\nb"), BODY),
    "id too long": lambda: (signed(name="a" * 201), BODY),
    "signed with nothing": lambda: (signed(key="whsec_"), BODY),
}


@pytest.mark.parametrize("kind", FORGED)
def test_what_is_forged_skewed_or_malformed_is_refused(kind):
    headers, body = FORGED[kind]()
    with pytest.raises(Refusal) as caught:
        verify([KEY, NEXT], headers, body)
    assert caught.value.code is Code.RECEIPT_REFUSED


def test_a_system_without_keys_is_never_trusted():
    with pytest.raises(Refusal):
        verify([], signed(), BODY)
