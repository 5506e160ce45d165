"""Gateways that short messages go through: any with an HTTP form, and Aliyun with its signature.

A gateway sends an approved template with values; nobody writes free text into a short message.
"""

import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol
from urllib.parse import quote, urlencode

from pydantic import ConfigDict, Field, SecretStr
from yarl import URL

from connectors.client import Answer, Client, Reach
from connectors.success import Success
from engine.errors import EnvironmentUnusable, Permanent, Retryable
from engine.secret_files import read_secret
from engine.text import say

_RATE, _REFUSED, _LOGIN, _MALFORMED = "rate", "refused", "credentials", "malformed-answer"


class Gateway(Protocol):
    """Something that brings an approved template to a number."""

    async def open(self) -> None:
        """Make ready."""

    async def send(self, number: str, values: Mapping[str, str], delivery_id: str) -> None:
        """Send one message; returns when the gateway has taken it.

        Raises:
            Retryable: it may be taken later.
            Permanent: it never will.

        """

    async def close(self) -> None:
        """Let go of everything; safe to call twice."""


class HttpGateway(Reach):
    """A gateway that takes a form or JSON, as its handbook says.

    Attributes:
        url: Where requests go.
        form: How `fields` are sent.
        fields: Name and value of each; in values `{number}`, `{id}`, `{secret}` and every
            declared value of the template (`{level}`) are filled in.
        headers: As `fields`.
        secret: What the gateway knows us by; or `secret_file`, which wins.
        success: What in its answer says that it was taken.

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: Literal["http"] = "http"
    url: str = Field(pattern=r"^https?://\S+$")
    form: Literal["json", "form"] = "json"
    fields: dict[str, str] = Field(min_length=1)
    headers: dict[str, str] = Field(default_factory=dict)
    secret: SecretStr | None = None
    secret_file: str | None = None
    success: Success


class AliyunGateway(Reach):
    """Alibaba Cloud's short messages.

    Attributes:
        endpoint: The service; another one only for other regions.
        access_key_id: Who we are; `secret` or `secret_file` signs.
        sign_name: The approved signature; `template` is the code of the approved template.

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: Literal["aliyun"] = "aliyun"
    endpoint: str = Field(default="https://dysmsapi.aliyuncs.com/", pattern=r"^https?://\S+$")
    access_key_id: str
    secret: SecretStr | None = None
    secret_file: str | None = None
    sign_name: str
    template: str


AnyGateway = Annotated[HttpGateway | AliyunGateway, Field(discriminator="provider")]


def make(name: str, declared: HttpGateway | AliyunGateway, folder: Path, lang: str) -> Gateway:
    """The declared gateway.

    Raises:
        EnvironmentUnusable: its secret or its address is not fit.

    """
    secret = read_secret(declared.secret, declared.secret_file, folder, lang)
    if isinstance(declared, HttpGateway):
        return ByHttp(name, declared, SecretStr(secret or ""), folder, lang)
    if secret is None:
        raise EnvironmentUnusable(say("sink-token-missing", lang, name=name))
    return ByAliyun(name, declared, SecretStr(secret), folder, lang)


class ByHttp:
    """Speaks to a gateway as its declaration says."""

    def __init__(
        self, name: str, declared: HttpGateway, secret: SecretStr, folder: Path, lang: str
    ) -> None:
        """Prepare; `open` makes the session."""
        self._declared, self._secret = declared, secret
        kind = (
            "application/json" if declared.form == "json" else "application/x-www-form-urlencoded"
        )
        headers = {"User-Agent": "forewarn/1", "Content-Type": f"{kind}; charset=utf-8"}
        self._client = Client(
            name, declared.url, declared, headers, 4,
            folder=folder, lang=lang, secrets=[secret.get_secret_value()],
        )  # fmt: skip

    async def open(self) -> None:
        """Make the session."""
        await self._client.open()

    async def send(self, number: str, values: Mapping[str, str], delivery_id: str) -> None:
        """Send one message; the declared test decides whether it was taken."""
        own = {"number": number, "id": delivery_id, "secret": self._secret.get_secret_value()}
        words = {**values, **own}
        fields = {name: _filled(text, words) for name, text in self._declared.fields.items()}
        headers = {name: _filled(text, words) for name, text in self._declared.headers.items()}
        if self._declared.form == "json":
            body = json.dumps(fields, ensure_ascii=False)
        else:
            body = urlencode(fields)
        answer = await self._client.post(body.encode(), headers)
        self._declared.success.judge(answer.body, self._client.hidden)

    async def close(self) -> None:
        """Close the session; safe to call twice."""
        await self._client.close()


LATER = {
    "isv.BUSINESS_LIMIT_CONTROL": _RATE,
    "isv.DAY_LIMIT_CONTROL": _RATE,
    "isv.MONTH_LIMIT_CONTROL": _RATE,
    "isp.SYSTEM_ERROR": "busy",
    "isp.RAM_PERMISSION_DENY": _LOGIN,
    "isv.ACCOUNT_ABNORMAL": _LOGIN,
    "isv.AMOUNT_NOT_ENOUGH": _LOGIN,
    "isv.OUT_OF_SERVICE": _LOGIN,
    "SignatureDoesNotMatch": _LOGIN,
    "InvalidAccessKeyId.NotFound": _LOGIN,
    "Throttling": _RATE,
    "Throttling.User": _RATE,
    "ServiceUnavailable": "busy",
    "InternalError": "busy",
}
"""Answers of Aliyun after which the same message may succeed; any other code refuses it."""
_HOUR_S = 3600.0


class ByAliyun:
    """Speaks to Alibaba Cloud: RPC `SendSms`, signed by ACS3-HMAC-SHA256."""

    def __init__(
        self, name: str, declared: AliyunGateway, secret: SecretStr, folder: Path, lang: str
    ) -> None:
        """Prepare; `open` makes the session."""
        self._declared, self._secret = declared, secret
        self._url = URL(declared.endpoint)
        self._client = Client(
            name, declared.endpoint, declared, {"User-Agent": "forewarn/1"}, 4,
            folder=folder, lang=lang, secrets=[secret.get_secret_value(), declared.access_key_id],
        )  # fmt: skip

    async def open(self) -> None:
        """Make the session."""
        await self._client.open()

    async def send(self, number: str, values: Mapping[str, str], delivery_id: str) -> None:
        """Send one message; the code in the answer's body decides whether it was taken."""
        form = {
            "PhoneNumbers": number,
            "SignName": self._declared.sign_name,
            "TemplateCode": self._declared.template,
            "TemplateParam": json.dumps(dict(values), ensure_ascii=False),
            "OutId": delivery_id[:40],
        }
        body = urlencode(form, quote_via=quote, safe="~").encode()
        headers = signed(
            body, host=self._url.host_port_subcomponent or "", path=self._url.raw_path,
            key_id=self._declared.access_key_id, secret=self._secret.get_secret_value(),
            now=datetime.now(UTC), nonce=uuid.uuid4().hex,
        )  # fmt: skip
        answer = await self._client.post(body, headers, judged=False)
        self._judge(answer)

    def _judge(self, answer: Answer) -> None:
        """The code in the body decides, also where the status is 400; without one the status."""
        try:
            found: Any = json.loads(answer.body)
            code = str(found["Code"])
        except (ValueError, TypeError, KeyError) as error:
            self._client.judge(answer)
            shown = self._client.hidden(answer.body[:200].decode("utf-8", "replace"))
            raise Retryable(_MALFORMED, shown) from error
        if code == "OK":
            return
        detail = self._client.hidden(f"{code}: {found.get('Message', '')}")
        if code in LATER:
            wait_s = _HOUR_S if LATER[code] == _RATE else None
            raise Retryable(LATER[code], detail, wait_s)
        raise Permanent(_REFUSED, detail)

    async def close(self) -> None:
        """Close the session; safe to call twice."""
        await self._client.close()


def signed(
    body: bytes, *, host: str, path: str, key_id: str, secret: str, now: datetime, nonce: str
) -> dict[str, str]:
    """The headers of a request to Alibaba Cloud, signed by version 3 (ACS3-HMAC-SHA256)."""
    hashed = hashlib.sha256(body).hexdigest()
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "host": host,
        "x-acs-action": "SendSms",
        "x-acs-content-sha256": hashed,
        "x-acs-date": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": nonce,
        "x-acs-version": "2017-05-25",
    }
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers))
    request = "\n".join(["POST", path or "/", "", lines, names, hashed])
    whole = f"ACS3-HMAC-SHA256\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.new(secret.encode(), whole.encode(), hashlib.sha256).hexdigest()
    proof = f"ACS3-HMAC-SHA256 Credential={key_id},SignedHeaders={names},Signature={signature}"
    return {**headers, "Authorization": proof}


def _filled(text: str, words: Mapping[str, str]) -> str:
    """A declared text with its places filled in; a value never fills a place in another one."""
    parts: list[str] = []
    rest = text
    while rest:
        before, brace, behind = rest.partition("{")
        parts.append(before)
        name, end, after = behind.partition("}")
        if brace and end and name in words:
            parts.append(words[name])
            rest = after
        else:
            parts.append(brace)
            rest = behind
    return "".join(parts)
