"""Missing values: a comparison with null is unknown, and unknown is not true."""

from itertools import product

import pytest

KNOWN = {True: "true", False: "false", None: "valve_open"}
"""How each truth value is written; the valve's state is missing."""


def both(a, b):
    if a is False or b is False:
        return False
    return None if a is None or b is None else True


@pytest.mark.parametrize(("a", "b"), list(product(KNOWN, KNOWN)))
def test_and_or_not_over_three_values(answer, a, b):
    one, other = KNOWN[a], KNOWN[b]
    negate = {True: False, False: True, None: None}
    assert answer(f"{one} and {other}") is both(a, b)
    assert answer(f"{one} or {other}") is negate[both(negate[a], negate[b])]
    assert answer(f"not {one}") is negate[a]
    assert answer(f"not ({one} and {other})") is negate[both(a, b)]
    assert answer(f"not ({one} or {other})") is both(negate[a], negate[b])
    assert answer(f"not (not {one})") is a
    assert answer(f"not ({one} if {other} else true)") is (negate[a] if b is True else False)
    assert answer(f"not ({one} and not {other})") is negate[both(a, negate[b])]


@pytest.mark.parametrize(("a", "b"), list(product(KNOWN, KNOWN)))
def test_the_same_when_both_sides_come_from_the_event(answer, a, b):
    changed = {"valve_open": a, "score": {True: 2, False: 0, None: None}[b]}
    negate = {True: False, False: True, None: None}
    assert answer("valve_open and score > 1", **changed) is both(a, b)
    assert answer("score > 1 and valve_open", **changed) is both(a, b)
    assert answer("valve_open or score > 1", **changed) is negate[both(negate[a], negate[b])]
    assert answer("not (valve_open and score > 1)", **changed) is negate[both(a, b)]


@pytest.mark.parametrize("op", ["<", "<=", ">", ">=", "==", "!="])
def test_the_opposite_of_a_comparison(answer, op):
    for workers in (2, 3, 4):
        holds = answer(f"workers {op} 3", workers=workers)
        assert answer(f"not workers {op} 3", workers=workers) is not holds
        assert answer(f"not workers {op} score", workers=workers) is None
        assert answer(f"not workers {op} score", workers=workers, score=3) is not holds


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("score > 1", None, id="comparison-with-null-is-unknown"),
        pytest.param("score == 1", None, id="equality-too"),
        pytest.param("score != 1", None, id="inequality-too"),
        pytest.param("not score == 1", None, id="and-its-negation"),
        pytest.param("1 < score < 3", None, id="chain-with-null"),
        pytest.param("5 < workers < score", False, id="chain-already-false"),
        pytest.param("1 < workers < score", None, id="chain-still-open"),
        pytest.param("score < workers < 2", False, id="chain-false-behind-null"),
        pytest.param("score == null", True, id="asked-for-null"),
        pytest.param("score != null", False, id="asked-for-a-value"),
        pytest.param("score + 1", None, id="sum"),
        pytest.param("-score", None, id="negative"),
        pytest.param("speed * 2", 8.0, id="not-null"),
        pytest.param("score in [1, 2]", None, id="null-in-list"),
        pytest.param("score not in [1, 2]", None, id="null-not-in-list"),
        pytest.param("workers in [score, 3]", True, id="found-beside-null"),
        pytest.param("workers in [score, 4]", None, id="not-found-beside-null"),
        pytest.param("workers not in [score, 4]", None, id="unknown-whether-outside"),
        pytest.param("coalesce(score, 7)", 7, id="coalesce"),
        pytest.param("coalesce(score, null)", None, id="coalesce-of-nothing"),
        pytest.param("min(score, 1)", None, id="min-of-null"),
        pytest.param("max(workers, 1, score)", None, id="max-of-null"),
        pytest.param("lower(hazard_class)", "3", id="function-of-text"),
        pytest.param("site.name", None, id="column-of-a-missing-record"),
        pytest.param("site.exists", False, id="missing-record"),
        pytest.param("waybill.exists", True, id="present-record"),
        pytest.param("starts_with(site.name, 'a')", None, id="function-of-null"),
        pytest.param("1 if score > 1 else 2", 2, id="unknown-condition-takes-the-other"),
        pytest.param("(1 if not located else score) > 0", None, id="choice-that-may-be-missing"),
        pytest.param("(score if located else 1) > 0", None, id="choice-first-may-be-missing"),
        pytest.param("valve_open == false", None, id="condition-compared"),
        pytest.param("(score > 1) == null", True, id="unknown-asked-for"),
        pytest.param("exists(score > 1)", False, id="unknown-does-not-exist"),
        pytest.param("coalesce(score > 1, true)", True, id="unknown-replaced"),
        pytest.param("coalesce(valve_open, located) and located", True, id="condition-replaced"),
        pytest.param("missing(region.town)", True, id="column-not-filled"),
    ],
)
def test_values_with_nulls(answer, text, value):
    assert answer(text) == value
    assert answer(text) is None or value is not None


def test_nothing_is_asked_that_cannot_matter(answer):
    assert answer("workers != 0 and 6 / workers > 1", workers=0) is False
    assert answer("workers == 0 or 6 / workers > 1", workers=0) is True
    with pytest.raises(ZeroDivisionError):
        answer("6 / workers > 1", workers=0)
