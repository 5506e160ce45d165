"""A desk with a small city around it: two departments, three tiers, and a clock that tests set."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from zoneinfo import ZoneInfo

from cases_book import MemoryBook

from engine.cases.book import Acts, Request
from engine.cases.decision import Mute
from engine.cases.desk import Desk
from engine.cases.model import Actor, Incident, Role, Stage, Tier, Verb
from engine.cases.policy import (
    Branch,
    Centre,
    Department,
    Grouping,
    Limit,
    Policy,
    Proof,
    Rung,
    Step,
    Timing,
    Together,
)
from engine.model.change import Change, Transition, delivery_id, episode_id
from engine.model.period import Period, PeriodUnit

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
ZONE = ZoneInfo("Asia/Shanghai")

OFFICER = Actor(name="li", role=Role.HANDLER, department="police")
DUTY = Actor(name="wang", role=Role.OPERATOR)
LEADER = Actor(name="zhao", role=Role.APPROVER)
GATEWAY = Actor(name="gateway:12345", role=Role.SYSTEM)


def at(text: str) -> int:
    """`2026-03-16 09:00` on the city's clocks as UTC ms."""
    return round(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp() * 1000)


def hours(amount: float) -> Period:
    """An exact duration."""
    return Period(((round(amount * HOUR), PeriodUnit.MS),), f"{amount}h")


def minutes(amount: float) -> Period:
    """An exact duration."""
    return hours(amount / 60)


def workdays(amount: int) -> Period:
    """A limit in working days."""
    return Period(((amount, PeriodUnit.WORKDAYS),), f"{amount} workdays")


def days(amount: int) -> Period:
    """A limit in days."""
    return Period(((amount, PeriodUnit.DAYS),), f"{amount} days")


NOW = hours(0)

USUAL = Timing(
    "usual",
    limits={
        Stage.DISPATCH: Limit(minutes(10)),
        Stage.SIGN: Limit(hours(2), warn=minutes(30)),
        Stage.ARRIVE: Limit(hours(1), pausable=False),
        Stage.RESOLVE: Limit(hours(24), warn=hours(4), extend=hours(24)),
        Stage.VERIFY: Limit(hours(36), warn=hours(6), extend=hours(12)),
        Stage.CALL_BACK: Limit(hours(48)),
        Stage.RETURN: Limit(hours(6)),
    },
    ladder={
        Stage.SIGN: (Rung(NOW, Step.REMIND), Rung(hours(1), Step.LIFT)),
        Stage.RESOLVE: (
            Rung(NOW, Step.REMIND),
            Rung(hours(4), Step.SUPERVISE, ("leader",)),
            Rung(hours(8), Step.LIFT),
            Rung(hours(24), Step.CRITICISE),
        ),
        Stage.VERIFY: (
            Rung(NOW, Step.REMIND),
            Rung(hours(12), Step.SUPERVISE, ("leader",)),
            Rung(hours(24), Step.LIFT),
        ),
    },
)

CITY = Policy(
    departments={
        "police": Department("police", {"en": "Police", "zh": "公安局"}, ("police-sink",)),
        "transport": Department(
            "transport", {"en": "Transport", "zh": "交通运输局"}, ("transport-sink",)
        ),
        "fire": Department("fire", {"zh": "消防救援支队"}, ("fire-sink",), next="police"),
    },
    centres={
        "320600": Centre("320600", Tier.CITY, {"zh": "市"}, ("city",)),
        "320682": Centre("320682", Tier.COUNTY, {"zh": "县"}, ("county",)),
        "320682100": Centre("320682100", Tier.TOWN, {"zh": "镇"}, ("town",)),
    },
    root=Branch(
        "all",
        lead="police",
        host="police",
        assisting=("transport",),
        tier=Tier.TOWN,
        timing="usual",
        grouping=Grouping(by=(Together.ENTITY,), recur_ms=DAY),
        proof=Proof(),
        dispatch=True,
        lift_from="",
        repeat_ms=0,
        refer="",
        sinks=("screen",),
    ),
    timings={"usual": USUAL},
)


def with_root(policy: Policy, **sets: object) -> Policy:
    """A policy with other values at the root of its routes."""
    return replace(policy, root=replace(policy.root, **sets))  # type: ignore[arg-type]


def with_timing(policy: Policy, **sets: object) -> Policy:
    """A policy with other limits."""
    return replace(policy, timings={"usual": replace(USUAL, **sets)})  # type: ignore[arg-type]


def change(
    transition: str = "fired",
    *,
    key: str = "F12345",
    rule: str = "dwell",
    start: int = 1000,
    ordinal: int = 1,
    severity: str = "yellow",
    area: str = "320682100",
    **sets: object,
) -> Change:
    """One transition of one alert."""
    episode = episode_id(rule, key, start)
    values: dict[str, object] = {
        "delivery_id": delivery_id(episode, transition, ordinal),
        "episode_id": episode,
        "rule": rule,
        "rule_hash": "h",
        "key": key,
        "transition": Transition(transition),
        "ordinal": ordinal,
        "at_ms": start + ordinal,
        "since_ms": start,
        "severity": severity,
        "title": {"en": "Abnormal dwell", "zh": "危化品车辆异常驻留"},
        "summary": {"en": f"{key} stands still", "zh": f"{key}停留过久"},
        "labels": {"area": area},
        "pack": "hazmat",
        "check": [{"en": "look at the tank", "zh": "查看罐体"}],
    }
    return Change(**{**values, **sets})  # type: ignore[arg-type]


@dataclass
class CaseStage:
    """A desk, its book and the hour; each call keeps what the desk answers."""

    policy: Policy = CITY
    now: int = at("2026-03-16 09:00")
    book: MemoryBook = field(default_factory=MemoryBook)
    mute: Mute | None = None

    def __post_init__(self) -> None:
        """Make the desk."""
        self.desk = Desk(self.policy, quiet=lambda *_: self.mute)
        self._requests = count(1)

    def take(self, alert: Change) -> Acts:
        """An alert comes in."""
        return self.book.keep(self.desk.take(self.book, alert, self.now))

    def ask(self, verb: Verb, actor: Actor = DUTY, reason: str = "", **details: object) -> Acts:
        """Somebody asks something of the only case."""
        return self.ask_of(self.only, verb, actor, reason, **details)

    def ask_of(
        self, case: Incident, verb: Verb, actor: Actor = DUTY, reason: str = "", **details: object
    ) -> Acts:
        """Somebody asks something of a case."""
        asked = Request(
            id=f"request-{next(self._requests)}",
            incident=case.id,
            verb=verb,
            actor=actor,
            reason=reason,
            details=details,
        )
        return self.book.keep(self.desk.ask(self.book, asked, self.now))

    def tick(self) -> Acts:
        """What is due of the only case is done."""
        return self.book.keep(self.desk.tick(self.book, self.only.id, self.now))

    def wait(self, ms: int) -> Acts:
        """Time passes, and what is due by then is done at once."""
        self.now += ms
        return self.tick()

    @property
    def only(self) -> Incident:
        """The only case there is."""
        (case,) = self.book.incidents.values()
        return case

    def verbs(self, case: Incident | None = None) -> list[str]:
        """The verbs of all moves of a case, in order."""
        return [str(move.verb) for move in self.book.moves[(case or self.only).id]]

    def sent(self, case: Incident | None = None) -> list[tuple[str, str, str]]:
        """Every paper of a case: its kind, occasion and sink."""
        group = (case or self.only).id
        return [
            (str(paper.kind), paper.document["why"], paper.sink)
            for paper in self.book.papers.values()
            if paper.group == group
        ]
