"""Any pydantic model of ours is checked with places, our sentences and the nearest right name."""

from typing import Annotated, Literal

import pytest
from pydantic import Field

from engine.errors import Problem
from engine.ruleset.quantities import Duration
from engine.ruleset.shape import Strict, nearest, show, validate
from engine.ruleset.source import DeclaredFile, read


class Retry(Strict):
    """How often something is tried again."""

    times: Annotated[int, Field(ge=0, le=10)] = 3
    wait: Duration = 1000


class Sink(Strict):
    """A place that alerts go to."""

    kind: Literal["webhook", "kafka"]
    retry: Retry = Retry()


class Settings(Strict):
    """What a daemon is told."""

    sinks: dict[str, Sink]
    packs: list[str] = Field(default=[])


def problems(text: str) -> list[tuple[str, int, int, str]]:
    document = read(DeclaredFile("forewarn.yaml", text.encode())).document
    assert document is not None
    found = validate(Settings, document)
    assert isinstance(found, tuple)
    return [(one.code, one.at.line, one.at.column, one.nearest) for one in found]


def test_what_fits_becomes_the_model() -> None:
    document = read(
        DeclaredFile("a", b"sinks: {desk: {kind: webhook, retry: {wait: 2m}}}")
    ).document
    assert document is not None
    settings = validate(Settings, document)
    assert isinstance(settings, Settings)
    assert settings.sinks["desk"].retry.wait == 120_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("packs: []", [("R111", 1, 1, "")], id="missing-at-the-mapping-that-lacks-it"),
        pytest.param(
            "sinks: {}\npakcs: []", [("R112", 2, 1, "packs")], id="unknown-key-with-the-nearest"
        ),
        pytest.param(
            "sinks:\n  a: {kind: webhook, retry: {tmies: 2}}",
            [("R112", 2, 30, "times")],
            id="nearest-inside-mappings-of-models",
        ),
        pytest.param(
            "sinks:\n  a: {kind: webook}", [("R128", 2, 13, "webhook")], id="none-of-the-choices"
        ),
        pytest.param(
            "sinks:\n  a: {kind: kafka, retry: {times: 11, wait: 5}}",
            [("R133", 2, 35, ""), ("R405", 2, 45, "")],
            id="all-at-once",
        ),
        pytest.param("[1, 2]", [("R126", 1, 1, "")], id="not-even-a-mapping"),
        pytest.param("sinks: {}\npacks: [3]", [("R113", 2, 9, "")], id="no-value-is-bent"),
    ],
)
def test_what_does_not_fit_is_said_where_it_stands(
    text: str, expected: list[tuple[str, int, int, str]]
) -> None:
    assert problems(text) == expected


def test_a_problem_reads_in_both_languages() -> None:
    document = read(DeclaredFile("a.yaml", b"sinks: {a: {kind: 3}}")).document
    assert document is not None
    (problem,) = validate(Settings, document)
    assert isinstance(problem, Problem)
    assert problem.what("en") == "'kind' should be one of webhook, kafka, found 3"
    assert problem.what("zh") == "“kind”只能是 webhook, kafka 之一，实际为 3"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "null"), (True, "true"), ("a\n b", "'a b'"), ({}, "{}"), ([1], "[...]"), (2.5, "2.5")],
)
def test_values_are_shown_as_yaml(value: object, shown: str) -> None:
    assert show(value) == shown


def test_the_nearest_name_sees_through_case_and_dashes() -> None:
    assert nearest("Keep-Firing-For", ["keep_firing_for", "for"]) == "keep_firing_for"
    assert nearest("zebra", ["keep_firing_for", "for"]) == ""
