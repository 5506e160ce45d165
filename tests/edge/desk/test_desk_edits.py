"""Edits of a desk that runs: in force between two transactions, or refused with their places."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cases_stage import DUTY, HOUR, OFFICER, change
from desk_city import make_city
from sqlalchemy import select

from engine.cases.book import Request
from engine.cases.model import Incident, Stage, Verb
from engine.edge.desk.edits import listen_for_edits
from engine.edge.desk.intake import DaemonChanges, Intake
from engine.edge.desk.opening import OpenDesk, desk_folder, open_desk
from engine.edge.desk.tables import audit
from engine.edge.files import read_project
from engine.edge.metrics import Metrics
from engine.edge.settings import read_settings
from engine.edge.wiring import plan_connectors
from engine.errors import DeclarationError
from engine.ruleset.load import load_project
from engine.ruleset.spec import Project

FIRE = "  fire: {title: {zh: 消防, en: Fire brigade}, sinks: [orders]}\n"
NORTH = '  "990002": {tier: county, title: {zh: 北县, en: Northern county}, sinks: [orders]}\n'
TO_FIRE = "branches:\n  - route: dwells\n    when: {rules: dwell}\n    lead: fire\n"


@dataclass
class Edited:
    """A desk that runs over a folder, and the folder."""

    folder: Path
    desk: OpenDesk
    rules: list[Project]
    keys: int = 0

    def edit(self, file: str, was: str, now: str) -> None:
        path = self.folder / "desk" / file
        text = path.read_text("utf-8")
        assert text.count(was) == 1
        path.write_text(text.replace(was, now), "utf-8")

    def add(self, file: str, text: str) -> None:
        path = self.folder / "desk" / file
        before = path.read_text("utf-8") if path.exists() else ""
        path.write_text(f"{before.rstrip()}\n{text}".lstrip(), "utf-8")

    async def case(self, **said: Any) -> Incident:
        """A new alert, and the case that it opens."""
        self.keys += 1
        alert = change(key=f"F{self.keys}", **said)
        await self.desk.keeper.take([alert])
        return await self.of(alert.episode_id)

    async def of(self, episode: str) -> Incident:
        query = "SELECT b.body FROM incident_bodies b JOIN incidents i USING (seq)"
        rows = await self.desk.keeper.store.read(
            lambda link: list(link.exec_driver_sql(query).scalars())
        )
        found = [json.loads(body) for body in rows]
        (one,) = [
            each for each in found
            if episode in {member["episode"] for member in each["members"]} or each["id"] == episode
        ]  # fmt: skip
        return msgspec.convert(one, Incident)

    async def reload(self) -> tuple[str, list[str]]:
        answer = await self.desk.declared.reload()
        return answer.outcome, [f"{one.at} {one.code}" for one in answer.problems]


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Edited]:
    configured = read_settings(folder, {})
    project = load_project(read_project(configured.packs)).project
    assert project is not None
    rules = [project]
    changes = DaemonChanges(folder / "data/forewarn.db")
    async with open_desk(
        configured, project, plan_connectors(configured, project, "en"),
        lambda keeper: Intake(keeper, changes), Metrics(), lambda _why: None, "en",
        lambda: rules[0],
    ) as desk:  # fmt: skip
        yield Edited(folder, desk, rules)


def settled_city(folder: Path) -> None:
    """A desk of two departments and two centres, whose papers go to a file."""
    make_city(folder, "http://127.0.0.1:9", [])
    settings = json.loads((folder / "forewarn.yaml").read_text("utf-8"))
    settings["sinks"] = {
        "orders": {"kind": "jsonl", "path": "orders.jsonl"},
        "spare": {"kind": "jsonl", "path": "spare.jsonl"},
    }
    (folder / "forewarn.yaml").write_text(json.dumps(settings), "utf-8")
    with (folder / "desk/departments.yaml").open("a", encoding="utf-8") as file:
        file.write(FIRE)
    with (folder / "desk/centres.yaml").open("a", encoding="utf-8") as file:
        file.write(NORTH)


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[Edited]:
    settled_city(tmp_path)
    async with opened(tmp_path) as one:
        yield one


async def test_the_next_case_goes_where_the_edit_says_and_the_old_one_stays(city: Edited) -> None:
    first = await city.case()
    assert await city.reload() == ("unchanged", [])
    city.add("routes.yaml", TO_FIRE)
    assert await city.reload() == ("live", [])
    assert (await city.case()).lead == "fire"
    assert (await city.of(first.id)).lead == "police"


async def test_a_limit_that_runs_keeps_its_end_and_a_new_one_has_the_new(city: Edited) -> None:
    first = await city.case()
    city.edit("timings.yaml", "sign: {within: 2h, warn: 30m}", "sign: {within: 1h}")
    assert await city.reload() == ("live", [])
    second = await city.case()

    def lasts(case: Incident) -> int:
        clock = next(one for one in case.clocks if one.stage is Stage.SIGN)
        return (clock.due_ms or 0) - clock.started_ms

    assert lasts(await city.of(first.id)) == 2 * HOUR
    assert lasts(second) == HOUR


async def test_an_edit_in_force_is_a_row_of_the_audit(city: Edited) -> None:
    before = city.desk.declared.name
    city.add("routes.yaml", TO_FIRE)
    await city.reload()
    query = select(audit.c.before, audit.c.after).where(audit.c.action == "redeclare")
    rows = await city.desk.keeper.store.read(
        lambda link: [tuple(row) for row in link.execute(query)]
    )
    assert rows == [(before, city.desk.declared.name)]
    _, breaks = await city.desk.keeper.store.read(city.desk.keeper.ledger.verify)
    assert breaks == []


TEST = """route_tests:
  - name: dwells are for the fire brigade
    alert: {rule: stays}
    expect: {lead: fire}
"""
BAD = [
    pytest.param(
        [("departments.yaml", "sinks: [orders]}\n  fire", "sinks: [orders}\n  fire")],
        "departments.yaml:3", id="yaml-that-ends-too-soon",
    ),
    pytest.param([("routes.yaml", "lead: police", "lead: polise")], "routes.yaml:2:9 D106",
                 id="a-department-nobody-declared"),
    pytest.param([("routes_test.yaml", "", TEST)], "routes_test.yaml:4:20 S142",
                 id="a-route-test-that-fails"),
    pytest.param([("routes_test.yaml", "", TEST.replace("stays", "stayz"))],
                 "routes_test.yaml:3:19 D301", id="a-route-test-of-no-rule"),
    pytest.param([("departments.yaml", FIRE, FIRE.replace("orders", "spare"))],
                 "departments.yaml:4:3 S141", id="a-sink-that-was-not-opened"),
    pytest.param([("departments.yaml", FIRE, FIRE.replace("orders", "nowhere"))],
                 "departments.yaml:4:53 D117", id="a-sink-nobody-declared"),
]  # fmt: skip


@pytest.mark.parametrize(("edits", "place"), BAD)
async def test_a_bad_edit_is_refused_with_its_place_and_the_old_one_goes_on(
    city: Edited, edits: list[tuple[str, str, str]], place: str
) -> None:
    shutil.copytree(city.folder / "desk", city.folder / "good")
    city.add("routes.yaml", TO_FIRE)
    for file, was, now in edits:
        if was:
            city.edit(file, was, now)
        else:
            city.add(file, now)
    outcome, problems = await city.reload()
    assert outcome == "refused"
    assert place in problems[0], problems
    assert (await city.case()).lead == "police"
    assert city.desk.declared.notes()
    shutil.rmtree(city.folder / "desk")
    shutil.copytree(city.folder / "good", city.folder / "desk")
    assert await city.reload() == ("unchanged", [])
    assert city.desk.declared.notes() == []


async def test_a_folder_that_is_gone_is_refused(city: Edited) -> None:
    shutil.rmtree(city.folder / "desk")
    assert (await city.reload())[0] == "refused"
    assert (await city.case()).lead == "police"


GONE = [
    pytest.param("departments.yaml", FIRE, "departments.yaml:4:3 S140", id="department"),
    pytest.param("centres.yaml", NORTH, "centres.yaml:4:3 S140", id="centre"),
    pytest.param("timings.yaml", "  ordinary:", "timings.yaml:3:3 S140", id="limits"),
]


@pytest.mark.parametrize(("file", "text", "place"), GONE)
async def test_what_an_open_case_needs_cannot_be_taken_away(
    city: Edited, file: str, text: str, place: str
) -> None:
    city.add("routes.yaml", TO_FIRE)
    await city.reload()
    case = await city.case(area="990002")
    assert (case.lead, case.centre, case.terms.timing) == ("fire", "9900", "ordinary")
    city.edit("routes.yaml", "    lead: fire\n", "    tier: county\n    assisting: [fire]\n")
    await city.reload()
    other = await city.case(area="990002")
    assert (other.assisting, other.centre) == (("fire",), "990002")
    city.edit("routes.yaml", "    assisting: [fire]\n", "")
    if file == "timings.yaml":
        city.edit("timings.yaml", text, "  usual:")
        city.edit("routes.yaml", "timing: ordinary", "timing: usual")
    else:
        city.edit(file, text, "")
    outcome, problems = await city.reload()
    assert (outcome, [one.rpartition("desk/")[2] for one in problems]) == ("refused", [place])
    answer = await city.desk.declared.reload()
    assert case.number in answer.problems[0].what() or other.number in answer.problems[0].what()
    for one in (case, other):
        asked = Request(
            f"r-{one.id}", one.id, Verb.CLOSE, DUTY, "a drill", None, {"verdict": "false"}
        )
        await city.desk.keeper.ask(asked)
    assert await city.reload() == ("live", [])


async def test_other_rules_come_into_force_with_the_same_desk(city: Edited) -> None:
    other = replace(city.rules[0])
    city.rules[0] = other
    assert await city.reload() == ("live", [])
    assert city.desk.declared.project is other
    assert await city.reload() == ("unchanged", [])


async def test_rules_that_cannot_be_used_change_nothing(tmp_path: Path) -> None:
    settled_city(tmp_path)
    async with opened(tmp_path) as city:

        def broken() -> Project:
            raise DeclarationError([])

        city.desk.declared.rules = broken
        assert (await city.reload())[0] == "refused"
        assert (await city.case()).lead == "police"


async def test_a_changed_folder_and_other_rules_are_noticed(city: Edited) -> None:
    configured = read_settings(city.folder, {"FOREWARN_RELOAD__SETTLE_S": "0.1"})
    declared = city.desk.declared

    async def until(name: str) -> None:
        async with asyncio.timeout(30):
            while name in (declared.name, str(id(declared.project))):  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async with listen_for_edits(
        declared, [desk_folder(configured)], configured.values.reload, lambda: city.rules[0]
    ):
        await asyncio.sleep(0.2)
        before = declared.name
        city.add("routes.yaml", TO_FIRE)
        await until(before)
        assert (await city.case()).lead == "fire"
        known = str(id(declared.project))
        city.rules.insert(0, replace(city.rules[0]))
        await until(known)
    assert declared.project is city.rules[0]


async def test_a_restart_with_a_broken_folder_comes_up_with_what_was_in_force(
    tmp_path: Path,
) -> None:
    settled_city(tmp_path)
    async with opened(tmp_path) as city:
        city.add("routes.yaml", TO_FIRE)
        await city.reload()
        city.edit("routes.yaml", "lead: fire", "lead: fir")
        assert (await city.reload())[0] == "refused"
    async with opened(tmp_path) as again:
        assert again.desk.declared.notes()
        assert (await again.case()).lead == "fire"
        again.edit("routes.yaml", "lead: fir\n", "lead: police\n")
        assert await again.reload() == ("live", [])
        assert again.desk.declared.notes() == []


async def test_a_first_start_with_a_broken_folder_is_refused(tmp_path: Path) -> None:
    settled_city(tmp_path)
    (tmp_path / "desk/centres.yaml").write_text("centres: {}\n", "utf-8")
    with pytest.raises(DeclarationError):
        async with opened(tmp_path):
            pass


async def test_people_go_on_with_their_cases_after_an_edit(city: Edited) -> None:
    case = await city.case()
    city.add("routes.yaml", TO_FIRE)
    await city.reload()
    await city.desk.keeper.ask(Request("r1", case.id, Verb.ACKNOWLEDGE, OFFICER))
    assert (await city.of(case.id)).state == "acknowledged"
