"""What keeps an edit from fitting, each with its place and its words; sets that are kept."""

from pathlib import Path

import pytest
from reload_stage import FEED, PACK, rule

from engine.edge.reload_fit import misfits, read_feeds, restart_needed
from engine.edge.reload_good import GoodSets, name_of
from engine.edge.reload_trial import Trial
from engine.edge.state_tools.plan import Does, Line
from engine.errors import StateError
from engine.ruleset.load import load_project
from engine.ruleset.source import DeclaredFile
from engine.ruleset.spec import Project

ROUTES = "routes:\n  ops: {sinks: [out]}\n"


def files(feed: str = FEED) -> list[DeclaredFile]:
    texts = {"pack": PACK, "feeds/sensors": feed, "routes": ROUTES, "too-hot": rule("too-hot")}
    return [DeclaredFile(f"heat/{name}.yaml", text.encode()) for name, text in texts.items()]


def project(feed: str = FEED) -> Project:
    loaded = load_project(files(feed))
    assert loaded.project is not None, loaded.report()
    return loaded.project


def line(does: Does) -> Line:
    return Line("sensor", "too-hot", "3f9c2a77", "81d0c4aa", 7, does, "other")


@pytest.mark.parametrize(
    ("does", "code", "en", "zh"),
    [
        (Does.REFUSED, "S121", "do: keep", "保存 7 个键"),
        (Does.MOVED, "S122", "another key than version 3f9c2a", "的键与版本 3f9c2a 不同"),
    ],
)
def test_an_edit_that_says_nothing_about_state_stands_at_its_rule(
    does: Does, code: str, en: str, zh: str
) -> None:
    (found,) = misfits([line(does), line(Does.GONE), line(Does.KEEP)], project(), [], None)
    assert (found.code, found.at.file) == (code, "heat/too-hot.yaml")
    assert en in found.report("en")
    assert zh in found.report("zh")


def test_a_row_that_cannot_be_taken_up_is_named() -> None:
    error = StateError(name="state-unreadable", rule="too-hot", key="s1", why="x")
    (found,) = misfits([], project(), error, None)
    assert found.code == "S123"
    assert "'s1'" in found.report("en")


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("id: [sensor, t]", "id: [sensor]", ["id"]),
        ("epoch-ms}\nlateness", "epoch-s}\nlateness", ["time"]),
        ("temp: number", "temp: {type: number, unit: km/h}", ["fields.temp"]),
        ("lateness: 0s", "lateness: 5m", []),
        ("temp: number", "temp: number\n  rain: {type: number, optional: true}", []),
    ],
)
def test_what_a_source_was_told_cannot_change(old: str, new: str, what: list[str]) -> None:
    after = load_project([one for one in files(FEED.replace(old, new)) if "hot" not in one.path])
    assert after.project is not None, after.report()
    found = restart_needed(project(), after.project, {"sensors"})
    assert [one.found["what"] for one in found] == what
    assert all(one.code == "S124" for one in found)
    assert restart_needed(project(), after.project, set()) == []


def test_the_first_and_the_last_rule_of_a_feed_need_a_restart() -> None:
    (found,) = read_feeds({"sensors"}, set(), project())
    assert (found.code, found.at.file) == ("S127", "heat/feeds/sensors.yaml")
    assert read_feeds({"sensors"}, {"sensors"}, project()) == []


async def test_a_check_that_takes_too_long_is_given_up() -> None:
    trial = Trial(0.001)
    (found,), cases = await trial.check(files(), tests=True, passed_over=())
    assert (found.code, cases) == ("S125", 0)
    await trial.close()


async def test_a_check_whose_process_dies_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.edge.reload_trial.sys.executable", "/bin/true")
    trial = Trial(30)
    (found,), _ = await trial.check(files(), tests=True, passed_over=())
    assert found.code == "S126"
    await trial.close()


def test_a_kept_set_is_found_again_whole_or_not_at_all(tmp_path: Path) -> None:
    good, big = GoodSets(tmp_path), DeclaredFile("heat/tables/big.csv", b"x" * 300_000)
    first, second = [*files(), big], files()
    names = [good.keep(first), good.keep(second)]
    assert names == [name_of(first), name_of(second)]
    assert sorted(good.read(names[0]) or [], key=lambda one: one.path) == sorted(
        first, key=lambda one: one.path
    )
    (part,) = (tmp_path / "rules").glob("*.part")
    part.write_bytes(b"y")
    assert good.read(names[0]) is None
    good.forget_all_but([names[1]])
    assert [path.name for path in (tmp_path / "rules").iterdir()] == [f"{names[1]}.set"]
    assert good.read("nothing") is None
