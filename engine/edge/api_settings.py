"""How the API is served: where, to how many, under which certificate, for which outside systems."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

Kind = Literal["plate", "phone", "name", "id", "track", "other"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SystemSettings(_Part):
    """An outside order system that sends receipts; its keys as Standard Webhooks has them.

    Attributes:
        secret: The key it signs with, `whsec_...`. Or `secret_file`.
        old_secret: The key before, for as long as one takes the other's place. Or
            `old_secret_file`.

    """

    secret: SecretStr | None = None
    secret_file: str | None = None
    old_secret: SecretStr | None = None
    old_secret_file: str | None = None


class ClearSettings(_Part):
    """Which kinds of personal data a role sees in clear; None: what is usual for it."""

    viewer: list[Kind] | None = None
    handler: list[Kind] | None = None
    analyst: list[Kind] | None = None
    approver: list[Kind] | None = None
    operator: list[Kind] | None = None


class ApiSettings(_Part):
    """The API of the desk. Loopback unless told otherwise.

    Attributes:
        port: 0 takes any free one, -1 none.
        certificate: File of the certificate, with `certificate_key`; without, on loopback only,
            unless `insecure` says that something in front takes care of it.
        proxies: Addresses of proxies whose word about the caller's address is believed.
        max_body: Largest body of a request, in bytes.
        per_minute: Requests a minute of one token; 0: any number.
        per_address: Requests a minute from one address, with or without a token; 0: any number.
        streams: The most streams of events that are open at once.
        systems: Outside order systems, each named as the sink that leads to it.

    """

    host: str = "127.0.0.1"
    port: int = Field(default=8712, ge=-1, le=65535)
    certificate: str | None = None
    certificate_key: str | None = None
    insecure: bool = False
    proxies: list[str] = Field(default_factory=list)
    max_body: int = Field(default=1024 * 1024, ge=1024)
    per_minute: int = Field(default=600, ge=0)
    per_address: int = Field(default=1200, ge=0)
    streams: int = Field(default=200, ge=0)
    clear: ClearSettings = ClearSettings()
    systems: dict[str, SystemSettings] = Field(default_factory=dict)
