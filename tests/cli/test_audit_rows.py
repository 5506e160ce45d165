"""`forewarn audit ls`: what was done, and of what was refused also what was asked."""

import asyncio
from pathlib import Path

import pytest
from cases_stage import DUTY, change
from desk_stage import a_keeper

from engine.cases.book import Request
from engine.cases.model import Verb, incident_id
from engine.cases.refused import Refused
from engine.edge.cli import main


async def filled(folder: Path) -> None:
    """A case, a move of it, and one that the desk refused."""
    async with a_keeper(folder) as keeper:
        await keeper.take([change()])
        case = incident_id(change().episode_id)
        await keeper.ask(Request(id="a", incident=case, verb=Verb.ACKNOWLEDGE, actor=DUTY))
        with pytest.raises(Refused):
            await keeper.ask(
                Request(id="b", incident=case, verb=Verb.EXTEND, actor=DUTY, reason="no staff")
            )


def test_a_refused_move_says_what_was_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "forewarn.yaml").write_text("data_folder: data\n")
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    asyncio.run(filled(tmp_path / "data"))
    assert main(["audit", "ls"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[3] for line in lines] == [
        "open", "dispatch", "acknowledge", "refused extend",
    ]  # fmt: skip
    assert lines[-1].endswith("no staff")
