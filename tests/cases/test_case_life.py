"""The life of a case: every verb in every state, who may, what is missing, and what is refused."""

import pytest
from cases_stage import DUTY, GATEWAY, LEADER, OFFICER, CaseStage, change

from engine.cases.life import ASKED, LIFE, allowed, is_legal
from engine.cases.model import Actor, Incident, Role, State, Verb
from engine.cases.refused import Refused, Why
from engine.text import LANGUAGES, catalogue

# A cell names the states a move may lead to: n(ew) d(ispatched) a(cknowledged) h(andling)
# v(erifying) c(losed) m(erged); `-` is no legal move. The first column is before there is a case.
TABLE = """
verb         none new dispatched acknowledged handling verifying closed merged
open         n    -   -          -            -        -         -      -
attach       -    n   d          a            h        v         c      -
follow       -    n   d          a            h        v         c      -
dispatch     -    d   -          -            -        -         -      -
acknowledge  -    -   a          -            -        -         -      -
assign       -    d   d          ad           dh       -         -      -
return       -    -   nd         nd           nd       -         -      -
arrive       -    -   h          h            -        -         -      -
resolve      -    -   v          v            v        -         -      -
verify       -    n   d          a            h        v         -      -
call-back    -    -   -          -            -        v         c      -
close        -    c   c          c            c        c         -      -
reopen       -    -   -          -            -        nd        nd     -
escalate     -    n   d          a            h        v         -      -
lift         -    n   d          a            h        v         -      -
merge        -    m   m          m            m        m         -      -
comment      -    n   d          a            h        v         c      m
pause        -    n   d          a            h        -         -      -
resume       -    n   d          a            h        -         -      -
extend       -    -   d          a            h        v         -      -
warn         -    n   d          a            h        v         c      -
overdue      -    n   d          a            h        v         c      -
remind       -    n   d          a            h        v         c      -
supervise    -    n   d          a            h        v         c      -
criticise    -    n   d          a            h        v         c      -
refer        -    n   d          a            h        -         -      -
receipt      -    n   d          a            h        v         c      m
"""

STATES: tuple[State | None, ...] = (None, *State)
ROWS = [line.split() for line in TABLE.strip().splitlines()[1:]]
CELLS = [
    pytest.param(Verb(row[0]), before, cell, id=f"{row[0]}-{before or 'none'}")
    for row in ROWS
    for before, cell in zip(STATES, row[1:], strict=True)
]

GIVEN: dict[Verb, dict[str, object]] = {
    Verb.ASSIGN: {"department": "transport"},
    Verb.RESOLVE: {"found": "a leak"},
    Verb.CALL_BACK: {"satisfied": True, "solved": True},
    Verb.CLOSE: {"verdict": "false"},
    Verb.EXTEND: {"stage": "resolve"},
    Verb.REFER: {"sink": "screen"},
    Verb.RECEIPT: {"status": "noted"},
}


def test_the_table_has_a_row_for_every_verb() -> None:
    assert [row[0] for row in ROWS] == sorted(
        (str(verb) for verb in Verb), key=[row[0] for row in ROWS].index
    )
    assert {way.verb for way in LIFE} == set(Verb)


@pytest.mark.parametrize(("verb", "before", "cell"), CELLS)
def test_a_move_is_legal_as_the_table_says(verb: Verb, before: State | None, cell: str) -> None:
    reached = {state for state in State if is_legal(before, verb, state)}
    assert reached == {state for state in State if state[0] in cell}


def in_state(state: State) -> CaseStage:
    """A desk with one case in a state, by the shortest way."""
    stage = CaseStage()
    stage.take(change())
    match state:
        case State.NEW:
            stage.ask(Verb.RETURN, OFFICER, "not ours")
        case State.ACKNOWLEDGED:
            stage.ask(Verb.ACKNOWLEDGE, OFFICER)
        case State.HANDLING:
            stage.ask(Verb.ARRIVE, OFFICER)
        case State.VERIFYING:
            stage.ask(Verb.RESOLVE, OFFICER, found="x")
        case State.CLOSED:
            stage.ask(Verb.CLOSE, LEADER, "nothing there", verdict="false")
        case State.DISPATCHED | State.MERGED:
            pass
    return stage


def asker(verb: Verb) -> Actor:
    """Somebody who may."""
    if verb is Verb.RECEIPT:
        return GATEWAY
    return LEADER if verb in {Verb.EXTEND, Verb.CRITICISE} else DUTY


def asked_of(stage: CaseStage, case: Incident, verb: Verb) -> None:
    """Ask with everything that is needed."""
    details = dict(GIVEN.get(verb, {}))
    if verb is Verb.EXTEND and case.state is State.VERIFYING:
        details = {"stage": "verify"}
    if verb is Verb.MERGE:
        stage.take(change(key="other"))
        other = next(one for one in stage.book.incidents.values() if one.id != case.id)
        details["into"] = other.id
    if verb is Verb.DISPATCH:
        details["department"] = "police"
    stage.ask_of(case, verb, asker(verb), "because", **details)


@pytest.mark.parametrize(
    ("verb", "before", "cell"), [one for one in CELLS if one.values[1] is not None]
)
def test_the_desk_does_what_the_table_says(verb: Verb, before: State, cell: str) -> None:
    if before is State.MERGED:
        stage = CaseStage()
        stage.take(change())
        case = stage.only
        asked_of(stage, case, Verb.MERGE)
        case = stage.book.incidents[case.id]
    else:
        stage = in_state(before)
        case = stage.only
    assert case.state is before
    if verb is Verb.RESUME and before not in {State.VERIFYING, State.CLOSED, State.MERGED}:
        stage.ask(Verb.PAUSE, DUTY, "waiting")
    if verb not in ASKED:
        with pytest.raises(Refused) as system_only:
            asked_of(stage, case, verb)
        assert system_only.value.code is Why.NOT_ASKED
    elif cell == "-":
        with pytest.raises(Refused) as refused:
            asked_of(stage, case, verb)
        assert refused.value.code in {Why.STATE, Why.MERGED}
        assert verb not in refused.value.allowed
        assert refused.value.state is before
    else:
        asked_of(stage, case, verb)
        assert stage.book.incidents[case.id].state[0] in cell
        assert stage.book.moves[case.id][-1].verb in {verb, Verb.REFER}


@pytest.mark.parametrize(
    ("verb", "roles"),
    [
        pytest.param(Verb.DISPATCH, "operator approver system", id="dispatching"),
        pytest.param(Verb.ACKNOWLEDGE, "handler operator system", id="signing"),
        pytest.param(Verb.RESOLVE, "handler operator system", id="resolving"),
        pytest.param(Verb.CLOSE, "operator approver system", id="closing"),
        pytest.param(Verb.EXTEND, "approver", id="extending-is-the-leaders"),
        pytest.param(Verb.CRITICISE, "approver system", id="criticising"),
        pytest.param(Verb.MERGE, "operator approver system", id="merging"),
        pytest.param(
            Verb.COMMENT,
            "handler analyst operator approver system",
            id="commenting-is-for-all-hands",
        ),
    ],
)
def test_only_some_roles_may(verb: Verb, roles: str) -> None:
    may = {role for way in LIFE if way.verb is verb for role in way.who}
    assert may == {Role(role) for role in roles.split()}


def test_viewers_auditors_and_administrators_move_nothing() -> None:
    moving = {role for way in LIFE for role in way.who}
    assert moving.isdisjoint({Role.VIEWER, Role.AUDITOR, Role.ADMIN})


@pytest.mark.parametrize(
    ("actor", "code"),
    [
        pytest.param(
            Actor(name="x", role=Role.HANDLER, department="fire"),
            Why.DEPARTMENT,
            id="not-their-order",
        ),
        pytest.param(
            Actor(name="x", role=Role.OPERATOR, area="320612"), Why.AREA, id="not-their-county"
        ),
        pytest.param(Actor(name="x", role=Role.VIEWER), Why.ROLE, id="a-viewer"),
    ],
)
def test_strangers_are_refused(actor: Actor, code: Why) -> None:
    stage = in_state(State.DISPATCHED)
    with pytest.raises(Refused) as refused:
        stage.ask(Verb.ACKNOWLEDGE, actor)
    assert refused.value.code is code


@pytest.mark.parametrize(
    "actor",
    [
        pytest.param(
            Actor(name="x", role=Role.HANDLER, department="transport"), id="a-helping-department"
        ),
        pytest.param(Actor(name="x", role=Role.OPERATOR, area="320682"), id="the-county-above"),
        pytest.param(Actor(name="x", role=Role.OPERATOR, area="320600"), id="the-city"),
    ],
)
def test_those_it_concerns_may(actor: Actor) -> None:
    stage = in_state(State.DISPATCHED)
    stage.ask(Verb.ACKNOWLEDGE, actor)
    assert stage.only.state is State.ACKNOWLEDGED


@pytest.mark.parametrize(
    ("verb", "actor", "reason", "details", "code"),
    [
        pytest.param(Verb.RETURN, OFFICER, " ", {}, Why.REASON, id="return-without-reason"),
        pytest.param(Verb.RESOLVE, OFFICER, "", {}, Why.DETAIL, id="resolve-without-finding"),
        pytest.param(
            Verb.RESOLVE,
            OFFICER,
            "",
            {"found": "x", "verdict": "maybe"},
            Why.BAD_DETAIL,
            id="no-verdict",
        ),
        pytest.param(
            Verb.CLOSE, LEADER, "", {"verdict": "true"}, Why.PROOF, id="close-without-proof"
        ),
        pytest.param(
            Verb.CLOSE, LEADER, "", {"verdict": "false"}, Why.REASON, id="false-without-reason"
        ),
        pytest.param(
            Verb.ASSIGN, DUTY, "x", {"department": "nobody"}, Why.UNKNOWN_DEPARTMENT, id="no-such"
        ),
        pytest.param(
            Verb.ASSIGN,
            DUTY,
            "x",
            {"department": "police"},
            Why.SAME_DEPARTMENT,
            id="theirs-already",
        ),
        pytest.param(
            Verb.MERGE, DUTY, "x", {"into": "nothing"}, Why.MERGE, id="merge-into-nothing"
        ),
        pytest.param(Verb.RESUME, DUTY, "", {}, Why.NOT_PAUSED, id="resume-what-runs"),
        pytest.param(
            Verb.EXTEND,
            LEADER,
            "x",
            {"stage": "arrive"},
            Why.NO_LIMIT,
            id="extend-what-does-not-run",
        ),
        pytest.param(
            Verb.EXTEND, LEADER, "x", {"stage": "sign"}, Why.NOT_EXTENDED, id="extend-a-hard-limit"
        ),
        pytest.param(Verb.EXTEND, LEADER, "x", {"stage": "?"}, Why.BAD_DETAIL, id="no-such-stage"),
        pytest.param(
            Verb.ESCALATE, DUTY, "x", {"severity": "blue"}, Why.BAD_DETAIL, id="escalate-downwards"
        ),
        pytest.param(
            Verb.RECEIPT, GATEWAY, "", {"status": "what"}, Why.BAD_DETAIL, id="unknown-status"
        ),
    ],
)
def test_a_request_that_cannot_be_is_refused_in_both_languages(
    verb: Verb, actor: Actor, reason: str, details: dict[str, object], code: Why
) -> None:
    stage = in_state(State.DISPATCHED)
    before = len(stage.book.moves[stage.only.id])
    with pytest.raises(Refused) as refused:
        stage.ask(verb, actor, reason, **details)
    assert refused.value.code is code
    for lang in LANGUAGES:
        assert refused.value.what(lang)
        assert "{" not in refused.value.what(lang)
        assert refused.value.hint(lang)
    assert len(stage.book.moves[stage.only.id]) == before


def test_every_reason_to_refuse_has_its_sentence() -> None:
    assert {f"refused-{why}" for why in Why} <= set(catalogue())


def test_a_refusal_names_the_case_as_people_know_it() -> None:
    stage = in_state(State.CLOSED)
    with pytest.raises(Refused) as refused:
        stage.ask(Verb.ARRIVE, OFFICER)
    number = stage.only.number
    assert refused.value.what("en") == f"'arrive' is not possible while case {number} is closed"
    assert refused.value.what("zh") == f"案件 {number} 当前为“已办结”，不能执行“到场”"
    assert refused.value.hint("zh") == "目前可执行的操作：批注"


def test_what_is_allowed_is_what_is_not_refused_for_its_state() -> None:
    stage = in_state(State.VERIFYING)
    assert allowed(stage.only, LEADER) == (
        Verb.CALL_BACK,
        Verb.CLOSE,
        Verb.REOPEN,
        Verb.ESCALATE,
        Verb.LIFT,
        Verb.MERGE,
        Verb.COMMENT,
        Verb.EXTEND,
        Verb.REMIND,
        Verb.SUPERVISE,
        Verb.CRITICISE,
    )
