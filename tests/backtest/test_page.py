"""The page of a backtest: sound, closed to the world, bounded, and with the numbers of a replay."""

import base64
import hashlib
import json
import re
import signal
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import van_days

from engine.backtest.page import geography
from engine.backtest.page import whole as page_module
from engine.backtest.page.markup import Html, join, tag
from engine.edge.cli import main, meter
from engine.text import LANGUAGES

HERE = Path(__file__).parent
PACK = HERE / "pack"
EMPTY = {"meta", "input", "br"}
POINTS_OUT = {"src", "href", "srcset", "action", "formaction", "data", "poster", "background"}


class Reader(HTMLParser):
    """Reads a page and holds it to the rules: every element closed in its order, ids unique."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self.texts: list[tuple[str, str]] = []

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        assert len(given) == len(attributes), f"an attribute twice in <{name}>"
        self.found.append((name, given))
        if "id" in given:
            self.ids.append(str(given["id"]))
        if name not in EMPTY:
            self.open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_data(self, text: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", text))

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [given for found, given in self.found if found == name]

    def within(self, name: str) -> str:
        return "".join(text for where, text in self.texts if where == name)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    assert len(set(reader.ids)) == len(reader.ids)
    return reader


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return van_days.write(tmp_path_factory.mktemp("recorded"))


@pytest.fixture(scope="module")
def pages(data, tmp_path_factory) -> dict[str, str]:
    """The page in each language, with a difference to other rules."""
    folder = tmp_path_factory.mktemp("pages")
    old = folder / "old<b>"
    subprocess.run(["cp", "-r", str(PACK), str(old)], check=True)
    stays = old / "vans/van-stays.yaml"
    stays.write_text(stays.read_text("utf-8").replace("30m", "45m"), "utf-8")
    for lang in LANGUAGES:
        words = ["backtest", str(PACK), str(data), "--against", str(old), "--lang", lang]
        assert main([*words, "--out", str(folder / f"{lang}.html")]) == 0
    return {lang: (folder / f"{lang}.html").read_text("utf-8") for lang in LANGUAGES}


@pytest.fixture(scope="module")
def replayed(data, tmp_path_factory) -> list[dict[str, Any]]:
    out = tmp_path_factory.mktemp("replayed") / "changes.jsonl"
    assert main(["replay", str(data), "--rules", str(PACK), "--out", str(out)]) == 0
    return [json.loads(line) for line in out.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_page_is_sound_and_nothing_is_fetched(pages, lang):
    text = pages[lang]
    reader = read(text)
    assert text.startswith("<!DOCTYPE html>\n<html lang=")
    for name, given in reader.found:
        assert name not in {"link", "img", "iframe", "object", "embed", "base", "a", "image", "use"}
        assert POINTS_OUT.isdisjoint(given)
        assert not any(key.startswith("on") or key == "style" for key in given)
        assert not any("url(" in (value or "") for value in given.values())
    assert "://" not in text
    assert "@import" not in text
    assert "url(" not in text


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_policy_allows_our_script_and_style_and_nothing_else(pages, lang):
    reader = read(pages[lang])
    policy = next(
        str(given["content"])
        for given in reader.named("meta")
        if given.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none';")
    for kind, name in (("script", "script-src"), ("style", "style-src")):
        digest = hashlib.sha256(reader.within(kind).encode()).digest()
        assert f"{name} 'sha256-{base64.b64encode(digest).decode()}'" in policy
    assert "unsafe" not in policy
    assert len(reader.named("script")) == len(reader.named("style")) == 1


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_hostile_name_stays_text(pages, lang):
    assert van_days.HOSTILE not in pages[lang]
    reader = read(pages[lang])
    assert (("td", van_days.HOSTILE)) in reader.texts
    assert any("</script><b>镇" in text for where, text in reader.texts if where == "text")
    assert reader.named("b") == [{}] * 6  # the cards' figures


def test_every_sentence_is_there_in_both_languages(pages):
    for lang, words in (("en", ["Map", "Alerts that differ", "gained"]),
                        ("zh", ["地图", "有差异的预警", "新增"])):  # fmt: skip
        texts = [text for _, text in read(pages[lang]).texts]
        assert set(words) <= set(texts)
    others = re.findall(r"[\u4e00-\u9fff]+", pages["en"])
    assert set(others) <= {"镇", "演示镇"}


def test_the_numbers_are_those_of_a_replay(pages, replayed):
    reader = read(pages["en"])
    fired = [one for one in replayed if one["transition"] == "fired"]
    cards = [text for where, text in reader.texts if where == "b"]
    assert cards == [
        f"{van_days.DAYS * 1440 * 4 + van_days.BAD:,}",
        str(len(fired)),
        str(len({one["key"] for one in fired})),
        "1",
        str(van_days.BAD),
        "0",
    ]
    rows = [given for given in reader.named("tr") if "data-rule" in given]
    assert Counter(str(row["data-rule"]) for row in rows) == Counter(o["rule"] for o in fired)
    assert {row["data-id"] for row in rows} == {one["episode_id"] for one in fired}
    dots = [g for g in reader.named("path") if "dot" in (g.get("class") or "").split()]
    assert {dot["data-id"] for dot in dots} == {
        one["episode_id"] for one in fired if one["lon"] is not None
    }
    bars = [text for where, text in reader.texts if where == "title"]
    days: Counter[str] = Counter()
    hours: Counter[str] = Counter()
    for bar in bars:
        if found := re.fullmatch(r"(\S+)  ([a-z-]+): ([\d,]+)", bar):
            counted = days if "-" in found[1] else hours
            counted[found[2]] += int(found[3])
    assert days == hours == Counter(one["rule"] for one in fired)


def test_the_difference_is_told(pages):
    reader = read(pages["en"])
    fates = Counter(str(row["data-fate"]) for row in reader.named("tr") if "data-fate" in row)
    assert fates == {"moved": 3, "gained": 4, "same": 4}
    assert "  dwell: {radius: 100 meters, at_least: 45m, slower_than: 5 km/h}" in reader.within(
        "div"
    )
    assert any("old<b>" in text for where, text in reader.texts if where == "h2")


def test_tracks_lead_to_their_alerts(pages):
    reader = read(pages["en"])
    tracks = [given for given in reader.named("path") if given.get("class") == "track"]
    dots = {g["data-id"] for g in reader.named("path") if "data-id" in g}
    assert 3 <= len(tracks) <= page_module.MOST_TRACKS
    assert {track["data-of"] for track in tracks} <= dots
    assert all(str(track["d"]).count("L") >= 1 for track in tracks)


def test_what_is_drawn_and_listed_is_bounded_and_said(data, tmp_path, monkeypatch):
    monkeypatch.setattr(page_module, "MOST_ROWS", 4)
    monkeypatch.setattr(page_module, "MOST_DOTS", 3)
    monkeypatch.setattr(page_module, "MOST_TRACKS", 1)
    out = tmp_path / "report.html"
    words = ["backtest", str(PACK), str(data), "--out", str(out), "--lang", "en"]
    assert main(words) == 0
    reader = read(out.read_text("utf-8"))
    assert len([g for g in reader.named("tr") if "data-id" in g]) == 4
    assert len([g for g in reader.named("path") if "data-id" in g]) == 3
    assert len([g for g in reader.named("path") if "data-of" in g]) == 1
    said = " ".join(text for _, text in reader.texts)
    assert "Of 11 alerts 4 are listed" in said
    assert "Of 11 alerts with a position 3 are drawn" in said


def test_a_run_without_alerts_has_a_page(data, tmp_path):
    out = tmp_path / "a/report.html"
    words = ["backtest", str(PACK), str(data), "--until", "2026-03-02 08:10", "--out", str(out)]
    assert main(words) == 0
    reader = read(out.read_text("utf-8"))
    assert "map" not in reader.ids
    assert "silent" in reader.ids


def test_rules_without_positions_have_no_map(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["init"]) == 0
    assert main(["backtest", "rules", "data", "--out", "report.html"]) == 0
    reader = read(Path("report.html").read_text("utf-8"))
    assert "map" not in reader.ids
    assert "episodes" in reader.ids


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "' onmouseover='alert(1)",
        "</title></style><b>",
        "&lt;b&gt; & \u0000\u001b\u007f\ud800",
        "<!-- <![CDATA[ ]]> -->",
    ],
)
def test_text_never_becomes_markup(text):
    made = tag("p", text, tag("i", text, title=text), data_x=text)
    reader = read(made.encode("utf-8", "replace").decode())
    assert [name for name, _ in reader.found] == ["p", "i"]
    clean = re.sub("[\x00\x1b\x7f\ud800]", "\ufffd", text)
    assert reader.found[0][1] == {"data-x": clean}
    assert reader.found[1][1] == {"title": clean}
    assert reader.within("i") == clean
    assert isinstance(join(text), Html)


def test_a_plane_keeps_what_it_shows_inside():
    spots = [(120.0, 31.0), (121.0, 32.5), (120.2, 31.9)]
    plane = geography.Plane.around(spots)
    for lon, lat in spots:
        x, y = map(float, plane.put(lon, lat).split(","))
        assert 0 < x < geography.WIDE
        assert 0 < y < geography.HIGH
    north, south = (plane.put(120.5, lat).split(",")[1] for lat in (32.0, 31.0))
    metres = (float(south) - float(north)) * plane.metres
    assert metres == pytest.approx(111_195, rel=0.001)


def test_how_far_it_is_stands_on_standard_error_now_and_then(data, monkeypatch, capsys):
    monkeypatch.setattr(meter, "EVERY_S", 0.0)
    assert main(["backtest", str(PACK), str(data), "--lang", "en"]) == 0
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert lines
    shape = r"Backtest: [\d,]+ records, up to 2026-\S+ \S+, [\d,]+ a second, about .+ left"
    assert all(re.fullmatch(shape, line) for line in lines)
    assert lines[-1].startswith("Backtest: 17,287 records, up to 2026-03-05 07:59,")
    assert "a second" not in said.out


def test_an_interrupt_leaves_no_half_page(tmp_path):
    """What was there before is still there, and nothing else."""
    folder = tmp_path / "recorded"
    folder.mkdir()
    lines = [json.dumps(fix) for fix in van_days.fixes()]
    with (folder / "van-fixes.jsonl").open("w") as file:
        for _ in range(80):  # enough work for any machine to be met in the middle of it
            file.writelines(line + "\n" for line in lines)
    out = tmp_path / "out/report.html"
    out.parent.mkdir()
    out.write_text("as before")
    words = ["backtest", str(PACK), str(folder), "--sort", "--out", str(out)]
    running = subprocess.Popen(
        [sys.executable, "-m", "engine", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert running.stderr is not None
    assert b"records" in running.stderr.readline()  # it is in the middle of its work
    running.send_signal(signal.SIGINT)
    said, wrong = running.communicate(timeout=60)
    assert running.returncode == 130
    assert said == b""
    assert b"Traceback" not in wrong
    assert out.read_text() == "as before"
    assert [path.name for path in out.parent.iterdir()] == ["report.html"]
