"""A folder with rules, a recording, a desk and its settings: alerts become cases, cases orders."""

import json
from collections.abc import Sequence
from pathlib import Path

from small_world import FILES, Line, fix

DESK = {
    "desk.yaml": """
desk: small-city
title: {zh: 小城指挥中心, en: The desk of a small city}
storm: {over: 1000, within: 1m, every: 5m}
""",
    "departments.yaml": """
departments:
  police: {title: {zh: 公安局, en: Police}, sinks: [orders]}
""",
    "centres.yaml": """
centres:
  "9900": {tier: city, title: {zh: 小城, en: Small city}, sinks: [orders]}
""",
    "timings.yaml": """
timings:
  ordinary:
    source: proposed by the centre
    status: proposed
    limits:
      sign: {within: 2h, warn: 30m}
      resolve: {within: 24h, warn: 2h, extend: 24h}
    ladder:
      resolve:
        - {after: 0s, do: remind}
""",
    "routes.yaml": """
default:
  lead: police
  tier: city
  timing: ordinary
  group: {by: [entity, rule], within: 24h, recur: 7d}
  proof: {stream: true, receipt: true, quiet: 10m}
""",
}


def a_day(cars: int = 6) -> list[Line]:
    """Cars that stand too long, one after the other, and drive on; every one ends its alert."""
    lines: list[Line] = []
    for number in range(cars):
        car, begin = f"苏F{10001 + number}", number * 3
        lines += [fix(begin + minute, car, 0, 0) for minute in range(26)]
        lines += [fix(begin + 26 + n, car, 40 + 40 * n, 60) for n in range(8)]
    return sorted(lines)


def make_city(folder: Path, url: str, lines: Sequence[Line] | None = None, **desk: object) -> None:
    """Write the folder; orders go to a URL.

    Args:
        folder: Where.
        url: Where orders are posted.
        lines: What the recording holds.
        desk: More settings of the desk.

    """
    for name, text in FILES.items():
        if not name.endswith("pays.yaml"):
            _put(folder / name, text)
    for name, text in DESK.items():
        _put(folder / "desk" / name, text)
    values = [value for _, feed, value in (a_day() if lines is None else lines) if feed == "gps"]
    _put(folder / "gps.jsonl", "\n".join(value.decode() for value in values) + "\n")
    settings = {
        "packs": ["small"],
        "sources": {"gps": {"kind": "file", "feed": "gps", "path": "gps.jsonl", "batch": 20}},
        "sinks": {"orders": {"kind": "webhook", "url": url, "parallel": 2}},
        "metrics": {"port": -1},
        "api": {"port": -1},
        "outbox": {"first_wait_s": 0.05, "most_wait_s": 0.2},
        "desk": {"lease_s": 3, **desk},
    }
    _put(folder / "forewarn.yaml", json.dumps(settings))


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
