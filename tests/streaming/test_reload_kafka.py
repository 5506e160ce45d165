"""Rules edited under workers on a real Kafka: what a daemon makes of the same edit, or nothing."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
from reload_stage import City, a_city, rule
from reload_town import END_MS, HALF_MS, MIN, SENSORS, Town, alike, declare, edit, halves
from stream_world import Sent, heartbeat

from engine.edge.crashpoint import VARIABLE

pytestmark = pytest.mark.kafka
POINTS = ("reload-built", "swap-begun", "swap-in-memory", "swap-not-committed", "swap-committed")
Told = tuple[list[tuple[object, ...]], list[tuple[str, str, bytes]]]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """What an embedded daemon makes of the story, edited at the same place."""
    with a_city(tmp_path_factory.mktemp("daemon"), reload={"watch": False}) as city:
        (city.rules / "too-hot.yaml").unlink()
        declare(city.rules, "feed.sensors")
        city.start()
        _write(city, halves()[0], HALF_MS - MIN + len(SENSORS))
        edit(city.rules)
        assert city.ask()["outcome"] == "live"
        _write(city, halves()[1], END_MS)
        assert city.stop() == 0
        told = city.query("SELECT delivery_id, rule, key, transition, at_ms FROM changes")
        rows = city.query("SELECT rule, key, value FROM state")
        return sorted(told), sorted(rows)  # type: ignore[arg-type]


def _write(city: City, records: list[Sent], until_ms: int) -> None:
    """Let the daemon read records, and wait until event time is where it must be."""
    lines = [one.value.decode() for one in records] + [heartbeat(until_ms).decode()]
    with (city.folder / "in.jsonl").open("a", encoding="utf-8") as file:
        file.write("".join(line + "\n" for line in lines))
    city.until(lambda: _complete(city) >= until_ms, city.log)


def _complete(city: City) -> int:
    """Up to when every key space is complete."""
    rows = city.query("SELECT min(watermark_ms) FROM meta")
    return int(str(rows[0][0] or 0))


@pytest_asyncio.fixture
async def town(bootstrap: str, tmp_path: Path) -> AsyncIterator[Town]:
    made = Town(bootstrap, tmp_path)
    await made.open()
    yield made
    made.close()


async def test_one_worker_does_what_the_daemon_does(town: Town, daemon: Told) -> None:
    town.run("w0", role="")
    await town.half(0)
    edit(town.rules)
    planned = await town.asked("w0", "?plan")
    assert planned["outcome"] == "fits"
    answer = await town.asked("w0")
    assert answer["outcome"] == "live"
    assert answer["state"] == planned["state"]
    assert min(answer["state"].values()) > 0
    assert (await town.heard("w0", "reloaded"))["pause_ms"] > 0
    await town.half(1)

    told, rows = await town.outcome()
    assert len(told) > 60
    assert alike(told) >= {("fresh", "fired"), ("going", "dropped"), ("begun-anew", "dropped")}
    assert (told, rows) == daemon
    delivered = town.data("w0") / "out.jsonl"
    routed = [
        one[0] for one in told if one[1] != "going" or one[3] != "dropped"
    ]  # nobody routes it
    await town.until(lambda: len(delivered.read_text("utf-8").splitlines()) >= len(routed))
    sent = [json.loads(line)["delivery_id"] for line in delivered.read_text("utf-8").splitlines()]
    assert sorted(sent) == routed


async def test_two_workers_that_are_edited_one_after_the_other_do_too(
    town: Town, daemon: Told
) -> None:
    town.run("w0")
    town.run("w1")
    await town.half(0)
    edit(town.rules)
    for name in ("w0", "w1"):
        assert (await town.asked(name))["outcome"] == "live"
    await town.half(1)
    assert await town.outcome() == daemon


@pytest.mark.parametrize("point", POINTS)
async def test_a_kill_in_a_change_of_rules_loses_and_repeats_nothing(
    town: Town, daemon: Told, point: str
) -> None:
    """The worker is started again over the edited folder; for the group it was gone a moment."""
    town.run("w0", **{VARIABLE: point})
    await town.half(0)
    edit(town.rules)
    with suppress(OSError, ValueError):
        await town.asked("w0")
    assert town.workers["w0"].wait(60) == -signal.SIGKILL
    town.run("w0")
    await town.half(1)
    assert await town.outcome() == daemon


async def test_an_edit_in_the_midst_of_a_rebalance_waits_for_it(town: Town, daemon: Told) -> None:
    """A worker joins while another is told to go over, and has the edited rules from its start."""
    town.run("w0")
    await town.half(0)
    edit(town.rules)
    town.run("w1")
    while "assigned" not in {line["event"] for line in town.log("w1")}:
        answer = await town.asked("w0", "?plan")
        assert answer["outcome"] == "fits"
        await asyncio.sleep(0.05)
    assert (await town.asked("w0"))["outcome"] in {"live", "unchanged"}
    await town.half(1)
    assert await town.outcome() == daemon


async def test_bad_edits_are_refused_and_the_worker_goes_on(town: Town, daemon: Told) -> None:
    town.run("w0")
    await town.half(0)
    steady = town.rules / "steady.yaml"
    before = steady.read_text("utf-8")
    refused = {
        "rule: [": "R",
        before.replace("70", "71"): "S121",
        before.replace("by: sensor", "by: site"): "S122",
    }
    for text, code in refused.items():
        steady.write_text(text, "utf-8")
        answer = await town.asked("w0")
        assert answer["outcome"] == "refused"
        assert answer["problems"][0]["code"].startswith(code), answer
    steady.write_text(before, "utf-8")
    windy = town.rules / "windy.yaml"
    windy.write_text(rule("windy").replace("by: sensor", "by: [sensor, t]"), "utf-8")
    seen = len(town.log("w0"))
    town.signal("w0", signal.SIGHUP)
    told = await town.heard("w0", "reload-problem", seen)
    assert "S130" in told["problem"]
    assert "windy.yaml" in told["problem"]
    windy.unlink()
    edit(town.rules)
    assert (await town.asked("w0"))["outcome"] == "live"
    steady.write_text("rule: [", "utf-8")
    town.kill("w0")
    town.run("w0")
    await town.heard("w0", "rules-last-good")
    await town.half(1)
    assert await town.outcome() == daemon
