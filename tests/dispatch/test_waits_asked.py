"""`Retry-After`: seconds or a date, bounded; what is unreadable harms nothing."""

import pytest

from connectors.client import wait_asked_s
from engine.dispatch.retry import RetryPolicy

NOON_S = 1_772_366_400.0  # Sun, 01 Mar 2026 12:00:00 GMT


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        (None, None),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("Sun, 01 Mar 2026 12:02:00 GMT", 120.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 251_629_934_399.0),
        ("99999999999999999999", 999_999_999.0),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("一会儿", None),
        ("", None),
        ("soon", None),
        ("Mon, 99 Foo 2026 99:99:99", None),
    ],
)
def test_a_header_is_read_as_seconds_or_a_date(header: str | None, wait_s: float | None) -> None:
    assert wait_asked_s(header, NOON_S) == wait_s


@pytest.mark.parametrize("asked", [999_999_999.0, 251_629_934_399.0, 3600.0])
def test_no_peer_is_left_in_peace_for_longer_than_an_hour(asked: float) -> None:
    policy = RetryPolicy()
    assert policy.bounded_s(asked) == 3600.0
    assert policy.wait_s(1, 0.999, asked) <= 3600.0 * 1.2
