"""Alert texts: filled in the words of the language, checked when they are loaded."""

import pytest

from engine.errors import Location
from engine.ruleset.templates import Template, parse_template

AT = Location("rule.yaml", 3, 8)
T0 = 1_772_413_800_000
VALUES = {
    "vehicle": "苏F12345-yellow",
    "speed": 12.5,
    "workers": 3,
    "amount": 3_000_000,
    "located": True,
    "held": 2_700_000,
    "place": None,
    "since": T0,
    "severity": "orange",
    "anchor": (120.9, 32.01),
    "region": {"code": "320682", "county": "如皋"},
    "value": 2300.0,
    "site": None,
    "start": {"contract_sum": 5000},
}


def made(text: str, scope) -> Template:
    result = parse_template(text, AT, scope)
    assert not isinstance(result, list), result
    return result


@pytest.mark.parametrize(
    ("text", "zh", "en"),
    [
        pytest.param("停留 {{ held }}", "停留 45 分钟", "停留 45 min", id="duration"),
        pytest.param("{{ held|duration }}", "45 分钟", "45 min", id="duration-filter"),
        pytest.param("{{ since }}", "2026-03-02 09:10", "2026-03-02 09:10", id="time"),
        pytest.param("{{ since|time('UTC') }}", "2026-03-02 01:10", "2026-03-02 01:10", id="zone"),
        pytest.param("{{ speed }}", "12.5 公里/小时", "12.5 km/h", id="number-with-unit"),
        pytest.param("{{ amount }}", "300 万元", "3,000,000 yuan", id="money"),
        pytest.param("{{ workers }}", "3", "3", id="bare-number"),
        pytest.param("{{ value|distance }}", "2.3 公里", "2.3 km", id="distance"),
        pytest.param("{{ located }}", "是", "yes", id="yes"),
        pytest.param("{{ severity|level }}", "橙色", "orange", id="level"),
        pytest.param("{{ vehicle|mask_plate }}", "苏F1***5-yellow", "苏F1***5-yellow", id="mask"),
        pytest.param("{{ vehicle|mask }}", "苏F1********low", "苏F1********low", id="mask-any"),
        pytest.param("{{ anchor }}", "120.90000, 32.01000", "120.90000, 32.01000", id="position"),
        pytest.param("{{ place }}", "—", "—", id="missing"),
        pytest.param("{{ place|mask_name }}", "—", "—", id="missing-filtered"),
        pytest.param("{{ region.town }}", "—", "—", id="missing-column"),
        pytest.param("{{ site.name }}", "—", "—", id="missing-record"),
        pytest.param("{{ site.exists }}", "否", "no", id="record-exists"),
        pytest.param("{{ region['code'] }}", "320682", "320682", id="item"),
        pytest.param("{% if place %}{{ place }}{% else %}?{% endif %}", "?", "?", id="else"),
        pytest.param("{% if held > 30 and located %}a{% endif %}", "a", "a", id="and"),
        pytest.param("{% if not site.exists %}a{% endif %}", "a", "a", id="not"),
        pytest.param(
            "{% if severity == 'red' %}r{% elif severity == 'orange' %}o{% else %}x{% endif %}",
            "o",
            "o",
            id="elif",
        ),
        pytest.param("{% if place == 'a' %}a{% endif %}b", "b", "b", id="missing-equals-nothing"),
        pytest.param("<b>{{ workers }}</b> &", "<b>3</b> &", "<b>3</b> &", id="nothing-is-escaped"),
        pytest.param("{# note #}plain", "plain", "plain", id="comment"),
    ],
)
def test_rendered_in_both_languages(scope, text, zh, en):
    template = made(text, scope)
    assert (template.render(VALUES, "zh"), template.render(VALUES, "en")) == (zh, en)


def test_values_never_become_templates(scope):
    template = made("{{ vehicle }}", scope)
    assert template.render({"vehicle": "{{ held }}{% if %}"}, "en") == "{{ held }}{% if %}"


def test_a_rendered_text_is_cut_at_four_thousand_characters(scope):
    template = made("{{ vehicle }}{{ vehicle }}", scope)
    text = template.render({"vehicle": "x" * 4000}, "en")
    assert len(text) == 4096
    assert text.endswith("…")


def test_the_names_a_text_needs_are_known(scope):
    template = made("{{ region.code }} {% if located %}{{ held }}{% endif %}", scope)
    assert template.names == ("held", "located", "region")


def test_every_problem_is_found_with_its_place(scope):
    problems = parse_template("{{ vehicel }} {{ held|tim }}\n{{ region.cod }}", AT, scope)
    assert isinstance(problems, list)
    assert [(str(p.at), p.code, p.nearest) for p in problems] == [
        ("rule.yaml:3:11", "R320", "vehicle"),
        ("rule.yaml:3:30", "R352", "time"),
        ("rule.yaml:4:4", "R321", "code"),
    ]
