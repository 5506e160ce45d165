"""Bad input: broken records end in the dead letter with a reason and harm nothing else.

Every kind of broken record below, 100 of each, is woven into a stream of good ones and run
through the embedded daemon. The alerts must be those of the clean stream. A rule that divides by
zero is quarantined while the others go on. And the corpus of broken declarations is counted.
"""

import json
import random
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.report import ROOT, Report, options
from benchmarks.worlds import RULES, copy_pack, scratch, settings, sources, write_world

FEED = "vehicle-gps"
GOLDEN = ROOT / "tests/ruleset/golden"
Good = dict[str, Any]
DIVIDES = """\
rule: divides-by-zero
title: {zh: 除以零, en: Divides by zero}
status: stable
owner: proof
severity: blue
from: vehicle-gps
by: vehicle
where: hazard_class != null
when:
  match: "accuracy / (accuracy - accuracy) > 1"
"""


def _with(**other: object) -> Callable[[Good], bytes]:
    return lambda good: json.dumps({**good, **other}, ensure_ascii=False).encode()


def _without(name: str) -> Callable[[Good], bytes]:
    return lambda good: json.dumps({k: v for k, v in good.items() if k != name}).encode()


def _twice(name: str, value: str) -> Callable[[Good], bytes]:
    return lambda good: json.dumps(good).encode()[:-1] + f', "{name}": "{value}"}}'.encode()


def _plain(value: bytes) -> Callable[[Good], bytes]:
    return lambda _good: value


KINDS: dict[str, tuple[Callable[[Good], bytes], str]] = {
    "words": (_plain(b"not a record"), "not-json"),
    "cut off": (lambda good: json.dumps(good).encode()[:-7], "not-json"),
    "garbage behind it": (lambda good: json.dumps(good).encode() + b"}", "not-json"),
    "single quotes": (lambda good: json.dumps(good).replace('"', "'").encode(), "not-json"),
    "not a number": (_with(speed=float("nan")), "not-json"),
    "bytes that are no UTF-8": (lambda g: json.dumps(g).encode()[:-1] + b'\xff"}', "not-text"),
    "a list": (lambda good: json.dumps([good]).encode(), "not-object"),
    "a number": (_plain(b"42"), "not-object"),
    "a text": (_plain(b'"vehicle"'), "not-object"),
    "null": (_plain(b"null"), "not-object"),
    "nested ten thousand deep": (
        _plain(b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}"),
        "too-deep",
    ),
    "no vehicle": (_without("vehicle"), "missing-field"),
    "no time": (_without("gps_time"), "missing-field"),
    "no longitude": (_without("lon"), "missing-field"),
    "no latitude": (_without("lat"), "missing-field"),
    "no speed": (_without("speed"), "missing-field"),
    "speed null": (_with(speed=None), "missing-field"),
    "speed in words": (_with(speed="fast"), "wrong-type"),
    "speed negative": (_with(speed=-1), "out-of-range"),
    "speed of a rocket": (_with(speed=9_999), "out-of-range"),
    "longitude as text": (_with(lon="120.9"), "wrong-type"),
    "longitude off the map": (_with(lon=200.0), "out-of-range"),
    "latitude off the map": (_with(lat=-95.0), "out-of-range"),
    "axes swapped": (lambda good: _with(lon=good["lat"], lat=good["lon"])(good), "out-of-range"),
    "null island": (_with(lon=0.0, lat=0.0), "null-island"),
    "no satellite": (_with(located=False), "not-located"),
    "satellite in words": (_with(located="yes"), "wrong-type"),
    "an unknown load": (_with(load="heavy"), "not-allowed"),
    "a long class": (_with(hazard_class="123456789"), "too-long"),
    "accuracy negative": (_with(accuracy=-1), "out-of-range"),
    "no plate": (_with(vehicle="hello"), "bad-plate"),
    "time in words": (_with(gps_time="yesterday"), "bad-time"),
    "the 32nd of March": (_with(gps_time="2026-03-32 06:00:00"), "bad-time"),
    "time as a number": (_with(gps_time=1_772_000_000), "wrong-type"),
    "two vehicles": (_twice("vehicle", "苏F99999-yellow"), "repeated-field"),
    "two times": (_twice("gps_time", "2026-03-02 06:00:00"), "repeated-field"),
}


def main() -> int:
    """Run clean, poisoned, and with a faulty rule; compare."""
    parser = options(__doc__ or "")
    parser.add_argument("--each", type=int, default=0, help="of each kind, default 100, reduced 10")
    asked = parser.parse_args()
    each = asked.each or (10 if asked.reduced else 100)
    report = Report("bad-input", "Proof: bad records, a bad rule, bad declarations", asked)
    with scratch("bad") as folder:
        sizes = (
            {"vehicles": 30, "hours": 8.0} if asked.reduced else {"vehicles": 150, "hours": 24.0}
        )
        write_world("fleet", folder / "world", seed=asked.seed, **sizes)
        clean = run(folder, "clean", folder / "world")
        broken = poison(folder, each, asked.seed)
        poisoned = run(folder, "poisoned", folder / "poisoned-world")
        records(report, clean, poisoned, broken)
        faulty = run(folder, "faulty", folder / "world", DIVIDES)
        quarantine(report, clean, faulty)
    declarations(report)
    return report.close()


def poison(folder: Path, each: int, seed: int) -> list[tuple[str, bytes]]:
    """Weave broken records into a copy of the world; answers (kind, record), in their order."""
    chance = random.Random(seed)
    good = (folder / f"world/{FEED}.jsonl").read_bytes().splitlines()
    fixes = [line for line in good if not line.startswith(b'{"$')]
    made = [(kind, make(json.loads(chance.choice(fixes)))) for kind, (make, _) in KINDS.items()
            for _ in range(each)]  # fmt: skip
    chance.shuffle(made)
    places = sorted(chance.randrange(len(good)) for _ in made)
    lines: list[bytes] = []
    following = iter(zip(places, made, strict=True))
    place, one = next(following, (len(good), ("", b"")))
    for number, line in enumerate(good):
        while place == number and one[0]:
            lines.append(one[1])
            place, one = next(following, (len(good), ("", b"")))
        lines.append(line)
    shutil.copytree(folder / "world", folder / "poisoned-world")
    (folder / f"poisoned-world/{FEED}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    return made


def records(
    report: Report, clean: dict[str, Any], poisoned: dict[str, Any], broken: list[tuple[str, bytes]]
) -> None:
    """Every broken record is in the dead letter; nothing else changed."""
    report.head("Broken records")
    dead = poisoned["dead"]
    by_value: dict[bytes, Counter[str]] = {}
    for value, reason, _ in dead:
        by_value.setdefault(value, Counter())[reason] += 1
    rows = []
    wrong = 0
    for kind, (_, expected) in KINDS.items():
        values = Counter(value for name, value in broken if name == kind)
        found: Counter[str] = Counter()
        for value in values:
            found += by_value.get(value[: 1 << 20], Counter())
        wrong += found != Counter({expected: values.total()})
        details = sorted({detail for value, _, detail in dead if value in values})
        rows.append(
            [
                kind,
                values.total(),
                ", ".join(f"{r} {n}" for r, n in found.items()),
                ", ".join(details)[:60],
            ]
        )
    report.table(["kind", "sent", "in the dead letter, by reason", "detail"], rows)
    report.claim("at least 30 kinds", len(KINDS) >= 30, len(KINDS))
    report.claim(
        "every broken record is in the dead letter, with the expected reason",
        wrong == 0,
        f"{wrong} kinds differ",
    )
    report.claim(
        "the dead letter holds nothing else",
        len(dead) == len(broken) + len(clean["dead"]),
        f"{len(dead)} of {len(broken)}",
    )
    report.claim(
        "the alerts are those of the clean stream",
        clean["changes"] == poisoned["changes"],
        f"{len(clean['changes'])} transitions",
    )
    report.claim(
        "the state is that of the clean stream",
        clean["state"] == poisoned["state"],
        f"{len(clean['state'])} rows",
    )


def quarantine(report: Report, clean: dict[str, Any], faulty: dict[str, Any]) -> None:
    """The faulty rule is out; the others say what they always said."""
    report.head("A rule that divides by zero")
    others = [row for row in faulty["changes"] if json.loads(row[1])["rule"] != "divides-by-zero"]
    report.table(["trouble", "rule", "detail", "times"], [
        [*row, count] for row, count in Counter(faulty["troubles"]).items()
    ])  # fmt: skip
    report.claim(
        "it is quarantined",
        ("rule-quarantined", "divides-by-zero") in {row[:2] for row in faulty["troubles"]},
    )
    report.claim(
        "the other rules' alerts are those of the run without it",
        others == clean["changes"],
        f"{len(others)} transitions",
    )


def declarations(report: Report) -> None:
    """The golden corpus of broken declarations, by code, in both languages."""
    report.head("Broken declarations")
    codes: Counter[str] = Counter()
    cases = 0
    for case in sorted(GOLDEN.iterdir()):
        texts = [case / f"expected.{lang}.txt" for lang in ("zh", "en")]
        if all(text.exists() for text in texts):
            cases += 1
            said = [
                Counter(re.findall(r"\b[RW]\d{3}\b", text.read_text("utf-8"))) for text in texts
            ]
            report.failed += [f"{case.name}: the languages differ"] if said[0] != said[1] else []
            codes += said[1]
    report.claim("at least 60 cases in both languages", cases >= 60, cases)
    report.claim(
        "no code makes up more than 5 %",
        max(codes.values()) <= 0.05 * codes.total(),
        codes.most_common(1)[0],
    )
    report.say(
        f"{len(codes)} codes: "
        + ", ".join(f"{code} {count}" for code, count in sorted(codes.items()))
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/ruleset/test_golden.py"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    report.claim(
        "what a person reads is what the corpus says",
        done.returncode == 0,
        done.stdout.strip().splitlines()[-1],
    )


def run(folder: Path, name: str, world: Path, more_rules: str = "") -> dict[str, Any]:
    """The embedded daemon over a world; what its store holds afterwards."""
    place = folder / name
    copy_pack(RULES / "hazmat", place / "hazmat", world)
    if more_rules:
        (place / "hazmat/divides-by-zero.yaml").write_text(more_rules, "utf-8")
    settings(
        place, packs=["hazmat"], sources=sources([FEED], str(world)), metrics={"port": -1},
        sinks={"console-webhook": {"kind": "jsonl", "path": "alerts.jsonl"}},
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "engine", "run", str(place), "--once"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        message = f"the daemon ended with {done.returncode}: {done.stderr[-2000:]}"
        raise RuntimeError(message)
    queries = {
        "changes": "SELECT delivery_id, body FROM changes ORDER BY 1",
        "state": "SELECT rule, key, value FROM state ORDER BY 1, 2",
        "dead": "SELECT value, reason, detail FROM dead ORDER BY id",
        "troubles": "SELECT kind, rule, detail FROM troubles ORDER BY id",
    }
    with closing(sqlite3.connect(place / "data/forewarn.db")) as link:
        return {what: link.execute(query).fetchall() for what, query in queries.items()}


if __name__ == "__main__":
    sys.exit(main())
