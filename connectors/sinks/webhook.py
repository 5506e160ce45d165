"""Alerts as signed webhooks (Standard Webhooks): one POST a transition, safe to repeat."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from pydantic import ConfigDict, Field, SecretStr
from standardwebhooks.webhooks import Webhook

from connectors.client import Client, Reach, guarded
from connectors.notice import carried
from connectors.personal import ToSystems
from connectors.success import Success
from engine.errors import EnvironmentUnusable
from engine.ports import SinkContext
from engine.secret_files import read_secret
from engine.text import say


class Options(ToSystems, Reach):
    """What may be declared about a webhook; how the peer may be reached stands at `Reach`.

    Attributes:
        url: Where to post; `https`, or `http` inside a trusted network.
        secret: Signing secret, base64, with or without `whsec_`; or `secret_file`, which wins.
            Without one nothing is signed.
        token: Sent as `Authorization: Bearer`; or `token_file`, which wins.
        headers: Sent with each request, for gateways that want some of their own.
        success: What in the answer's body says that it was taken; otherwise the status decides.
        look_up: Asked by GET before each post, `{id}` being the delivery id, where a peer cannot
            drop repeats itself: 2xx says that it has the delivery, 404 that it has not.
        parallel: Most requests at once; a crash repeats at most so many.

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["webhook"] = "webhook"
    url: str = Field(pattern=r"^https?://\S+$")
    secret: SecretStr | None = None
    secret_file: str | None = None
    token: SecretStr | None = None
    token_file: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    success: Success | None = None
    look_up: str | None = Field(default=None, pattern=r"^https?://\S*\{id\}\S*$")
    parallel: int = Field(default=8, ge=1, le=256)
    lang: str = "en"


def build(name: str, options: Options, context: SinkContext) -> "WebhookSink":
    """A sink that posts to the declared address."""
    return WebhookSink(name, options, Path(context.folder))


class WebhookSink:
    """Posts alerts. The body is the encoded change; the delivery id is the message id."""

    def __init__(self, name: str, options: Options, folder: Path) -> None:
        """Read the secrets and prepare; `open` makes the session.

        Raises:
            EnvironmentUnusable: a secret file cannot be read, or the secret is not base64.

        """
        self.name = name
        self.parallel = options.parallel
        self._options = options
        given = {"User-Agent": "forewarn/1", "Content-Type": "application/json"}
        headers = {**given, **options.headers}
        token = read_secret(options.token, options.token_file, folder, options.lang)
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        secret = read_secret(options.secret, options.secret_file, folder, options.lang)
        try:
            self._signer = None if secret is None else Webhook(secret)
        except Exception as error:
            raise EnvironmentUnusable(say("secret-bad", options.lang, name=name)) from error
        self._client = Client(
            name, options.url, options, headers, options.parallel,
            folder=folder, lang=options.lang, secrets=[token or "", secret or ""],
        )  # fmt: skip
        self._look_up = options.look_up
        if self._look_up is not None:
            guarded(name, self._look_up.replace("{id}", "0"), options, options.lang)

    async def open(self) -> None:
        """Make the session."""
        await self._client.open()

    async def send(self, delivery_id: str, body: bytes, attempt: int) -> None:
        """Post one delivery; returns when the peer answered that it has it."""
        now = datetime.now(UTC)
        headers = {
            "webhook-id": delivery_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "Idempotency-Key": delivery_id,
            "Forewarn-Attempt": str(attempt),
        }
        if self._look_up is not None:
            found = self._look_up.replace("{id}", quote(delivery_id, safe=""))
            if await self._client.has(found, {}):
                return
        body = carried(body, self._options.personal)
        if self._signer is not None:
            headers["webhook-signature"] = self._signer.sign(delivery_id, now, body.decode())
        answer = await self._client.post(body, headers)
        if self._options.success is not None:
            self._options.success.judge(answer.body, self._client.hidden)

    async def close(self) -> None:
        """Close the session; safe to call twice."""
        await self._client.close()
