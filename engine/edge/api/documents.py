"""What the API answers with, as values; the description of the API is made from these."""

from collections.abc import Sequence

import msgspec

from engine.cases.book import Silence
from engine.cases.model import Incident, Move, Role, Verb
from engine.edge.api.accounts import Account
from engine.edge.desk.queries import AlertRow, Whole
from engine.model.change import Change


class Problem(msgspec.Struct, kw_only=True):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str
    errors: list[dict[str, str]] = []


class Me(msgspec.Struct, kw_only=True):
    """The account that asks, and what it may.

    Attributes:
        clear: Kinds of personal data that it sees in clear.
        routes: `METHOD path` of every route that it may use.

    """

    account: str
    roles: list[Role]
    areas: list[str]
    departments: list[str]
    expires_ms: int
    clear: list[str]
    routes: list[str]


class Token(msgspec.Struct, kw_only=True):
    """A service token without its secret."""

    id: str
    name: str
    roles: list[Role]
    areas: list[str]
    departments: list[str]
    created_ms: int
    expires_ms: int
    revoked_ms: int | None = None


class NewToken(Token, kw_only=True):
    """A service token that was just made.

    Attributes:
        token: What to show from now on; None when the same request made it before, because the
            secret is not kept.

    """

    token: str | None = None


class Tokens(msgspec.Struct, kw_only=True):
    """All service tokens."""

    items: list[Token]


class Taken(msgspec.Struct, kw_only=True):
    """What became of a receipt: `accepted`, `repeated`, or why nothing came of it."""

    id: str
    outcome: str


class Alert(msgspec.Struct, kw_only=True):
    """An alert as its newest transition left it.

    Attributes:
        incident: The case it belongs to; empty where it made none.
        quiet: Why nobody was told of it; empty: they were.
        transitions: Every transition it made; only where one alert is asked for.

    """

    episode: str
    incident: str
    is_open: bool
    taken_ms: int
    quiet: str
    change: Change
    transitions: list[Change] = []


class Alerts(msgspec.Struct, kw_only=True):
    """A page of alerts; `next` is what to ask for the following one with, empty at the end."""

    items: list[Alert]
    next: str


class Incidents(msgspec.Struct, kw_only=True):
    """A page of cases."""

    items: list[Incident]
    next: str


class Sent(msgspec.Struct, kw_only=True):
    """A paper that went out about a case, or is on its way."""

    delivery_id: str
    sink: str
    kind: str
    phase: str
    attempts: int
    made_ms: int
    due_ms: int
    done_ms: int | None
    reason: str


class Heard(msgspec.Struct, kw_only=True):
    """What an outside system told about a case."""

    source: str
    id: str
    outcome: str
    at_ms: int
    received_ms: int
    body: str


class History(msgspec.Struct, kw_only=True):
    """A case with everything that belongs to it: moves, alerts, papers, receipts.

    Attributes:
        allowed: Moves that this account may make now.

    """

    incident: Incident
    moves: list[Move]
    alerts: list[Alert]
    papers: list[Sent]
    receipts: list[Heard]
    allowed: list[Verb]


class Event(msgspec.Struct, kw_only=True):
    """What one event of the stream says: a move, and its case as it stands now."""

    move: Move
    incident: Incident


class About(msgspec.Struct, kw_only=True):
    """Which alerts a silence is about; parts that are empty match everything."""

    rules: list[str] = []
    keys: list[str] = []
    areas: list[str] = []
    packs: list[str] = []
    labels: dict[str, list[str]] = {}
    min_severity: str = ""


class QuietTime(msgspec.Struct, kw_only=True):
    """A silence: alerts that match are kept and not told until it ends."""

    id: str
    match: About
    from_ms: int
    until_ms: int
    ended_ms: int | None
    actor: str
    reason: str


class Silences(msgspec.Struct, kw_only=True):
    """Silences."""

    items: list[QuietTime]


class Rule(msgspec.Struct, kw_only=True):
    """A rule in force, and how it is.

    Attributes:
        hash: Changes with everything that decides its alerts.
        healthy: False while it is in quarantine; None where it runs in another process, or has read
            nothing yet.
        alerts_open, alerts_day: Alerts that go on; alerts of the last 24 hours.
        verdicts: How many closed cases of the last 90 days had which verdict.
        precision: Share of `true` and `elsewhere` among those that were judged; None without any.

    """

    rule: str
    title: dict[str, str]
    owner: str
    status: str
    severity: str
    hash: str
    feeds: list[str]
    healthy: bool | None
    alerts_open: int
    alerts_day: int
    verdicts: dict[str, int]
    precision: float | None


class Rules(msgspec.Struct, kw_only=True):
    """All rules in force."""

    items: list[Rule]


class Feed(msgspec.Struct, kw_only=True):
    """A feed and how it is, as far as this process reads it.

    Attributes:
        quiet: Whether it has been silent for longer than it says it may be.
        newest_ms: Newest event time that was seen; None: nothing was read here.
        complete_ms: Event time up to which every key space that reads it is complete.
        records, rejected: Since this process began.
        rules: Who reads it.

    """

    feed: str
    title: dict[str, str]
    quiet: bool
    newest_ms: int | None
    complete_ms: int | None
    records: int
    rejected: int
    rules: list[str]


class Feeds(msgspec.Struct, kw_only=True):
    """All feeds that rules read."""

    items: list[Feed]


class AuditRow(msgspec.Struct, kw_only=True):
    """One row of the audit: who did what to what, sealed."""

    seq: int
    at_ms: int
    actor: str
    role: str
    department: str
    address: str
    action: str
    object: str
    before: str
    after: str
    reason: str
    details: str
    seal: str


class Audit(msgspec.Struct, kw_only=True):
    """Rows of the audit; `next` is the number to ask for rows before, 0 at the end."""

    items: list[AuditRow]
    next: int


class Broken(msgspec.Struct, kw_only=True):
    """Where the audit is broken: `seal`, `link`, `gap` or `head` at a row."""

    seq: int
    kind: str


class Chain(msgspec.Struct, kw_only=True):
    """Whether the chain of the audit is whole."""

    whole: bool
    rows: int
    breaks: list[Broken]


def alert_of(row: AlertRow, transitions: Sequence[Change] = ()) -> Alert:
    """An alert as the desk has it."""
    return Alert(
        episode=row.change.episode_id,
        incident=row.incident,
        is_open=row.is_open,
        taken_ms=row.taken_ms,
        quiet=row.quiet,
        change=row.change,
        transitions=list(transitions),
    )


def history_of(whole: Whole, allowed: Sequence[Verb]) -> History:
    """A case with everything that belongs to it; what a move changed is in the case itself."""
    return History(
        incident=whole.incident,
        moves=[plain_move(move) for move in whole.moves],
        alerts=[alert_of(row) for row in whole.alerts],
        papers=[msgspec.convert(row, Sent, from_attributes=True) for row in whole.papers],
        receipts=[msgspec.convert(row, Heard, from_attributes=True) for row in whole.receipts],
        allowed=list(allowed),
    )


def plain_move(move: Move) -> Move:
    """A move without the fields of the case that it set."""
    return msgspec.structs.replace(move, sets={})


def quiet_of(silence: Silence) -> QuietTime:
    """A silence as it is shown."""
    match = silence.match
    about = About(
        rules=list(match.rules),
        keys=list(match.keys),
        areas=list(match.areas),
        packs=list(match.packs),
        labels={name: sorted(values) for name, values in match.labels.items()},
        min_severity=match.min_severity,
    )
    return QuietTime(
        id=silence.id,
        match=about,
        from_ms=silence.from_ms,
        until_ms=silence.until_ms,
        ended_ms=silence.ended_ms,
        actor=silence.actor.name,
        reason=silence.reason,
    )


def token_of(account: Account) -> Token:
    """A token as it may be shown."""
    shown = {name: getattr(account, name) for name in Token.__struct_fields__}
    return msgspec.convert(msgspec.to_builtins(shown), Token)


SHOWN: tuple[type, ...] = (
    Problem, Me, Token, NewToken, Tokens, Taken, Alerts, Incidents, Incident, History, Event,
    Silences, QuietTime, Rules, Feeds, Audit, Chain,
)  # fmt: skip
"""Everything that the description of the API speaks of, with all that is in it."""
