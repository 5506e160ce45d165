"""The API of the desk, from outside: a daemon of its own, asked over HTTP by everybody and nobody.

A simulated fleet makes alerts, the shipped desk makes cases of them. Then: every operation with
requests made from its own description, good and bad; every route with every role and with none;
receipts that are true, forged, replayed and skewed; streams of events cut off again and again; and
at the end a search for canary secrets and for plates where they must not be.
"""

import base64
import copy
import http.client
import json
import secrets
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook

from benchmarks.api_fuzz import fuzz
from benchmarks.report import ROOT, Report, options
from benchmarks.worlds import RULES, copy_pack, scratch, settings, sources, write_world
from engine.cases.model import Role
from engine.edge.api.roles import BASE, PERSONS, SIGNED, TABLE, may

SYSTEM = "order-system"
EVENTS = f"{BASE}/events"
HTTP_TOKEN = "canary-intake-" + secrets.token_hex(16)
_STILL = 4
"""So many looks without a new case, and the recording was read."""
_PARTS = ("incident", "episode", "rule", "silence", "token", "system")


@dataclass
class Api:
    """A running API, the tokens for it and what its process wrote."""

    port: int
    tokens: dict[str, str]
    secret: str
    folder: Path
    log: Path
    daemon: "subprocess.Popen[bytes]"

    def ask(
        self, method: str, path: str, role: str = "", body: Any = None, **headers: str
    ) -> tuple[int, Any]:
        """One request; answers status and document."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if role:
            sent["Authorization"] = f"Bearer {self.tokens[role]}"
        raw = body if isinstance(body, bytes) else None if body is None else json.dumps(body)
        if method == "POST":
            sent.setdefault("Content-Type", "application/json")
            sent.setdefault("Idempotency-Key", secrets.token_hex(8))
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            link.request(method, path, raw, sent)
            answer = link.getresponse()
            if answer.getheader("Content-Type", "").startswith("text/event-stream"):
                return answer.status, None
            return answer.status, json.loads(answer.read())
        finally:
            link.close()


def main() -> int:
    parser = options(__doc__ or "")
    parser.add_argument("--examples", type=int, help="requests a kind; default 60, reduced 2")
    asked = parser.parse_args()
    report = Report("api", "Proof: the API of the desk", asked)
    with scratch("api") as folder, running(folder, asked.seed, asked.reduced) as api:
        cases = wait_for_cases(api)
        report.say(f"{len(cases)} cases of a simulated fleet, at the shipped desk.")
        fuzzing(report, api, cases, asked.examples or (2 if asked.reduced else 60), asked.seed)
        matrix(report, api)
        receipts(report, api, cases)
        streams(report, api, cases[0]["id"], 5 if asked.reduced else 50)
        searching(report, api)
    return report.close()


def fuzzing(
    report: Report, api: Api, cases: list[dict[str, Any]], examples: int, seed: int
) -> None:
    """Every operation by its own description."""
    report.head("Requests from the description")
    _, document = api.ask("GET", f"{BASE}/openapi.json", "viewer")
    known = {
        "incident": [one["id"] for one in cases[:20]],
        "episode": [one["members"][0]["episode"] for one in cases[:20]],
        "system": [SYSTEM],
        "rule": [one["members"][0]["rule"] for one in cases[:3]],
    }
    url = f"http://127.0.0.1:{api.port}"
    paths = {path: one for path, one in document["paths"].items() if path != EVENTS}
    found = fuzz(url, {**document, "paths": paths}, api.tokens, known, examples, seed)
    rows = [
        [name, counts.total(), ", ".join(f"{k}: {v}" for k, v in sorted(counts.items()))]
        for name, counts in sorted(found.calls.items())
    ]
    report.table(["operation", "requests", "by status"], rows)
    every: Counter[int] = Counter()
    for counts in found.calls.values():
        every.update(counts)
    broken = sum(number for status, number in every.items() if status >= 500)
    report.claim("no answer of 500 or above", broken == 0, f"{broken} of {found.total} requests")
    report.claim("every answer is as the description says", not found.faults, len(found.faults))
    for fault in found.faults[:5]:
        report.code(fault)
    report.claim("no way round a token", not found.bypassed, f"{len(found.bypassed)} let in")
    report.claim("every operation was tried", {f"GET {EVENTS}", *found.calls} == set(TABLE))
    lying = copy.deepcopy(document)
    lying["components"]["schemas"]["Me"]["properties"]["account"] = {"type": "integer"}
    lying["paths"] = {f"{BASE}/me": lying["paths"][f"{BASE}/me"]}
    caught = fuzz(url, lying, api.tokens, {}, 10, seed)
    report.claim("a description that lies about one field is found out", bool(caught.faults))


def matrix(report: Report, api: Api) -> None:
    """Every route with every role, and with none."""
    report.head("Routes and roles")
    wrong, cells = [], 0
    for name, row in TABLE.items():
        method, _, path = name.partition(" ")
        for part in _PARTS:
            path = path.replace(f"{{{part}}}", "nothing-of-this-name")
        for role in ("", *map(str, PERSONS)):
            cells += 1
            status, _ = api.ask(method, path, role, {} if method == "POST" else None)
            if row == SIGNED or not role:
                fits = status in {401, 429}  # 429: too many wrong tokens from this address
            elif may([Role(role)], row):
                fits = status in {200, 404, 422}
            else:
                fits = status == 403
            if not fits:
                wrong.append([name, role or "nobody", status])
    if wrong:
        report.table(["route", "role", "status"], wrong)
    report.claim(f"all of {len(TABLE)} routes x {len(PERSONS)} roles and nobody", not wrong,
                 f"{cells} cells called, {len(wrong)} wrong")  # fmt: skip


def receipts(report: Report, api: Api, cases: list[dict[str, Any]]) -> None:
    """True receipts move their case once; all others never."""
    report.head("Receipts")
    path = f"{BASE}/receipts/{SYSTEM}"
    order = next(one["number"] for one in cases)
    body = json.dumps({"order": order, "status": "noted", "note": "received"}).encode()
    now = time.time()
    good = signed(api.secret, "true-1", body, now)
    other = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    forged = {
        "no signature": ({}, body),
        "key of somebody else": (signed(other, "f-1", body, now), body),
        "another body": (good, body.replace(b"noted", b"other")),
        "a space more": (good, body + b" "),
        "another id": ({**good, "webhook_id": "f-2"}, body),
        "another time": ({**good, "webhook_timestamp": str(int(now) - 60)}, body),
        "six minutes old": (signed(api.secret, "f-3", body, now - 360), body),
        "a day old": (signed(api.secret, "f-4", body, now - 86_400), body),
        "six minutes ahead": (signed(api.secret, "f-5", body, now + 360), body),
        "version of the signature changed": (
            {**good, "webhook_signature": good["webhook_signature"].replace("v1,", "v2,")}, body,
        ),
        "signature cut short": (
            {**good, "webhook_signature": good["webhook_signature"][:-8]}, body,
        ),
        "time is not a number": ({**good, "webhook_timestamp": "nan"}, body),
    }  # fmt: skip
    rows, accepted = [], 0
    for kind, (headers, raw) in forged.items():
        status, said = api.ask("POST", path, "", raw, **headers)
        accepted += status != 401
        rows.append([kind, status, said.get("code", said)])
    first = api.ask("POST", path, "", body, **good)
    again = [api.ask("POST", path, "", body, **good)[1]["outcome"] for _ in range(5)]
    rows += [["true", first[0], first[1].get("outcome", first[1])],
             ["the true one again, five times", 200, ", ".join(sorted(set(again)))]]  # fmt: skip
    report.table(["receipt", "status", "answer"], rows)
    report.claim("forged and skewed receipts accepted: 0", accepted == 0, f"{len(forged)} kinds")
    report.claim("the true one is taken", first[0] == 200)
    report.claim("a replayed one does nothing", set(again) == {"repeated"})


def streams(report: Report, api: Api, incident: str, times: int) -> None:
    """A listener that is cut off again and again hears every move once."""
    report.head("Live events")
    _, before = api.ask("GET", f"{BASE}/incidents/{incident}", "handler")
    words = [f"remark {number}" for number in range(times)]
    heard: list[str] = []
    last = 0
    for word in words:
        api.ask("POST", f"{BASE}/incidents/{incident}/comment", "handler", {"reason": word})
        for number, event in listened(api, last, word):
            last = number
            if event["incident"]["id"] == before["id"] and event["move"]["verb"] == "comment":
                heard.append(event["move"]["reason"])
    ours = [word for word in heard if word in set(words)]
    report.claim(f"{times} times cut off: no move lost, none twice, in order", ours == words,
                 f"{len(ours)} heard")  # fmt: skip


def listened(api: Api, after: int, until: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Events after a number, up to the one with a word; then the line is cut."""
    link = http.client.HTTPConnection("127.0.0.1", api.port, timeout=30)
    headers = {"Authorization": f"Bearer {api.tokens['handler']}", "Last-Event-ID": str(after)}
    try:
        link.request("GET", EVENTS, headers=headers)
        answer = link.getresponse()
        number = after
        for line in iter(answer.readline, b""):
            if line.startswith(b"id: "):
                number = int(line[4:])
            elif line.startswith(b"data: "):
                event = json.loads(line[6:])
                yield number, event
                if event["move"]["reason"] == until:
                    return
    finally:
        link.close()


def searching(report: Report, api: Api) -> None:
    """Secrets and personal values are not where they must not be."""
    report.head("Secrets and personal data")
    plates = sorted({
        member["key"].partition("-")[0]
        for one in api.ask("GET", f"{BASE}/incidents?only=all&limit=200", "handler")[1]["items"]
        for member in one["members"]
    })  # fmt: skip
    canaries = {"token of " + role: token.split("_", 2)[2] for role, token in api.tokens.items()}
    canaries |= {"key of receipts": api.secret, "token of the intake": HTTP_TOKEN}
    log = api.log.read_text("utf-8")
    kept = b"".join(one.read_bytes() for one in sorted((api.folder / "data").glob("*.db*")))
    for name, raw in (("the log", log.encode()), ("the databases", kept)):
        found = [canary for canary, value in canaries.items() if value.encode() in raw]
        report.claim(f"no canary in {name}", not found, found or f"{len(canaries)} looked for")
    shown = ""
    for path in ("incidents?only=all&limit=200", "alerts?only=all&limit=200", "search?q=a", "me",
                 "rules", "feeds", "silences?ended=true"):  # fmt: skip
        shown += json.dumps(api.ask("GET", f"{BASE}/{path}", "viewer")[1], ensure_ascii=False)
    audit = json.dumps(api.ask("GET", f"{BASE}/audit?limit=200", "auditor")[1], ensure_ascii=False)
    for name, text in (("answers to a viewer", shown), ("the log", log), ("the audit", audit)):
        count = sum(plate in text for plate in plates)
        report.claim(f"no plate in {name}", bool(plates) and count == 0,
                     f"{count} of {len(plates)} in {len(text):,} characters")  # fmt: skip
    found = [canary for canary, value in canaries.items() if value in shown + audit]
    report.claim("no canary in answers", not found, found or len(canaries))
    _, reads = api.ask("GET", f"{BASE}/audit?action=read&limit=1", "auditor")
    report.claim("reading personal data is in the audit", bool(reads["items"]))
    _, chain = api.ask("GET", f"{BASE}/audit/verify", "auditor")
    report.claim("the audit is whole", chain["whole"], f"{chain['rows']} rows")
    traces = sum("Traceback" in line for line in log.splitlines())
    report.claim("the process wrote no traceback", traces == 0, traces)


def signed(secret: str, name: str, body: bytes, at_s: float) -> dict[str, str]:
    """Headers of a receipt, as keyword arguments."""
    moment = datetime.fromtimestamp(int(at_s), UTC)
    mac = Webhook(secret).sign(name, moment, body.decode())
    return {"webhook_id": name, "webhook_timestamp": str(int(at_s)), "webhook_signature": mac}


@contextmanager
def running(folder: Path, seed: int, reduced: bool) -> Iterator[Api]:
    """A daemon with the hazmat pack over a simulated fleet, and the shipped desk."""
    place = folder / "city"
    world = write_world("fleet", folder / "world", seed=seed, vehicles=30 if reduced else 120,
                        hours=8.0 if reduced else 24.0)  # fmt: skip
    del world
    copy_pack(RULES / "hazmat", place / "hazmat", folder / "world")
    shutil.copytree(RULES / "desk", place / "desk")
    (place / "desk/routes_test.yaml").unlink()  # it speaks of rules of all packs
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    port = free_port()
    sinks = ("console-webhook", SYSTEM, "duty-room")
    settings(
        place, packs=["hazmat"], sources=sources(["vehicle-gps"], str(folder / "world")),
        sinks={name: {"kind": "jsonl", "path": f"{name}.jsonl"} for name in sinks},
        metrics={"port": -1}, http={"token": HTTP_TOKEN}, desk={},
        api={"port": port, "per_minute": 0, "per_address": 0,
             "systems": {SYSTEM: {"secret": secret}}},
    )  # fmt: skip
    tokens = {}
    for role in PERSONS:
        file = folder / f"{role}.token"
        forewarn("token", "add", f"{role}-1", "--role", role, "--out", str(file), "-f", str(place))
        tokens[str(role)] = file.read_text("utf-8").strip()
    log = folder / "daemon.log"
    with log.open("wb") as out:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "engine", "run", str(place)], cwd=ROOT, stdout=out, stderr=out
        )
        try:
            yield Api(port, tokens, secret, place, log, daemon)
        finally:
            daemon.terminate()
            daemon.wait(60)


def wait_for_cases(api: Api, within_s: float = 240.0) -> list[dict[str, Any]]:
    """Until the recording was read and its cases are there."""
    end, before, same = time.monotonic() + within_s, -1, 0
    while time.monotonic() < end and api.daemon.poll() is None:
        time.sleep(3)
        try:
            _, page = api.ask("GET", f"{BASE}/incidents?only=all&limit=200", "operator")
        except OSError:
            continue
        same = same + 1 if len(page["items"]) == before and before > 0 else 0
        if same >= _STILL:
            found: list[dict[str, Any]] = page["items"]
            return found
        before = len(page["items"])
    message = f"no cases: {api.log.read_text('utf-8')[-3000:]}"
    raise RuntimeError(message)


def forewarn(*words: str) -> None:
    """Run a verb."""
    done = subprocess.run(
        [sys.executable, "-m", "engine", *words], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr)


def free_port() -> int:
    """A port that nobody has."""
    import socket  # noqa: PLC0415

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
