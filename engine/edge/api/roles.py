"""Which role may use which route: one table, and whatever stands nowhere in it is refused.

`cover` compares the table with the routes of an application when it starts: a route without a row
and a row without a route are errors of ours, never a door left open.
"""

from collections.abc import Iterable, Mapping

from engine.cases.life import ASKED, LIFE
from engine.cases.model import Role, Verb

BASE = "/api/v1"

PERSONS: tuple[Role, ...] = tuple(role for role in Role if role is not Role.SYSTEM)
"""Every role that an account may have."""

EVERYBODY = frozenset(PERSONS)
READERS = EVERYBODY - {Role.AUDITOR, Role.ADMIN}
"""Who sees alerts and cases; auditors read the audit only, admins keep the accounts only."""
SIGNED = "signed"
"""No token: the request is signed by an outside system, and the route checks that itself."""

EXCLUSIVE = frozenset({Role.OPERATOR, Role.AUDITOR, Role.ADMIN})
"""Duty desk, audit and accounts: one account has only one of them in its hands."""

MOVES: Mapping[Verb, frozenset[Role]] = {
    verb: frozenset().union(*(way.who for way in LIFE if way.verb is verb)) & EVERYBODY
    for verb in Verb
    if verb in ASKED and verb is not Verb.RECEIPT
}
"""Who may make which move: the life of a case says it, and this only repeats it."""

TABLE: Mapping[str, frozenset[Role] | str] = {
    f"GET {BASE}/me": EVERYBODY,
    f"GET {BASE}/openapi.json": EVERYBODY,
    f"GET {BASE}/alerts": READERS,
    f"GET {BASE}/alerts/{{episode}}": READERS,
    f"GET {BASE}/incidents": READERS,
    f"GET {BASE}/incidents/{{incident}}": READERS,
    f"GET {BASE}/incidents/{{incident}}/history": READERS,
    **{f"POST {BASE}/incidents/{{incident}}/{move}": who for move, who in MOVES.items()},
    f"GET {BASE}/search": READERS,
    f"GET {BASE}/events": READERS,
    f"GET {BASE}/rules": READERS,
    f"GET {BASE}/rules/{{rule}}": READERS,
    f"GET {BASE}/feeds": READERS,
    f"GET {BASE}/silences": READERS,
    f"POST {BASE}/silences": frozenset({Role.OPERATOR}),
    f"POST {BASE}/silences/{{silence}}/end": frozenset({Role.OPERATOR}),
    f"GET {BASE}/audit": frozenset({Role.AUDITOR}),
    f"GET {BASE}/audit/verify": frozenset({Role.AUDITOR}),
    f"GET {BASE}/tokens": frozenset({Role.ADMIN}),
    f"POST {BASE}/tokens": frozenset({Role.ADMIN}),
    f"POST {BASE}/tokens/{{token}}/revoke": frozenset({Role.ADMIN}),
    f"POST {BASE}/receipts/{{system}}": SIGNED,
}
"""`METHOD path` to the roles that may; deny by default."""


class Uncovered(Exception):
    """The table and the routes of the application are not the same."""


def cover(routes: Iterable[str], table: Mapping[str, object] = TABLE) -> None:
    """Check that every route has a row and every row a route.

    Args:
        routes: `METHOD path` of every route that is served.
        table: The rows.

    Raises:
        Uncovered: some have not; names them all.

    """
    served = set(routes)
    if wrong := sorted(served ^ set(table)):
        raise Uncovered(", ".join(wrong))


def may(roles: Iterable[Role], row: frozenset[Role] | str | None) -> bool:
    """Whether an account with these roles may use a route with this row; no row, no use."""
    return isinstance(row, frozenset) and not row.isdisjoint(roles)
