"""What people do with a case: sign, give back, hand over, pause, extend, merge, close."""

import pytest
from cases_stage import (
    CITY,
    DAY,
    DUTY,
    GATEWAY,
    HOUR,
    LEADER,
    MINUTE,
    OFFICER,
    CaseStage,
    at,
    change,
    hours,
    with_root,
    with_timing,
    workdays,
)

from engine.cases.book import Acts, Request
from engine.cases.clocks import foremost
from engine.cases.model import Actor, Incident, Role, Stage, State, Tier, Verb, Verdict
from engine.cases.policy import Grouping, Limit, Proof, Rung, Step, Together
from engine.cases.refused import Refused, Why

FIREMAN = Actor(name="sun", role=Role.HANDLER, department="fire")


def opened(stage: CaseStage | None = None) -> CaseStage:
    """A desk with one case that was dispatched."""
    stage = stage or CaseStage()
    stage.take(change())
    return stage


def clock_ends(case: Incident, stage: Stage) -> int | None:
    """When the limit of a stage ends."""
    return next(one.due_ms for one in case.clocks if one.stage is stage)


def refusal(stage: CaseStage, verb: Verb, /, *given: object, **details: object) -> Why:
    """Why something is refused."""
    with pytest.raises(Refused) as refused:
        stage.ask(verb, *given, **details)  # type: ignore[arg-type]
    return refused.value.code


def test_a_case_goes_from_alert_to_verdict() -> None:
    stage = opened()
    stage.wait(10 * MINUTE)
    stage.ask(Verb.ACKNOWLEDGE, OFFICER, person="chen")
    stage.wait(20 * MINUTE)
    stage.ask(Verb.ARRIVE, OFFICER)
    stage.wait(HOUR)
    stage.ask(Verb.RESOLVE, OFFICER, found="no leak", done="towed", verdict="true")
    stage.take(change("cleared", ordinal=2))
    stage.wait(10 * MINUTE)
    stage.ask(Verb.CLOSE, LEADER, verdict="true")
    assert stage.verbs() == [
        *("open", "dispatch", "acknowledge", "arrive", "resolve", "follow", "verify", "close"),
    ]
    case = stage.only
    assert (case.state, case.verdict, case.assignee) == (State.CLOSED, Verdict.TRUE, "chen")
    assert case.next_ms == case.clocks[-1].due_ms  # the call back is still owed


def test_on_time_is_before_the_instant_and_late_is_at_it() -> None:
    for wait, late in ((2 * HOUR - 1, False), (2 * HOUR, True)):
        stage = opened()
        stage.now += wait
        stage.ask(Verb.ACKNOWLEDGE, OFFICER)
        met = stage.book.moves[stage.only.id][-1].details["met"]
        assert [one["late"] for one in met if one["stage"] == "sign"] == [late]
        assert ("overdue" in stage.verbs()) is late


def test_an_order_given_back_goes_to_the_dispatcher_on_a_new_clock() -> None:
    stage = opened()
    stage.wait(HOUR)
    stage.ask(Verb.RETURN, OFFICER, "belongs to the harbour")
    case = stage.only
    assert (case.state, case.lead, case.returned, case.cycle) == (State.NEW, "", 1, 2)
    assert clock_ends(case, Stage.DISPATCH) == stage.now + 10 * MINUTE
    assert ("notice", "returned", "town") in stage.sent()
    assert ("cancel", "taken-back", "police-sink") in stage.sent()
    assert refusal(stage, Verb.DISPATCH) is Why.NO_DEPARTMENT
    stage.ask(Verb.DISPATCH, DUTY, department="fire")
    assert (stage.only.lead, stage.only.state) == ("fire", State.DISPATCHED)
    assert clock_ends(stage.only, Stage.SIGN) == stage.now + 2 * HOUR


def test_an_order_given_back_goes_on_where_that_is_declared() -> None:
    stage = opened(CaseStage(policy=with_root(CITY, lead="fire", host="fire")))
    stage.ask(Verb.RETURN, FIREMAN, "no fire")
    assert (stage.only.state, stage.only.lead, stage.only.returned) == (
        State.DISPATCHED,
        "police",
        1,
    )


def test_an_order_is_given_back_in_time_only() -> None:
    stage = opened()
    stage.ask(Verb.ACKNOWLEDGE, OFFICER)
    stage.now += 6 * HOUR
    assert refusal(stage, Verb.RETURN, OFFICER, "not ours") is Why.RETURN_LATE
    stage.ask(Verb.RETURN, DUTY, "the desk may still")
    assert stage.only.state is State.NEW


def test_another_department_gets_an_order_of_its_own() -> None:
    stage = opened()
    stage.ask(Verb.ACKNOWLEDGE, OFFICER)
    stage.wait(HOUR)
    stage.ask(Verb.ASSIGN, DUTY, "it burns", department="fire")
    case = stage.only
    assert (case.state, case.lead, case.host, case.cycle) == (State.DISPATCHED, "fire", "fire", 2)
    assert case.signed_ms is None
    assert ("cancel", "taken-back", "police-sink") in stage.sent()
    assert ("order", "order", "fire-sink") in stage.sent()
    assert ("cancel", "taken-back", "transport-sink") not in stage.sent()


def test_a_pause_stops_what_can_be_paused() -> None:
    stage = opened()
    stage.ask(Verb.ACKNOWLEDGE, OFFICER)
    stage.wait(10 * MINUTE)
    stage.ask(Verb.PAUSE, LEADER, "waits for the court")
    assert refusal(stage, Verb.PAUSE, LEADER, "again") is Why.PAUSED
    stage.wait(5 * DAY)
    assert [move for move in stage.verbs() if move in {"warn", "overdue"}] == ["overdue"]
    (late,) = [one for one in stage.book.moves[stage.only.id] if one.verb is Verb.OVERDUE]
    assert late.details["stage"] == "arrive"  # which cannot be paused
    stage.ask(Verb.RESUME, LEADER)
    assert clock_ends(stage.only, Stage.RESOLVE) == at("2026-03-22 09:00")


def test_a_limit_is_extended_once_and_not_too_far() -> None:
    stage = opened()
    due = clock_ends(stage.only, Stage.RESOLVE)
    assert due is not None
    too_far = {"stage": "resolve", "until_ms": due + DAY + 1}
    assert refusal(stage, Verb.EXTEND, LEADER, "x", **too_far) is Why.TOO_LONG
    stage.ask(Verb.EXTEND, LEADER, "far away", stage="resolve", until_ms=due + HOUR)
    assert clock_ends(stage.only, Stage.RESOLVE) == due + HOUR
    assert stage.only.extended_ms == due + HOUR
    assert refusal(stage, Verb.EXTEND, LEADER, "x", stage="resolve") is Why.EXTENDED


def test_a_limit_that_has_passed_is_not_extended() -> None:
    stage = opened()
    stage.now += DAY
    assert refusal(stage, Verb.EXTEND, LEADER, "x", stage="resolve") is Why.OVERDUE


def test_an_extended_limit_warns_again_and_is_late_once() -> None:
    stage = opened()
    stage.ask(Verb.ACKNOWLEDGE, OFFICER)
    stage.ask(Verb.ARRIVE, OFFICER)
    stage.wait(21 * HOUR)
    stage.ask(Verb.EXTEND, LEADER, "far away", stage="resolve")
    stage.wait(28 * HOUR)
    told = [move.cause.rsplit(":", 1)[-1] for move in stage.book.moves[stage.only.id]]
    assert [one for one in told if one.startswith(("warn", "overdue"))] == [
        *("warn", "warn-extended", "overdue")
    ]


def test_a_duplicate_gives_its_alerts_and_its_earlier_limit_away() -> None:
    stage = opened()
    first = stage.only
    stage.now += HOUR
    stage.take(change(key="other"))
    other = next(one for one in stage.book.incidents.values() if one.id != first.id)
    stage.ask_of(first, Verb.MERGE, DUTY, "the same lorry", into=other.id)
    gone, kept = stage.book.incidents[first.id], stage.book.incidents[other.id]
    assert (gone.state, gone.merged_into, gone.next_ms) == (State.MERGED, other.id, None)
    assert [one.key for one in kept.members] == ["other", "F12345"]
    assert clock_ends(kept, Stage.SIGN) == clock_ends(first, Stage.SIGN)
    assert stage.book.of_episode(first.members[0].episode) == kept
    cancel = next(one for one in stage.book.papers.values() if one.kind == "cancel")
    assert other.id in cancel.document["references"]
    stage.take(change("raised", ordinal=2, severity="red"))
    assert stage.book.incidents[other.id].severity == "red"
    with pytest.raises(Refused) as refused:
        stage.ask_of(gone, Verb.ACKNOWLEDGE, OFFICER)
    assert refused.value.code is Why.MERGED


@pytest.mark.parametrize(
    ("proof", "before", "missing"),
    [
        pytest.param(Proof(), "resolve", "stream", id="the-alert-still-holds"),
        pytest.param(Proof(), "clear", "receipt", id="nobody-reported"),
        pytest.param(
            Proof(call_back=True), "resolve clear", "call-back", id="nobody-was-called-back"
        ),
        pytest.param(Proof(stream=False), "resolve", "", id="the-stream-is-not-asked"),
        pytest.param(Proof(receipt=False), "clear", "", id="a-report-is-not-asked"),
        pytest.param(Proof(call_back=True), "resolve clear call", "", id="all-there"),
    ],
)
def test_a_case_closes_as_true_on_its_proofs_only(proof: Proof, before: str, missing: str) -> None:
    stage = opened(CaseStage(policy=with_root(CITY, proof=proof)))
    for step in before.split():
        if step == "resolve":
            stage.ask(Verb.RESOLVE, OFFICER, found="x")
        elif step == "clear":
            stage.take(change("cleared", ordinal=2))
            stage.wait(10 * MINUTE)
        else:
            stage.ask(Verb.CALL_BACK, DUTY, satisfied=True, solved=True)
    if missing:
        with pytest.raises(Refused) as refused:
            stage.ask(Verb.CLOSE, LEADER, verdict="true")
        assert refused.value.code is Why.PROOF
        assert refused.value.found["missing"] == (missing,)
    else:
        stage.ask(Verb.CLOSE, LEADER, verdict="true")
        assert stage.only.state is State.CLOSED


def test_the_clock_gives_the_verdict_where_the_route_lets_it() -> None:
    stage = opened(CaseStage(policy=with_root(CITY, proof=Proof(verdict="true"))))
    stage.ask(Verb.RESOLVE, OFFICER, found="nothing", verdict="false")
    assert (stage.only.state, stage.only.verdict) == (State.CLOSED, Verdict.FALSE)
    stage = opened(CaseStage(policy=with_root(CITY, proof=Proof(verdict="true"))))
    stage.ask(Verb.RESOLVE, OFFICER, found="a leak")
    stage.take(change("cleared", ordinal=2))
    stage.wait(10 * MINUTE - 1)
    assert stage.only.state is State.VERIFYING
    stage.wait(1)
    assert (stage.only.state, stage.only.verdict) == (State.CLOSED, Verdict.TRUE)
    assert stage.only.closed_ms == stage.now


def test_who_is_not_helped_has_the_case_taken_up_again() -> None:
    stage = opened(CaseStage(policy=with_root(CITY, proof=Proof(call_back=True))))
    stage.ask(Verb.RESOLVE, OFFICER, found="x")
    stage.ask(Verb.CALL_BACK, DUTY, satisfied=False, solved=False)
    assert stage.verbs()[-2:] == ["call-back", "reopen"]
    assert (stage.only.state, stage.only.reopened) == (State.DISPATCHED, 1)


def test_a_call_back_is_still_owed_after_the_close() -> None:
    stage = opened(CaseStage(policy=with_root(CITY, proof=Proof(stream=False))))
    stage.ask(Verb.RESOLVE, OFFICER, found="x")
    stage.ask(Verb.CLOSE, LEADER, verdict="true")
    stage.wait(48 * HOUR)
    assert stage.verbs()[-2:] == ["close", "overdue"]
    stage.ask(Verb.CALL_BACK, DUTY, satisfied=True, solved=True)
    assert stage.only.called_back_ms == stage.now
    assert stage.only.next_ms is None


def test_the_ladder_of_a_day_that_nobody_looked() -> None:
    stage = opened()
    stage.ask(Verb.ACKNOWLEDGE, OFFICER)
    stage.ask(Verb.ARRIVE, OFFICER)
    began = stage.now
    stage.now += 3 * DAY
    stage.tick()
    moves = stage.book.moves[stage.only.id][4:]
    assert [(str(one.verb), one.at_ms - began) for one in moves] == [
        ("warn", 20 * HOUR),
        ("overdue", 24 * HOUR),
        ("remind", 24 * HOUR),
        ("supervise", 28 * HOUR),
        ("lift", 32 * HOUR),
        ("criticise", 48 * HOUR),
    ]
    assert stage.only.tier is Tier.COUNTY
    assert ("supervision", "supervised", "leader") in stage.sent()
    assert stage.tick() == Acts()


def test_nobody_is_above_the_city() -> None:
    stage = opened(CaseStage(policy=with_root(CITY, tier=Tier.CITY)))
    assert refusal(stage, Verb.LIFT, DUTY, "x") is Why.NO_TIER
    stage.wait(3 * HOUR)
    assert stage.verbs()[-1] == "supervise"
    assert stage.book.moves[stage.only.id][-1].details["instead"] == "supervise"


def test_an_order_that_is_given_to_others_by_the_ladder_begins_when_they_get_it() -> None:
    policy = with_timing(CITY, ladder={Stage.SIGN: (Rung(hours(1), Step.REASSIGN, to="fire"),)})
    stage = opened(CaseStage(policy=policy))
    stage.now += DAY
    stage.tick()
    case = stage.only
    assert (case.lead, case.state, case.cycle) == ("fire", State.DISPATCHED, 2)
    assert case.dispatched_ms == stage.now
    assert clock_ends(case, Stage.SIGN) == stage.now + 2 * HOUR


def test_an_order_that_nobody_signs_is_told_again_and_again() -> None:
    stage = opened(CaseStage(policy=with_root(CITY, repeat_ms=30 * MINUTE)))
    for _ in range(3):
        stage.wait(30 * MINUTE)
    assert stage.verbs().count("remind") == 3
    assert stage.sent().count(("reminder", "repeated", "police-sink")) == 3
    stage.ask(Verb.ACKNOWLEDGE, OFFICER)
    stage.wait(30 * MINUTE)
    assert stage.verbs().count("remind") == 3


def test_of_orders_told_again_late_only_the_last_goes_out() -> None:
    stage = opened(CaseStage(policy=with_root(CITY, repeat_ms=30 * MINUTE)))
    stage.now += 100 * MINUTE
    stage.tick()
    assert stage.verbs().count("remind") == 3
    assert stage.sent().count(("reminder", "repeated", "police-sink")) == 1


def test_an_outside_system_gets_the_order_and_its_answers_move_the_case() -> None:
    stage = opened(CaseStage(policy=with_root(CITY, refer="hotline")))
    assert stage.verbs() == ["open", "dispatch", "refer"]
    assert ("order", "order", "hotline") in stage.sent()
    stage.ask(Verb.RECEIPT, GATEWAY, status="accepted", number="12345-7")
    assert (stage.only.state, stage.only.outside) == (State.ACKNOWLEDGED, "12345-7")
    stage.ask(Verb.RECEIPT, GATEWAY, status="resolved", found="done")
    stage.ask(Verb.RECEIPT, GATEWAY, status="arrived")
    assert stage.verbs()[2:] == [
        *("refer", "receipt", "acknowledge", "receipt", "resolve", "receipt")
    ]
    assert stage.only.state is State.VERIFYING


def test_a_request_asked_again_is_answered_and_not_done_again() -> None:
    stage = opened()
    request = Request("r1", stage.only.id, Verb.ACKNOWLEDGE, OFFICER, version=2)
    first = stage.book.keep(stage.desk.ask(stage.book, request, stage.now))
    again = stage.desk.ask(stage.book, request, stage.now + DAY)
    assert again == Acts(known=first.moves[-1])
    with pytest.raises(Refused) as refused:
        stage.desk.ask(stage.book, Request("r1", stage.only.id, Verb.ARRIVE, OFFICER), stage.now)
    assert refused.value.code is Why.REUSED


def test_who_has_not_seen_the_newest_version_decides_anew() -> None:
    stage = opened()
    request = Request("r1", stage.only.id, Verb.ACKNOWLEDGE, OFFICER, version=1)
    with pytest.raises(Refused) as refused:
        stage.desk.ask(stage.book, request, stage.now)
    assert refused.value.code is Why.CHANGED


def test_the_limits_of_a_city_bureau_over_the_spring_festival() -> None:
    """3 working days, reminded before, a notice the day after, criticised 5 working days later."""
    policy = with_timing(
        CITY,
        limits={
            Stage.RESOLVE: Limit(workdays(3), warn=workdays(1)),
            Stage.CALL_BACK: Limit(workdays(1)),
        },
        ladder={
            Stage.RESOLVE: (Rung(workdays(1), Step.REMIND), Rung(workdays(6), Step.CRITICISE)),
        },
    )
    stage = CaseStage(policy=policy, now=at("2026-02-12 10:00"))
    stage.take(change())
    assert foremost(stage.only.clocks) == stage.only.clocks[0]
    stage.now = at("2026-03-20 00:00")
    stage.tick()
    assert [(str(one.verb), one.at_ms) for one in stage.book.moves[stage.only.id][2:]] == [
        ("warn", at("2026-02-24 00:00")),
        ("overdue", at("2026-02-25 00:00")),
        ("remind", at("2026-02-26 00:00")),
        ("criticise", at("2026-03-04 00:00")),
    ]


def test_grouping_by_place_joins_what_is_near() -> None:
    grouping = Grouping(by=(Together.PLACE,), radius_m=300)
    stage = CaseStage(policy=with_root(CITY, grouping=grouping))
    for key, lon in (("a", 120.0), ("b", 120.003), ("c", 120.004)):
        stage.take(change(key=key, lon=lon, lat=32.0))
    stage.take(change(key="nowhere"))
    stage.take(change(key="elsewhere"))
    assert [len(one.members) for one in stage.book.incidents.values()] == [2, 1, 1, 1]


def test_an_order_is_referred_only_to_where_papers_can_go() -> None:
    stage = opened()
    with pytest.raises(Refused) as refused:
        stage.ask(Verb.REFER, DUTY, sink="nowhere")
    assert refused.value.code is Why.BAD_DETAIL
    assert "screen" in refused.value.what("en")
    stage.ask(Verb.REFER, DUTY, sink="screen")
    assert ("order", "referred", "screen") in stage.sent()


def test_a_case_that_cannot_take_another_is_named_as_people_know_it() -> None:
    stage = opened()
    with pytest.raises(Refused) as refused:
        stage.ask(Verb.MERGE, DUTY, "the same", into=stage.only.id)
    assert f"into '{stage.only.number}'" in refused.value.what("en")
