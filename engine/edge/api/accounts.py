"""Service tokens: random, kept as hashes, bound to roles, areas and departments, with an end.

A token is `fwt_<id>_<secret>`. Only the SHA-256 of the secret is kept: with 256 random bits there
is nothing to guess, so no slow hash is needed. There are no passwords. Logging people in through a
city's own sign-on (OIDC) is not part of this: what signs them on hands the API a token.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Protocol

from engine.cases.model import Actor, Role, Value
from engine.edge.api.problems import Code, Refusal
from engine.edge.api.roles import EXCLUSIVE, PERSONS

PREFIX = "fwt_"
_ID_BYTES, _SECRET_BYTES = 6, 32
_LONGEST = 200
_WRONG = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
DAY_MS = 86_400_000
LONGEST_DAYS = 366
"""No token is good for longer; a service that lives on is given another one."""


class Account(Value, frozen=True):
    """A service token as it is kept: everything but the secret.

    Attributes:
        name: Who or what uses it; stands in moves and in the audit.
        digest: SHA-256 of the secret, as hex digits.
        areas: Region codes it sees, with what lies below them; empty means everywhere.
        departments: Whose cases it sees; empty means everybody's.

    """

    id: str
    name: str
    roles: tuple[Role, ...]
    digest: str
    created_ms: int
    expires_ms: int
    areas: tuple[str, ...] = ()
    departments: tuple[str, ...] = ()
    revoked_ms: int | None = None

    def holds(self, at_ms: int) -> bool:
        """Whether it is good at an instant."""
        return self.revoked_ms is None and at_ms < self.expires_ms

    def actor(self, role: Role, address: str = "") -> Actor:
        """Who it is when it does something."""
        return Actor(
            name=self.name,
            role=role,
            department=self.departments[0] if len(self.departments) == 1 else "",
            area=self.areas[0] if len(self.areas) == 1 else "",
            address=address,
        )


class Accounts(Protocol):
    """Where service tokens are kept."""

    async def account(self, id: str) -> Account | None:  # noqa: A002
        """A token by its id."""

    async def accounts(self) -> Sequence[Account]:
        """All of them, revoked ones too, in the order in which they were made."""

    async def add(self, account: Account, actor: Actor) -> None:
        """Keep a token, and write down who gave it."""

    async def revoke(self, id: str, actor: Actor) -> Account | None:  # noqa: A002
        """Revoke a token and write down who did; None if there is none."""


def issue(
    name: str,
    roles: Sequence[Role],
    at_ms: int,
    days: int,
    areas: Sequence[str] = (),
    departments: Sequence[str] = (),
) -> tuple[Account, str]:
    """Make a token; answers what is kept and the token itself, which is shown this once.

    Raises:
        Refusal: `roles-together`: it would be administrator of two things at once.

    """
    mixed = sorted(EXCLUSIVE.intersection(roles))
    if len(mixed) > 1:
        raise Refusal(Code.ROLES_TOGETHER, roles=", ".join(mixed))
    number, secret = secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
    account = Account(
        id=number,
        name=name,
        roles=tuple(role for role in PERSONS if role in roles),
        digest=digest(secret),
        created_ms=at_ms,
        expires_ms=at_ms + days * DAY_MS,
        areas=tuple(areas),
        departments=tuple(departments),
    )
    return account, f"{PREFIX}{number}_{secret}"


def digest(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def recognise(accounts: Accounts, header: str, at_ms: int) -> Account:
    """The account that an `Authorization` header belongs to.

    Takes as long for an unknown id as for a wrong secret, and says the same.

    Raises:
        Refusal: there is no token, nobody's, or one that is over.

    """
    scheme, _, shown = header.strip().partition(" ")
    if scheme.lower() != "bearer" or not shown.strip():
        raise Refusal(Code.TOKEN_MISSING, headers={"WWW-Authenticate": "Bearer"})
    number, secret = _parts(shown.strip())
    account = await accounts.account(number) if number else None
    kept = account.digest if account is not None else digest("")
    fits = hmac.compare_digest(digest(secret), kept)
    if account is None or not fits:
        raise Refusal(Code.TOKEN_WRONG, headers=_WRONG)
    if not account.holds(at_ms):
        raise Refusal(Code.TOKEN_OVER, headers=_WRONG)
    return account


def _parts(token: str) -> tuple[str, str]:
    """Id and secret of a token; empty where it is none."""
    if not token.startswith(PREFIX) or len(token) > _LONGEST or not token.isascii():
        return "", ""
    number, _, secret = token.removeprefix(PREFIX).partition("_")
    return number, secret
