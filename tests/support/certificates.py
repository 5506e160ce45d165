"""Certificates for a test broker and its clients, made anew for each session."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization

NAMES = ("127.0.0.1",)
LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
OVER = dt.datetime(2020, 2, 1, tzinfo=dt.UTC)
KEY_PASSWORD = "the-key"


@dataclass(frozen=True)
class Certificates:
    """A folder of PEM files.

    Attributes:
        ca: Who signed the broker's certificate.
        stranger: A CA that signed nothing here.
        client: Our certificate and key in one file; `locked` is its key, encrypted.

    """

    folder: Path
    ca: Path
    stranger: Path
    client: Path
    locked: Path


def make_certificates(folder: Path, *names: str) -> Certificates:
    """Write `ca.pem`, `broker.pem` and `expired.pem` for the broker, and the clients' files.

    Servers are called by `names` too; `strange.pem` is one that the other CA signed.
    """
    ca, other = trustme.CA(), trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    other.cert_pem.write_to_path(folder / "stranger.pem")
    _write(ca.issue_cert(*NAMES, *names), folder / "broker.pem")
    _write(other.issue_cert(*NAMES, *names), folder / "strange.pem")
    _write(ca.issue_cert(*NAMES, not_before=LONG_AGO, not_after=OVER), folder / "expired.pem")
    client = ca.issue_cert("worker@forewarn.test", common_name="worker")
    _write(client, folder / "client.pem")
    key = serialization.load_pem_private_key(client.private_key_pem.bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(KEY_PASSWORD.encode()),
    )
    (folder / "locked.key").write_bytes(locked)
    return Certificates(
        folder,
        folder / "ca.pem",
        folder / "stranger.pem",
        folder / "client.pem",
        folder / "locked.key",
    )


def _write(cert: trustme.LeafCert, path: Path) -> None:
    """Key and chain; Kafka wants the key as PKCS #8."""
    key = serialization.load_pem_private_key(cert.private_key_pem.bytes(), None)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(pem + b"".join(one.bytes() for one in cert.cert_chain_pems))
