"""What a start does with saved state: takes it up, drops it on the rules' word, or refuses."""

from pathlib import Path
from typing import Any

import pytest
from daemon_stage import EchoCore, a_store

from engine.edge.recover import Recovery, recover
from engine.edge.store import Store
from engine.errors import StateError
from engine.operators.specs.match import MatchSpec
from engine.ports import Outcome, Position, Write
from engine.ruleset.spec import OnChange, RuleSpec, Severity
from engine.state.codec import pack_row, unpack_row

OLD, NEW = "aaaaaaaaaaaa", "bbbbbbbbbbbb"


class Taking(EchoCore):
    """Remembers what it was given back."""

    def restore(self, meta: bytes | None, rows: Any) -> Any:
        self.meta = meta
        self.given = {(row.rule, row.key): unpack_row(row.value) for row in rows}
        return {"log": Position(5, 9, 0)}


def rule(name: str, hash_: str, space: str = "k", **words: Any) -> RuleSpec:
    return RuleSpec(
        id=name, title={}, severity=Severity.BLUE, feeds=("f",), by={}, space=space,
        when=MatchSpec(None), hash=hash_, **words,  # type: ignore[arg-type]
    )  # fmt: skip


async def save(store: Store, space: str = "k", **rows: str) -> None:
    """Leave state of rules behind, each written by the hash given."""
    writes = [Write(name, "x", pack_row(hash_, name)) for name, hash_ in rows.items()]
    writes.append(Write("~hygiene/f", "x", pack_row("", 1)))
    await store.apply({(space, 0): Outcome(meta=b"m", writes=writes)})


async def start(store: Store, *rules: RuleSpec) -> Taking:
    core = Taking()
    await recover(store, {"k": core}, {one.id: one for one in rules}, "en")
    return core


async def test_state_that_fits_is_taken_up(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        await save(store, r=OLD)
        core = await start(store, rule("r", OLD))
        assert core.given == {("r", "x"): (OLD, "r"), ("~hygiene/f", "x"): ("", 1)}


async def test_a_rule_that_was_taken_out_leaves_a_note(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        await save(store, r=OLD, gone=OLD)
        await start(store, rule("r", OLD))
        notes = await store.run(lambda link: link.execute("SELECT rule FROM troubles").fetchall())
        assert notes == [("gone",)]


@pytest.mark.parametrize(
    ("saved", "rules", "sentence"),
    [
        pytest.param(
            {"r": OLD}, [rule("r", NEW)], "r: 1 keys were saved by version aaaaaa", id="no-word"
        ),
        pytest.param(
            {"r": OLD}, [rule("r", NEW, on_change=OnChange("cccccc", "keep"))], "now bbbbbb",
            id="a-word-about-another-version",
        ),
        pytest.param(
            {"r": OLD, "space": "moved"},
            [rule("r", NEW, on_change=OnChange(OLD[:6], "keep"))],
            "saved under the key moved", id="kept-under-another-key",
        ),
        pytest.param(
            {"r": OLD, "q": OLD}, [rule("other", NEW)], r"declared any more \(q, r\)",
            id="none-of-the-rules-is-there",
        ),
    ],
)  # fmt: skip
async def test_what_nobody_decided_is_refused_and_nothing_is_changed(
    tmp_path: Path, saved: dict[str, str], rules: list[RuleSpec], sentence: str
) -> None:
    async with a_store(tmp_path) as store:
        await save(store, **saved)
        before = await store.saved()
        with pytest.raises(StateError, match=sentence):
            await start(store, *rules)
        assert await store.saved() == before


def test_a_log_is_read_from_the_lowest_offset_that_any_key_space_needs() -> None:
    found = Recovery({("a", "log"): 7, ("b", "log"): 4, ("a", "other"): 9})
    assert found.resume(["a", "b"]) == {"log": 4}
    assert found.resume(["a"]) == {"log": 7, "other": 9}


def test_a_new_key_space_reads_every_log_from_its_start() -> None:
    assert Recovery({("a", "log"): 7}).resume(["a", "new"]) == {}
