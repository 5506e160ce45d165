"""The figures of a month: every limit once, in the month that decided it, for whoever had it."""

from collections import Counter
from collections.abc import Callable

import pytest
from cases_stage import DAY, DUTY, HOUR, LEADER, MINUTE, OFFICER, CaseStage, at, change
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cases.assessment import COUNTED, Assessment, Rate, Span, assess
from engine.cases.model import Actor, Move, Role, Stage, Verb, Verdict
from engine.cases.refused import Refused

MARCH = Span.month("2026-03")
APRIL = Span.month("2026-04")
TRANSPORT = Actor(name="chen", role=Role.HANDLER, department="transport")


def of(stage: CaseStage, span: Span = MARCH) -> Assessment:
    return assess(stage.book.moves.values(), span)


def opened(at_: str = "2026-03-16 09:00", **alert: object) -> CaseStage:
    """A desk whose only case has its order since then."""
    stage = CaseStage(now=at(at_))
    stage.take(change(**alert))  # type: ignore[arg-type]
    return stage


def done(stage: CaseStage, *, sign: int, arrive: int, resolve: int) -> CaseStage:
    """The order signed, reached and resolved, each so long after it was made."""
    made = stage.now
    for verb, after in (
        (Verb.ACKNOWLEDGE, sign), (Verb.ARRIVE, arrive), (Verb.RESOLVE, resolve),
    ):  # fmt: skip
        stage.wait(made + after - stage.now)
        stage.ask(verb, OFFICER, **({"found": "x"} if verb is Verb.RESOLVE else {}))
    return stage


def test_an_order_that_keeps_every_limit() -> None:
    found = of(done(opened(), sign=HOUR, arrive=90 * MINUTE, resolve=5 * HOUR))
    police = found.departments["police"]
    assert police.orders == 1
    for stage in (Stage.DISPATCH, Stage.SIGN, Stage.ARRIVE, Stage.RESOLVE):
        assert police.on_time(stage) == Rate(1, 1), stage
    assert police.median_ms(Stage.SIGN) == HOUR
    assert police.median_ms(Stage.ARRIVE) == 90 * MINUTE
    assert police.median_ms(Stage.RESOLVE) == 5 * HOUR
    assert police == found.whole
    assert set(found.areas) == {"320682", "320682100"}
    assert found.areas["320682"] == found.areas["320682100"] == police


@pytest.mark.parametrize(
    ("sign", "rate"), [(2 * HOUR - 1, Rate(1, 1)), (2 * HOUR, Rate(0, 1)), (3 * HOUR, Rate(0, 1))]
)
def test_a_limit_is_kept_up_to_its_last_instant(sign: int, rate: Rate) -> None:
    stage = opened()
    stage.wait(sign)
    stage.ask(Verb.ACKNOWLEDGE, OFFICER)
    assert of(stage).whole.on_time(Stage.SIGN) == rate


def test_a_limit_that_passed_counts_though_nobody_ever_met_it() -> None:
    stage = opened()
    stage.wait(30 * HOUR)
    found = of(stage).whole
    assert found.on_time(Stage.SIGN) == Rate(0, 1)
    assert found.on_time(Stage.RESOLVE) == Rate(0, 1)
    assert found.median_ms(Stage.SIGN) is None
    assert found.counts["lifts"] > 0


def test_what_was_missed_in_march_and_done_in_april_is_missed_in_march_alone() -> None:
    stage = opened("2026-03-31 20:00")
    stage.wait(8 * HOUR)
    stage.ask(Verb.ACKNOWLEDGE, OFFICER)
    assert of(stage, MARCH).whole.on_time(Stage.SIGN) == Rate(0, 1)
    assert of(stage, APRIL).whole.on_time(Stage.SIGN) == Rate(0, 0)
    assert of(stage, APRIL).whole.median_ms(Stage.SIGN) == 8 * HOUR


def test_what_falls_due_in_april_is_april_s() -> None:
    stage = opened("2026-03-31 23:00")
    stage.wait(90 * MINUTE)
    stage.ask(Verb.ACKNOWLEDGE, OFFICER)
    assert of(stage, MARCH).whole.on_time(Stage.SIGN) == Rate(0, 0)
    assert (of(stage, MARCH).whole.orders, of(stage, APRIL).whole.orders) == (1, 0)
    assert of(stage, APRIL).whole.on_time(Stage.SIGN) == Rate(1, 1)


def test_an_order_given_back_counts_against_whoever_had_it_and_its_limits_fall_away() -> None:
    stage = opened()
    stage.ask(Verb.RETURN, OFFICER, "not ours")
    stage.wait(5 * MINUTE)
    stage.ask(Verb.DISPATCH, DUTY, department="transport")
    stage.wait(HOUR)
    stage.ask(Verb.ACKNOWLEDGE, TRANSPORT)
    found = of(stage)
    police, transport = found.departments["police"], found.departments["transport"]
    assert (police.orders, police.counts["returns"]) == (1, 1)
    assert police.on_time(Stage.SIGN) == Rate(0, 0)
    assert (transport.orders, transport.counts["returns"]) == (1, 0)
    assert transport.on_time(Stage.SIGN) == Rate(1, 1)
    assert transport.on_time(Stage.DISPATCH) == Rate(1, 1)


def test_a_close_resolves_and_lets_the_other_limits_fall_away() -> None:
    stage = opened()
    stage.wait(HOUR)
    stage.ask(Verb.CLOSE, LEADER, "nothing there", verdict="false")
    found = of(stage).whole
    assert found.on_time(Stage.RESOLVE) == Rate(1, 1)
    assert (found.on_time(Stage.SIGN), found.on_time(Stage.ARRIVE)) == (Rate(0, 0), Rate(0, 0))


def test_a_verdict_values_each_rule_and_pack_of_the_case_once() -> None:
    stage = opened()
    stage.take(change(start=2000))
    stage.take(change(rule="speeding", start=3000))
    stage.ask(Verb.CLOSE, LEADER, "nothing there", verdict="false")
    found = of(stage)
    assert set(found.rules) == {"dwell", "speeding"}
    for worth in (*found.rules.values(), *found.packs.values()):
        assert worth.verdicts == Counter({Verdict.FALSE: 1})
    assert found.packs["hazmat"].precision == Rate(0, 1)
    assert found.whole.counts["closed"] == 1


def test_a_verdict_that_was_taken_back_values_nothing() -> None:
    stage = opened()
    stage.ask(Verb.CLOSE, LEADER, "nothing there", verdict="false")
    stage.wait(HOUR)
    stage.ask(Verb.REOPEN, LEADER, "there is")
    found = of(stage)
    assert found.rules == {}
    assert found.departments["police"].counts["reopens"] == 1
    assert found.whole.orders == 2


def test_a_duplicate_is_neither_right_nor_wrong_and_handled_elsewhere_is_right() -> None:
    stage = opened()
    stage.ask(Verb.CLOSE, LEADER, "seen by others", verdict="elsewhere")
    found = of(stage)
    assert found.rules["dwell"].precision == Rate(1, 1)
    stage = opened()
    stage.ask(Verb.CLOSE, LEADER, "twice", verdict="duplicate")
    assert of(stage).rules["dwell"].precision == Rate(0, 0)


def test_people_who_were_asked_afterwards_are_counted() -> None:
    stage = done(opened(), sign=HOUR, arrive=HOUR, resolve=2 * HOUR)
    stage.ask(Verb.CALL_BACK, DUTY, satisfied=False, solved=True)
    found = of(stage).departments["police"]
    assert (found.called_back, found.satisfied, found.solved) == (1, 0, 1)


def test_each_day_has_its_orders_closes_and_missed_limits() -> None:
    stage = opened("2026-03-16 23:30")
    stage.wait(3 * HOUR)
    stage.ask(Verb.CLOSE, LEADER, "nothing", verdict="false")
    days = of(stage).days
    assert days["2026-03-16"] == Counter(opened=1, orders=1)
    assert days["2026-03-17"] == Counter(missed=1, closed=1)


@pytest.mark.parametrize("text", ["2026-13", "2026", "03-2026", "2026-3-1", ""])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Span.month(text)


def test_december_ends_with_the_year() -> None:
    assert Span.month("2026-12").until_ms == Span.month("2027-01").from_ms == at("2027-01-01 00:00")


ASKS: dict[str, Callable[[CaseStage], object]] = {
    "wait-hour": lambda stage: stage.wait(HOUR),
    "wait-day": lambda stage: stage.wait(DAY),
    "wait-week": lambda stage: stage.wait(7 * DAY),
    "sign": lambda stage: stage.ask(Verb.ACKNOWLEDGE, OFFICER),
    "arrive": lambda stage: stage.ask(Verb.ARRIVE, OFFICER),
    "resolve": lambda stage: stage.ask(Verb.RESOLVE, OFFICER, found="x"),
    "return": lambda stage: stage.ask(Verb.RETURN, OFFICER, "not ours"),
    "police": lambda stage: stage.ask(Verb.DISPATCH, DUTY, department="police"),
    "transport": lambda stage: stage.ask(Verb.ASSIGN, DUTY, department="transport"),
    "close": lambda stage: stage.ask(Verb.CLOSE, LEADER, "no", verdict="false"),
    "reopen": lambda stage: stage.ask(Verb.REOPEN, LEADER, "yes"),
    "call": lambda stage: stage.ask(Verb.CALL_BACK, DUTY, satisfied=True, solved=True),
}


def decided(moves: list[Move]) -> Counter[str]:
    """How many limits were decided, told in another way: by stage and cycle as they were named."""
    found: set[tuple[str, int]] = set()
    cycle = 1
    for move in moves:
        cycle = move.sets.get("cycle", cycle)
        if move.verb is Verb.OVERDUE:
            found.add((move.details["stage"], cycle))
        found |= {
            (one["stage"], one["cycle"])
            for one in move.details.get("met", ())
            if one["stage"] != "return"
            and (move.verb is not Verb.CLOSE or one["stage"] in {"resolve", "verify"})
        }
    return Counter(stage for stage, _ in found)


def at_the_desk(moves: list[Move]) -> Counter[str]:
    """What was counted while no department had the case: of all, and of none of them."""
    found: Counter[str] = Counter()
    lead = ""
    for move in moves:
        before, lead = lead, move.sets.get("lead", lead)
        if (name := COUNTED.get(move.verb)) and not before:
            found[name] += 1
        if move.verb is Verb.CLOSE and not lead:
            found["closed"] += 1
    return found


def kept_by_nobody(moves: list[Move], kind: Stage) -> int:
    """How many limits were kept while no department had the case: the desk closed it itself."""
    found, lead = 0, ""
    for move in moves:
        lead = move.sets.get("lead", lead)
        if move.verb is Verb.CLOSE and kind in {Stage.RESOLVE, Stage.VERIFY} and not lead:
            met = [one for one in move.details.get("met", ()) if one["stage"] == str(kind)]
            found += sum(not one["late"] for one in met)
    return found


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(sorted(ASKS)), max_size=14))
def test_months_add_up_to_the_whole_and_departments_to_all(steps: list[str]) -> None:
    stage = opened("2026-03-28 09:00")
    for step in steps:
        try:
            ASKS[step](stage)
        except Refused:
            continue
    cases = list(stage.book.moves.values())
    whole = assess(cases, Span(MARCH.from_ms, Span.month("2026-12").until_ms))
    months = [assess(cases, Span.month(f"2026-{month:02}")) for month in range(3, 13)]
    assert whole.whole.orders == sum(one.whole.orders for one in months)
    for kind in Stage:
        kept = sum(one.whole.kept[kind] for one in months)
        missed = sum(one.whole.missed[kind] for one in months)
        assert whole.whole.on_time(kind) == Rate(kept, kept + missed)
        assert kept + missed == decided(cases[0])[str(kind)]
        theirs = sum(one.kept[kind] for one in whole.departments.values())
        assert kept == theirs + kept_by_nobody(cases[0], kind)
    assert whole.whole.counts == sum((one.whole.counts for one in months), Counter())
    named = sum((one.counts for one in whole.departments.values()), at_the_desk(cases[0]))
    assert {name: n for name, n in named.items() if name != "opened"} == {
        name: n for name, n in whole.whole.counts.items() if name != "opened"
    }
