"""The desk inside the embedded daemon: from a record to an order at the receiver, and calm ends."""

import json
import stat
from pathlib import Path

from desk_city import make_city
from receiver import receiver

from engine.edge.daemon import run_async
from engine.edge.desk.opening import head_path, open_ledger, open_store
from engine.edge.desk.queries import IncidentsAsked, list_incidents, whole_incident
from engine.edge.files import read_project
from engine.edge.settings import Configured, read_settings
from engine.ruleset.load import load_project
from engine.ruleset.spec import Project


def loaded(folder: Path) -> tuple[Configured, Project]:
    configured = read_settings(folder, {})
    project = load_project(read_project(configured.packs)).project
    assert project is not None
    return configured, project


async def test_an_alert_becomes_a_case_and_the_case_an_order(tmp_path: Path) -> None:
    async with receiver() as peer:
        make_city(tmp_path, peer.url)
        configured, project = loaded(tmp_path)
        assert await run_async(configured, project, once=True) == 0
    orders = [json.loads(body) for _, body in peer.got]
    store = open_store(configured, "en")
    try:
        page = store.read_now(lambda link: list_incidents(link, IncidentsAsked(), limit=100))
        assert len(page.rows) == 6
        whole = store.read_now(lambda link: whole_incident(link, page.rows[0].id))
        count, breaks = store.read_now(open_ledger(configured, "en").verify)
    finally:
        await store.close()
    assert whole is not None
    assert [str(move.verb) for move in whole.moves][:2] == ["open", "dispatch"]
    assert {paper.phase for paper in whole.papers} == {"sent"}
    assert sum(order["document"] == "order" for order in orders) >= 6
    assert len(peer.ids) == len(set(peer.ids))
    assert count > 0
    assert breaks == []


async def test_a_second_run_adds_nothing(tmp_path: Path) -> None:
    async with receiver() as peer:
        make_city(tmp_path, peer.url)
        configured, project = loaded(tmp_path)
        assert await run_async(configured, project, once=True) == 0
        before = list(peer.ids)
        assert await run_async(configured, project, once=True) == 0
    assert peer.ids == before


async def test_files_of_the_desk_are_for_its_owner_alone(tmp_path: Path) -> None:
    async with receiver() as peer:
        make_city(tmp_path, peer.url)
        configured, project = loaded(tmp_path)
        await run_async(configured, project, once=True)
    found = [*configured.data_folder.glob("desk*"), *configured.data_folder.glob("desk/**/*")]
    files = [*(one for one in found if one.is_file()), head_path(configured)]
    assert len(files) >= 4
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    folders = [one for one in found if one.is_dir()]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
