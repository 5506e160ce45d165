"""The demonstration in small: a city through the daemon's HTTP intake into the receiver."""

from engine.edge.cli import main
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


def test_a_folder_that_cannot_be_written_is_said_in_a_sentence(tmp_path, capsys):
    (tmp_path / "truth.jsonl").mkdir()
    assert main(["demo", "--keep", str(tmp_path), "--lang", "en"]) == 4
    assert f"{tmp_path} cannot be written" in capsys.readouterr().err


def test_a_project_without_sources_does_not_run_silently_to_no_end(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["init", "--lang", "en"]) == 0
    path = tmp_path / "forewarn.yaml"
    whole = path.read_text("utf-8")
    begin = whole.index("sources:")
    path.write_text(whole[:begin] + whole[whole.index("\nsinks:", begin) :], "utf-8")
    capsys.readouterr()
    assert main(["run", "--once", "--lang", "en"]) == 2
    assert "declares no 'sources'" in capsys.readouterr().err
