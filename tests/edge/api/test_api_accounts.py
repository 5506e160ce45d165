"""Service tokens: random, kept as hashes, over when they are over, never two administrators."""

import asyncio

import pytest

from engine.cases.model import Role
from engine.edge.api.accounts import DAY_MS, Account, issue, recognise
from engine.edge.api.problems import Code, Refusal

NOW = 1_700_000_000_000


class Kept:
    """Tokens in memory."""

    def __init__(self, *kept: Account) -> None:
        self.kept = {one.id: one for one in kept}

    async def account(self, id: str) -> Account | None:  # noqa: A002
        return self.kept.get(id)


def refused(kept: Kept, header: str, at_ms: int = NOW) -> Code:
    with pytest.raises(Refusal) as caught:
        asyncio.run(recognise(kept, header, at_ms))  # type: ignore[arg-type]
    assert caught.value.status == 401
    assert caught.value.headers["WWW-Authenticate"].startswith("Bearer")
    return caught.value.code


def test_a_token_is_recognised_until_the_instant_at_which_it_ends():
    account, token = issue("duty", [Role.HANDLER], NOW, days=1)
    kept = Kept(account)
    assert asyncio.run(recognise(kept, f"Bearer {token}", NOW + DAY_MS - 1)) == account  # type: ignore[arg-type]
    assert refused(kept, f"Bearer {token}", NOW + DAY_MS) is Code.TOKEN_OVER


def test_a_revoked_token_is_over_at_once():
    account, token = issue("duty", [Role.HANDLER], NOW, days=1)
    gone = Account(
        **{n: getattr(account, n) for n in account.__struct_fields__} | {"revoked_ms": 1}
    )
    assert refused(Kept(gone), f"Bearer {token}") is Code.TOKEN_OVER


def test_nothing_of_the_secret_is_kept():
    account, token = issue("duty", [Role.VIEWER], NOW, days=1)
    secret = token.split("_", 2)[2]
    assert len(secret) >= 43  # 256 bits
    assert secret not in repr(account)


def test_no_two_tokens_are_alike():
    made = [issue("x", [Role.VIEWER], NOW, days=1) for _ in range(200)]
    assert len({token for _, token in made}) == len({one.id for one, _ in made}) == 200


ACCOUNT, TOKEN = issue("duty", [Role.HANDLER], NOW, days=1)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        pytest.param("", Code.TOKEN_MISSING, id="nothing"),
        pytest.param("Bearer", Code.TOKEN_MISSING, id="scheme alone"),
        pytest.param(f"Basic {TOKEN}", Code.TOKEN_MISSING, id="another scheme"),
        pytest.param(TOKEN, Code.TOKEN_MISSING, id="no scheme"),
        pytest.param("Bearer abc", Code.TOKEN_WRONG, id="no token of ours"),
        pytest.param(f"Bearer {TOKEN[:-1]}", Code.TOKEN_WRONG, id="cut short"),
        pytest.param(f"Bearer {TOKEN}x", Code.TOKEN_WRONG, id="longer"),
        pytest.param(f"Bearer {TOKEN.swapcase()}", Code.TOKEN_WRONG, id="other letters"),
        pytest.param(f"Bearer fwt_{ACCOUNT.id}_", Code.TOKEN_WRONG, id="no secret"),
        pytest.param(f"Bearer fwt_{ACCOUNT.id}_{ACCOUNT.digest}", Code.TOKEN_WRONG, id="the hash"),
        pytest.param("Bearer fwt__", Code.TOKEN_WRONG, id="nobody, nothing"),
        pytest.param(f"Bearer fwt_{'a' * 12}_{'b' * 43}", Code.TOKEN_WRONG, id="nobody's"),
        pytest.param(f"Bearer fwt_{'a' * 500}", Code.TOKEN_WRONG, id="too long"),
        pytest.param("Bearer fwt_é_ü", Code.TOKEN_WRONG, id="not ASCII"),
    ],
)
def test_what_is_no_token_is_refused(header, code):
    assert refused(Kept(ACCOUNT), header) is code


@pytest.mark.parametrize(
    "roles",
    [
        pytest.param([Role.ADMIN, Role.AUDITOR], id="accounts and audit"),
        pytest.param([Role.ADMIN, Role.OPERATOR], id="accounts and duty desk"),
        pytest.param([Role.AUDITOR, Role.OPERATOR], id="audit and duty desk"),
    ],
)
def test_nobody_administers_two_things(roles):
    with pytest.raises(Refusal) as caught:
        issue("boss", roles, NOW, days=1)
    assert caught.value.code is Code.ROLES_TOGETHER
