"""What was proved, paused or kept quiet before a case is taken up again or made part of another."""

from dataclasses import replace

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
    with_root,
)

from engine.cases.decision import Mute
from engine.cases.desk import Desk
from engine.cases.model import Incident, Stage, State, Verb, Verdict
from engine.cases.policy import Proof
from engine.cases.refused import Refused, Why

QUIET = with_root(CITY, proof=Proof(quiet_ms=10 * MINUTE))


def of(stage: CaseStage, key: str) -> Incident:
    """The case about a key, as it stands now."""
    return next(one for one in stage.book.incidents.values() if one.members[0].key == key)


def due(case: Incident, stage: Stage) -> int | None:
    """When the limit of a stage ends."""
    return next(one.due_ms for one in case.clocks if one.stage is stage)


@pytest.mark.parametrize("proof", ["verified", "retracted"])
def test_a_case_that_a_rule_proved_over_can_be_closed_again_after_it_was_reopened(
    proof: str,
) -> None:
    stage = CaseStage(QUIET)
    stage.take(change())
    stage.ask(Verb.RESOLVE, OFFICER, found="towed")
    stage.take(change("cleared", ordinal=2))
    stage.take(change(proof, ordinal=3))
    stage.ask(Verb.CLOSE, LEADER, verdict="true")
    stage.ask(Verb.REOPEN, DUTY, "a neighbour saw it again")
    stage.ask(Verb.RESOLVE, OFFICER, found="looked again, nothing there")
    with pytest.raises(Refused) as refused:
        stage.ask(Verb.CLOSE, LEADER, verdict="true")
    assert refused.value.code is Why.PROOF  # it has to stay ended for `quiet` from the reopening on
    stage.wait(10 * MINUTE)
    stage.ask(Verb.CLOSE, LEADER, verdict="true")
    assert (stage.only.state, stage.only.verdict) == (State.CLOSED, Verdict.TRUE)


def test_a_reopened_case_keeps_its_proof_to_come_when_a_proved_one_is_merged_into_it() -> None:
    stage = CaseStage(QUIET)
    for key in ("A1", "B2"):
        stage.take(change(key=key))
        stage.take(change("retracted", key=key, ordinal=2))
    stage.ask_of(of(stage, "A1"), Verb.RESOLVE, DUTY, found="nothing")
    stage.ask_of(of(stage, "A1"), Verb.REOPEN, DUTY, "not looked at closely")
    stage.ask_of(of(stage, "B2"), Verb.MERGE, DUTY, "the same", into=of(stage, "A1").id)
    assert of(stage, "A1").quiet_at_ms == stage.now + 10 * MINUTE


def test_a_paused_limit_of_a_duplicate_does_not_pass_when_the_two_are_merged() -> None:
    stage = CaseStage()
    stage.take(change(key="A1"))
    stage.now += HOUR
    stage.ask_of(of(stage, "A1"), Verb.PAUSE, DUTY, "the owner is abroad")
    stage.now += 3 * DAY
    stage.take(change(key="B2"))
    into = of(stage, "B2")
    stage.ask_of(of(stage, "A1"), Verb.MERGE, DUTY, "the same", into=into.id)
    stage.book.keep(stage.desk.tick(stage.book, into.id, stage.now))
    assert "overdue" not in stage.verbs(into)
    # the duplicate had used one hour of each of its limits: nobody gains time by merging
    assert due(of(stage, "B2"), Stage.SIGN) == stage.now + HOUR
    assert due(of(stage, "B2"), Stage.RESOLVE) == stage.now + 23 * HOUR


def test_a_matter_that_was_told_is_not_hidden_by_merging_it_into_a_quiet_case() -> None:
    stage = CaseStage()
    stage.take(change(key="A1"))
    stage.mute = Mute("silence:drill", stage.now + DAY)
    stage.take(change(key="B2"))
    into = of(stage, "B2")
    assert stage.sent(into) == []
    stage.ask_of(of(stage, "A1"), Verb.MERGE, DUTY, "the same", into=into.id)
    assert ("notice", "absorbed", "town") in stage.sent(into)
    assert of(stage, "B2").mute == ""
    assert due(of(stage, "B2"), Stage.DISPATCH) == stage.now + 10 * MINUTE


def test_a_quiet_duplicate_leaves_a_quiet_case_quiet() -> None:
    stage = CaseStage(mute=Mute("silence:drill", CaseStage.now + DAY))
    for key in ("A1", "B2"):
        stage.take(change(key=key))
    into = of(stage, "B2")
    stage.ask_of(of(stage, "A1"), Verb.MERGE, DUTY, "the same", into=into.id)
    assert (of(stage, "B2").mute, stage.sent(into)) == ("silence:drill", [])


def test_a_quiet_case_of_a_department_that_is_gone_is_told_of_when_somebody_reopens_it() -> None:
    stage = CaseStage(mute=Mute("silence:drill", CaseStage.now + DAY))
    stage.take(change())
    stage.take(change("cleared", ordinal=2))
    assert str(stage.only.state) == "closed"
    gone = {name: one for name, one in CITY.departments.items() if name != "police"}
    stage.desk = Desk(replace(CITY, departments=gone), quiet=lambda *_: None)
    stage.ask(Verb.REOPEN, DUTY, "look at it all the same")
    assert stage.only.state is State.NEW
    assert ("notice", "reopened", "town") in stage.sent()
