"""Edits of rules under a running daemon: live between two batches, or never."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from reload_stage import FEED, TEST, City, a_city, rule

FIRED, CLEARED, DROPPED = "fired", "cleared", "dropped"


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    """A running daemon that reloads only when it is asked to."""
    with a_city(tmp_path, reload={"watch": False}) as one:
        yield one.start()


def test_an_edited_rule_is_live_and_its_neighbour_goes_on(city: City) -> None:
    city.edit("very-hot", rule("very-hot", 60))
    assert city.ask()["outcome"] == "live"
    city.hot("s1", 40)
    city.await_told(("too-hot", "s1", FIRED))
    city.edit("very-hot", rule("very-hot", 35))
    answer = city.ask()
    assert answer["outcome"] == "live"
    assert answer["rules"] == {"added": [], "changed": ["very-hot"], "removed": []}
    city.hot("s1", 41)
    city.await_told(("very-hot", "s1", FIRED))
    city.hot("s1", 10)
    city.await_told(("too-hot", "s1", CLEARED), ("very-hot", "s1", CLEARED))
    assert city.told().count(("too-hot", "s1", FIRED)) == 1
    assert city.ask()["outcome"] == "unchanged"


def test_open_alerts_of_a_removed_rule_are_dropped_and_the_others_stay_open(city: City) -> None:
    city.edit("very-hot", rule("very-hot", 35))
    city.ask()
    city.hot("s1", 40)
    city.await_told(("too-hot", "s1", FIRED), ("very-hot", "s1", FIRED))
    (city.rules / "very-hot.yaml").unlink()
    answer = city.ask()
    assert answer["rules"]["removed"] == ["very-hot"]
    assert answer["state"]["reset"] == 1
    city.await_told(("very-hot", "s1", DROPPED))
    assert ("too-hot", "s1", DROPPED) not in city.told()


BAD = [
    pytest.param("when: {match: ", "R1", id="YAML that ends too soon"),
    pytest.param('when: {match: "temp > 30 km/h"}', "R3", id="a unit the field does not have"),
    pytest.param('when: {match: "tmp > 30"}', "R3", id="a field no feed has"),
    pytest.param("dispatch: nowhere", "", id="a route that does not exist"),
]


@pytest.mark.parametrize(("line", "code"), BAD)
def test_a_broken_edit_is_told_with_its_place_and_never_live(
    city: City, line: str, code: str
) -> None:
    city.hot("s1", 40)
    city.await_told(("too-hot", "s1", FIRED))
    kind = line.split(":", maxsplit=1)[0]
    kept = [one for one in rule("too-hot").splitlines() if not one.startswith(kind)]
    city.edit("too-hot", "\n".join([*kept, line]) + "\n")
    done = city.run("reload", "--lang", "en")
    assert done.returncode == 1
    assert "heat/too-hot.yaml:" in done.stdout
    assert f"error {code}" in done.stdout
    assert "go on that are live" in done.stdout
    assert city.figure("forewarn_reload_refused") == 1
    city.hot("s2", 40)
    city.await_told(("too-hot", "s2", FIRED))
    city.edit("too-hot", rule("too-hot"))
    assert city.ask()["outcome"] == "unchanged"
    assert city.figure("forewarn_reload_refused") == 0


def test_a_rule_whose_test_fails_is_not_taken(city: City) -> None:
    (city.rules / "too-hot_test.yaml").write_text(TEST, "utf-8")
    assert city.ask()["outcome"] == "live"
    city.edit("too-hot", rule("too-hot", 90))
    answer = city.ask()
    assert (answer["outcome"], answer["tests"]) == ("refused", 1)
    assert [problem["code"] for problem in answer["problems"]] == ["S120"]
    assert "a hot sensor" in answer["problems"][0]["report"]["en"]


def test_an_edit_that_does_not_say_what_becomes_of_state_is_refused(city: City) -> None:
    city.hot("s1", 40)
    city.await_told(("too-hot", "s1", FIRED))
    city.edit("too-hot", rule("too-hot", 35))
    answer = city.ask()
    assert [problem["code"] for problem in answer["problems"]] == ["S121"]
    old = city.ask("?plan")["plan"][0]["old"][:6]
    city.edit("too-hot", rule("too-hot", 35, f"on_change: {{from: '{old}', do: keep}}\n"))
    fits = city.ask("?plan")
    assert (fits["outcome"], fits["state"]["kept"]) == ("fits", 1)
    assert city.ask()["state"]["kept"] == 1
    city.hot("s1", 10)
    city.await_told(("too-hot", "s1", CLEARED))
    assert city.told().count(("too-hot", "s1", FIRED)) == 1


def test_what_a_source_was_told_needs_a_restart(city: City) -> None:
    feed = city.rules / "feeds/sensors.yaml"
    feed.write_text(FEED.replace("id: [sensor, t]", "id: [sensor]"), "utf-8")
    assert [problem["code"] for problem in city.ask()["problems"]] == ["S124"]
    rain = "  temp: number\n  rain: {type: number, optional: true}"
    feed.write_text(FEED.replace("  temp: number", rain), "utf-8")
    assert city.ask()["outcome"] == "live"


def test_a_rule_with_another_key_begins_with_what_comes(city: City) -> None:
    city.hot("s1", 40)
    city.await_told(("too-hot", "s1", FIRED))
    city.edit("windy", rule("windy", 30).replace("by: sensor", "by: [sensor, t]"))
    assert city.ask()["outcome"] == "live"
    city.hot("s2", 50)
    city.hot("s3", 0)
    city.until(lambda: any(one[0] == "windy" for one in city.told()), city.told)
    assert not any("s1" in key for name, key, _ in city.told() if name == "windy")
    (city.rules / "windy.yaml").unlink()
    assert city.ask()["outcome"] == "live"
    city.until(lambda: any(one[0] == "windy" and one[2] == DROPPED for one in city.told()))


def test_an_empty_folder_is_a_mount_that_is_missing(city: City) -> None:
    shutil.move(city.rules, city.folder / "elsewhere")
    city.rules.mkdir()
    assert [problem["code"] for problem in city.ask()["problems"]] == ["S128"]
    shutil.rmtree(city.rules)
    assert city.ask()["outcome"] == "refused"
    shutil.move(city.folder / "elsewhere", city.rules)
    assert city.ask()["outcome"] == "unchanged"


def test_a_signal_reloads_and_a_bad_set_ends_nothing(city: City) -> None:
    assert city.process is not None
    city.edit("too-hot", "rule: [")
    city.process.send_signal(signal.SIGHUP)
    assert city.await_event("reload-refused")["why"] == "signal"
    city.edit("too-hot", rule("too-hot"))
    city.edit("very-hot", rule("very-hot", 35))
    city.process.send_signal(signal.SIGHUP)
    told = city.await_event("reloaded")
    assert (told["added"], told["changed"]) == (["very-hot"], [])
    assert city.stop() == 0


def test_who_does_not_show_the_token_is_turned_away(city: City) -> None:
    control = city.folder / "data/control.json"
    assert control.stat().st_mode & 0o077 == 0
    control.write_text(control.read_text().replace('"token":"', '"token":"x'))
    done = city.run("reload", "--lang", "en")
    assert done.returncode == 4
    assert "401" in done.stderr
    city.stop()
    assert not control.exists()
    assert "no daemon has said how to ask it" in city.run("reload", "--lang", "en").stderr


def test_a_restart_with_a_broken_folder_comes_up_with_the_last_good_rules(city: City) -> None:
    city.edit("very-hot", rule("very-hot", 35))
    assert city.ask()["outcome"] == "live"
    city.edit("very-hot", "rule: very-hot\nwhen: {")
    city.stop(signal.SIGKILL)
    city.start()
    assert city.await_event("rules-last-good")
    assert city.figure("forewarn_reload_refused") == 1
    city.hot("s1", 40)
    city.await_told(("too-hot", "s1", FIRED), ("very-hot", "s1", FIRED))
    city.edit("very-hot", rule("very-hot", 35))
    assert city.ask()["outcome"] == "unchanged"


def test_a_refused_set_stays_refused_over_a_restart(city: City) -> None:
    city.hot("s1", 40)
    city.await_told(("too-hot", "s1", FIRED))
    city.edit("too-hot", rule("too-hot", 35))
    assert city.ask()["outcome"] == "refused"
    city.stop()
    city.start()
    assert city.await_event("rules-last-good")
    city.hot("s1", 10)
    city.await_told(("too-hot", "s1", CLEARED))


def test_folders_are_watched_and_links_may_be_swapped(tmp_path: Path) -> None:
    with a_city(tmp_path) as city:
        first, second = tmp_path / "v1", tmp_path / "v2"
        shutil.move(city.rules, first)
        shutil.copytree(first, second)
        (second / "very-hot.yaml").write_text(rule("very-hot", 35), "utf-8")
        (tmp_path / "next").symlink_to(first)
        (tmp_path / "next").replace(city.rules)
        city.start()
        (tmp_path / "next").symlink_to(second)
        (tmp_path / "next").replace(city.rules)
        told = city.await_event("reloaded")
        assert (told["why"], told["added"]) == ("changed", ["very-hot"])
        seen = len(city.log())
        (second / "very-hot.yaml").write_text("rule: [", "utf-8")
        assert city.await_event("reload-refused", seen)["why"] == "changed"
        assert "very-hot.yaml" in city.await_event("reload-problem", seen)["problem"]
