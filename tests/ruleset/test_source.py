"""YAML as people declare it: what words mean, where values stand, what is refused."""

import pytest

from engine.errors import Location, Problem
from engine.ruleset.document import Document
from engine.ruleset.source import MAX_DEPTH, DeclaredFile, read


def document(text: str) -> Document:
    reading = read(DeclaredFile("a.yaml", text.encode()))
    assert reading.problems == ()
    assert reading.document is not None
    return reading.document


@pytest.mark.parametrize(
    ("word", "value"),
    [
        pytest.param("12:30:00", "12:30:00", id="a-clock-reading-is-text"),
        pytest.param("2026-03-02", "2026-03-02", id="a-day-is-text"),
        pytest.param("yes", "yes", id="yes-is-text"),
        pytest.param("off", "off", id="off-is-text"),
        pytest.param("y", "y", id="y-is-text"),
        pytest.param("010", 10, id="leading-zero-is-decimal"),
        pytest.param("0o10", 8, id="octal-says-so"),
        pytest.param("0x1F", 31, id="hexadecimal-says-so"),
        pytest.param("1_000", "1_000", id="underscores-are-text"),
        pytest.param("1e3", 1000.0, id="an-exponent-is-a-number"),
        pytest.param("1.", 1.0, id="a-point-makes-a-number"),
        pytest.param("1e999", "1e999", id="more-than-any-number-is-text"),
        pytest.param(".nan", ".nan", id="not-a-number-is-text"),
        pytest.param("9" * 30, "9" * 30, id="an-id-of-digits-is-text"),
        pytest.param("true", True, id="true"),
        pytest.param("~", None, id="tilde-is-null"),
        pytest.param("", None, id="nothing-is-null"),
        pytest.param("'010'", "010", id="quotes-make-text"),
        pytest.param("50m", "50m", id="a-quantity-is-text"),
        pytest.param("苏F12345-yellow", "苏F12345-yellow", id="a-number-plate-is-text"),
    ],
)
def test_what_a_word_means(word: str, value: object) -> None:
    assert document(f"a: {word}").value == {"a": value}
    assert type(document(f"a: {word}").value["a"]) is type(value)


def test_keys_are_always_text() -> None:
    assert document("{1: a, true: b, 2026-01-01: c}").value == {
        "1": "a",
        "true": "b",
        "2026-01-01": "c",
    }


def test_every_value_and_key_has_its_place() -> None:
    read_as = document("when:\n  dwell: {radius: 150 meters}\nexcept:\n  - site.exists\n")
    assert read_as.at(("when", "dwell", "radius")) == Location("a.yaml", 2, 19)
    assert read_as.key(("when", "dwell", "radius")) == Location("a.yaml", 2, 11)
    assert read_as.at(("except", 0)) == Location("a.yaml", 4, 5)
    assert read_as.at(("when", "dwell", "at_least")) == read_as.at(("when", "dwell"))
    assert read_as.at(("nowhere",)) == Location("a.yaml", 1, 1)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param("a: speed > limit", (1, 12), id="plain"),
        pytest.param("a: 'speed > limit'", (1, 13), id="single-quotes"),
        pytest.param('a: "speed > limit"', (1, 13), id="double-quotes"),
        pytest.param('a: "\\"x\\" != y or speed > limit"', (1, 27), id="after-escapes"),
        pytest.param("a: 'it''s' \n", (1, 5), id="other-text"),
        pytest.param("a:\n  speed >\n  limit", (3, 3), id="folded-over-lines"),
        pytest.param("a: |\n  speed >\n    limit\n", (3, 5), id="block"),
        pytest.param("a: >-\n\n  speed >\n  limit\n", (4, 3), id="folded-block"),
        pytest.param("中: 速度 and speed > limit", (1, 19), id="chinese"),
    ],
)
def test_a_place_inside_a_text_is_found_through_quotes_and_folds(
    text: str, place: tuple[int, int]
) -> None:
    read_as = document(text)
    key, value = next(iter(read_as.value.items()))
    offset = max(value.find("limit"), 0)
    assert read_as.inside((key,), offset) == Location("a.yaml", *place)


def test_a_problem_in_a_block_moves_to_its_line() -> None:
    read_as = document("where: |\n    speed > 3 and\n    limt\n")
    base = read_as.text_at(("where",))
    found = Problem(Location("a.yaml", base.line + 1, 1), "R320", {"name": "limt"})
    assert read_as.relocate(found, ("where",)).at == Location("a.yaml", 3, 5)


def test_a_byte_order_mark_is_tolerated() -> None:
    reading = read(DeclaredFile("a.yaml", b"\xef\xbb\xbfa: 1\n"))
    assert reading.problems == ()
    assert reading.document is not None
    assert reading.document.value == {"a": 1}


def test_windows_line_ends_count_as_one() -> None:
    assert document("a: 1\r\nb: 2\r\n").at(("b",)) == Location("a.yaml", 2, 4)


def test_a_repeated_key_keeps_its_first_value_and_the_rest_of_the_file() -> None:
    reading = read(DeclaredFile("a.yaml", b"a: 1\nb: 2\na: {c: [3, {d: 4}]}\ne: 5\n"))
    assert reading.document is not None
    assert reading.document.value == {"a": 1, "b": 2, "e": 5}
    assert [(problem.code, problem.at.line) for problem in reading.problems] == [("R114", 3)]


def test_depth_is_counted_before_anything_is_built() -> None:
    fits = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert read(DeclaredFile("a.yaml", fits.encode())).problems == ()
    (problem,) = read(DeclaredFile("a.yaml", b"[" * 500_000)).problems
    assert problem.code == "R119"


def test_a_billion_laughs_are_refused_at_the_first() -> None:
    text = b"a: &a [lol]\nb: &b [*a, *a]\nc: [*b, *b]\n"
    assert [problem.code for problem in read(DeclaredFile("a.yaml", text)).problems] == ["R115"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('match: {condition: inside(position, "depots") and speed > 5 km/h}\n', "R152"),
        ('except: [inside(position, "depots")]\n', "R152"),
        ('match: {condition: inside(position, "depots")\n', "R105"),
        ("steps: [a, b\nname: c\n", "R105"),
    ],
)
def test_a_bracket_that_is_closed_is_not_said_to_be_open(text: str, code: str) -> None:
    assert [problem.code for problem in read(DeclaredFile("a.yaml", text.encode())).problems] == [
        code
    ]
