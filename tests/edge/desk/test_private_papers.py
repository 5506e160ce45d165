"""Papers of cases say which of their values are personal, so that a masked sink tells none."""

import json
from pathlib import Path
from typing import Any

from cases_stage import change
from desk_stage import a_keeper

from connectors.notice import carried
from engine.edge.desk.private import Private
from engine.edge.desk.sqlbox import SqlOutbox
from engine.edge.desk.tables import incidents
from engine.model.change import Change

DRIVER, COMPANION, UNSAID = "欧阳明", 'O\'Brien "Bob"', "司马光"


def about_people(key: str = "F12345", ordinal: int = 1, transition: str = "fired") -> Change:
    """A transition whose sentences name two people; a third stands in its evidence only."""
    fields = {"driver": DRIVER, "companion": COMPANION, "owner": UNSAID}
    said = f"{DRIVER} and {COMPANION} stay"
    return change(
        transition, key=key, ordinal=ordinal, summary={"en": said, "zh": said},
        personal={"driver": "name", "companion": "name", "owner": "name"},
        evidence={"events": [{"feed": "gps", "fields": fields}]},
    )  # fmt: skip


async def papers_of(folder: Path, database: str, *changes: Change) -> list[bytes]:
    """What the first sink is given of these."""
    async with a_keeper(folder, database) as keeper:
        await keeper.take(list(changes))
        box = SqlOutbox(keeper, lambda: True)
        return [due.body for sink in ("police-sink", "town") for due in await box.claim(sink, 9)]


async def test_a_paper_names_the_personal_values_that_stand_in_it(
    database: str, tmp_path: Path
) -> None:
    bodies = await papers_of(tmp_path, database, about_people())
    assert bodies
    for body in bodies:
        said = json.loads(body)
        assert said["personal_values"] == {DRIVER: "name", COMPANION: "name"}
        shown = carried(body, "masked").decode()
        assert [one for one in (DRIVER, "Brien", UNSAID, "personal_values") if one in shown] == []
        assert json.loads(shown)["id"] == said["id"]


async def test_a_paper_without_people_says_nothing_of_them(database: str, tmp_path: Path) -> None:
    for body in await papers_of(tmp_path, database, change()):
        assert "personal_values" not in json.loads(body)


async def test_a_digest_names_those_of_every_case_in_it(database: str, tmp_path: Path) -> None:
    async with a_keeper(tmp_path, database) as keeper:
        await keeper.take([about_people("F1"), change(key="F2")])

        def told(link: Any) -> dict[str, Any]:
            ids = list(link.execute(incidents.select().with_only_columns(incidents.c.id)).scalars())
            listed = [{"incident": one, "title": {"en": f"case of {DRIVER}"}} for one in ids]
            digest = {"document": "digest", "papers": listed}
            found: dict[str, Any] = json.loads(Private(link).told("digest:s", json.dumps(digest)))
            return found

        assert (await keeper.store.read(told))["personal_values"] == {DRIVER: "name"}
