"""The catalogue of problems: complete in both languages, and its page is current."""

import string
from pathlib import Path

import pytest

from engine.ruleset.problem_page import page
from engine.text import LANGUAGES, catalogue

PAGE = Path(__file__).parents[2] / "docs" / "problems.md"
CODES = sorted(name for name in catalogue() if name[0] in "RW" and name[1:].isdigit())


def test_the_page_of_problem_codes_is_made_from_the_catalogue() -> None:
    assert PAGE.read_text("utf-8") == page(), (
        "python -m engine.ruleset.problem_page > docs/problems.md"
    )


@pytest.mark.parametrize("code", CODES)
def test_both_languages_say_the_same_things(code: str) -> None:
    entry = catalogue()[code]
    names = {
        lang: {name for _, name, _, _ in string.Formatter().parse(entry[lang]) if name}
        for lang in LANGUAGES
    }
    assert names["en"] == names["zh"]


@pytest.mark.parametrize("code", CODES)
def test_a_sentence_has_no_full_stop_and_is_not_only_invalid(code: str) -> None:
    entry = catalogue()[code]
    assert not entry["en"].endswith(".")
    assert not entry["zh"].endswith("。")
    assert "invalid" not in entry["en"]
