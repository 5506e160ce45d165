"""What a person reads when a declaration is wrong: one folder per case, in both languages.

A case holds the files in which it differs from one of the packs in `bases/`, and what is reported.
The packs there bear the names of shipped ones but are their own world: small, and left as they are
when rules/ grows, because the places in a hundred reports are places in them.
`GOLDEN=write` rewrites the expected texts, to be read in review as prose.
"""

import json
import os
import time
from collections import Counter
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from engine.ruleset.load import DeclaredFile, Loaded, LoadOptions, load_project
from engine.text import LANGUAGES, catalogue

HERE = Path(__file__).parent
CASES = sorted(folder for folder in (HERE / "golden").iterdir() if folder.is_dir())
MOST_SHARE = 0.05
SLOWEST_S = 1.0
SHIPPED = {"hazmat", "wages", "grids", "rentals", "hotline"}
MANY = 80
UNREACHABLE = {
    "R140": "links and missing folders are met while files are read, see test_files.py",
    "R141": "links and missing folders are met while files are read, see test_files.py",
    "R510": "ten thousand corners of one zone; tested with the zones",
    "R645": "the extra for Parquet is missing, met while files are read",
    "R646": "a Parquet file is read with the files, see tests/edge/reference",
    "R647": "databases are in the settings, see tests/edge/reference",
    "R521": "the encoding of every file is looked at first (R101)",
}


def files_under(folder: Path, top: Path) -> dict[str, bytes]:
    """Every file below a folder by its path from `top`."""
    return {
        path.relative_to(top).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@cache
def load_case(case: Path) -> tuple[Loaded, float]:
    """Load a case; answers what was found and how many seconds of CPU it took."""
    about: dict[str, Any] = {}
    if (case / "case.json").exists():
        about = json.loads((case / "case.json").read_text("utf-8"))
    bases = HERE / "bases"
    files = files_under(bases / about["base"], bases) if "base" in about else {}
    files |= files_under(case / "input", case / "input")
    for path, made in about.get("repeat", {}).items():
        text = made["head"] + made["text"] * made["times"] + made["tail"]
        files[path] = text.encode()
    for path in about.get("without", []):
        del files[path]
    declared = [DeclaredFile(path, raw) for path, raw in files.items()]
    today = date.fromisoformat(about["today"]) if "today" in about else None
    begun = time.process_time()
    loaded = load_project(declared, LoadOptions(today=today))
    return loaded, time.process_time() - begun


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_a_person_reads(case: Path, lang: str) -> None:
    loaded, took = load_case(case)
    expected = case / f"expected.{lang}.txt"
    report = loaded.report(lang) + "\n"
    if os.environ.get("GOLDEN") == "write":
        expected.write_text(report, "utf-8")
    assert report == expected.read_text("utf-8")
    assert loaded.problems
    if took >= SLOWEST_S:  # whoever is first loads what all need, such as the regions
        load_case.cache_clear()
        took = load_case(case)[1]
    assert took < SLOWEST_S


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_project_is_loaded_only_without_errors(case: Path) -> None:
    loaded, _ = load_case(case)
    assert (loaded.project is None) == bool(loaded.errors)


@pytest.mark.parametrize("base", [*sorted(SHIPPED), "river"])
def test_the_packs_that_cases_start_from_are_right(base: str) -> None:
    files = files_under(HERE / "bases" / base, HERE / "bases")
    loaded = load_project([DeclaredFile(path, raw) for path, raw in files.items()])
    assert loaded.report() == ""
    assert loaded.project is not None


def test_the_corpus_is_broad_and_mostly_made_of_real_packs() -> None:
    bases = [json.loads(path.read_text()) for path in (HERE / "golden").glob("*/case.json")]
    shipped = [about for about in bases if about.get("base") in SHIPPED]
    assert len(CASES) >= MANY
    assert len(shipped) * 2 >= len(CASES)


def test_no_problem_code_makes_up_much_of_the_corpus() -> None:
    counts = Counter(problem.code for case in CASES for problem in load_case(case)[0].problems)
    code, most = counts.most_common(1)[0]
    assert most <= MOST_SHARE * counts.total(), code


def test_every_problem_code_has_a_case() -> None:
    seen = {problem.code for case in CASES for problem in load_case(case)[0].problems}
    codes = {name for name in catalogue() if name[0] in "RW" and name[1:].isdigit()}
    assert codes - seen - set(UNREACHABLE) == set()
    assert seen <= codes
