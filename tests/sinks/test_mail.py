"""E-mail: threads, escaped words, TLS, and servers that take a message for some only."""

import email.utils
import ssl
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from certificates import make_certificates
from mail_peer import MailPeer, mail_peer
from pydantic import ValidationError
from sink_stage import a_body, declared

from connectors.sinks.mail import Options
from engine.errors import Permanent, Retryable

TO = ["one@city.example", "two@city.example"]
HOSTILE = "<script>alert(1)</script>\r\nBcc: evil@example.org\r\n\r\n&amp; <b>x</b>"


async def sent(peer: MailPeer, folder: Path, *bodies: tuple[str, bytes], **options: Any) -> None:
    given = {"security": "none", "sender": "fw@city.example", "to": TO, "timeout_s": 5, **options}
    sink = declared("mail", folder, host="127.0.0.1", port=peer.port, **given)
    await sink.open()
    try:
        for name, body in bodies:
            await sink.send(name, body, 1)
    finally:
        await sink.close()


def text_of(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


async def test_messages_of_an_episode_are_one_thread_under_their_delivery_ids(
    tmp_path: Path,
) -> None:
    story = [a_body(ordinal=n) for n in range(3)]
    async with mail_peer() as peer:
        await sent(peer, tmp_path, *story, a_body("other"))
    assert peer.ids[:3] == [name for name, _ in story]
    threads = [str(one["References"]) for one in peer.messages]
    assert len(set(threads[:3])) == 1
    assert threads[3] != threads[0]
    first = peer.messages[0]
    assert first["Subject"] == "【黄色】车辆异常驻留（新发）"
    assert (first["From"], first["To"]) == ("fw@city.example", ", ".join(TO))
    assert first["Auto-Submitted"] == "auto-generated"
    assert email.utils.parsedate_to_datetime(str(first["Date"]))
    assert peer.envelopes[0] == TO


async def test_text_and_html_say_the_same_and_words_of_events_are_only_words(
    tmp_path: Path,
) -> None:
    words: dict[str, Any] = {
        "title": {"zh": HOSTILE},
        "summary": {"zh": HOSTILE},
        "severity": "red",
    }
    async with mail_peer() as peer:
        await sent(peer, tmp_path, a_body(**words, check=[{"zh": "核对<运单>"}]))
    (message,) = peer.messages
    page, text = text_of(message, "html"), text_of(message, "plain")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "核对&lt;运单&gt;" in page
    assert "1. 核对<运单>" in text
    assert message["Bcc"] is None
    assert "\n" not in str(message["Subject"])
    assert message["Importance"] == "high"


async def test_people_are_masked_unless_the_operator_says_otherwise(tmp_path: Path) -> None:
    body = a_body(personal={"vehicle": "plate"})
    async with mail_peer() as peer:
        await sent(peer, tmp_path, body)
        await sent(peer, tmp_path, body, personal="full")
    masked, full = (bytes(one).decode() + text_of(one, "html") for one in peer.messages)
    assert "F12345" not in masked
    assert "F12345" in full


async def test_who_was_reached_is_not_written_to_again(tmp_path: Path) -> None:
    async with mail_peer() as peer:
        peer.refused[TO[1]] = "450 greylisted"
        sink = declared(
            "mail", tmp_path, host="127.0.0.1", port=peer.port, security="none",
            sender="fw@city.example", to=TO,
        )  # fmt: skip
        with pytest.raises(Retryable, match="recipient-refused"):
            await sink.send(*a_body(), 1)
        peer.refused.clear()
        await sink.send(*a_body(), 2)
        assert peer.envelopes == [TO[:1], TO[1:]]
        peer.refused[TO[0]] = "550 no such user"
        with pytest.raises(Permanent, match=f"{TO[0]}: 550"):
            await sink.send(*a_body("other"), 1)
        assert peer.envelopes[-1] == TO[1:]
        await sink.close()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [("451 later", Retryable), ("552 too large", Permanent), ("554 refused", Permanent)],
)
async def test_codes_of_the_server_decide(
    tmp_path: Path, answer: str, kind: type[Exception]
) -> None:
    async with mail_peer() as peer:
        peer.answer = answer
        with pytest.raises(kind, match="refused"):
            await sent(peer, tmp_path, a_body())


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # the server's, when TLS fails
@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_tls_is_demanded_and_certificates_are_checked(tmp_path: Path, security: str) -> None:
    made = make_certificates(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "broker.pem")
    login = {"username": "us", "password": "canary-mail", "security": security}
    implicit = security == "tls"
    async with mail_peer(context, implicit=implicit, password="canary-mail") as peer:
        await sent(peer, tmp_path, a_body(), ca_file=made.ca.name, **login)
        assert len(peer.messages) == 1
        with pytest.raises(Retryable, match=r"server|timeout"):
            await sent(peer, tmp_path, a_body(), ca_file=made.stranger.name, **login)
        wrong = {**login, "password": "canary-wrong"}
        with pytest.raises(Retryable, match="credentials") as caught:
            await sent(peer, tmp_path, a_body(), ca_file=made.ca.name, **wrong)
        assert "canary" not in repr(caught.value)
    async with mail_peer() as peer:  # a server that speaks no TLS gets nothing
        with pytest.raises(Retryable):
            await sent(peer, tmp_path, a_body(), security=security, ca_file=made.ca.name)
        assert peer.messages == []


@pytest.mark.parametrize("to", [[], ["nobody"], ["a@b\r\nBcc: c@d"], ["<a@b>"]])
def test_recipients_that_are_none_are_refused(to: list[str]) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate({"host": "h", "sender": "a@b.example", "to": to})
