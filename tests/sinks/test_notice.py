"""One reading of a body for people: a change, a document of the case desk, anything else."""

import dataclasses
import json
from typing import Any

import pytest
from sink_stage import a_body

from connectors.notice import carried, read
from engine.errors import Permanent

PLAN: dict[str, Any] = {
    "check": [{"zh": "核对运单", "en": "Check the waybill"}],
    "units": ["公安"],
    "offences": [{"zh": "无证经营", "en": "No licence"}],
    "basis": [{"title": "危险化学品安全法", "article": "45"}, {"title": "安全生产法"}],
}
CASE: dict[str, Any] = {
    "document": "case-overdue",
    "delivery_id": "c1",
    "incident": "I-7",
    "playbook": {"name": "onsite", "check": [{"zh": "核对运单"}]},
    "notice": {
        "title": {"zh": "签收超时", "en": "Not signed for in time"},
        "text": {"zh": "请立即处置", "en": "Act now"},
        "level": "orange",
        "at_ms": 1_772_414_700_000,
        "incident": "I-7",
        "due_ms": 1_772_418_300_000,
        "fields": [[{"zh": "牵头单位", "en": "lead"}, "应急管理局"], ["bad"], [{"zh": ""}, "x"]],
        "link": "https://desk.example/I-7",
        "references": ["b1", "b2"],
    },
}


def test_a_change_reads_in_both_languages() -> None:
    name, body = a_body(**PLAN)
    one, other = read(body, "zh"), read(body, "en")
    assert (one.document, one.delivery_id, one.stage, one.level) == (
        "alert",
        name,
        "fired",
        "yellow",
    )
    assert one.headline == "【黄色】车辆异常驻留（新发）"
    assert other.headline == "[yellow] Abnormal dwell (new)"
    assert one.fields == (
        ("对象", "苏F12345-yellow"),
        ("位置", "演示1县2镇 (120.88334, 31.98564)"),
        ("起始时间", "2026-03-02 08:55"),
        ("时间", "2026-03-02 09:25"),
    )
    assert dict(one.sections()) == {
        "现场核查": ("核对运单",),
        "责任单位": ("公安",),
        "可能涉及的违法行为": ("无证经营",),
        "依据": ("危险化学品安全法第45条", "安全生产法"),
    }
    assert other.check == ("Check the waybill",)
    assert (one.rank, one.is_over) == (2, False)
    assert read(a_body(ordinal=2)[1], "en").is_over


def test_a_document_of_the_desk_says_what_its_notice_says() -> None:
    one = read(json.dumps(CASE).encode(), "zh")
    assert one.headline == "【橙色】签收超时"
    assert (one.reference, one.link) == ("I-7", "https://desk.example/I-7")
    assert one.references == ("b1", "b2")
    assert one.fields == (("牵头单位", "应急管理局"), ("时间", "2026-03-02 09:25"))
    assert one.check == ("核对运单",)
    bare = {**CASE, "notice": {**CASE["notice"], "fields": [], "link": "/incidents/I-7"}}
    other = read(json.dumps(bare).encode(), "zh", desk="https://desk.example/")
    assert other.link == "https://desk.example/incidents/I-7"
    assert read(json.dumps(bare).encode(), "zh").link == ""
    assert other.fields == (
        ("事件编号", "I-7"),
        ("办理时限", "2026-03-02 10:25"),
        ("时间", "2026-03-02 09:25"),
    )


@pytest.mark.parametrize(
    ("kind", "is_change", "is_over"),
    [
        ("notice", False, False), ("order", False, False), ("change", True, False),
        ("reminder", True, False), ("supervision", True, False), ("cancel", False, True),
        ("closed", False, True), ("digest", False, False),
    ],
)  # fmt: skip
def test_a_document_of_the_desk_begins_changes_or_ends(
    kind: str, is_change: bool, is_over: bool
) -> None:
    one = read(json.dumps({**CASE, "document": kind}).encode(), "zh")
    assert (one.is_change, one.is_over) == (is_change, is_over)


def test_the_words_of_a_desk_s_document_may_come_in_one_language() -> None:
    assert read(json.dumps(CASE).encode(), "en", "told").delivery_id == "told"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"document": "weekly"}, id="kind-without-notice"),
        pytest.param({"document": "weekly", "notice": {}}, id="empty-notice"),
        pytest.param({}, id="nothing"),
        pytest.param({"notice": {"title": 7, "fields": 3, "level": ["red"]}}, id="wrong-types"),
        pytest.param({"title": [1], "at_ms": "soon", "basis": [None, 3]}, id="wrong-change"),
    ],
)
def test_what_is_not_known_is_shown_all_the_same(body: dict[str, Any]) -> None:
    for lang in ("zh", "en"):
        assert read(json.dumps(body).encode(), lang).headline


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b'"text"', b"{"])
def test_what_is_no_object_is_refused_for_good(body: bytes) -> None:
    with pytest.raises(Permanent, match="unreadable"):
        read(body, "zh")


WHO = {
    "vehicle": "plate", "driver": "name", "phone": "phone", "card": "id", "account": "account",
}  # fmt: skip
FIELDS = {
    "vehicle": "苏F12345-yellow", "driver": "欧阳明", "phone": 13812345678,
    "card": "320682199001011234", "account": "6222020200112233", "speed": 12.5, "load": "full",
}  # fmt: skip
SECRETS = ["F12345", "欧阳明", "13812345678", "19900101", "02001122"]


def personal_body() -> bytes:
    return a_body(
        summary={"zh": "欧阳明（13812345678，320682199001011234）驾驶苏F12345，户6222020200112233"},
        labels={"driver": "欧阳明"}, personal=WHO, place="欧阳明家",
        evidence={"events": [{"fields": FIELDS}], "operator": {"苏F12345-yellow": 3}},
    )[1]  # fmt: skip


def test_personal_fields_are_masked_wherever_their_values_stand() -> None:
    found = carried(personal_body(), "masked").decode()
    for secret in SECRETS:
        assert secret not in found, secret
    kept = json.loads(found)
    assert kept["key"] == "苏F1***5-yellow"
    assert kept["evidence"]["events"][0]["fields"] == {
        "vehicle": "苏F1***5-yellow", "driver": "欧**", "phone": "138****5678",
        "card": "320682********1234", "account": "6222********2233", "speed": 12.5, "load": "full",
    }  # fmt: skip
    whole = json.loads(personal_body())
    for name in ("delivery_id", "episode_id", "rule", "at_ms", "severity", "lon", "personal"):
        assert kept[name] == whole[name]


def test_full_is_the_body_as_it_is() -> None:
    assert carried(personal_body(), "full") == personal_body()


def test_a_masked_notice_has_no_personal_data_in_any_of_its_parts() -> None:
    shown = repr(dataclasses.astuple(read(personal_body(), "zh", personal="masked")))
    for secret in SECRETS:
        assert secret not in shown, secret


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        pytest.param("苏F12345 停留", "苏F1***5 停留", id="plate"),
        pytest.param("沪AD12345停留", "沪AD****5停留", id="new-energy-plate"),
        pytest.param("苏F1234挂停留", "苏F1***挂停留", id="trailer"),
        pytest.param("苏f·12345", "苏f·****5", id="plate-with-a-dot"),
        pytest.param("致电13812345678。", "致电138****5678。", id="phone"),
        pytest.param("+86 138-1234-5678", "+86**********5678", id="phone-from-abroad"),
        pytest.param("0513-85216789", "051******6789", id="landline"),
        pytest.param("身份证32068219900101123X", "身份证320682********123X", id="id-number"),
        pytest.param("a.b@city.gov.cn", "a*b@city.gov.cn", id="mail"),
        pytest.param("运单 YD13812345678", "运单 YD13812345678", id="a-waybill-is-no-phone"),
        pytest.param("1772414700000", "1772414700000", id="an-instant-is-no-phone"),
        pytest.param("120.13812345678", "120.13812345678", id="a-coordinate-is-no-phone"),
        pytest.param("京东方1号", "京东方1号", id="a-company-is-no-plate"),
        pytest.param("苏F1***5-yellow", "苏F1***5-yellow", id="masked-already"),
    ],
)
def test_what_looks_personal_is_masked_without_being_declared(text: str, masked: str) -> None:
    case = {**CASE, "notice": {**CASE["notice"], "text": {"zh": text}}}
    assert read(json.dumps(case).encode(), "zh", personal="masked").text == masked
