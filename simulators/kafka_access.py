"""How the simulators' Kafka writer gets in: TLS and SASL by options of the command line."""

import argparse
import ssl
from pathlib import Path
from typing import Any

_HERE = ("localhost", "127.", "[::1]")


def add_options(parser: argparse.ArgumentParser) -> None:
    """What may be said beside `--kafka`."""
    parser.add_argument("--ca-file", type=Path, help="Kafka: who signed the broker's certificate")
    parser.add_argument("--cert-file", type=Path, help="Kafka: our certificate and key, as PEM")
    parser.add_argument("--key-file", type=Path, help="Kafka: the key, where it stands apart")
    parser.add_argument(
        "--sasl", choices=["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], help="Kafka: how to log in"
    )
    parser.add_argument("--username", default="", help="Kafka: who we are")
    parser.add_argument("--password-file", type=Path, help="Kafka: file that holds the password")
    parser.add_argument(
        "--insecure", action="store_true", help="Kafka: write to another machine unencrypted"
    )


def client(asked: argparse.Namespace) -> dict[str, Any]:
    """Arguments for the Kafka client.

    Raises:
        OSError: a file cannot be read, or records would leave this machine unencrypted unasked.

    """
    tls = asked.ca_file is not None or asked.cert_file is not None
    places = asked.kafka.removeprefix("kafka://").split(",")
    if not tls and not asked.insecure and not all(place.startswith(_HERE) for place in places):
        message = f"{asked.kafka} is another machine: name a --ca-file, or say --insecure"
        raise OSError(message)
    arguments: dict[str, Any] = {
        "security_protocol": f"{'SASL_' if asked.sasl else ''}{'SSL' if tls else 'PLAINTEXT'}"
    }
    if tls:
        context = ssl.create_default_context(cafile=asked.ca_file)
        if asked.cert_file is not None:
            context.load_cert_chain(asked.cert_file, asked.key_file)
        arguments["ssl_context"] = context
    if asked.sasl:
        if not asked.username or asked.password_file is None:
            message = f"--sasl {asked.sasl} needs --username and --password-file"
            raise OSError(message)
        arguments |= {
            "sasl_mechanism": asked.sasl,
            "sasl_plain_username": asked.username,
            "sasl_plain_password": asked.password_file.read_text("utf-8").strip(),
        }
    return arguments
