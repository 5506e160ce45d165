"""Logs: JSON for machines, no secrets, no floods."""

import errno
import io
import json
from collections.abc import Iterator

import pytest
import structlog

from engine.edge.logs import Calm, Redactor, set_up_logs


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_away_from_a_terminal_every_line_is_json() -> None:
    stream = io.StringIO()
    set_up_logs(stream=stream)
    structlog.get_logger("x").warning("摘要", sink="s")
    (line,) = lines(stream)
    assert (line["event"], line["sink"], line["level"]) == ("摘要", "s", "warning")


class Disk(io.StringIO):
    """Takes nothing while it is full."""

    is_full = True

    def write(self, text: str) -> int:
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)

    def flush(self) -> None:
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")


def test_a_line_that_the_disk_has_no_room_for_ends_nobody() -> None:
    stream = Disk()
    set_up_logs(stream=stream)

    structlog.get_logger("x").error("no room")
    stream.is_full = False
    structlog.get_logger("x").error("room again")

    (line,) = lines(stream)
    assert line["event"] == "room again"


def test_a_level_cuts_what_is_below_it() -> None:
    stream = io.StringIO()
    set_up_logs("error", stream=stream)
    structlog.get_logger("x").warning("quiet")
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        pytest.param("token canary-1234", "token ***", id="known-secret"),
        pytest.param(
            "https://h/send?access_token=abc&x=1", "https://h/send?access_token=***&x=1", id="query"
        ),
        pytest.param("https://user:pw@h/", "https://***@h/", id="user-in-url"),
        pytest.param("Authorization: Bearer abc.def", "Authorization: Bearer ***", id="bearer"),
        pytest.param("whsec_QUJD", "***", id="signing-secret"),
        pytest.param("an ordinary sentence", "an ordinary sentence", id="nothing-to-cut"),
    ],
)
def test_secrets_are_cut_out_of_every_text(text: str, clean: str) -> None:
    assert Redactor(["canary-1234"]).clean(text) == clean


def test_secrets_in_an_exception_are_cut_out_too() -> None:
    stream = io.StringIO()
    set_up_logs(secrets=["canary-1234"], stream=stream)
    try:
        int("canary-1234")
    except ValueError:
        structlog.get_logger("x").exception("failed")
    assert "canary" not in stream.getvalue()
    assert "ValueError" in stream.getvalue()


def test_equal_warnings_are_written_once_a_minute_with_their_number() -> None:
    clock = [0.0]
    calm = Calm(lambda: clock[0])

    def write(sink: str) -> object:
        try:
            return calm(None, "warning", {"event": "delivery-retry", "sink": sink})
        except structlog.DropEvent:
            return None

    written = [write("a"), write("a"), write("a"), write("b")]
    clock[0] = 61.0
    written.append(write("a"))
    first = {"event": "delivery-retry", "sink": "a"}
    assert written == [first, None, None, {**first, "sink": "b"}, {**first, "repeats": 2}]


def test_ordinary_lines_are_never_held_back() -> None:
    calm = Calm(lambda: 0.0)
    assert all(calm(None, "info", {"event": "started"}) for _ in range(3))
