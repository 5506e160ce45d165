"""What the runbook tells people to type does what it says."""

import asyncio
import re
import shlex
from pathlib import Path

from daemon_stage import FAST, MoodySink, a_store, change

from engine.edge.cli import main
from engine.edge.cli.entry import VERBS
from engine.edge.metrics import Metrics
from engine.edge.outbox import Senders
from engine.edge.settings import Settings
from engine.errors import Permanent

RUNBOOK = Path(__file__).parents[2] / "docs/runbook"


def said(page: str, action: str) -> list[str]:
    """The words of the command of a page that does something to the outbox, filled in."""
    (line, *_) = re.findall(
        rf"`forewarn (outbox {action} [^`]*)`", (RUNBOOK / page).read_text("utf-8")
    )
    return shlex.split(line.replace("NAME", "s").replace("17 18", "1").replace("17", "1"))


async def test_given_up_deliveries_are_listed_and_sent_again_as_the_page_says(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "forewarn.yaml").write_text("data_folder: .\n")
    monkeypatch.chdir(tmp_path)
    sink = MoodySink()
    sink.errors = [Permanent("http-410", "gone")] * 2
    async with a_store(tmp_path, "s") as store:
        senders = Senders([sink], store, FAST, Metrics())
        await senders.start()
        await store.accept([change("a"), change("b")], {})
        await senders.drained(5.0, asyncio.Event())
        await senders.stop(0.5)
    for action in ("ls", "show", "drop", "retry"):
        words = [*said("outbox-dead.md", action), "--lang", "en"]
        assert await asyncio.to_thread(main, words) == 0, capsys.readouterr()
    told = capsys.readouterr().out
    assert "http-410" in told
    assert "1 will be sent again." in told
    assert "1 dropped." in told
    async with a_store(tmp_path, "s") as store:
        senders = Senders([sink], store, FAST, Metrics())
        await senders.start()
        await senders.drained(5.0, asyncio.Event())
        await senders.stop(0.5)
        assert (await store.backlog("s")).dead == 0
    assert sink.taken == [change("b").delivery_id]


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
