"""The tables of the desk, for SQLite and PostgreSQL alike.

A case is kept whole, as JSON, and beside it the columns that lists, searches and clocks go by:
what is shown comes from the body, what is found comes from the columns. Times are UTC milliseconds.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()

_LONG = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only where the type is its own."""


def _row(name: str = "seq") -> Column[int]:
    return Column(name, _LONG, primary_key=True, autoincrement=True)


def _word(name: str, default: str | None = None) -> Column[str]:
    return Column(name, Text, nullable=False, server_default=default)


def _ms(name: str, *, is_known: bool = True) -> Column[int]:
    return Column(name, BigInteger, nullable=not is_known)


alerts = Table(
    "alerts",
    metadata,
    _row(),
    _word("episode"),
    _word("rule"),
    _word("pack"),
    _word("key"),
    _word("severity"),
    Column("rank", Integer, nullable=False),
    _word("transition"),
    Column("ordinal", Integer, nullable=False),
    Column("is_open", Boolean, nullable=False),
    _ms("since_ms"),
    _ms("at_ms"),
    _ms("taken_ms"),
    _word("incident", ""),
    _word("quiet", ""),
    _word("delivery_id"),
    UniqueConstraint("episode", name="alerts_episode"),
    Index("alerts_rule", "rule", "seq"),
    Index("alerts_incident", "incident"),
    Index("alerts_open", "is_open", "seq"),
    sqlite_autoincrement=True,
)
"""Every alert as its newest transition left it; `quiet` says why nothing was told of it."""

transitions = Table(
    "transitions",
    metadata,
    Column("delivery_id", Text, primary_key=True),
    _word("episode"),
    _word("transition"),
    Column("ordinal", Integer, nullable=False),
    _ms("at_ms"),
    _ms("taken_ms"),
    _word("quiet", ""),
    _word("body"),
    Index("transitions_episode", "episode", "ordinal"),
    Index("transitions_taken", "taken_ms"),
)
"""Every transition that was taken, once; nothing that is known already is taken again."""

incidents = Table(
    "incidents",
    metadata,
    _row(),
    _word("id"),
    _word("number"),
    _word("state"),
    Column("is_open", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    _word("group_key"),
    _word("route"),
    _word("tier"),
    _word("severity"),
    Column("rank", Integer, nullable=False),
    _word("area"),
    _word("lead"),
    _word("host"),
    _word("assignee"),
    _ms("opened_ms"),
    _ms("updated_ms"),
    _ms("closed_ms", is_known=False),
    _ms("next_ms", is_known=False),
    _ms("alert_ms"),
    Column("lon", Float),
    Column("lat", Float),
    _word("verdict", ""),
    _word("outside", ""),
    _word("merged_into", ""),
    UniqueConstraint("id", name="incidents_id"),
    UniqueConstraint("number", name="incidents_number"),
    Index("incidents_open", "is_open", "seq"),
    Index("incidents_state", "state", "seq"),
    Index("incidents_group", "group_key", "is_open", "alert_ms"),
    Index("incidents_lead", "lead", "seq"),
    Index("incidents_area", "area", "seq"),
    Index("incidents_updated", "updated_ms", "seq"),
    Index("incidents_next", "next_ms", sqlite_where=text("next_ms IS NOT NULL"),
          postgresql_where=text("next_ms IS NOT NULL")),
    Index("incidents_outside", "outside", sqlite_where=text("outside <> ''"),
          postgresql_where=text("outside <> ''")),
    sqlite_autoincrement=True,
)  # fmt: skip
"""What lists and clocks go by; rows are small, so that a filter no index serves is still fast."""

incident_bodies = Table(
    "incident_bodies",
    metadata,
    Column("seq", _LONG, primary_key=True, autoincrement=False),
    _word("body"),
)
"""Each case whole, as JSON: this is the case, the row beside it only finds it."""

parties = Table(
    "parties",
    metadata,
    Column("department", Text, primary_key=True),
    Column("seq", _LONG, primary_key=True, autoincrement=False),
    _word("part"),
)
"""Which departments have to do with a case, as `lead`, `host` or `assisting`."""

members = Table(
    "members",
    metadata,
    Column("episode", Text, primary_key=True),
    _word("incident"),
    _word("rule"),
    _word("key"),
    Column("ended", Boolean, nullable=False),
    Index("members_incident", "incident"),
    Index("members_rule", "rule", "ended"),
)
"""Which case an alert belongs to."""

moves = Table(
    "moves",
    metadata,
    _row(),
    _word("incident"),
    Column("ordinal", Integer, nullable=False),
    _word("verb"),
    _word("cause"),
    _word("actor"),
    _word("department"),
    _ms("at_ms"),
    _word("before"),
    _word("after"),
    _word("body"),
    UniqueConstraint("incident", "ordinal", name="moves_once"),
    Index("moves_cause", "cause", unique=True),
    Index("moves_verb", "verb", "at_ms"),
    sqlite_autoincrement=True,
)
"""Every move that was ever made; its number is what a listener goes on from."""

outbox = Table(
    "outbox",
    metadata,
    _row("id"),
    _word("delivery_id"),
    _word("sink"),
    _word("incident"),
    _word("kind"),
    _word("phase", "due"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _ms("made_ms"),
    _ms("due_ms"),
    _ms("stored_ms"),
    _ms("done_ms", is_known=False),
    _word("reason", ""),
    _word("detail", ""),
    _word("body"),
    UniqueConstraint("delivery_id", "sink", name="outbox_once"),
    Index("outbox_phase", "sink", "phase", "id"),
    Index("outbox_order", "sink", "incident", "phase", "id"),
    Index("outbox_due", "sink", "phase", "due_ms"),
    Index("outbox_made", "sink", "made_ms"),
    Index("outbox_incident", "incident", "id"),
    sqlite_autoincrement=True,
)
"""Papers on their way: `due`, `sent`, or `dead` when nobody would take them."""

receipts = Table(
    "receipts",
    metadata,
    Column("source", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    _word("incident", ""),
    _word("outcome"),
    _ms("at_ms"),
    _ms("received_ms"),
    _word("body"),
    Index("receipts_incident", "incident"),
    Index("receipts_received", "received_ms"),
)
"""What outside systems told us, each id once: a replayed one is known by it."""

silences = Table(
    "silences",
    metadata,
    Column("id", Text, primary_key=True),
    _ms("from_ms"),
    _ms("until_ms"),
    _ms("ended_ms", is_known=False),
    _word("actor"),
    _word("body"),
    Index("silences_until", "until_ms"),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("incident", Text, primary_key=True),
    Column("cycle", Integer, primary_key=True),
    Column("rule", Text, primary_key=True),
    _word("pack"),
    _word("verdict"),
    _word("area"),
    _word("lead"),
    _ms("at_ms"),
    Index("verdicts_rule", "rule", "at_ms"),
    Index("verdicts_at", "at_ms"),
)
"""What each rule of a case turned out to be worth, once a cycle."""

positions = Table(
    "positions",
    metadata,
    Column("log", Text, primary_key=True),
    Column("next", BigInteger, nullable=False),
    _ms("at_ms"),
)
"""How far each log of alerts was read: the place of the next one."""

numbers = Table(
    "numbers",
    metadata,
    Column("day", Text, primary_key=True),
    Column("last", Integer, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    _word("holder"),
    Column("fence", BigInteger, nullable=False),
    _ms("until_ms"),
)
"""Who runs the desk; the number grows with every holder, and an old one writes nothing more."""

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    _ms("at_ms"),
    _word("actor"),
    _word("role"),
    _word("department"),
    _word("address"),
    _word("action"),
    _word("object"),
    _word("before"),
    _word("after"),
    _word("reason"),
    _word("details"),
    _word("previous"),
    _word("seal"),
    Index("audit_object", "object", "seq"),
    Index("audit_actor", "actor", "seq"),
    Index("audit_at", "at_ms"),
)
"""Who did what, for ever: each row seals the one before it; see `engine.edge.desk.audit`."""

tokens = Table(
    "tokens",
    metadata,
    _row(),
    _word("id"),
    _word("name"),
    _word("roles"),
    _word("areas", ""),
    _word("departments", ""),
    _word("digest"),
    _ms("created_ms"),
    _ms("expires_ms"),
    _ms("revoked_ms", is_known=False),
    UniqueConstraint("id", name="tokens_id"),
    sqlite_autoincrement=True,
)
"""Service tokens of the API as hashes; lists are words parted by spaces."""
