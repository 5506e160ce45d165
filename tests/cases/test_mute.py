"""What keeps an alert quiet, and what does not: silences, windows, inhibitions."""

from typing import Any

import pytest
from msgspec.structs import replace

from engine.cases.areas import Areas
from engine.cases.book import Silence
from engine.cases.match import Facts, matches
from engine.cases.model import Actor, Incident, Member, Role, State, Tier
from engine.cases.mute import in_force, quiet
from engine.cases.policy import Centre, Inhibition, Maintenance, Match, Policy
from engine.model.calendar import WorkCalendar
from engine.model.change import Change, Transition
from engine.model.worktime import WorkTime

NOW = 1_772_416_800_000
"""2026-03-02 10:00 in Shanghai, a Monday."""
HOUR = 3_600_000
OFFICE = WorkTime(WorkCalendar.china(), ((510, 720), (840, 1080)))
ANA = Actor(name="ana", role=Role.OPERATOR)
DWELL, OVERSTAY = Match(rules=("dwell",)), Match(rules=("overstay",))
BY_KEY = Inhibition("dwell-first", DWELL, OVERSTAY, ("key",))
CENTRES = {
    code: Centre(code, tier, {"zh": code, "en": code})
    for code, tier in {
        "320600": Tier.CITY,
        "320682": Tier.COUNTY,
        "320614": Tier.COUNTY,
        "320682001": Tier.TOWN,
    }.items()
}


class Shelf:
    """A book that knows silences and open cases."""

    def __init__(self, *cases: Incident, silences: tuple[Silence, ...] = ()) -> None:
        self.cases, self.silenced = cases, silences

    def silences(self, at_ms: int) -> tuple[Silence, ...]:
        assert at_ms == NOW
        return self.silenced

    def open_alerts(self, match: Match) -> list[Incident]:
        return [
            case for case in self.cases if any(self._fits(match, case, m) for m in case.members)
        ]

    def _fits(self, match: Match, case: Incident, member: Member) -> bool:
        within = Areas(CENTRES).within(case.area)
        facts = Facts(
            member.rule,
            member.pack,
            member.key,
            member.severity,
            "",
            case.labels,
            case.area,
            within,
        )
        return matches(match, facts, NOW)


def alert(rule: str = "overstay", **facts: Any) -> Change:
    said: dict[str, Any] = {
        "delivery_id": "d",
        "episode_id": "e",
        "rule": rule,
        "rule_hash": "",
        "key": "truck-1",
        "transition": Transition.FIRED,
        "ordinal": 1,
        "at_ms": 0,
        "since_ms": 0,
        "severity": "yellow",
        "pack": "hazmat",
        "labels": {"kind": "hazmat"},
    }
    return Change(**{**said, **facts})


def case(
    rule: str = "dwell", episode: str = "other", *, ended: bool = False, **facts: Any
) -> Incident:
    key = facts.pop("key", "truck-1")
    member = Member(
        episode=episode,
        rule=rule,
        pack="hazmat",
        key=key,
        severity="yellow",
        since_ms=0,
        at_ms=0,
        ordinal=1,
        joined_ms=0,
        ended=ended,
    )
    whole = Incident(
        id=episode,
        number="1",
        state=State.DISPATCHED,
        version=1,
        group="",
        route="",
        tier=Tier.CITY,
        severity="yellow",
        opened_ms=0,
        updated_ms=0,
        area="320682",
        labels={"kind": "hazmat"},
        members=(member,),
    )
    return replace(whole, **facts)


def silence(name: str, match: Match, begin: int = -1, end: int = 1, **facts: Any) -> Silence:
    return Silence(
        id=name,
        match=match,
        from_ms=NOW + begin * HOUR,
        until_ms=NOW + end * HOUR,
        actor=ANA,
        reason="drill",
        **facts,
    )


def told(policy: Policy, shelf: Shelf, one: Change, area: str = "320682") -> str | None:
    found = quiet(policy, shelf, one, area, NOW)
    return found.why if found is not None else None


@pytest.mark.parametrize(
    ("silences", "why", "until"),
    [
        pytest.param((), None, None, id="nothing-is-silenced"),
        pytest.param((silence("a", OVERSTAY),), "silence:a", 1, id="one-that-matches"),
        pytest.param((silence("a", DWELL),), None, None, id="one-about-another-rule"),
        pytest.param((silence("a", OVERSTAY, 0, 1),), "silence:a", 1, id="from-this-very-instant"),
        pytest.param((silence("a", OVERSTAY, -2, 0),), None, None, id="until-this-very-instant"),
        pytest.param(
            (silence("a", OVERSTAY, ended_ms=NOW),), None, None, id="one-that-was-ended-early"
        ),
        pytest.param(
            (silence("a", OVERSTAY, -1, 1), silence("b", OVERSTAY, -1, 3)),
            "silence:b",
            3,
            id="of-two-the-one-that-lasts-longer",
        ),
        pytest.param(
            (silence("a", Match(areas=("320600",))),), "silence:a", 1, id="the-whole-city"
        ),
        pytest.param((silence("a", Match(areas=("320614",))),), None, None, id="another-county"),
    ],
)
def test_a_silence(silences: tuple[Silence, ...], why: str | None, until: int | None) -> None:
    found = quiet(Policy(centres=CENTRES), Shelf(silences=silences), alert(), "320682", NOW)
    assert (found.why if found else None) == why
    assert (found.until_ms if found else None) == (NOW + until * HOUR if until else None)


@pytest.mark.parametrize(
    ("window", "until"),
    [
        pytest.param((None, NOW + HOUR, None), 1.0, id="until-later"),
        pytest.param((NOW, NOW + HOUR, None), 1.0, id="from-this-very-instant"),
        pytest.param((NOW + 1, NOW + HOUR, None), None, id="not-begun"),
        pytest.param((None, NOW, None), None, id="over-at-this-very-instant"),
        pytest.param((None, None, OFFICE), 2.0, id="in-office-hours-until-noon"),
        pytest.param((None, NOW + HOUR, OFFICE), 1.0, id="whichever-ends-first"),
        pytest.param(
            (None, None, WorkTime(OFFICE.calendar, ((840, 1080),))), None, id="in-the-afternoon"
        ),
    ],
)
def test_a_maintenance_window(window: tuple[Any, ...], until: float | None) -> None:
    one = Maintenance("drill", OVERSTAY, *window)
    found = quiet(Policy(centres=CENTRES, maintenance=(one,)), Shelf(), alert(), "", NOW)
    assert (found.why if found else None) == ("maintenance:drill" if until else None)
    assert (found.until_ms if found else None) == (NOW + round(until * HOUR) if until else None)


def test_a_window_whose_calendar_has_ended_keeps_nobody_quiet() -> None:
    assert in_force(Maintenance("drill", OVERSTAY, hours=OFFICE), NOW + 3000 * 24 * HOUR) is None


@pytest.mark.parametrize(
    ("rule", "cases", "hidden"),
    [
        pytest.param(BY_KEY, (case(),), True, id="the-greater-alert-is-open"),
        pytest.param(BY_KEY, (case(ended=True),), False, id="the-greater-alert-has-ended"),
        pytest.param(BY_KEY, (case(key="truck-2"),), False, id="about-another-lorry"),
        pytest.param(BY_KEY, (case("overstay"),), False, id="an-alert-of-its-own-kind"),
        pytest.param(BY_KEY, (), False, id="nothing-is-open"),
        pytest.param(
            BY_KEY, (case(mute="inhibition:x"),), False, id="what-is-hidden-itself-hides-nothing"
        ),
        pytest.param(BY_KEY, (case(mute="silence:x"),), True, id="what-is-silenced-still-hides"),
        pytest.param(
            Inhibition("x", DWELL, OVERSTAY, ("kind",)), (case(key="z"),), True, id="equal-labels"
        ),
        pytest.param(
            Inhibition("x", DWELL, OVERSTAY, ("kind",)),
            (case(labels={"kind": "gas"}),),
            False,
            id="another-label",
        ),
        pytest.param(
            Inhibition("x", DWELL, OVERSTAY, ("colour",)),
            (case(),),
            False,
            id="a-label-that-both-lack-is-not-equal",
        ),
        pytest.param(
            Inhibition("x", DWELL, OVERSTAY, ("place",)),
            (case(labels={"place": "—"}),),
            False,
            id="a-dash-is-no-label",
        ),
        pytest.param(
            Inhibition("x", DWELL, OVERSTAY, ("county",)),
            (case(area="320682001"),),
            True,
            id="a-town-of-the-same-county",
        ),
        pytest.param(
            Inhibition("x", DWELL, OVERSTAY, ("area",)),
            (case(area="320682001"),),
            False,
            id="a-town-is-not-its-county",
        ),
        pytest.param(
            Inhibition("x", Match(), Match()), (case(),), False, id="alike-in-both-roles-hides-none"
        ),
        pytest.param(
            Inhibition("x", Match(), OVERSTAY), (case(episode="e"),), False, id="never-by-itself"
        ),
    ],
)
def test_an_inhibition(rule: Inhibition, cases: tuple[Incident, ...], hidden: bool) -> None:
    policy = Policy(centres=CENTRES, inhibitions=(rule,))
    one = alert(labels={"kind": "hazmat", "place": "—"})
    assert (told(policy, Shelf(*cases), one) is not None) == hidden


def test_a_silence_is_named_before_a_window_and_that_before_an_inhibition() -> None:
    window = Maintenance("drill", OVERSTAY, until_ms=NOW + HOUR)
    policy = Policy(centres=CENTRES, inhibitions=(BY_KEY,), maintenance=(window,))
    asked = (silence("a", OVERSTAY),)
    assert told(policy, Shelf(case(), silences=asked), alert()) == "silence:a"
    assert told(policy, Shelf(case()), alert()) == "maintenance:drill"
    assert told(Policy(inhibitions=(BY_KEY,)), Shelf(case()), alert()) == "inhibition:dwell-first"
