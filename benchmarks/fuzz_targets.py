"""What is fuzzed: each target takes any bytes and must answer with problems, or with a result.

Started by `fuzz_declarations` as a process of its own, which instruments the engine as it is
imported, lets libFuzzer look for inputs that reach new places, and writes down every input for
which a target raised or took long. `again` tries one of these without instruments.
"""

import base64
import hashlib
import json
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from benchmarks.report import ROOT

Target = Callable[[bytes], None]
SLOW_S = 1.0
"""Seconds of the processor's time that an input may take, without instruments."""

BASES = ROOT / "tests/ruleset/bases"
CASES = ROOT / "tests/ruleset/golden"
EXPRESSIONS = ROOT / "tests/expr/golden"
T0 = 1_772_413_800_000


class Seeds(NamedTuple):
    """Where a target begins: inputs, and words that the fuzzer may put in."""

    inputs: list[bytes]
    words: list[bytes]


# --- declarations -----------------------------------------------------------------------------


def declarations() -> Target:
    """A pack in which one file is the input; its first line names the pack and the file.

    Other rules and zones of the pack are there only if the input names them: most inputs need none,
    and loading is then ten times as fast.
    """
    from engine.ruleset.load import DeclaredFile, load_project  # noqa: PLC0415
    from engine.text import LANGUAGES  # noqa: PLC0415

    packs = {
        base.name: {
            path.relative_to(BASES).as_posix(): path.read_bytes()
            for path in sorted(base.rglob("*"))
            if path.is_file()
        }
        for base in sorted(BASES.iterdir())
    }

    def run(data: bytes) -> None:
        head, _, raw = data.partition(b"\n")
        base, _, path = head.decode("utf-8", "replace").partition(" ")
        files = {
            name: kept
            for name, kept in (packs.get(base) or packs["river"]).items()
            if not _apart(name) or Path(name).stem.encode() in raw
        }
        files[path if path.isprintable() and path else "river/any.yaml"] = raw
        loaded = load_project([DeclaredFile(*one) for one in files.items()])
        assert (loaded.project is None) == bool(loaded.errors)
        for lang in LANGUAGES:
            assert len(loaded.as_json(lang)) == len(loaded.problems)
            loaded.report(lang)
        for problem in loaded.problems:
            assert problem.at.line >= 1
            assert problem.at.column >= 1

    return run


def _apart(name: str) -> bool:
    """Whether a pack can do without this file: a rule, its tests, or a layer of zones."""
    file = name.partition("/")[2]
    return "/zones/" in f"/{name}" or ("/" not in file and file not in {"pack.yaml", "routes.yaml"})


def declaration_seeds() -> Seeds:
    """Every file of the packs and of the broken declarations in tests/ruleset."""
    inputs, words = [], set()
    for case in sorted(CASES.iterdir()):
        about: dict[str, Any] = {}
        if (case / "case.json").exists():
            about = json.loads((case / "case.json").read_text("utf-8"))
        for path in sorted((case / "input").rglob("*")):
            if path.is_file():
                name = path.relative_to(case / "input").as_posix()
                head = f"{about.get('base', 'river')} {name}\n"
                inputs.append(head.encode() + path.read_bytes())
    for path in sorted(BASES.rglob("*")):
        if path.is_file():
            name = path.relative_to(BASES).as_posix()
            inputs.append(f"{name.split('/')[0]} {name}\n".encode() + path.read_bytes())
            for line in path.read_text("utf-8").splitlines():
                key, colon, value = line.strip().lstrip("- ").partition(":")
                words |= {one for one in (key, value.strip()) if colon and 1 < len(one) < 40}
    nasty = ["null", "{}", "[]", "1e400", "0x1F", ".nan", "&a", "*a", "!x", "<<:", "2026-02-30"]
    return Seeds(inputs, [one.encode() for one in sorted(words)[:1500] + nasty])


# --- expressions ------------------------------------------------------------------------------


def expressions() -> Target:
    """An expression, or a template behind a `t`: read, checked, compiled and asked."""
    from engine.errors import Location  # noqa: PLC0415
    from engine.ruleset.expr import (  # noqa: PLC0415
        ALERT_EXTRAS,
        EXTRAS,
        Scope,
        Type,
        check,
        compile_value,
        parse,
    )
    from engine.ruleset.templates import parse_template  # noqa: PLC0415

    at, number = Location("rule.yaml", 3, 8), Type("number")
    fields = {
        "vehicle": Type("text"), "speed": Type("number", nullable=True, unit="km/h"),
        "accuracy": Type("number", unit="m"), "lon": number, "lat": number, "workers": number,
        "amount": Type("number", nullable=True, unit="CNY"), "located": Type("bool"),
        "hazard_class": Type("text", nullable=True), "reported": Type("time", nullable=True),
    }  # fmt: skip
    waybill = {"destination_zone": Type("text"), "depart": Type("time")}
    names = {
        **fields, "waybill": Type("record", nullable=True, fields=waybill),
        "watched": Type("list", item=Type("text")), **EXTRAS, **ALERT_EXTRAS,
    }  # fmt: skip
    scope = Scope(names, set(fields), ("lon", "lat"), {"licensed-sites"}, {"cn"})
    event = SimpleNamespace(
        vehicle="苏F12345", speed=4.0, accuracy=20, lon=120.91, lat=32.01, workers=0, amount=None,
        located=True, hazard_class=None, reported=T0,
    )  # fmt: skip
    now: Mapping[str, Any] = dict.fromkeys(names) | {"event_time": T0, "watched": ["a"]}

    def run(data: bytes) -> None:
        text = data[1:].decode("utf-8", "replace")
        found: Any
        if data[:1] == b"t":
            found = parse_template(text, at, scope)
        else:
            found = parse(text, at)
            if not isinstance(found, list):
                found = check(found, scope)
            if not isinstance(found, list) and found.uses_event_only:
                compile_value(found)(event, now)
        for problem in found if isinstance(found, list) else ():
            assert problem.report("en")
            assert problem.report("zh")

    return run


def expression_seeds() -> Seeds:
    """The broken ones of tests/expr, and those of the packs in tests/ruleset."""
    inputs = [b"t" + one.read_bytes() for one in sorted(EXPRESSIONS.glob("*/template.txt"))]
    inputs += [b"e" + one.read_bytes() for one in sorted(EXPRESSIONS.glob("*/expression.txt"))]
    words = {"and", "or", "not", "in", "if", "else", "null", "true", "km/h", "meters", "workday"}
    for path in sorted(BASES.rglob("*.yaml")):
        for line in path.read_text("utf-8").splitlines():
            key, _, value = line.strip().partition(": ")
            if key in {"where", "clear", "match", "verify"}:
                inputs.append(b"e" + value.strip("\"'").encode())
                words |= {word for word in value.split() if 1 < len(word) < 20}
            elif "{{" in value:
                inputs.append(b"t" + value.strip("\"'{}").encode())
    calls = "distance inside hour weekday workday age exists coalesce min max round matches any_of"
    words |= {f"{name}(" for name in calls.split()} | {"{{", "}}", "{%", "%}", "| time", "| mask"}
    return Seeds(inputs, [word.encode() for word in sorted(words)])


# --- records ----------------------------------------------------------------------------------

_FEED = """
feed: any
title: {zh: 任意, en: Any}
topic: feed.any
format: %s
key: who
id: [who, at]
time: {field: at, format: "%%Y-%%m-%%d %%H:%%M:%%S", zone: Asia/Shanghai}
lateness: 1m
position: {lon: lon, lat: lat, datum: gcj02}
fields:
  who: {type: plate}
  number: {type: integer, optional: true}
  level: {type: number, unit: m, range: [-5, 20], missing: [-9999], optional: true}
  open: {type: bool, optional: true}
  text: {type: text, optional: true}
  lon: number
  lat: number
  at: time
hygiene: {drop: [not-located, null-island, duplicate]}
purpose: [tests]
"""
_COLUMNS = ("who", "number", "level", "open", "text", "lon", "lat", "at")


def _records(form: str) -> Target:
    """A record of a feed with a field of every type."""
    from engine.decode.record import FeedDecoder  # noqa: PLC0415
    from engine.feeds.reasons import Reason  # noqa: PLC0415
    from engine.ruleset.load import DeclaredFile, LoadOptions, load_project  # noqa: PLC0415

    pack = b"pack: any\ntitle: {zh: a, en: a}\nowner: tests\nversion: '1.0'\n"
    feed = (_FEED % form).replace(", missing: [-9999]", "").encode()
    files = [DeclaredFile("any/pack.yaml", pack), DeclaredFile("any/feeds/any.yaml", feed)]
    loaded = load_project(files, LoadOptions(lint=False))
    assert loaded.project is not None, loaded.report("en")
    decoder = FeedDecoder(loaded.project.feeds["any"], _COLUMNS)
    if form == "csv":
        decoder = decoder.csv(",".join(_COLUMNS))
    reasons = set(Reason)

    def run(data: bytes) -> None:
        assert decoder.watermark(data) is None or data[:1] in b"{#"
        found = decoder.decode(data, T0)
        if isinstance(found[0], str):
            assert found[0] in reasons
        else:
            assert isinstance(found[0], int)
            decoder.key_of(("who",))(found[1])

    return run


def record_seeds(form: str) -> Seeds:
    """Some records, good and bad."""
    good = {
        "who": "苏F12345-yellow", "number": 7, "level": 1.5, "open": True, "text": '停留 "x"',
        "lon": 120.91, "lat": 32.01, "at": "2026-03-02 09:10:00",
    }  # fmt: skip
    rows: list[dict[str, Any]] = [
        good, good | {"number": None, "open": None}, good | {"at": "2026-02-30 25:00:00"},
        good | {"lon": 1e400, "lat": "32"}, good | {"who": ""}, good | {"level": -9999},
    ]  # fmt: skip
    if form == "json":
        inputs = [json.dumps(row, ensure_ascii=False).encode() for row in rows]
        inputs += [b'{"$watermark":1772413800000}', b"[" * 50, b"null"]
    else:
        quoted = [[str(value).replace('"', '""') for value in row.values()] for row in rows]
        inputs = [('"' + '","'.join(row) + '"').encode() for row in quoted]
        inputs += [b"#watermark,1772413800000", b'"', b",,,,,,,"]
    words = [b"null", b"true", b"1e400", b"-0", b"\\u0000", b"\xff", b'""', b"NaN", b"9" * 30]
    return Seeds(inputs, words)


TARGETS: Mapping[str, tuple[Callable[[], Target], Callable[[], Seeds]]] = {
    "declarations": (declarations, declaration_seeds),
    "expressions": (expressions, expression_seeds),
    "records in JSON": (lambda: _records("json"), lambda: record_seeds("json")),
    "records in CSV": (lambda: _records("csv"), lambda: record_seeds("csv")),
}


# --- in the fuzzer's process ------------------------------------------------------------------


def fuzz(name: str, folder: Path, seconds: int, seed: int) -> None:
    """Look for inputs that raise or take long, for so many seconds; never returns.

    Writes to the folder: `corpus` (inputs that reached new places), `found` (one file for each
    place that raised, and for each slow input).
    """
    import atheris  # type: ignore[import-untyped]  # noqa: PLC0415

    with atheris.instrument_imports(include=["engine"], exclude=["engine.geo.cells"]):
        run = TARGETS[name][0]()
    found = folder / "found"

    def once(data: bytes) -> None:
        begun, what = time.process_time(), ""
        try:
            run(data)
        except Exception as error:  # noqa: BLE001 - whatever is raised is what is looked for
            frames = traceback.extract_tb(error.__traceback__)
            what = f"{type(error).__name__} at {Path(frames[-1].filename).name}:{frames[-1].lineno}"
        if not what and time.process_time() - begun > SLOW_S:
            what = f"slow {len(list(found.glob('slow*')))}" if len(data) else ""
        if what:
            digest = hashlib.blake2b(what.encode(), digest_size=6).hexdigest()
            place = found / f"{'slow' if what.startswith('slow') else 'raised'}-{digest}"
            if not place.exists():
                place.write_bytes(data)

    words = folder / "words"
    options = [
        f"-max_total_time={seconds}", f"-seed={seed}", f"-dict={words}", "-max_len=6000",
        "-timeout=120", "-rss_limit_mb=3000", f"-artifact_prefix={found}/died-",
        "-print_final_stats=1", "-len_control=0",
    ]  # fmt: skip
    given = [sys.argv[0], *options, str(folder / "corpus"), str(folder / "seeds")]
    atheris.Setup(given, once)
    atheris.Fuzz()


def again(name: str, place: Path) -> int:
    """Try one input without instruments; answers 1 if it raises or takes too long."""
    run, data = TARGETS[name][0](), place.read_bytes()
    run(TARGETS[name][1]().inputs[0])  # what is imported and compiled once
    begun, what = time.process_time(), ""
    try:
        run(data)
    except Exception as error:  # noqa: BLE001 - to be told
        frames = traceback.extract_tb(error.__traceback__)[-3:]
        places = [f"{Path(one.filename).name}:{one.lineno} {one.line}" for one in frames]
        what = "\n".join([*places, f"{type(error).__name__}: {error}"])
    took = time.process_time() - begun
    print(json.dumps({
        "raised": what, "took": round(took, 3), "input": base64.b64encode(data).decode()
    }))  # fmt: skip
    return int(bool(what) or took > SLOW_S)


if __name__ == "__main__":
    if sys.argv[1] == "again":
        sys.exit(again(sys.argv[2], Path(sys.argv[3])))
    fuzz(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
