"""The tests' hands on a cluster of three brokers with TLS and users."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from certificates import Certificates
from stream_worker import PACK

from engine.edge.streaming.link import Link
from engine.kafka.access import Access, Way, open_way

BROKER = Path(__file__).resolve().parents[1] / "broker" / "kafka.py"


@dataclass(frozen=True)
class Cluster:
    """Three brokers.

    Attributes:
        listeners: `BROKER` wants TLS and a user, `MUTUAL` a certificate of ours, `EXPIRED` shows
            one that is over; `INNER` is plain and may everything.

    """

    home: Path
    listeners: Mapping[str, str]
    certificates: Certificates

    def first(self, listener: str) -> str:
        """The address of the first broker only."""
        return self.listeners[listener].split(",")[0]

    def declared(self, **other: Any) -> dict[str, Any]:
        """What an operator would declare to get in; None takes a key out."""
        right = {
            "ca_file": str(self.certificates.ca),
            "sasl": "SCRAM-SHA-512",
            "username": "forewarn",
            "password": "forewarn-secret",
        }
        return {key: value for key, value in {**right, **other}.items() if value is not None}

    def way(self, **other: Any) -> Way:
        """The same, opened."""
        return open_way(Access.model_validate(self.declared(**other)), self.certificates.folder)

    def link(self, tag: str, **more: Any) -> Link:
        """A link into the cluster with three copies of everything."""
        given: dict[str, Any] = {
            "bootstrap": self.listeners["BROKER"], "app": tag, "prefix": tag, "replication": 3,
            "session_s": 6.0, "heartbeat_s": 1.0, "save_every_s": 0.3, "way": self.way(),
        }  # fmt: skip
        return Link(**{**given, **more})

    def order(self, command: str, node: int) -> None:
        """`kill-node`, `stop-node` or `start-node`."""
        call = [sys.executable, str(BROKER), command, "--home", str(self.home)]
        subprocess.run([*call, "--node", str(node)], check=True, capture_output=True)


def project(folder: Path, broker: str, access: dict[str, object], tag: str = "feed") -> None:
    """A folder with the tests' rules and settings that lead to this broker."""
    shutil.copytree(PACK, folder / "rules")
    for feed in (folder / "rules" / "feeds").iterdir():
        feed.write_text(feed.read_text("utf-8").replace("topic: feed.", f"topic: {tag}."), "utf-8")
    kafka = {
        **access, "app": tag, "prefix": tag, "replication": 3, "session_s": 6, "heartbeat_s": 1,
    }  # fmt: skip
    settings = {
        "packs": ["rules"], "metrics": {"port": -1}, "broker": f"kafka://{broker}", "kafka": kafka
    }  # fmt: skip
    (folder / "forewarn.yaml").write_text(json.dumps(settings), "utf-8")
