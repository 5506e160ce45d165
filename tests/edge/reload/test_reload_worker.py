"""A worker on Kafka and edited rules: live between two batches, or refused, and always running."""

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
import stream_world as world
from paper_kafka import PaperStage, PaperWorker
from reload_stage import FEED, PACK, T0, TEST, rule

from engine.edge.files import read_project
from engine.edge.metrics import Metrics
from engine.edge.reload import Answer, Reloader
from engine.edge.reload_good import GoodSetsWhereTheyCan, name_of
from engine.edge.reload_wiring import Rules, reloader_of
from engine.edge.reload_worker import DispatcherRunner, WorkerRunner
from engine.edge.settings import read_settings
from engine.edge.streaming.layout_fit import restart_of_workers
from engine.edge.wiring import Plan
from engine.ruleset.compile import Program, compile_project
from engine.ruleset.load import load_project
from engine.ruleset.source import DeclaredFile

NEIGHBOUR = FEED.replace("feed: sensors", "feed: posts").replace("feed.sensors", "feed.posts")
UNREAD = FEED.replace("feed: sensors", "feed: winds").replace("feed.sensors", "feed.winds")
FIRED, CLEARED, DROPPED = "fired", "cleared", "dropped"


class Town:
    """A pack that is edited, and a worker on paper that runs it."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.rules = folder, folder / "heat"
        (self.rules / "feeds").mkdir(parents=True)
        self.write("pack.yaml", PACK)
        self.write("feeds/sensors.yaml", FEED)
        self.write("feeds/posts.yaml", NEIGHBOUR)
        self.write("feeds/winds.yaml", UNREAD)
        self.write("routes.yaml", "routes:\n  ops: {sinks: [out]}\n")
        self.write("too-hot.yaml", rule("too-hot"))
        self.write("neighbour.yaml", rule("neighbour", 90).replace("sensors", "posts"))
        settings = {
            "packs": ["heat"],
            "broker": "kafka://127.0.0.1:9",
            "sinks": {"out": {"kind": "jsonl", "path": "out.jsonl"}},
        }
        (folder / "forewarn.yaml").write_text(json.dumps(settings), "utf-8")
        project = load_project(self.read()).project
        assert project is not None
        self.program = compile_project(project)
        self.stage = PaperStage(self.program, patch)
        self.worker: PaperWorker = self.stage.worker(self.program)
        self.good = GoodSetsWhereTheyCan(folder / "data")
        self.metrics, self.plans = Metrics(), list[Plan]()
        self.reloader = self._reloader()
        self.minute = 0

    def write(self, name: str, text: str) -> None:
        (self.rules / name).write_text(text, "utf-8")

    def read(self) -> list[DeclaredFile]:
        return read_project([self.rules])

    def _reloader(self) -> Reloader:
        runner = WorkerRunner(self.good)
        runner.met(self.worker.hub)
        kit = self.worker.hub.kit

        def misfits(_project: object, new: Program) -> Sequence[object]:
            return restart_of_workers(kit.link, kit.layout, self.worker.hub.kit.program, new)

        rules = Rules(self.read(), self.read, [self.rules])
        return reloader_of(
            rules, read_settings(self.folder, {}), self.program, runner, self.metrics,
            misfits, self.plans.append, "en", self.good,  # type: ignore[arg-type]
        )  # fmt: skip

    async def hot(self, sensor: str, temp: float) -> None:
        """A minute later a sensor says something, and all of it is worked on."""
        self.minute += 1
        at_ms = T0 + self.minute * 60_000
        value = json.dumps({"sensor": sensor, "t": at_ms, "temp": temp}).encode()
        self.stage.send([world.Sent("sensors", sensor, value, at_ms)])
        self.stage.beat(at_ms + 1)
        await self.worker.until(lambda: self.stage.complete(at_ms + 1))

    def told(self) -> list[tuple[str, str, str]]:
        """Rule, key and transition of everything announced, in the order of event time."""
        found = sorted(self.stage.alerts(), key=lambda one: (one.at_ms, one.rule))
        return [(one.rule, one.key, str(one.transition)) for one in found]

    async def reload(self, *, only_plan: bool = False) -> Answer:
        return await self.reloader.reload(only_plan=only_plan)

    def live(self) -> str:
        return self.good.noted()["live"]


@pytest_asyncio.fixture
async def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    made = Town(tmp_path, monkeypatch)
    await made.worker.assign(made.stage.places())
    await made.reloader.begin()
    yield made
    await made.reloader.close()
    await made.stage.close()


async def test_an_edit_is_live_with_the_answer(town: Town) -> None:
    await town.hot("s1", 40)
    old = town.program.rules["too-hot"].spec.hash[:6]
    assert (await town.reload()).outcome == "unchanged"
    town.write("too-hot.yaml", rule("too-hot", 35, f"on_change: {{from: '{old}', do: keep}}\n"))
    town.write("very-hot.yaml", rule("very-hot", 45))
    planned = await town.reload(only_plan=True)
    assert (planned.outcome, planned.rows()["kept"]) == ("fits", 1)
    before = town.live()
    answer = await town.reload()
    assert (answer.outcome, list(answer.added)) == ("live", ["very-hot"])
    assert (list(answer.changed), answer.rows()["kept"]) == (["too-hot"], 1)
    assert answer.pause_ms > 0
    assert town.live() == answer.name != before
    assert town.good.read(answer.name) is not None
    assert len(town.plans) == 1
    await town.hot("s2", 50)
    await town.hot("s3", 32)
    await town.hot("s1", 10)
    assert town.told() == [
        ("too-hot", "s1", FIRED), ("too-hot", "s2", FIRED), ("very-hot", "s2", FIRED),
        ("too-hot", "s1", CLEARED),
    ]  # fmt: skip
    (town.rules / "too-hot.yaml").unlink()
    assert (await town.reload()).outcome == "live"
    await town.hot("s2", 10)
    assert town.told()[4:] == [("too-hot", "s2", DROPPED), ("very-hot", "s2", CLEARED)]


REFUSED = {
    "a file that is no rule": ("too-hot.yaml", "rule: [", "R"),
    "a route that does not exist": ("too-hot.yaml", rule("too-hot").replace("ops", "gone"), "R"),
    "no word about state": ("too-hot.yaml", rule("too-hot", 35), "S121"),
    "the first rule by a key": (
        "windy.yaml", rule("windy").replace("by: sensor", "by: [sensor, t]"), "S130",
    ),
    "a feed more": (
        "windy.yaml", rule("windy").replace("from: sensors", "from: winds"), "S131",
    ),
    "a feed from another topic": (
        "feeds/sensors.yaml", FEED.replace("topic: feed.sensors", "topic: feed.others"), "S132",
    ),
    "a field of another kind": (
        "feeds/sensors.yaml", FEED.replace("wind: {type: number", "wind: {type: text"), "S132",
    ),
    "another id": ("feeds/sensors.yaml", FEED.replace("id: [sensor, t]", "id: [sensor]"), "S132"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
async def test_what_cannot_be_taken_is_refused_and_the_live_rules_go_on(
    town: Town, name: str
) -> None:
    await town.hot("s1", 40)
    path, text, code = REFUSED[name]
    before, live = (town.rules / path), town.live()
    kept = before.read_text("utf-8") if before.exists() else ""
    town.write(path, text)
    answer = await town.reload()
    assert answer.outcome == "refused"
    assert all(one.code.startswith(code) for one in answer.problems), answer.problems
    if code.startswith("S13"):
        assert answer.problems[0].at.file.endswith(path)
        assert "restart the workers one after another" in answer.problems[0].report("en")
    assert town.live() == live
    assert ("refused" in town.good.noted()) is not code.startswith("S13")
    assert b"forewarn_reload_refused 1.0" in town.metrics.text()
    await town.hot("s1", 10)
    assert town.told() == [("too-hot", "s1", FIRED), ("too-hot", "s1", CLEARED)]
    town.write(path, kept)
    if not kept:
        before.unlink()
    assert (await town.reload()).outcome == "unchanged"


async def test_a_rule_whose_test_fails_is_not_taken(town: Town) -> None:
    town.write("too-hot_test.yaml", TEST)
    assert (await town.reload()).outcome == "live"
    town.write("too-hot.yaml", rule("too-hot", 90))
    answer = await town.reload()
    assert [one.code for one in answer.problems] == ["S120"]


async def test_the_last_rule_by_a_key_goes_with_a_restart(town: Town) -> None:
    town.write("windy.yaml", rule("windy").replace("by: sensor", "by: [sensor, t]"))
    (town.rules / "too-hot.yaml").unlink()
    (town.rules / "neighbour.yaml").unlink()
    assert {one.code for one in (await town.reload()).problems} == {"S130"}


async def test_while_partitions_are_dealt_out_nobody_can_say_whether_state_fits(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.edge.streaming.changeover.WHOLE_S", 0.05)
    await town.hot("s1", 40)
    old = town.program.rules["too-hot"].spec.hash[:6]
    town.write("too-hot.yaml", rule("too-hot", 35, f"on_change: {{from: '{old}', do: keep}}\n"))
    live = town.live()
    await town.worker.hub.revoked(set())
    assert [one.code for one in (await town.reload()).problems] == ["S134"]
    await town.worker.hub.assigned(town.stage.places(), 2)
    await town.worker.until(lambda: town.worker.hub.ready)
    assert town.live() == live
    assert (await town.reload()).outcome == "live"


async def test_a_dispatcher_takes_the_routes(town: Town, tmp_path: Path) -> None:
    plans: list[Plan] = []
    good = GoodSetsWhereTheyCan(tmp_path / "dispatch")
    rules = Rules(town.read(), town.read, [town.rules])
    reloader = reloader_of(
        rules, read_settings(town.folder, {}), town.program, DispatcherRunner(good), Metrics(),
        lambda _project, _program: [], plans.append, "en", good,
    )  # fmt: skip
    try:
        await reloader.begin()
        town.write("routes.yaml", "routes:\n  ops: {sinks: [out]}\n  more: {sinks: [out]}\n")
        assert (await reloader.reload()).outcome == "live"
    finally:
        await reloader.close()
    assert set(plans[0].routes) == {"ops", "more"}
    assert good.noted() == {"live": name_of(town.read())}


async def test_where_nothing_can_be_kept_rules_come_in_all_the_same(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = town.folder / "blocked"
    blocked.write_text("no folder", "utf-8")
    good = GoodSetsWhereTheyCan(blocked)
    assert good.keep(town.read()) == name_of(town.read())
    good.note("live", "x")
    assert capsys.readouterr().out.count("rules-not-kept") == 1
    assert good.noted() == {}
