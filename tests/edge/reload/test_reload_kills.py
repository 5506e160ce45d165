"""A daemon killed in the middle of a change of rules: old or new, whole, and nothing twice."""

import signal
from contextlib import suppress
from pathlib import Path

import pytest
from reload_stage import City, a_city, rule

from engine.edge.crashpoint import VARIABLE

POINTS = ("reload-built", "swap-begun", "swap-not-committed", "swap-committed")


def a_life(folder: Path, point: str) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Alerts before an edit, the edit, alerts after it; what is there at the end."""
    with a_city(folder, reload={"watch": False}) as city:
        city.edit("very-hot", rule("very-hot", 35))
        city.start(**({VARIABLE: point} if point else {}))
        city.hot("s1", 40)
        city.await_told(("too-hot", "s1", "fired"), ("very-hot", "s1", "fired"))
        _edit(city)
        with suppress(OSError, ValueError):
            assert city.ask()["outcome"] == "live"
        if point:
            assert city.process is not None
            assert city.process.wait(60) == -signal.SIGKILL
            city.start()
        city.hot("s2", 45)
        city.hot("s1", 5)
        city.await_told(("late-comer", "s2", "fired"), ("too-hot", "s1", "cleared"))
        city.stop()
        changes = city.query("SELECT delivery_id, rule, key, transition FROM changes ORDER BY 1")
        state = city.query("SELECT rule, key, value FROM state ORDER BY 1, 2")
        return changes, state


def _edit(city: City) -> None:
    """One rule edited, one taken out, one new."""
    old = city.ask("?plan")["outcome"]
    assert old == "unchanged"
    city.edit("too-hot", rule("too-hot", 30).replace("orange", "red").replace("hot}", "hotter}"))
    (city.rules / "very-hot.yaml").unlink()
    city.edit("late-comer", rule("late-comer", 42))
    found = city.ask("?plan")["plan"]
    old = next(line["old"][:6] for line in found if line["rule"] == "too-hot")
    word = f"on_change: {{from: '{old}', do: keep}}\n"
    text = rule("too-hot", 30, word).replace("orange", "red").replace("hot}", "hotter}")
    city.edit("too-hot", text)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> object:
    """The run that nobody killed."""
    return a_life(tmp_path_factory.mktemp("calm"), "")


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_in_a_reload_changes_nothing(tmp_path: Path, calm: object, point: str) -> None:
    assert a_life(tmp_path, point) == calm
