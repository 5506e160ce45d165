"""The table of roles: nothing is served that has no row, nobody uses what no row gives him."""

import pytest

from engine.cases.life import ASKED, LIFE
from engine.cases.model import Role, Verb
from engine.edge.api.roles import EXCLUSIVE, MOVES, SIGNED, TABLE, Uncovered, cover, may


def test_a_route_without_a_row_is_an_error():
    with pytest.raises(Uncovered, match="GET /new"):
        cover([*TABLE, "GET /new"])


def test_a_row_without_a_route_is_an_error():
    with pytest.raises(Uncovered, match="GET /api/v1/me"):
        cover([name for name in TABLE if name != "GET /api/v1/me"])


def test_no_row_means_no_use():
    assert not may(list(Role), None)
    assert not may(list(Role), SIGNED)
    assert not may([], TABLE["GET /api/v1/me"])


def test_moves_are_those_of_the_life_of_a_case():
    assert set(MOVES) == ASKED - {Verb.RECEIPT}
    for verb, roles in MOVES.items():
        assert roles, verb
        assert roles == {r for way in LIFE if way.verb is verb for r in way.who} - {Role.SYSTEM}


def test_administrators_of_accounts_and_audit_see_no_case():
    for name, row in TABLE.items():
        assert isinstance(row, frozenset) or row == SIGNED
        if "incident" in name or "alert" in name or name.endswith(("search", "events")):
            assert not may([Role.ADMIN], row)
            assert not may([Role.AUDITOR], row)
    assert Role.HANDLER not in EXCLUSIVE
