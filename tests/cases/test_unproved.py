"""A case whose proof does not come: warned of, passed, supervised, lifted, and never forgotten."""

from dataclasses import replace

import msgspec
import pytest
from cases_stage import (
    CITY,
    DAY,
    DUTY,
    HOUR,
    LEADER,
    MINUTE,
    OFFICER,
    CaseStage,
    change,
    hours,
    with_root,
    with_timing,
)

from engine.cases.assessment import Rate, Span, assess
from engine.cases.model import Clock, Incident, Stage, State, Tier, Verb
from engine.cases.policy import Limit, Proof
from engine.cases.refused import Refused, Why


def reported(stage: CaseStage | None = None) -> CaseStage:
    """A case whose department says that it is over, while its alert goes on."""
    stage = stage or CaseStage()
    stage.take(change())
    stage.wait(HOUR)
    stage.ask(Verb.RESOLVE, OFFICER, found="nothing to be seen")
    return stage


def clock(case: Incident) -> Clock:
    return next(one for one in case.clocks if one.stage is Stage.VERIFY)


def test_an_alert_that_never_ends_is_warned_of_then_overdue_then_climbs_its_ladder() -> None:
    stage = reported()
    began = stage.now
    stage.wait(10 * DAY)
    told = [
        (str(move.verb), move.at_ms - began)
        for move in stage.book.moves[stage.only.id]
        if move.details.get("stage") == "verify"
    ]
    assert told == [
        ("warn", 30 * HOUR),
        ("overdue", 36 * HOUR),
        ("remind", 36 * HOUR),
        ("supervise", 48 * HOUR),
        ("lift", 60 * HOUR),
    ]
    assert (stage.only.state, stage.only.tier) == (State.VERIFYING, Tier.COUNTY)


def test_the_centre_owes_the_proof_and_the_department_does_not() -> None:
    stage = reported()
    stage.wait(37 * HOUR)
    warned = [sink for kind, why, sink in stage.sent() if why in {"warned", "reminded"}]
    assert warned == ["town", "town"]
    stage.wait(12 * HOUR)
    supervised = {sink for kind, _, sink in stage.sent() if kind == "supervision"}
    assert supervised == {"police-sink", "transport-sink", "town", "leader"}


def test_without_a_centre_that_hears_the_department_is_told() -> None:
    silent = replace(with_timing(CITY, ladder={}), centres={})
    for policy, told in (
        (with_timing(CITY, ladder={}), ["town"]),
        (silent, ["police-sink", "transport-sink"]),
    ):
        stage = reported(CaseStage(policy=policy))
        stage.wait(2 * DAY)
        assert [sink for _, why, sink in stage.sent() if why == "overdue"] == told


def test_it_runs_on_after_the_evidence_until_somebody_gives_the_verdict() -> None:
    stage = reported()
    stage.take(change("cleared", ordinal=2))
    stage.wait(HOUR)
    assert stage.only.verified_ms is not None
    assert clock(stage.only).met_ms is None
    stage.ask(Verb.CLOSE, DUTY, verdict="true")
    assert clock(stage.only).met_ms == stage.now
    stage.wait(10 * DAY)
    assert "verify" not in [move.details.get("stage") for move in stage.book.moves[stage.only.id]]


def test_a_verdict_given_by_the_clock_meets_it_as_well() -> None:
    stage = reported(CaseStage(policy=with_root(CITY, proof=Proof(verdict="true"))))
    stage.take(change("cleared", ordinal=2))
    stage.wait(HOUR)
    assert stage.only.state is State.CLOSED
    assert clock(stage.only).met_ms is not None


def test_a_matter_that_is_taken_up_again_begins_the_limit_with_its_next_report() -> None:
    stage = reported()
    stage.wait(10 * HOUR)
    stage.ask(Verb.REOPEN, DUTY, "still there")
    assert Stage.VERIFY not in {one.stage for one in stage.only.clocks}
    stage.wait(HOUR)
    stage.ask(Verb.RESOLVE, OFFICER, found="gone now")
    assert clock(stage.only).due_ms == stage.now + 36 * HOUR


def test_an_approver_extends_it_once_while_the_case_is_being_verified() -> None:
    stage = reported()
    due = clock(stage.only).due_ms or 0
    stage.ask(Verb.EXTEND, LEADER, "the laboratory needs a day more", stage="verify")
    assert clock(stage.only).due_ms == due + 12 * HOUR
    assert stage.only.extended_ms is None
    for who, why in ((LEADER, Why.EXTENDED), (OFFICER, Why.ROLE)):
        with pytest.raises(Refused) as refused:
            stage.ask(Verb.EXTEND, who, "and another", stage="verify")
        assert refused.value.code is why


def test_nothing_is_limited_where_nothing_is_declared() -> None:
    stage = reported(CaseStage(policy=with_timing(CITY, limits={Stage.SIGN: Limit(hours(2))})))
    assert Stage.VERIFY not in {one.stage for one in stage.only.clocks}
    assert stage.only.next_ms is None


@pytest.mark.parametrize(
    ("wait", "rate"),
    [
        pytest.param(36 * HOUR - 1, Rate(1, 1), id="a-millisecond-before"),
        pytest.param(36 * HOUR, Rate(0, 1), id="at-the-end"),
    ],
)
def test_the_month_counts_it_when_the_verdict_is_given(wait: int, rate: Rate) -> None:
    stage = reported()
    stage.wait(wait)
    stage.ask(Verb.CLOSE, DUTY, "a shadow on the camera", verdict="false")
    found = assess(stage.book.moves.values(), Span.month("2026-03"))
    assert found.whole.on_time(Stage.VERIFY) == rate
    assert found.departments["police"].on_time(Stage.VERIFY) == rate


def test_a_case_that_was_being_verified_before_there_was_such_a_limit_goes_on() -> None:
    stage = reported()
    before = msgspec.to_builtins(stage.only)
    before["clocks"] = [one for one in before["clocks"] if one["stage"] != "verify"]
    stage.book.incidents[stage.only.id] = msgspec.convert(before, Incident)
    stage.wait(30 * MINUTE)
    stage.ask(Verb.CLOSE, DUTY, "never was", verdict="false")
    assert stage.only.state is State.CLOSED
