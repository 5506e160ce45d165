"""The API of the desk, from outside: a daemon of its own, asked over HTTP by everybody and nobody.

A simulated fleet makes alerts, the shipped desk makes cases of them, and every system that hears of
them refuses. Then: every operation with requests made from its own description, good and bad;
every route with every role and with none; receipts that are true, forged, replayed and skewed;
streams of events cut off again and again; addresses in every form that leads where no sink may
go; and at the end a search for canary secrets and for plates where they must not be.
"""

import asyncio
import base64
import copy
import http.client
import json
import random
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook

from benchmarks.api_city import PEOPLE, SYSTEM, Api, forewarn, running, wait_for_cases
from benchmarks.api_fuzz import fuzz
from benchmarks.report import ROOT, Report, options
from benchmarks.worlds import scratch

sys.path.insert(0, str(ROOT / "tests/support"))  # the forms of addresses are those of the test

import url_forms

from connectors.client import Reach
from engine.cases.model import Role
from engine.edge.api.roles import BASE, PERSONS, SIGNED, TABLE, may

EVENTS = f"{BASE}/events"
_PARTS = ("incident", "episode", "rule", "silence", "token", "system")
FUZZ_S = 420.0
"""So long the requests made from the description may take."""
SHOWN = 3
"""So many deliveries of each outbox are looked at whole."""


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
        receipts(report, api, cases, 12 if asked.reduced else 200)
        addresses(report)
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
    found = fuzz(url, {**document, "paths": paths}, api.tokens, known, examples, seed, FUZZ_S)
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
    _, document = api.ask("GET", f"{BASE}/openapi.json", "viewer")
    routes = {
        f"{method.upper()} {path}" for path, one in document["paths"].items() for method in one
    }
    report.claim("the table of roles names exactly the routes of the description",
                 routes == set(TABLE), f"{len(routes)} routes")  # fmt: skip
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


def receipts(report: Report, api: Api, cases: list[dict[str, Any]], altered: int) -> None:
    """True receipts move their case once; all others never."""
    report.head("Receipts")
    path = f"{BASE}/receipts/{SYSTEM}"
    case = cases[-1]  # requests from the description know the first ones only
    at = f"{BASE}/incidents/{case['id']}"
    given, answer = api.ask("POST", f"{at}/refer", "operator", {"sink": SYSTEM})
    report.claim("a case was handed to the outside system", given == 200, answer.get("code", ""))
    order = case["number"]
    body = json.dumps({"order": order, "status": "noted", "note": "received"}).encode()
    now = time.time()
    good = signed(api.secret, "true-1", body, now)
    rows, accepted, tried = list[list[Any]](), 0, 0
    for kind, some in forged(api.secret, body, good, now, altered).items():
        answers = [api.ask("POST", path, "", raw, **headers) for headers, raw in some]
        accepted += sum(status not in {400, 401, 429} for status, _ in answers)
        tried += len(some)
        statuses = Counter(f"{status} {said.get('code', '')}" for status, said in answers)
        rows.append([kind, len(some), ", ".join(f"{k}: {v}" for k, v in statuses.items())])
    first = api.ask("POST", path, "", body, **good)
    again = [api.ask("POST", path, "", body, **good)[1]["outcome"] for _ in range(5)]
    rows += [["true", 1, f"{first[0]} {first[1].get('outcome', first[1])}"],
             ["the true one again", 5, ", ".join(sorted(set(again)))]]  # fmt: skip
    report.table(["receipt", "times", "answer"], rows)
    report.claim("forged and skewed receipts accepted: 0", accepted == 0,
                 f"{accepted} of {tried}")  # fmt: skip
    report.claim("the true one is taken", first[0] == 200)
    _, history = api.ask("GET", f"{at}/history", "operator")
    moved = [one for one in history["moves"] if one["verb"] == "receipt"]
    report.claim("a replayed one does nothing: the case was moved once",
                 set(again) == {"repeated"} and len(moved) == 1, f"{len(moved)} moves")  # fmt: skip


def forged(
    secret: str, body: bytes, good: dict[str, str], now: float, altered: int
) -> dict[str, list[tuple[dict[str, str], bytes]]]:
    """Receipts that nobody may believe: headers and bodies, by what is wrong with them."""
    other = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    mac, chance = good["webhook_signature"], random.Random(len(body))

    def flipped() -> bytes:
        at = chance.randrange(len(body))
        return body[:at] + bytes([body[at] ^ 1 << chance.randrange(7)]) + body[at + 1 :]

    def bent() -> str:
        at = chance.randrange(3, len(mac) - 2)  # the last one holds bits that say nothing
        return mac[:at] + ("A" if mac[at] != "A" else "B") + mac[at + 1 :]

    skews = [-86_400, -3600, -600, -360, -301, 301, 360, 600, 3600, 86_400]
    return {
        "no signature": [({}, body)],
        "key of somebody else": [(signed(other, "f-1", body, now), body)],
        "one bit of the body changed": [(good, flipped()) for _ in range(altered)],
        "one character of the signature changed": [
            ({**good, "webhook_signature": bent()}, body) for _ in range(altered // 2)
        ],
        "a space more": [(good, body + b" ")],
        "another id": [({**good, "webhook_id": "f-2"}, body)],
        "another time": [({**good, "webhook_timestamp": str(int(now) - 60)}, body)],
        "signed truly, but too old or from the future": [
            (signed(secret, f"f-{skew}", body, now + skew + (skew > 0) * 60), body)
            for skew in skews
        ],
        "version of the signature changed": [
            ({**good, "webhook_signature": mac.replace("v1,", "v2,")}, body),
        ],
        "signature cut short": [({**good, "webhook_signature": mac[:-8]}, body)],
        "time is not a number": [({**good, "webhook_timestamp": "nan"}, body)],
    }


def addresses(report: Report) -> None:
    """No form of address leads a sink where it may not go."""
    report.head("Addresses of sinks")
    urls, strict = url_forms.table(), Reach(private_addresses=False, timeout_s=2)
    asyncio.run(_addresses(report, urls, strict))


async def _addresses(report: Report, urls: list[str], strict: Reach) -> None:
    led = []
    with url_forms.connections() as reached:
        for url in urls:
            reached.clear()
            refused = await url_forms.tried(url, strict)
            allowed = {url_forms.PUBLIC} if "rebinds" in url else set()
            if refused is None or set(reached) - allowed:
                led.append(url)
        reached.clear()
        await url_forms.tried("http://good.example/", strict)
        public = list(reached)
    report.claim("no form of URL leads to an address that is not public", not led,
                 f"{len(urls)} forms, {len(led)} led there")  # fmt: skip
    report.claim("a public name is reached, so the forms were really tried",
                 public == [url_forms.PUBLIC])  # fmt: skip


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
    canaries = api.canaries
    log = api.log.read_text("utf-8")
    kept = b"".join(one.read_bytes() for one in sorted((api.folder / "data").glob("*.db*")))
    said = b"\n".join(api.told).decode()
    people = (api.folder / f"data/{PEOPLE}.jsonl").read_text("utf-8")
    letters = dead_letters(report, api)
    for name, raw in (("the log", log.encode()), ("the databases", kept),
                      ("what systems were sent", said.encode()), ("what people were sent",
                      people.encode()), ("the dead letters", letters.encode())):  # fmt: skip
        found = [canary for canary, value in canaries.items() if value.encode() in raw]
        report.claim(f"no canary in {name}", not found, found or f"{len(canaries)} looked for")
    shown = ""
    for path in ("incidents?only=all&limit=200", "alerts?only=all&limit=200", "search?q=a", "me",
                 "rules", "feeds", "silences?ended=true"):  # fmt: skip
        shown += json.dumps(api.ask("GET", f"{BASE}/{path}", "viewer")[1], ensure_ascii=False)
    audit = json.dumps(api.ask("GET", f"{BASE}/audit?limit=200", "auditor")[1], ensure_ascii=False)
    for name, text in (("answers to a viewer", shown), ("the log", log), ("the audit", audit),
                       ("what systems were sent", said), ("what people were sent", people),
                       ("the dead letters", letters)):  # fmt: skip
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


def dead_letters(report: Report, api: Api) -> str:
    """Everything that a person sees of deliveries that were refused, of alerts and of cases."""
    shown = ""
    for name, words in (("alerts", ()), ("cases", ("--desk",))):
        asked = ("outbox", "ls", "-f", str(api.folder), "--phase", "dead", *words)
        listed = json.loads(forewarn(*asked, "--json"))["deliveries"]
        report.claim(f"refused deliveries of {name} lie in the dead letter", bool(listed),
                     f"{len(listed)} listed")  # fmt: skip
        shown += forewarn(*asked, "--json") + forewarn(*asked)
        for line in listed[:SHOWN]:
            one = ("outbox", "show", str(line["id"]), "-f", str(api.folder), *words)
            shown += forewarn(*one)
    return shown


def signed(secret: str, name: str, body: bytes, at_s: float) -> dict[str, str]:
    """Headers of a receipt, as keyword arguments."""
    moment = datetime.fromtimestamp(int(at_s), UTC)
    mac = Webhook(secret).sign(name, moment, body.decode())
    return {"webhook_id": name, "webhook_timestamp": str(int(at_s)), "webhook_signature": mac}


if __name__ == "__main__":
    sys.exit(main())
