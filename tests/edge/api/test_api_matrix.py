"""Every route with every role is really called: who may gets in, who may not is told 403."""

import pytest
from api_stage import Stage, staged

from engine.cases.model import Role
from engine.edge.api.roles import PERSONS, SIGNED, TABLE, may


def routes(stage: Stage) -> set[str]:
    return {
        f"{method.upper()} {path}"
        for path, methods in stage.app.openapi()["paths"].items()
        for method in methods
    }


async def test_the_description_and_the_table_name_the_same_routes(tmp_path):
    async with staged(tmp_path) as stage:
        assert routes(stage) == set(TABLE)


async def test_every_cell_of_the_matrix(tmp_path):
    wrong: list[tuple[str, str, int]] = []
    async with staged(tmp_path) as stage:
        stage.services.stopping = True  # a stream of events ends after what is there
        for name in sorted(routes(stage)):
            method, _, path = name.partition(" ")
            for part in ("incident", "episode", "rule", "silence", "token", "system"):
                path = path.replace(f"{{{part}}}", "nothing-of-this-name")
            for role in PERSONS:
                answer = await stage.call(method, path, await stage.token(role), {})
                if TABLE[name] == SIGNED:
                    fits = answer.status == 401
                elif may([role], TABLE[name]):
                    fits = answer.status in {200, 404, 422}
                else:
                    fits = answer.status == 403 and answer.json["code"] == "role"
                if not fits:
                    wrong.append((name, role, answer.status))
            nobody = await stage.call(method, path, "", {})
            if nobody.status != 401:
                wrong.append((name, "nobody", nobody.status))
    assert wrong == []


@pytest.mark.parametrize("role", [Role.ADMIN, Role.AUDITOR])
async def test_two_roles_are_allowed_what_either_is(tmp_path, role):
    async with staged(tmp_path) as stage:
        token = await stage.token(Role.VIEWER, role)
        for name in ("/api/v1/incidents", "/api/v1/tokens", "/api/v1/audit"):
            answer = await stage.call("GET", name, token)
            assert (answer.status == 200) == may([Role.VIEWER, role], TABLE[f"GET {name}"])
