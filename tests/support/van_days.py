"""Three days of four vans, minute by minute: stays and fast drives whose counts are known."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
HOSTILE = '<script>alert("x")</script>'
"""A van whose number is markup."""
STAYS = {
    "van-1": [(60, 45), (300, 200), (1500, 31), (3000, 29)],
    "van-2": [(100, 130), (2000, 35)],
    HOSTILE: [(200, 60), (1700, 41)],
}
"""For each van when it stops (minutes after the beginning) and how many minutes it stands."""
FAST = {"van-1": [(700, 5)], "van-3": [(50, 400), (2500, 2), (4000, 3)]}
"""When it drives at 100 km/h, and how long."""
DAYS = 3
BAD = 7
"""So many records are no events."""


def fixes() -> Iterator[dict[str, object]]:
    """All fixes in order of time."""
    vans = sorted({*STAYS, *FAST})
    for minute in range(DAYS * 1440):
        for number, van in enumerate(vans):
            stands = [at for at, long in STAYS.get(van, []) if at <= minute < at + long]
            fast = any(at <= minute < at + long for at, long in FAST.get(van, []))
            shift = stands[0] if stands else minute
            yield {
                "van": van,
                "at": (BEGIN + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z"),
                "lon": round(120.82 + 0.35 * (shift % 97) / 97, 6),
                "lat": round(31.97 + 0.02 * number + 0.05 * (shift % 13) / 13, 6),
                "speed": 0 if stands else 100 if fast else 40,
            }


def write(folder: Path) -> Path:
    """The recording as a folder that `replay` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(fix, ensure_ascii=False) for fix in fixes()]
    step = len(lines) // BAD
    for number in range(BAD):
        lines.insert(number * step + 5, '{"van": "van-1", "at": "yesterday"}')
    (folder / "van-fixes.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    return folder
