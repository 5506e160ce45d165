"""The demonstration in small: a city through the daemon's HTTP intake into the receiver."""

from engine.edge.cli.demo import show
from engine.edge.cli.voice import Voice, speak_as

HAMLET = {"vehicles": 4, "hours": 4.0, "projects": 5, "days": 120}


def test_a_small_city_is_told_without_a_miss_or_a_false_alert(tmp_path, capsys):
    speak_as(Voice("en"))
    code = show(seed=11, keep=tmp_path, kafka=False, city=HAMLET, seconds=2)
    said = capsys.readouterr()
    last = said.out.strip().splitlines()[-1]
    assert code == 0, last
    assert last.startswith("demo: ")
    assert "recall 1.000, 0 false, 0 at another time or level, 0 delivered twice" in last
    assert "●" in said.out
    assert (tmp_path / "forewarn.yaml").stat().st_mode & 0o077 == 0
    assert "Traceback" not in (tmp_path / "daemon.log").read_text("utf-8")
