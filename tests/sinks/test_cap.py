"""CAP 1.2: valid documents, alert, update and cancel with references, 31-character identifiers."""

import re
from pathlib import Path
from typing import Any

import pytest
import xmlschema
from lxml import etree
from pydantic import ValidationError
from sink_stage import CAP, a_body, declared

from connectors import cap
from connectors.sinks.cap import Options
from engine.errors import EnvironmentUnusable, Permanent

NS = {"c": cap.SPACE}
SCHEMA = xmlschema.XMLSchema11(Path(cap.__file__).with_name("cap-1.2.xsd"))
"""Another reader of the schema than the one that checks documents."""
CODE = "32060000000000"


async def given_out(folder: Path, *bodies: tuple[str, bytes], **options: Any) -> list[Any]:
    """The documents of some deliveries, in the order of being given out."""
    sink = declared("cap", folder, folder="cap", **{**CAP, **options})
    await sink.open()
    try:
        for name, body in bodies:
            await sink.send(name, body, 1)
    finally:
        await sink.close()
    files = sorted((folder / "cap").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    for file in files:
        SCHEMA.validate(file)
    return [cap.opened(file.read_bytes()) for file in files]


def said(document: Any, path: str) -> list[str]:
    return [str(one.text) for one in document.xpath(path, namespaces=NS)]


def named(document: Any) -> str:
    """A document as later ones refer to it."""
    return ",".join(said(document, "c:sender | c:identifier | c:sent"))


def in_order(document: Any) -> str:
    parts = {name: said(document, f"c:{name}")[0] for name in ("sender", "identifier", "sent")}
    return f"{parts['sender']},{parts['identifier']},{parts['sent']}"


async def test_an_episode_is_an_alert_its_updates_and_a_cancel_that_refer_to_them(
    tmp_path: Path,
) -> None:
    story = [a_body(ordinal=n, severity="orange" if n else "yellow") for n in range(3)]
    first, second, third = await given_out(tmp_path, *story)
    kinds = [said(one, "c:msgType") for one in (first, second, third)]
    assert kinds == [["Alert"], ["Update"], ["Cancel"]]
    assert said(first, "c:references") == []
    assert said(second, "c:references") == [in_order(first)]
    assert said(third, "c:references") == [f"{in_order(first)} {in_order(second)}"]
    severities = [said(one, "c:info/c:severity")[0] for one in (first, second, third)]
    assert severities == ["Moderate", "Severe", "Severe"]
    assert said(third, "c:info/c:responseType") == ["AllClear", "AllClear"]


async def test_a_document_says_what_happened_where_and_what_to_do(tmp_path: Path) -> None:
    (one,) = await given_out(
        tmp_path, a_body(check=[{"zh": "核对运单", "en": "Check the waybill"}])
    )
    assert said(one, "c:info/c:language") == ["zh-CN", "en-US"]
    assert said(one, "c:info/c:event") == ["车辆异常驻留", "Abnormal dwell"]
    assert said(one, "c:info/c:instruction") == ["1. 核对运单", "1. Check the waybill"]
    assert said(one, "c:info/c:onset")[0] == "2026-03-02T09:25:00+08:00"
    assert said(one, "c:info/c:expires")[0] == "2026-03-03T09:25:00+08:00"
    assert said(one, "c:info/c:area/c:circle")[0] == "31.985640,120.883340 0"
    assert said(one, "c:scope") == ["Restricted"]
    assert said(one, "c:restriction") == [CAP["sender_name"]]


async def test_a_repeat_has_the_same_identifier_and_time_also_after_a_restart(
    tmp_path: Path,
) -> None:
    (one,) = await given_out(tmp_path, a_body())
    (other,) = await given_out(tmp_path, a_body(), a_body())
    assert in_order(one) == in_order(other)


async def test_references_are_known_after_a_restart(tmp_path: Path) -> None:
    (first,) = await given_out(tmp_path, a_body())
    found = await given_out(tmp_path, a_body(ordinal=2))
    assert said(found[-1], "c:references") == [in_order(first)]


async def test_an_end_of_what_was_never_given_out_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="nothing-to-cancel"):
        await given_out(tmp_path, a_body(ordinal=2))


async def test_identifiers_of_the_national_standard_have_31_characters_and_ten_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.sinks.cap.time.time", lambda: 1_772_414_700.0)
    found = await given_out(tmp_path, *(a_body(f"k{n}") for n in range(23)), issuer_code=CODE)
    names = [said(one, "c:identifier")[0] for one in found]
    assert len(set(names)) == 23
    for name, one in zip(names, found, strict=True):
        assert re.fullmatch(rf"{CODE}_20260302\d{{6}}_\d", name)
        assert len(name) == 31
        assert re.sub(r"\D", "", said(one, "c:sent")[0][:19]) == name.split("_")[1]


@pytest.mark.parametrize(
    "text",
    [
        "<b>&amp;</b>]]>",
        "\x00\x0b\ufffe\uffff ok",
        "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///'>]>&x;",
        "",
    ],
)
async def test_words_of_events_are_only_words(tmp_path: Path, text: str) -> None:
    words: dict[str, Any] = {"title": {"zh": text, "en": text}, "summary": {"zh": text, "en": text}}
    (one,) = await given_out(tmp_path, a_body(**words, place=text or None))
    shown = said(one, "c:info/c:headline")[0]
    assert "\x00" not in shown
    if text.startswith("<b>"):
        assert "<b>&amp;</b>]]>" in shown


async def test_people_are_masked_unless_the_operator_says_otherwise(tmp_path: Path) -> None:
    await given_out(tmp_path, a_body(personal={"vehicle": "plate"}))
    (file,) = (tmp_path / "cap").iterdir()
    assert "F12345" not in file.read_text("utf-8")
    assert "苏F1" in file.read_text("utf-8")


BOMB = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;">]>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>&c;</identifier></alert>"""
OUTSIDE = b"""<?xml version="1.0"?><!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"/>"""
FILE = b"""<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]><a>&f;</a>"""


@pytest.mark.parametrize("raw", [BOMB, OUTSIDE, FILE, b"<a>", b""])
def test_a_hostile_document_is_not_opened(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        cap.opened(raw)


def test_the_schema_finds_what_is_wrong() -> None:
    def alert(**changed: str | None) -> Any:
        parts = {"identifier": "a", "sender": "b", "sent": "2026-03-02T09:25:00+08:00",
                 "status": "Actual", "msgType": "Alert", "scope": "Public", **changed}  # fmt: skip
        root = etree.Element(f"{{{cap.SPACE}}}alert")
        for name, text in parts.items():
            if text is not None:
                etree.SubElement(root, f"{{{cap.SPACE}}}{name}").text = text
        return root

    assert cap.problems(alert()) == []
    for wrong in (
        {"identifier": "a b"}, {"sender": "a,b"}, {"sent": "2026-03-02T09:25:00Z"},
        {"sent": "2026-03-02 09:25:00"}, {"status": "Real"}, {"msgType": "alert"},
        {"scope": None}, {"scope": "Everybody"}, {"identifier": ""}, {"nothing": "x"},
    ):  # fmt: skip
        assert cap.problems(alert(**wrong)), wrong


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"folder": "f", "url": "http://h/"},
        {"folder": "f", "issuer_code": "3206"},
        {"folder": "f", "sender": "a b"},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate({**CAP, **options})


async def test_a_folder_that_cannot_be_made_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "cap").write_text("a file where the folder should be")
    with pytest.raises(EnvironmentUnusable, match="cannot be written"):
        await given_out(tmp_path, a_body())


@pytest.mark.parametrize(
    ("zone", "text"),
    [("Asia/Shanghai", "1970-01-01T08:00:01+08:00"), ("UTC", "1970-01-01T00:00:01-00:00")],
)
def test_an_instant_has_the_offset_that_cap_asks_for(zone, text):
    assert cap.instant(1_999, zone) == text
