"""The dwell job as a Quix Streams application: state in RocksDB with a changelog topic.

Imports nothing of ours but the job: it runs with its own versions of shared packages.
"""

import argparse
import gc
import json
import os
import sys
import tempfile
import time
import uuid
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson

from benchmarks import dwell_job


def main() -> int:
    """Read the topic to its end and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    asked = parser.parse_args()
    records, rings = dwell_job.read(asked.data)
    run(asked.bootstrap, asked.topic, len(records), rings)
    return 0


def run(bootstrap: str, name: str, total: int, rings: Any) -> None:
    """The application; ends the process after the last record."""
    quix: Any = import_module("quixstreams")

    alerts: list[dwell_job.Alert] = []
    inside, loads = dwell_job.cells(rings), orjson.loads
    app = quix.Application(
        broker_address=bootstrap, consumer_group=f"quix-{uuid.uuid4().hex[:8]}",
        state_dir=tempfile.mkdtemp(), auto_offset_reset="earliest", use_changelog_topics=True,
        loglevel="WARNING", auto_create_topics=True, commit_interval=1.0,
    )  # fmt: skip
    topic = app.topic(name, value_deserializer="bytes", key_deserializer="bytes")
    seen, first = 0, [0.0, 0.0]

    def decode(value: bytes) -> Any:
        nonlocal seen
        if not seen:
            gc.collect()
            gc.freeze()
            first[:] = [time.perf_counter(), time.process_time()]
        elif value.startswith(b'{"$watermark"'):
            return {"cls": ""}
        seen += 1
        return loads(value)

    def dwell(event: Any, state: Any) -> None:
        lon, lat = event["lon"], event["lat"]
        if inside(lon, lat) or event["speed"] >= dwell_job.SLOW:
            state.delete("stay")
            return
        at_ms, stay = event["ts"], state.get("stay")
        if stay is None or dwell_job.far(stay[0], stay[1], lon, lat):
            state.set("stay", [lon, lat, at_ms, False])
        elif not stay[3] and at_ms - stay[2] >= dwell_job.STAY_MS:
            state.set("stay", [stay[0], stay[1], stay[2], True])
            alerts.append((event["vid"], stay[2]))

    def over(_event: Any) -> None:
        if seen >= total:
            wall_s, cpu_s = time.perf_counter() - first[0], time.process_time() - first[1]
            status = Path("/proc/self/status").read_text()
            peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
            figures = {
                "rate": (total - 1) / wall_s, "cpu_rate": (total - 1) / cpu_s, "rss_mb": peak,
                "digest": dwell_job.digest(alerts), "first": 1,
            }  # fmt: skip
            print(json.dumps(figures), flush=True)
            os._exit(0)

    frame = app.dataframe(topic).apply(decode)
    hazmat = frame.filter(lambda event: event["cls"] == "hazmat")
    hazmat = hazmat.update(dwell, stateful=True)
    frame.update(over)
    app.run()


if __name__ == "__main__":
    sys.exit(main())
