"""A city at random: alerts, people and clocks in any order, and the laws that always hold.

Every case is in a legal state; what was due fired once and at its instant; a paused or met clock
never fires; the same cause again changes nothing; the moves alone rebuild every case; and a desk
that is looked at seldom makes the same moves as one that is never late.
"""

from collections import Counter
from typing import Any

from cases_book import MemoryBook
from cases_stage import (
    CITY,
    DAY,
    DUTY,
    GATEWAY,
    HOUR,
    LEADER,
    MINUTE,
    NOW,
    OFFICER,
    USUAL,
    at,
    change,
    hours,
    with_root,
    with_timing,
)
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine.cases.book import Acts, Request
from engine.cases.desk import Desk
from engine.cases.life import allowed, is_legal
from engine.cases.model import OPEN, Actor, Clock, Incident, Move, Role, Stage, State, Verb
from engine.cases.policy import Grouping, Policy, Proof, Rung, Step, Timing, Together
from engine.cases.rebuild import rebuild
from engine.cases.refused import Refused
from engine.model.change import Change

LATE = {Verb.WARN, Verb.OVERDUE, Verb.REMIND, Verb.SUPERVISE, Verb.CRITICISE, Verb.LIFT}
KEYS = st.sampled_from(["F1", "F2", "F3"])
ACTORS = st.sampled_from([OFFICER, DUTY, DUTY, LEADER, GATEWAY])
DETAILS: dict[Verb, list[dict[str, Any]]] = {
    Verb.DISPATCH: [{}, {"department": "fire"}, {"department": "nobody"}],
    Verb.ASSIGN: [{"person": "chen"}, {"department": "transport"}, {"department": "fire"}],
    Verb.RESOLVE: [{"found": "x"}, {"found": "x", "verdict": "false"}],
    Verb.CALL_BACK: [{"satisfied": True, "solved": True}, {"satisfied": False, "solved": False}],
    Verb.CLOSE: [{"verdict": "true"}, {"verdict": "false"}, {"verdict": "elsewhere"}],
    Verb.EXTEND: [{"stage": "resolve"}, {"stage": "verify"}],
    Verb.REFER: [{"sink": "screen"}, {"sink": "nowhere"}],
    Verb.RECEIPT: [{"status": one} for one in ("accepted", "returned", "arrived", "resolved")],
}
VERBS = st.sampled_from(
    [
        Verb.DISPATCH,
        Verb.ACKNOWLEDGE,
        Verb.ACKNOWLEDGE,
        Verb.ASSIGN,
        Verb.RETURN,
        Verb.ARRIVE,
        Verb.RESOLVE,
        Verb.RESOLVE,
        Verb.CALL_BACK,
        Verb.CLOSE,
        Verb.REOPEN,
        Verb.ESCALATE,
        Verb.LIFT,
        Verb.MERGE,
        Verb.COMMENT,
        Verb.PAUSE,
        Verb.RESUME,
        Verb.EXTEND,
        Verb.REFER,
        Verb.RECEIPT,
    ]
)
NEXT = {
    State.NEW: Verb.DISPATCH,
    State.DISPATCHED: Verb.ACKNOWLEDGE,
    State.ACKNOWLEDGED: Verb.ARRIVE,
    State.HANDLING: Verb.RESOLVE,
    State.VERIFYING: Verb.CLOSE,
    State.CLOSED: Verb.REOPEN,
}
HOURS = hours(2)
POLICIES: list[Policy] = [
    CITY,
    with_root(
        CITY,
        grouping=Grouping(by=(Together.RULE,), within_ms=6 * HOUR, recur_ms=2 * HOUR),
        proof=Proof(call_back=True, quiet_ms=30 * MINUTE, verdict="true"),
        repeat_ms=20 * MINUTE,
    ),
    with_timing(
        with_root(CITY, dispatch=False, proof=Proof(stream=False, verdict="true")),
        ladder={**USUAL.ladder, Stage.DISPATCH: (Rung(NOW, Step.LIFT), Rung(HOURS, Step.REMIND))},
    ),
]
"""None of these gives an order to others by itself: such an order begins when it is made."""


def sent(book: MemoryBook) -> dict[str, dict[str, Any]]:
    """Every paper by its id; but for orders told again, of which only the last goes out late."""
    return {
        one.id: one.document for one in book.papers.values() if one.document["why"] != "repeated"
    }


class City(RuleBasedStateMachine):
    """One desk that is looked at when it happens to be, and one that is always on time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = at("2026-03-16 09:00")
        self.book, self.prompt = MemoryBook(), MemoryBook()
        self.episodes: dict[str, list[Change]] = {}
        self.past: list[Change | Request] = []
        self.serial = 0
        self.desk = Desk(CITY)

    @initialize(policy=st.sampled_from(POLICIES))
    def declared(self, policy: Policy) -> None:
        self.desk = Desk(policy, quiet=lambda *_: None)
        self.fires("F1", "yellow")

    # What comes in

    @rule(key=KEYS, severity=st.sampled_from(["blue", "yellow", "red"]))
    def fires(self, key: str, severity: str) -> None:
        self.serial += 1
        alert = change(key=key, start=self.serial, severity=severity)
        self.episodes[alert.episode_id] = [alert]
        self.take(alert)

    @rule(
        pick=st.integers(0, 99),
        how=st.sampled_from(["raised", "updated", "cleared", "cleared", "retracted", "dropped"]),
    )
    def goes_on(self, pick: int, how: str) -> None:
        running = [
            told
            for told in self.episodes.values()
            if told[-1].transition not in {"cleared", "retracted", "dropped"}
        ]
        if not running:
            return
        told = running[pick % len(running)]
        first = told[0]
        severity = "red" if how == "raised" else told[-1].severity
        alert = change(
            how,
            key=first.key,
            start=first.since_ms,
            ordinal=len(told) + 1,
            severity=severity,
        )
        told.append(alert)
        self.take(alert)

    @rule(pick=st.integers(0, 99), verb=VERBS, actor=ACTORS, form=st.integers(0, 9))
    def asks_anything(self, pick: int, verb: Verb, actor: Actor, form: int) -> None:
        self.asks(pick, verb, actor, form)

    @rule(pick=st.integers(0, 99), which=st.integers(0, 99), actor=ACTORS, form=st.integers(0, 9))
    def asks_what_is_allowed(self, pick: int, which: int, actor: Actor, form: int) -> None:
        cases = list(self.book.incidents.values())
        could = allowed(cases[pick % len(cases)], actor) if cases else ()
        if could:
            self.asks(pick, could[which % len(could)], actor, form)

    @rule(pick=st.integers(0, 99), form=st.integers(0, 9))
    def does_the_next_thing(self, pick: int, form: int) -> None:
        cases = list(self.book.incidents.values())
        if cases:
            case = cases[pick % len(cases)]
            self.asks(pick, NEXT.get(case.state, Verb.COMMENT), DUTY, form)

    def asks(self, pick: int, verb: Verb, actor: Actor, form: int) -> None:
        cases = list(self.book.incidents.values())
        if not cases:
            return
        case = cases[pick % len(cases)]
        forms = DETAILS.get(verb, [{}])
        details = dict(forms[form % len(forms)])
        if verb is Verb.MERGE:
            others = [one.id for one in cases if one.id != case.id] or [case.id]
            details["into"] = others[form % len(others)]
        if verb is Verb.RECEIPT:
            actor = GATEWAY
        self.serial += 1
        self.put(Request(f"r{self.serial}", case.id, verb, actor, "because", None, details))

    @rule(ms=st.sampled_from([1, MINUTE, 10 * MINUTE, 29 * MINUTE, HOUR, 2 * HOUR, 9 * HOUR, DAY]))
    def time_passes(self, ms: int) -> None:
        self.now += ms

    @rule(pick=st.integers(0, 99))
    def time_passes_to_an_instant(self, pick: int) -> None:
        due = sorted({one.next_ms for one in self.book.incidents.values() if one.next_ms})
        if due:
            self.now = max(self.now, due[pick % len(due)])

    @rule(pick=st.integers(0, 99))
    def somebody_looks(self, pick: int) -> None:
        cases = list(self.book.incidents)
        if cases:
            self.looked_at(self.book, cases[pick % len(cases)], self.now)

    @rule(pick=st.integers(0, 99))
    def the_same_comes_again(self, pick: int) -> None:
        if not self.past:
            return
        again = self.past[pick % len(self.past)]
        before = dict(self.book.incidents), len(self.book.causes), len(self.book.papers)
        if isinstance(again, Request):
            acts = self.desk.ask(self.book, again, self.now)
        else:
            acts = self.desk.take(self.book, again, self.now)
        assert acts.known is not None or acts.quiet
        assert acts == Acts(known=acts.known, quiet=acts.quiet)
        self.book.keep(acts)
        assert before == (dict(self.book.incidents), len(self.book.causes), len(self.book.papers))

    # Both desks

    def take(self, alert: Change) -> None:
        self.on_time()
        acts = self.desk.take(self.book, alert, self.now)
        self.book.keep(acts)
        self.prompt.keep(self.desk.take(self.prompt, alert, self.now))
        self.past.append(alert)

    def put(self, request: Request) -> None:
        self.on_time()
        answers = []
        for book in (self.book, self.prompt):
            try:
                acts = self.desk.ask(book, request, self.now)
            except Refused as refused:
                answers.append(str(refused.code))
            else:
                book.keep(acts)
                answers.append("done")
        assert answers[0] == answers[1]
        if answers[0] == "done":
            self.past.append(request)

    def on_time(self) -> None:
        """Let the prompt desk do everything at its very instant."""
        while True:
            due = [(one.next_ms, one.id) for one in self.prompt.incidents.values() if one.next_ms]
            if not due or min(due)[0] > self.now:
                return
            when, case = min(due)
            self.looked_at(self.prompt, case, when)

    def looked_at(self, book: MemoryBook, case: str, now: int) -> None:
        before = book.incidents[case]
        acts = book.keep(self.desk.tick(book, case, now))
        if acts.moves:
            self.fired_rightly(before, acts.moves[0])

    def fired_rightly(self, before: Incident, move: Move) -> None:
        """The first thing that came due was due, ran, and was not paused."""
        stage = move.details.get("stage")
        if stage is None:
            return
        (clock,) = [one for one in before.clocks if one.stage == stage]
        assert clock.paused_ms is None
        assert clock.met_ms is None
        assert move.at_ms == max(clock.next_ms or 0, before.updated_ms)

    # What always holds

    @invariant()
    def moves_rebuild_every_case(self) -> None:
        for case, moves in self.book.moves.items():
            assert rebuild(moves) == self.book.incidents[case]

    @invariant()
    def every_case_is_where_its_moves_lead(self) -> None:
        for case, moves in self.book.moves.items():
            state: State | None = None
            for move in moves:
                assert move.before is state
                assert is_legal(state, move.verb, move.after)
                state = move.after
            assert self.book.incidents[case].state is state

    @invariant()
    def nobody_does_what_his_role_may_not(self) -> None:
        for moves in self.book.moves.values():
            for move in moves:
                if move.verb is Verb.EXTEND:
                    assert move.actor.role is Role.APPROVER

    def teardown(self) -> None:
        self.now += 3 * DAY
        self.on_time()
        for case in list(self.book.incidents):
            self.book.keep(self.desk.tick(self.book, case, self.now))
        assert {case: list(moves) for case, moves in self.book.moves.items()} == {
            case: list(moves) for case, moves in self.prompt.moves.items()
        }
        assert sent(self.book) == sent(self.prompt)
        for left in self.book.incidents.values():
            self.every_limit_fired_once(left)

    def every_limit_fired_once(self, case: Incident) -> None:
        """Counted from the moves alone: each limit that passed told so once, each rung once."""
        told = Counter(
            (move.details["stage"], move.details.get("rung", str(move.verb)))
            for move in self.book.moves[case.id]
            if move.verb in LATE and "stage" in move.details
            if move.cause.split(":")[3] == str(case.cycle)
        )
        assert not told or max(told.values()) <= 2  # a limit may warn again once it was extended
        timing: Timing = self.desk.policy.timings["usual"]
        for clock in case.clocks:
            ends = clock.met_ms if clock.met_ms is not None else self.now
            ran = case.state in OPEN or clock.stage == "call-back"
            if clock.cycle != case.cycle or clock.stage == "return" or not ran:
                continue
            stood = clock.paused_ms is not None or self.stood_when_met(case, clock, timing)
            passed = not stood and clock.due_ms is not None and clock.due_ms <= ends
            assert told[clock.stage, "overdue"] == passed, clock
            for number, rung in enumerate(timing.ladder.get(clock.stage, ())):
                due = (clock.due_ms or 0) + sum(amount for amount, _ in rung.after.parts)
                assert told[clock.stage, number] == (passed and due <= ends), (clock, number)

    def stood_when_met(self, case: Incident, clock: Clock, timing: Timing) -> bool:
        """Whether a stage was done while its limit was paused: so it cannot have passed."""
        paused_ms: int | None = None
        for move in self.book.moves[case.id]:
            told = [(one["stage"], one["cycle"]) for one in move.details.get("met", ())]
            if (clock.stage, clock.cycle) in told:
                held = paused_ms is not None and paused_ms < (clock.due_ms or 0)
                return held and timing.limits[clock.stage].pausable
            if move.verb is Verb.PAUSE:
                paused_ms = move.at_ms
            elif not move.sets.get("paused", True):
                paused_ms = None
        return False


City.TestCase.settings = settings(
    max_examples=80,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestCity = City.TestCase
