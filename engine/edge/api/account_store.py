"""Service tokens in the desk's database, each change of them with its row of the audit."""

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select, update

from engine.cases.model import Actor, Role
from engine.edge.api.accounts import Account
from engine.edge.desk.audit import Entry, Ledger
from engine.edge.desk.store import DeskStore
from engine.edge.desk.tables import tokens


class AccountStore:
    """Keeps tokens; readers see a token revoked as soon as that is on disk."""

    def __init__(self, store: DeskStore, ledger: Ledger) -> None:
        """Keep them in this store."""
        self._store, self._ledger = store, ledger

    async def account(self, id: str) -> Account | None:  # noqa: A002
        """A token by its id."""
        return await self._store.read(lambda link: _one(link, id))

    async def accounts(self) -> Sequence[Account]:
        """All of them, revoked ones too, in the order in which they were made."""
        return await self._store.read(self.all_now)

    async def add(self, account: Account, actor: Actor) -> None:
        """Keep a token, and write down who gave it."""
        await self._store.write(lambda link: self.add_now(link, account, actor))

    async def revoke(self, id: str, actor: Actor) -> Account | None:  # noqa: A002
        """Revoke a token and write down who did; None if there is none."""
        return await self._store.write(lambda link: self.revoke_now(link, id, actor))

    def all_now(self, link: Connection) -> list[Account]:
        """The same inside a transaction."""
        return [_account(row) for row in link.execute(select(tokens).order_by(tokens.c.seq))]

    def add_now(self, link: Connection, account: Account, actor: Actor) -> None:
        """The same inside a transaction."""
        link.execute(
            insert(tokens).values(
                id=account.id, name=account.name, roles=" ".join(account.roles),
                areas=" ".join(account.areas), departments=" ".join(account.departments),
                digest=account.digest, created_ms=account.created_ms,
                expires_ms=account.expires_ms,
            )
        )  # fmt: skip
        details = {
            "name": account.name, "roles": list(account.roles), "areas": list(account.areas),
            "departments": list(account.departments), "expires_ms": account.expires_ms,
        }  # fmt: skip
        about = f"token:{account.id}"
        entry = Entry(actor, "token-add", about, details=details)
        self._ledger.write(link, [entry], self._store.now_ms())

    def revoke_now(self, link: Connection, id: str, actor: Actor) -> Account | None:  # noqa: A002
        """The same inside a transaction; a token that is revoked stays as it was."""
        found, now_ms = _one(link, id), self._store.now_ms()
        if found is None or found.revoked_ms is not None:
            return found
        link.execute(update(tokens).where(tokens.c.id == id).values(revoked_ms=now_ms))
        self._ledger.write(link, [Entry(actor, "token-revoke", f"token:{id}")], now_ms)
        return _one(link, id)


def _one(link: Connection, id_: str) -> Account | None:
    row = link.execute(select(tokens).where(tokens.c.id == id_)).first()
    return None if row is None else _account(row)


def _account(row: object) -> Account:
    values: dict[str, object] = dict(row._mapping)  # type: ignore[attr-defined]  # noqa: SLF001 - SQLAlchemy's public name
    del values["seq"]
    for name in ("roles", "areas", "departments"):
        values[name] = tuple(str(values[name]).split())
    values["roles"] = tuple(Role(role) for role in values["roles"])  # type: ignore[attr-defined]
    return Account(**values)  # type: ignore[arg-type]
