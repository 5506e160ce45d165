"""`forewarn report`: a month of the small city, on the terminal, as a page and as a table."""

import csv
import json
import os
from collections.abc import Iterable
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cases_stage import CITY, DUTY, HOUR, LEADER, MINUTE, OFFICER, CaseStage, at, change
from desk_stage import a_store
from sqlalchemy import Connection, insert

from engine.cases.model import Actor, Move, Role, Verb
from engine.edge.cli import main, report_month
from engine.edge.desk.tables import moves
from engine.text import LANGUAGES

GOLDEN = Path(__file__).parent / "golden"
CHEN = Actor(name="chen", role=Role.HANDLER, department="transport")


def case(key: str, when: str, rule: str = "dwell", area: str = "320682100") -> CaseStage:
    """A case that has its order since then."""
    stage = CaseStage(now=at(when))
    stage.take(change(key=key, rule=rule, area=area))
    return stage


def story() -> Iterable[CaseStage]:
    """Six cases of March, one of them in two months, and one of April alone."""
    prompt = case("prompt", "2026-03-02 08:00")
    for verb, after in ((Verb.ACKNOWLEDGE, 20), (Verb.ARRIVE, 25), (Verb.RESOLVE, 120)):
        prompt.wait(after * MINUTE)
        prompt.ask(verb, OFFICER, **({"found": "x"} if verb is Verb.RESOLVE else {}))
    prompt.take(change("cleared", key="prompt", ordinal=2))
    prompt.wait(10 * MINUTE)
    prompt.ask(Verb.CLOSE, LEADER, verdict="true")
    prompt.wait(HOUR)
    prompt.ask(Verb.CALL_BACK, DUTY, satisfied=True, solved=True)
    yield prompt
    late = case("late", "2026-03-05 10:00")
    late.wait(5 * HOUR)
    late.ask(Verb.ACKNOWLEDGE, OFFICER)
    late.wait(40 * HOUR)
    late.ask(Verb.RESOLVE, OFFICER, found="x")
    late.take(change("cleared", key="late", ordinal=2))
    late.wait(10 * MINUTE)
    late.ask(Verb.CLOSE, LEADER, verdict="true")
    late.wait(50 * HOUR)
    late.ask(Verb.CALL_BACK, DUTY, satisfied=False, solved=True)
    yield late
    back = case("back", "2026-03-05 11:00", rule="speeding")
    back.ask(Verb.RETURN, OFFICER, "not ours")
    back.wait(5 * MINUTE)
    back.ask(Verb.DISPATCH, DUTY, department="transport")
    back.wait(30 * MINUTE)
    back.ask(Verb.ACKNOWLEDGE, CHEN)
    back.ask(Verb.CLOSE, LEADER, "done by the road office", verdict="elsewhere")
    yield back
    wrong = case("wrong", "2026-03-09 09:00", area="320682")
    wrong.ask(Verb.CLOSE, LEADER, "nothing there", verdict="false")
    wrong.wait(HOUR)
    wrong.ask(Verb.REOPEN, LEADER, "there is")
    wrong.wait(HOUR)
    wrong.ask(Verb.CLOSE, LEADER, "nothing again", verdict="false")
    yield wrong
    hostile = case("=cmd()", "2026-03-31 23:30", rule="=1+1")
    hostile.ask(Verb.CLOSE, LEADER, "twice", verdict="duplicate")
    yield hostile
    yield case("april", "2026-04-02 09:00")


@pytest.fixture
def city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a desk that has had a month."""
    for name in ("FOREWARN_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "forewarn.yaml").write_text("data_folder: data\n")
    (tmp_path / "data").mkdir()
    store = a_store(tmp_path / "data")
    for stage in story():
        for some in stage.book.moves.values():
            store.write_now(partial(keep, some))
    store.close_now()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(report_month, "_now_ms", lambda: at("2026-04-03 08:00"))
    monkeypatch.setattr(report_month, "_declared", lambda _: CITY)
    return tmp_path


def keep(some: Iterable[Move], link: Connection) -> None:
    """Moves as the desk keeps them."""
    rows = [
        {
            "incident": move.incident, "ordinal": move.ordinal, "verb": str(move.verb),
            "cause": f"{move.incident} {move.cause}", "actor": move.actor.name,
            "department": move.actor.department, "at_ms": move.at_ms,
            "before": str(move.before or ""), "after": str(move.after),
            "body": msgspec.json.encode(move).decode(),
        }
        for move in some
    ]  # fmt: skip
    link.execute(insert(moves), rows)


def golden(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text, "utf-8", newline="")
    assert text == path.read_bytes().decode()


@pytest.mark.usefixtures("city")
@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_month_on_the_terminal(lang: str, capsys: Any) -> None:
    assert main(["report", "--lang", lang]) == 0
    golden(f"report.{lang}.txt", capsys.readouterr().out)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_month_as_a_page_and_a_table(lang: str, city: Path, capsys: Any) -> None:
    out = ["--out", "march.html", "--out", "march.csv"]
    assert main(["report", "--month", "2026-03", *out, "--lang", lang]) == 0
    page = (city / "march.html").read_text("utf-8")
    body = (
        page.partition("<body>")[2]
        .replace("</tr>", "</tr>\n")
        .replace("</section>", "</section>\n")
    )
    golden(f"report.{lang}.html", body)
    golden(f"report.{lang}.csv", (city / "march.csv").read_bytes().decode())
    assert "march.csv" in capsys.readouterr().out


class Page(HTMLParser):
    """Notes every address and every script of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href", "action"}]


def test_the_page_opens_without_a_network_and_runs_nothing(city: Path) -> None:
    assert main(["report", "--month", "2026-03", "--out", "march.html"]) == 0
    text = (city / "march.html").read_text("utf-8")
    page = Page()
    page.feed(text)
    assert page.links == []
    assert "script" not in page.tags
    assert page.tags.count("svg") >= 3
    assert "default-src &#x27;none&#x27;" in text
    assert "http" not in text.replace("http-equiv", "")


def test_the_table_is_what_programs_and_spreadsheets_read(city: Path) -> None:
    assert main(["report", "--month", "2026-03", "--out", "march.csv"]) == 0
    raw = (city / "march.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    (whole, *others) = list(csv.DictReader(raw.decode("utf-8-sig").splitlines()))
    assert (whole["kind"], whole["orders"], whole["opened"]) == ("whole", "7", "5")
    assert (whole["sign_on_time"], whole["sign_of"]) == ("2", "3")
    by = {(one["kind"], one["code"]): one for one in others}
    assert by["department", "transport"]["orders"] == "1"
    assert by["department", "police"]["returns"] == "1"
    assert by["rule", "dwell"]["precision"] == "0.6667"
    names = [one["name"] for one in others]
    assert not [name for name in names if name.startswith("=")]


@pytest.mark.usefixtures("city")
def test_programs_get_it_as_json_and_a_month_that_goes_on_says_so(capsys: Any) -> None:
    assert main(["report", "--month", "2026-04", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert not found["complete"]
    (whole, *_) = found["groups"]
    assert whole["orders"] == 1
    assert main(["report", "--month", "2026-04", "--lang", "en"]) == 0
    assert "not over" in capsys.readouterr().out


def test_a_month_without_cases_is_told_as_such(city: Path, capsys: Any) -> None:
    assert main(["report", "--month", "2025-01", "--out", "empty.html", "--lang", "en"]) == 0
    assert "No case had a move" in (city / "empty.html").read_text("utf-8")
    assert main(["report", "--month", "2025-01", "--lang", "en"]) == 0
    assert "No case had a move" in capsys.readouterr().out


@pytest.mark.usefixtures("city")
@pytest.mark.parametrize(
    ("words", "code"),
    [(["--month", "March"], 64), (["--out", "march.pdf"], 64), (["nowhere"], 4)],
)
def test_what_cannot_be_is_refused(words: list[str], code: int) -> None:
    assert main(["report", *words]) == code


def test_where_no_desk_has_worked_none_is_made(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "forewarn.yaml").write_text("data_folder: data\n")
    assert main(["report", "--month", "2026-03", "--lang", "en"]) == 4
    assert "no desk here" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
