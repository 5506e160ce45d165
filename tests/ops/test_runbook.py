"""What the runbook tells people to type does what it says."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from daemon_stage import FAST, MoodySink, a_store, change

from engine.edge.cli.entry import VERBS
from engine.edge.metrics import Metrics
from engine.edge.outbox import Senders
from engine.edge.settings import Settings
from engine.edge.store import connect_reader
from engine.errors import Permanent

RUNBOOK = Path(__file__).parents[2] / "docs/runbook"


def statements(page: str) -> list[str]:
    """The SQL on a page."""
    text = (RUNBOOK / page).read_text("utf-8")
    return re.findall(r"((?:SELECT|UPDATE) [^`\"]*)", text)


async def test_given_up_deliveries_are_listed_and_sent_again_as_the_page_says(tmp_path):
    show, revive = statements("outbox-dead.md")
    sink = MoodySink()
    sink.errors = [Permanent("http-410", "gone")]
    async with a_store(tmp_path, "s") as store:
        senders = Senders([sink], store, FAST, Metrics())
        await senders.start()
        await store.accept([change("a")], {})
        while not (await store.backlog("s")).dead:
            pass
        await senders.stop(0.5)
        link = connect_reader(store.path)
        rows = link.execute(show).fetchall()
        link.close()
        path = store.path
    assert [(row[0], row[2]) for row in rows] == [("s", "http-410")]
    with closing(sqlite3.connect(path)) as link, link:
        assert link.execute(revive).rowcount == 1
    async with a_store(tmp_path, "s") as store:
        senders = Senders([sink], store, FAST, Metrics())
        await senders.start()
        while (await store.backlog("s")).waiting:
            pass
        await senders.stop(0.5)
        assert (await store.backlog("s")).dead == 0
    assert sink.taken == [change("a").delivery_id]


def test_commands_on_the_pages_are_commands_of_ours():
    for page in RUNBOOK.glob("*.md"):
        for verb in re.findall(r"`forewarn ([a-z]+)", page.read_text("utf-8")):
            assert verb in VERBS, (page.name, verb)


KAFKAS_OWN = {("retention", "ms"), ("retention", "bytes")}


def test_settings_on_the_pages_are_settings_of_ours():
    sections = {
        name: set(getattr(field.annotation, "model_fields", {}))
        for name, field in Settings.model_fields.items()
    }
    for page in RUNBOOK.glob("*.md"):
        text = page.read_text("utf-8")
        for section, name in re.findall(r"`(outbox|http|metrics|retention|kafka)\.(\w+)`", text):
            known = name in sections[section] or (section, name) in KAFKAS_OWN
            assert known, (page.name, section, name)
