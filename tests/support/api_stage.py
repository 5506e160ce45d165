"""A desk with its API in a folder of its own, reached without a network: for the tests of the API.

The world: a city (320600) with two counties, three departments, one outside system. A vehicle
stays too long in the first county (the alert's key is a plate), a worker is not paid in the second.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.cases.desk import Desk
from engine.cases.model import Actor, Role, Tier
from engine.cases.policy import Branch, Centre, Department, Grouping, Match, Policy, Proof, Timing
from engine.edge.api.accounts import issue
from engine.edge.api.app import make_app
from engine.edge.api.documents import Feed, Rule
from engine.edge.api.limits import Limits
from engine.edge.api.masking import Personal
from engine.edge.api.serve import make_services
from engine.edge.api.services import Services
from engine.edge.api_settings import ApiSettings
from engine.edge.desk.audit import KEY_NAME, Ledger, read_key
from engine.edge.desk.keeper import Keeper
from engine.edge.desk.store import DeskStore, desk_url, wall_ms
from engine.model.change import Change, Transition, delivery_id, episode_id

PLATE, OTHER_PLATE = "苏F12345-yellow", "苏F67890-blue"
DRIVER, PHONE, ID_NUMBER = "张三丰", "13812345678", "320682199001011234"
PERSONAL = Personal(
    fields={"vehicle": "plate", "driver": "name", "phone": "phone", "id_number": "id"},
    keys={"hazmat-stay": ("plate",), "unpaid-wages": (None,)},
)
ROOT = Actor(name="root", role=Role.ADMIN)
KEY = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="
_T0 = 1_700_000_000_000


def policy() -> Policy:
    """Three departments, two counties in a city, one outside system."""
    names = ("traffic", "labour", "fire")
    return Policy(
        departments={
            name: Department(name, {"en": name, "zh": name}, (f"{name}-orders",)) for name in names
        },
        centres={
            "320600": Centre("320600", Tier.CITY, {"en": "City", "zh": "市"}),
            "320612": Centre("320612", Tier.COUNTY, {"en": "Tongzhou", "zh": "通州区"}),
            "320682": Centre("320682", Tier.COUNTY, {"en": "Rugao", "zh": "如皋市"}),
        },
        root=Branch(
            "root", lead="traffic", host="", assisting=(), tier=Tier.COUNTY, timing="usual",
            grouping=Grouping(), proof=Proof(quiet_ms=0), dispatch=True, lift_from="", repeat_ms=0,
            refer="hotline", sinks=(),
            children=(
                Branch("wages", Match(rules=("unpaid-wages",)), lead="labour"),
            ),
        ),
        timings={"usual": Timing("usual")},
    )  # fmt: skip


def change(
    rule: str, key: str, area: str, number: int = 1, transition: Transition = Transition.FIRED
) -> Change:
    """A transition of an alert; `number` is its ordinal."""
    start = _T0 + len(key)
    episode = episode_id(rule, key, start)
    return Change(
        delivery_id=delivery_id(episode, transition, number), episode_id=episode, rule=rule,
        rule_hash="0" * 12, key=key, transition=transition, ordinal=number,
        at_ms=start + number * 1000, since_ms=start, severity="orange",
        title={"en": f"{key} stays", "zh": f"{key} 停留过久"},
        summary={"en": f"{key} driven by {DRIVER}", "zh": f"{key}，驾驶员{DRIVER}"},
        labels={"area": area}, place="G40 服务区", lon=120.91234, lat=32.01234,
        evidence={"events": [{"vehicle": key, "driver": DRIVER, "phone": PHONE,
                              "id_number": ID_NUMBER, "lon": 120.91234, "lat": 32.01234}]},
        pack="hazmat", owner="traffic",
    )  # fmt: skip


class Still:
    """Figures that never change."""

    async def rules(self) -> Sequence[Rule]:
        return [
            Rule(
                rule="hazmat-stay", title={"en": "Stays", "zh": "停留"}, owner="traffic",
                status="stable", severity="orange", hash="0" * 12, feeds=["gps"], healthy=True,
                alerts_open=1, alerts_day=1, verdicts={}, precision=None,
            )
        ]  # fmt: skip

    async def feeds(self) -> Sequence[Feed]:
        return [
            Feed(
                feed="gps", title={"en": "GPS", "zh": "定位"}, quiet=False, newest_ms=None,
                complete_ms=None, records=1, rejected=0, rules=["hazmat-stay"],
            )
        ]  # fmt: skip


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Stage:
    """A running desk with its API."""

    services: Services
    keeper: Keeper
    store: DeskStore
    app: Any
    tokens: dict[str, str] = field(default_factory=dict)
    keys: int = 0

    async def token(
        self,
        *roles: Role,
        areas: Sequence[str] = (),
        departments: Sequence[str] = (),
        name: str = "",
    ) -> str:
        """A token with these roles and this scope; the same one when asked again."""
        called = f"{'+'.join(roles)}@{','.join(areas)}/{','.join(departments)}{name}"
        if called not in self.tokens:
            account, token = issue(
                name or f"{roles[0]}-1", list(roles), self.store.now_ms(), 30, areas, departments
            )
            await self.services.accounts.add(account, ROOT)
            self.tokens[called] = token
        return self.tokens[called]

    async def call(
        self,
        method: str,
        path: str,
        token: str = "",
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        key: str | None = "",
    ) -> Answer:
        """One request; a POST has an idempotency key of its own unless it is told otherwise."""
        sent = dict(headers or {})
        raw = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if method == "POST":
            sent.setdefault("Content-Type", "application/json")
            if key is not None:
                self.keys += 1
                sent.setdefault("Idempotency-Key", key or f"key-{self.keys}")
        return await call(self.app, method, path, sent, raw)

    async def incident(self, rule: str = "hazmat-stay") -> str:
        """The id of the case that an alert of this rule made."""
        answer = await self.call("GET", f"/api/v1/incidents?rule={rule}&only=all",
                                 await self.token(Role.VIEWER))  # fmt: skip
        return str(answer.json["items"][-1]["id"])


async def call(
    app: Any, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
) -> Answer:
    """One request to an application without a network."""
    path, _, query = path.partition("?")
    came: list[dict[str, Any]] = []
    told = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in told:
            return message
        await asyncio.Event().wait()  # the caller stays until it is answered
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        came.append(message)

    await app(scope(method, path, query, headers), receive, send)
    start = came[0]
    found = {name.decode().lower(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], found, b"".join(one.get("body", b"") for one in came[1:]))


def scope(method: str, path: str, query: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """What a server tells an application of a request."""
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": query.encode(),
        "root_path": "", "headers": raw, "client": ("127.0.0.1", 40_000),
        "server": ("127.0.0.1", 8712), "state": {},
    }  # fmt: skip


@asynccontextmanager
async def staged(
    folder: Path, settings: ApiSettings | None = None, now_ms: Callable[[], int] = wall_ms
) -> AsyncIterator[Stage]:
    """A desk in this folder with two cases, and its API."""
    said = settings or ApiSettings.model_validate(
        {"per_minute": 0, "per_address": 0, "systems": {"hotline": {"secret": KEY}}}
    )
    store = DeskStore(desk_url(None, folder), now_ms=now_ms)
    try:
        ledger = Ledger(read_key(folder / KEY_NAME, make=True))
        keeper = Keeper(store, Desk(policy()), ledger)
        services = make_services(keeper, Still(), lambda: PERSONAL, said, folder)
        services.heartbeat_s = 0.05
        services.failures = Limits(0)
        await keeper.take(
            [
                change("hazmat-stay", PLATE, "320612"),
                change("unpaid-wages", "enterprise-7", "320682"),
            ]
        )
        yield Stage(services, keeper, store, make_app(services, said.max_body, said.per_address))
    finally:
        await store.close()


def _encoded(body: Any) -> bytes:
    return b"" if body is None else json.dumps(body).encode()
