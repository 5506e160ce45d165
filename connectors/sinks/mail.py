"""Alerts as e-mail: text and HTML, one thread an episode, to the declared recipients."""

import asyncio
import html
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import ConfigDict, Field, SecretStr, StringConstraints

from connectors.extras import needed
from connectors.notice import Notice, read
from connectors.personal import ToPeople
from connectors.tls import Trust, trusting
from connectors.wording import clean, cut, one_line
from engine.errors import Permanent, Retryable
from engine.ports import SinkContext
from engine.secret_files import read_secret
from engine.text import say

if TYPE_CHECKING:
    from aiosmtplib import SMTP

EXTRA = ("mail", "aiosmtplib")
Address = Annotated[
    str, StringConstraints(pattern=r"^[^@\s<>,;:\"()\[\]\\]+@[A-Za-z0-9.-]+$", max_length=254)
]
_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_URGENT = frozenset({"orange", "red"})
_SERVER, _TIMEOUT, _REFUSED, _LOGIN = "server", "timeout", "refused", "credentials"
_RECIPIENT = "recipient-refused"
_REMEMBERED = 10_000
_FINAL = 500


class Options(ToPeople, Trust):
    """What may be declared about e-mail; certificates stand at `Trust`.

    Attributes:
        host: The mail server; `port` follows from `security` when left out: 587, 465 or 25.
        security: `starttls` (refused if the server has none), `tls`, or `none` in a closed network.
        username: Who we are; `password` or `password_file` proves it.
        sender: Who the message is from; its domain stands in message ids.
        to: Who gets it; only these, whatever events say.
        desk: Where the console of the case desk is, for links into it.
        timeout_s: How long one step of the conversation may take.

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["mail"] = "mail"
    host: str = Field(min_length=1)
    port: int | None = Field(default=None, ge=1, le=65_535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password: SecretStr | None = None
    password_file: str | None = None
    sender: Address
    to: list[Address] = Field(min_length=1, max_length=100)
    desk: str = Field(default="", pattern=r"^(https?://[^\s?#]+)?$")
    timeout_s: float = Field(default=20.0, gt=0, le=300)
    lang: str = "zh"


def build(name: str, options: Options, context: SinkContext) -> "MailSink":
    """A sink that writes to the declared recipients."""
    return MailSink(name, options, Path(context.folder))


class MailSink:
    """Hands messages to a mail server over one connection that is kept while it works.

    The message id is the delivery id, so that a repeat can be told by the reader's program. Where
    a server takes a message for some recipients only, the others alone are tried again.
    """

    parallel = 1

    def __init__(self, name: str, options: Options, folder: Path) -> None:
        """Read the password and the certificates; nothing is connected yet.

        Raises:
            EnvironmentUnusable: the extra is missing, or a file cannot be used.

        """
        with needed(name, EXTRA[0], options.lang):
            import aiosmtplib  # noqa: F401, PLC0415 - an extra
        self.name = name
        self._options = options
        password = read_secret(options.password, options.password_file, folder, options.lang)
        self._password = None if password is None else SecretStr(password)
        secure = options.security != "none"
        self._tls = trusting(name, options, folder, options.lang) if secure else None
        self._link: SMTP | None = None
        self._turn = asyncio.Lock()
        self._reached: OrderedDict[str, set[str]] = OrderedDict()

    async def open(self) -> None:
        """Nothing: the first message connects."""

    async def send(self, delivery_id: str, body: bytes, attempt: int) -> None:
        """Hand over one message; returns when the server has taken it for every recipient."""
        del attempt
        options = self._options
        notice = read(
            body, options.lang, delivery_id, personal=options.personal, desk=options.desk
        )  # fmt: skip
        message = compose(notice, options.sender, options.to)
        async with self._turn:
            await self._hand_over(delivery_id, message)

    async def close(self) -> None:
        """End the conversation; safe to call twice."""
        async with self._turn:
            await self._leave()

    async def _hand_over(self, delivery_id: str, message: EmailMessage) -> None:
        import aiosmtplib  # noqa: PLC0415

        had = self._reached.setdefault(delivery_id, set())
        left = [one for one in self._options.to if one not in had]
        try:
            link = await self._connected()
            raw = message.as_bytes()
            refused, _ = await link.sendmail(self._options.sender, left, raw)
        except aiosmtplib.SMTPAuthenticationError as error:
            await self._leave()
            raise Retryable(_LOGIN, self._said(error)) from None
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = [one.code for one in error.recipients]
            await self._leave()
            self._judge(codes, _RECIPIENT, self._said(error))
        except aiosmtplib.SMTPResponseException as error:
            await self._leave()
            connecting = isinstance(error, aiosmtplib.SMTPConnectError | aiosmtplib.SMTPHeloError)
            self._judge([0 if connecting else error.code], _REFUSED, self._said(error))
        except (TimeoutError, aiosmtplib.SMTPTimeoutError) as error:
            await self._leave()
            raise Retryable(_TIMEOUT, self._said(error)) from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            await self._leave()
            raise Retryable(_SERVER, self._said(error)) from None
        except asyncio.CancelledError:
            await self._leave()
            raise
        else:
            had |= set(left) - set(refused)
            if refused:
                detail = "; ".join(f"{who}: {why.code}" for who, why in refused.items())
                self._judge([why.code for why in refused.values()], _RECIPIENT, detail)
            self._reached.pop(delivery_id, None)
        finally:
            while len(self._reached) > _REMEMBERED:
                self._reached.popitem(last=False)

    def _judge(self, codes: list[int], reason: str, detail: str) -> None:
        """A server's codes from 500 on are for good, others may pass."""
        if codes and all(code >= _FINAL for code in codes):
            raise Permanent(reason, detail) from None
        raise Retryable(reason, detail) from None

    async def _connected(self) -> "SMTP":
        from aiosmtplib import SMTP  # noqa: PLC0415

        if self._link is not None and self._link.is_connected:
            return self._link
        options = self._options
        link = SMTP(
            hostname=options.host,
            port=options.port or _PORTS[options.security],
            username=options.username,
            password=None if self._password is None else self._password.get_secret_value(),
            use_tls=options.security == "tls",
            start_tls=options.security == "starttls",
            tls_context=self._tls,
            timeout=options.timeout_s,
        )
        self._link = link
        await link.connect()
        return link

    async def _leave(self) -> None:
        link, self._link = self._link, None
        if link is None:
            return
        with suppress(Exception):  # it is given up whatever it says
            await asyncio.wait_for(link.quit(), 1.0)
        link.close()

    def _said(self, error: BaseException) -> str:
        text = f"{type(error).__name__}: {error}"
        if self._password is not None:
            text = text.replace(self._password.get_secret_value(), "***")
        return one_line(text)[:500]


def compose(notice: Notice, sender: str, to: list[str]) -> EmailMessage:
    """The message about a delivery: plain text, and the same as HTML."""
    domain = sender.rpartition("@")[2]
    root = f"<{_token(notice.reference or notice.delivery_id)}.thread@{domain}>"
    earlier = [f"<{_token(one)}@{domain}>" for one in notice.references[-20:]]
    message = EmailMessage()
    message["Message-ID"] = f"<{_token(notice.delivery_id)}@{domain}>"
    message["Date"] = format_datetime(datetime.now(UTC))
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Subject"] = cut(one_line(notice.headline), 300)
    message["In-Reply-To"] = earlier[-1] if earlier else root
    message["References"] = " ".join([root, *earlier])
    message["Auto-Submitted"] = "auto-generated"
    if notice.level in _URGENT:
        message["Importance"] = "high"
    message.set_content("\n".join(_lines(notice)) + "\n", cte="base64")
    message.add_alternative(_page(notice), subtype="html", cte="base64")
    return message


def _token(text: str) -> str:
    """An id as it may stand in a message id."""
    return "".join(char if char.isascii() and char.isalnum() else "-" for char in text)[:100]


def _lines(notice: Notice) -> Iterator[str]:
    yield one_line(notice.headline)
    yield from ["", clean(notice.text)] if notice.text else []
    yield ""
    for label, value in notice.fields:
        name, said = one_line(label), one_line(value)
        yield say("notice-colon", notice.lang, label=name, value=said)
    for heading, parts in notice.sections():
        yield from ["", heading, *(f"{n}. {one_line(part)}" for n, part in enumerate(parts, 1))]
    if notice.link:
        yield from ["", one_line(notice.link)]


def _page(notice: Notice) -> str:
    """HTML in which every text of an event is text."""

    def tag(name: str, text: str) -> str:
        return f"<{name}>{html.escape(one_line(text))}</{name}>"

    parts = [tag("h3", notice.headline)]
    if notice.text:
        parts.append(tag("p", notice.text))
    rows = "".join(f"<tr>{tag('th', name)}{tag('td', said)}</tr>" for name, said in notice.fields)
    parts.append(f'<table cellpadding="4">{rows}</table>' if rows else "")
    for heading, lines in notice.sections():
        parts += [tag("h4", heading), "<ol>", *(tag("li", line) for line in lines), "</ol>"]
    if notice.link.startswith(("https://", "http://")):
        link = html.escape(one_line(notice.link), quote=True)
        parts.append(f'<p><a href="{link}">{link}</a></p>')
    head = '<!DOCTYPE html><html><head><meta charset="utf-8"></head>'
    return f"{head}<body>{''.join(parts)}</body></html>"
