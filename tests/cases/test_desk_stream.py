"""What the stream does to cases: open, join, follow, raise, prove over, bring back, keep quiet."""

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

from engine.cases.book import Acts
from engine.cases.decision import Mute
from engine.cases.grouping import MOST_MEMBERS
from engine.cases.model import Incident, State, Tier, Verb, Verdict
from engine.cases.policy import Grouping, Together
from engine.model.change import Change


def opened(**sets: object) -> CaseStage:
    """A desk with one case, under a route that may differ."""
    stage = CaseStage(policy=with_root(CITY, **sets))
    stage.take(change())
    return stage


def closed(**sets: object) -> CaseStage:
    """A desk with one case that was closed as true."""
    stage = opened(**sets)
    stage.ask(Verb.RESOLVE, OFFICER, found="x")
    stage.take(change("cleared", ordinal=2))
    stage.wait(10 * MINUTE)
    stage.ask(Verb.CLOSE, LEADER, verdict="true")
    return stage


def sizes(stage: CaseStage) -> list[int]:
    """How many alerts each case has."""
    return [len(one.members) for one in stage.book.incidents.values()]


@pytest.mark.parametrize(
    ("by", "other", "joins"),
    [
        pytest.param(("entity",), {"rule": "speed"}, True, id="the-same-lorry"),
        pytest.param(("entity",), {"key": "G2"}, False, id="another-lorry"),
        pytest.param(("rule",), {"key": "G2"}, True, id="the-same-rule"),
        pytest.param(("entity", "rule"), {"rule": "speed"}, False, id="lorry-and-rule"),
        pytest.param(("area",), {"key": "G2", "rule": "speed"}, True, id="the-same-town"),
        pytest.param(("area",), {"area": "320612"}, False, id="another-county"),
        pytest.param(("labels",), {"labels": {"plant": "1"}}, True, id="the-same-label"),
        pytest.param(("labels",), {"labels": {"plant": "2"}}, False, id="another-label"),
    ],
)
def test_alerts_that_agree_are_one_matter(
    by: tuple[str, ...], other: dict[str, object], joins: bool
) -> None:
    grouping = Grouping(by=tuple(Together(one) for one in by), labels=("plant",))
    stage = CaseStage(policy=with_root(CITY, grouping=grouping))
    labels = {"labels": {"plant": "1"}} if "labels" in by else {}
    stage.take(change(**labels))  # type: ignore[arg-type]
    stage.take(change(**{"start": 2000, **other}))  # type: ignore[arg-type]
    assert sizes(stage) == ([2] if joins else [1, 1])


def test_a_case_takes_alerts_for_so_long_after_its_last() -> None:
    stage = opened(grouping=Grouping(by=(Together.ENTITY,), within_ms=HOUR))
    stage.now += HOUR
    stage.take(change(start=2000))
    stage.now += HOUR
    stage.take(change(start=3000))
    assert sizes(stage) == [3]
    stage.now += HOUR + 1
    stage.take(change(start=4000))
    assert sizes(stage) == [3, 1]


def test_a_case_has_so_many_alerts_and_no_more() -> None:
    stage = opened()
    for number in range(MOST_MEMBERS):
        stage.take(change(start=2000 + number))
    assert sizes(stage) == [MOST_MEMBERS, 1]


def test_the_same_transition_again_is_answered() -> None:
    stage = opened()
    acts = stage.desk.take(stage.book, change(), stage.now + DAY)
    assert acts == Acts(known=stage.book.moves[stage.only.id][0])


@pytest.mark.parametrize(
    ("alert", "why"),
    [
        pytest.param(change(key="new", status="shadow"), "status:shadow", id="a-shadow-rule"),
        pytest.param(change("cleared", key="new"), "never-opened", id="the-end-of-the-unknown"),
        pytest.param(change("raised", ordinal=1), "stale", id="older-than-what-is-known"),
    ],
)
def test_some_transitions_change_nothing(alert: Change, why: str) -> None:
    stage = opened()
    assert stage.desk.take(stage.book, alert, stage.now) == Acts(quiet=why)


def test_a_desk_that_begins_late_opens_a_case_in_the_middle_of_an_alert() -> None:
    stage = CaseStage()
    stage.take(change("updated", ordinal=7))
    assert stage.only.members[0].ordinal == 7


def test_an_alert_that_climbs_raises_its_case_and_lifts_it_where_the_route_says_so() -> None:
    stage = opened(lift_from="red")
    stage.take(change("raised", ordinal=2, severity="red"))
    case = stage.only
    assert stage.verbs() == ["open", "dispatch", "follow", "escalate", "lift"]
    assert (case.severity, case.tier, case.centre) == ("red", Tier.COUNTY, "320682")
    assert ("change", "escalated", "police-sink") in stage.sent()
    assert ("notice", "lifted", "county") in stage.sent()


def test_a_lower_level_does_not_lower_the_case() -> None:
    stage = opened()
    stage.take(change(start=2000, severity="blue"))
    assert stage.only.severity == "yellow"


def test_the_stream_proves_the_matter_over_when_it_stays_quiet() -> None:
    stage = opened()
    stage.take(change("cleared", ordinal=2))
    stage.wait(10 * MINUTE - 1)
    assert stage.only.verified_ms is None
    stage.wait(1)
    assert stage.only.verified_ms == stage.now
    assert stage.verbs()[-1] == "verify"


def test_an_alert_that_joins_in_between_begins_the_silence_anew() -> None:
    stage = opened()
    stage.take(change("cleared", ordinal=2))
    stage.wait(9 * MINUTE)
    stage.take(change(start=2000))
    stage.wait(HOUR)
    assert stage.only.verified_ms is None
    stage.take(change("cleared", start=2000, ordinal=2))
    stage.wait(10 * MINUTE)
    assert stage.only.verified_ms == stage.now


def test_one_of_two_alerts_that_ends_proves_nothing() -> None:
    stage = opened()
    stage.take(change(start=2000))
    stage.take(change("cleared", ordinal=2))
    stage.wait(HOUR)
    assert stage.only.verified_ms is None


def test_what_the_rule_itself_asks_for_needs_no_silence() -> None:
    stage = opened()
    stage.take(change("cleared", ordinal=2))
    stage.wait(MINUTE)
    stage.take(change("verified", ordinal=3))
    assert stage.only.verified_ms == stage.now
    assert stage.verbs()[-2:] == ["follow", "verify"]
    assert stage.book.moves[stage.only.id][-1].details == {"evidence": "verified"}


def test_a_withdrawn_alert_needs_no_silence() -> None:
    stage = opened()
    stage.take(change("retracted", ordinal=2))
    assert stage.verbs()[-2:] == ["follow", "verify"]


def test_a_rule_that_was_taken_out_proves_nothing_and_blocks_nothing() -> None:
    stage = opened()
    stage.take(change("dropped", ordinal=2))
    stage.wait(HOUR)
    assert stage.only.verified_ms is None
    stage.ask(Verb.RESOLVE, OFFICER, found="x")
    stage.ask(Verb.CLOSE, LEADER, verdict="true")
    assert stage.only.verdict is Verdict.TRUE


def test_a_matter_that_comes_back_while_it_is_verified_is_taken_up_again() -> None:
    stage = opened()
    stage.ask(Verb.RESOLVE, OFFICER, found="x")
    stage.take(change(start=2000))
    case = stage.only
    assert stage.verbs()[-2:] == ["attach", "reopen"]
    assert (case.state, case.reopened, case.cycle) == (State.DISPATCHED, 1, 2)
    assert ("order", "reopened", "police-sink") in stage.sent()


@pytest.mark.parametrize(
    ("later", "same"),
    [
        pytest.param(2 * HOUR, True, id="at-the-last-instant"),
        pytest.param(2 * HOUR + 1, False, id="too-late"),
    ],
)
def test_a_matter_that_comes_back_soon_after_the_close_is_the_same_case(
    later: int, same: bool
) -> None:
    stage = closed(grouping=Grouping(by=(Together.ENTITY,), recur_ms=2 * HOUR))
    stage.now += later
    stage.take(change(start=2000))
    assert sizes(stage) == ([2] if same else [1, 1])
    if same:
        assert stage.only.state is State.DISPATCHED
        (again,) = [one for one in stage.book.moves[stage.only.id] if one.verb is Verb.REOPEN]
        assert again.details["why"] == "recurred"


def test_a_case_that_comes_back_again_and_again_goes_a_tier_up() -> None:
    stage = closed()
    stage.take(change(start=2000))
    assert stage.only.tier is Tier.TOWN
    stage.ask(Verb.RESOLVE, OFFICER, found="x")
    stage.take(change(start=3000))
    assert stage.verbs()[-2:] == ["reopen", "lift"]
    assert (stage.only.tier, stage.only.reopened) == (Tier.COUNTY, 2)


def test_a_case_closed_as_false_is_taken_up_when_its_alert_climbs() -> None:
    stage = opened()
    stage.ask(Verb.CLOSE, LEADER, "nothing to see", verdict="false")
    stage.take(change("updated", ordinal=2))
    assert stage.only.state is State.CLOSED
    stage.take(change("raised", ordinal=3, severity="red"))
    assert (stage.only.state, stage.only.severity) == (State.DISPATCHED, "red")


def test_an_order_waits_for_a_dispatcher_where_the_route_says_so() -> None:
    stage = opened(dispatch=False)
    assert stage.only.state is State.NEW
    assert stage.sent() == [("notice", "new", "town"), ("notice", "new", "screen")]
    stage.wait(10 * MINUTE)
    assert stage.verbs() == ["open", "overdue"]
    stage.ask(Verb.DISPATCH, DUTY)
    assert ("order", "order", "police-sink") in stage.sent()


def quiet(until: int | None = None) -> CaseStage:
    """A desk on which everything is silenced, with one case."""
    stage = CaseStage()
    stage.mute = Mute("silence:s1", None if until is None else stage.now + until)
    acts = stage.take(change())
    assert acts.quiet == "silence:s1"
    return stage


def test_what_is_silenced_is_kept_and_not_told() -> None:
    stage = quiet(2 * HOUR)
    assert (stage.only.state, stage.only.mute) == (State.NEW, "silence:s1")
    stage.wait(HOUR)
    assert stage.verbs() == ["open"]
    assert stage.sent() == []


def test_what_still_holds_when_the_silence_ends_is_told_then() -> None:
    stage = quiet(2 * HOUR)
    stage.now += 2 * HOUR
    stage.mute = None
    stage.tick()
    assert stage.verbs() == ["open", "follow", "dispatch"]
    assert stage.only.dispatched_ms == stage.now
    assert ("order", "order", "police-sink") in stage.sent()


def test_what_ends_in_silence_was_never_told() -> None:
    stage = quiet()
    stage.take(change("cleared", ordinal=2))
    assert (stage.only.state, stage.only.verdict, stage.only.next_ms) == (State.CLOSED, None, None)
    assert stage.sent() == []
    stage.mute = None
    stage.take(change(start=2000))
    assert sizes(stage) == [1, 1]


def test_an_alert_that_is_silenced_joins_without_a_word() -> None:
    stage = opened()
    told = len(stage.sent())
    stage.mute = Mute("inhibition:plant-fire")
    stage.take(change(start=2000, severity="red"))
    assert sizes(stage) == [2]
    assert len(stage.sent()) == told


def test_a_hand_may_dispatch_what_is_silenced() -> None:
    stage = quiet()
    stage.ask(Verb.DISPATCH, DUTY)
    assert (stage.only.state, stage.only.mute) == (State.DISPATCHED, "")
    assert stage.sent()


def test_an_alert_of_a_merged_case_is_followed_where_it_went() -> None:
    stage = opened()
    first: Incident = stage.only
    stage.take(change(key="other"))
    other = next(one for one in stage.book.incidents.values() if one.id != first.id)
    stage.ask_of(first, Verb.MERGE, DUTY, "same", into=other.id)
    stage.take(change("cleared", ordinal=2))
    kept = stage.book.incidents[other.id]
    assert [one.ended for one in kept.members] == [False, True]
