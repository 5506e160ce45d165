"""What each role sees of personal data: masked wherever it stands, and noted where it is not."""

import pytest

from engine.cases.model import Role
from engine.edge.api.masking import CLEAR, Mask, Personal, clear_for, kind_of

PERSONAL = Personal(
    fields={"vehicle": "plate", "driver": "name", "caller": "phone", "fix": "track"},
    keys={"stays": ("plate",), "wages": (None,), "both": ("plate", "name"), "calls": ("phone",)},
)
ALERT = {
    "rule": "stays",
    "key": "苏F12345-yellow",
    "title": {"zh": "苏F12345-yellow 停留过久", "en": "苏F12345-yellow stays"},
    "evidence": {
        "events": [{"vehicle": "苏F12345-yellow", "driver": "张三丰", "fix": 31.98765}],
        "operator": {"anchor": [120.89123, 31.98765]},
    },
    "lon": 120.89123,
}
SECRETS = ("苏F12345", "张三丰", "13812345678", "320682199001011234", "wang@example.com")


def over(document, role=Role.VIEWER, personal=PERSONAL):
    mask = Mask(personal, clear_for([role]))
    return mask.over(document), mask.read


def test_a_plate_is_masked_in_the_key_in_sentences_and_in_evidence():
    shown, read = over(ALERT)
    assert shown["key"] == "苏F1***5-yellow"
    assert shown["title"] == {"zh": "苏F1***5-yellow 停留过久", "en": "苏F1***5-yellow stays"}
    assert shown["evidence"]["events"] == [
        {"vehicle": "苏F1***5-yellow", "driver": "张**", "fix": 31.99}
    ]
    assert read == set()


def test_a_track_is_coarse_and_the_place_of_the_matter_is_not():
    shown, _ = over(ALERT)
    assert shown["evidence"]["operator"]["anchor"] == [120.89, 31.99]
    assert shown["lon"] == 120.89123


def test_a_handler_sees_it_in_clear_and_that_is_noted():
    shown, read = over(ALERT, Role.HANDLER)
    assert shown == ALERT
    assert read == {"plate", "name", "track"}


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SYSTEM])
def test_identity_numbers_nobody_sees(role):
    shown, read = over({"reason": "证件 320682199001011234"}, role)
    assert shown == {"reason": "证件 320682********1234"}
    assert "id" not in read


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        pytest.param("打 13812345678 联系", "打 138****5678 联系", id="mobile phone"),
        pytest.param("+86 138-1234-5678", "+86**********5678", id="with hyphens"),
        pytest.param("0513-85123456", "051******3456", id="fixed line"),
        pytest.param("车牌苏FD12345停放", "车牌苏FD****5停放", id="new energy plate"),
        pytest.param("苏F·12345", "苏F·****5", id="plate with a dot"),
        pytest.param("mail wang@example.com", "mail w**g@example.com", id="mail address"),
        pytest.param("案件 20260314-0042", "案件 20260314-0042", id="a case number is none"),
        pytest.param("距离 12345 米", "距离 12345 米", id="a distance is none"),
        pytest.param("1700000000000", "1700000000000", id="an instant is none"),
    ],
)
def test_free_text_is_looked_through(text, masked):
    assert over({"reason": text})[0] == {"reason": masked}


def test_a_number_that_is_a_phone_is_masked():
    assert over({"x": 13812345678, "y": 1_700_000_000_000})[0] == {
        "x": "138****5678",
        "y": 1_700_000_000_000,
    }


def test_each_part_of_a_key_has_its_own_kind():
    shown, _ = over({"rule": "both", "key": "苏F12345|张三丰"})
    assert shown["key"] == "苏F1***5|张**"


def test_the_key_of_a_rule_that_is_no_more_is_masked():
    assert over({"rule": "gone", "key": "worker-4711"})[0]["key"] == "wo*******11"


def test_a_key_that_is_not_personal_stays():
    assert over({"rule": "wages", "key": "enterprise-7"})[0]["key"] == "enterprise-7"


def test_a_document_may_say_itself_which_fields_are_personal():
    document = {"personal": {"who": "name"}, "who": "李四光", "text": "李四光 来电"}
    assert over(document)[0] == {"who": "李**", "text": "李** 来电"}


def test_names_of_fields_are_not_a_way_round():
    shown, _ = over({"labels": {"苏F12345": "13812345678"}})
    assert shown == {"labels": {"苏F1***5": "138****5678"}}


@pytest.mark.parametrize("role", [Role.VIEWER, Role.AUDITOR, Role.ADMIN])
def test_who_has_no_need_sees_nothing_anywhere(role):
    document = {
        "moves": [{"reason": " ".join(SECRETS), "details": {"found": SECRETS}}],
        "members": [{"rule": "stays", "key": SECRETS[0]}, {"rule": "calls", "key": SECRETS[2]}],
        "title": {"zh": f"{SECRETS[1]}的车", "en": ""},
        "evidence": {"events": [{"driver": SECRETS[1], "caller": SECRETS[2]}]},
    }
    shown, read = over(document, role)
    assert not [one for one in SECRETS if one in repr(shown)]
    assert read == set()


def test_every_role_has_a_row_and_tags_have_kinds():
    assert set(CLEAR) == set(Role) - {Role.SYSTEM}
    assert [kind_of(tag) for tag in ("caller", "plate", "iris")] == ["phone", "plate", "other"]
