"""Nothing a file may hold makes loading raise: it answers with problems, or with a project."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.edge.files import read_project
from engine.ruleset.load import DeclaredFile, load_project
from engine.ruleset.source import read
from engine.text import LANGUAGES

BASES = {
    name: read_project([Path(__file__).parent / "bases" / name])
    for name in ("hazmat", "wages", "river")
}
WORDS = (
    b"null", b"true", b"-1", b"1e400", b"9" * 40, b"''", b"[]", b"{}", b"[[]]", b"{a: {b: c}}",
    b"0x1F", b".nan", b"~", b"2026-02-30", b"{{", b"}}", b"{% if x %}", b"*a", b"&a", b"!x", b"<<:",
    b"\t", b"\r", b"\x00", b"\xff", b"\xe2\x80\xa8", "停留".encode(), b"50m", b"3 furlongs", b"- ",
    b": ", b"|", b">", b"'", b'"', b"#", b"1 month + ", b"9" * 5000, b"a." * 300, b"(" * 90,
)  # fmt: skip


def checked(files: list[DeclaredFile]) -> None:
    """Load, and print everything that was found in both languages and as JSON."""
    loaded = load_project(files)
    assert (loaded.project is None) == bool(loaded.errors)
    for lang in LANGUAGES:
        assert len(loaded.as_json(lang)) == len(loaded.problems)
        loaded.report(lang)
    for problem in loaded.problems:
        assert problem.at.line >= 1
        assert problem.at.column >= 1


def mutated(raw: bytes, rng: random.Random) -> bytes:
    """Bytes with a few places cut, doubled, swapped, or overwritten by something nasty."""
    for _ in range(rng.randint(1, 3)):
        begin = rng.randrange(len(raw) + 1)
        end = min(len(raw), begin + rng.choice((0, 1, 2, 5, 20, 80)))
        match rng.randrange(5):
            case 0:
                raw = raw[:begin] + raw[end:]
            case 1:
                raw = raw[:end] + raw[begin:]
            case 2:
                raw = raw[:begin] + bytes([rng.randrange(256)]) + raw[end:]
            case 3:
                raw = _value_replaced(raw, begin, rng.choice(WORDS))
            case _:
                raw = raw[:begin] + rng.choice(WORDS) + raw[begin:]
    return raw


def _value_replaced(raw: bytes, near: int, word: bytes) -> bytes:
    """The value behind the next colon replaced, up to the end of its line or item."""
    colon = raw.find(b": ", near)
    if colon < 0:
        return raw
    ends = [place for sign in b",}]\n" if (place := raw.find(bytes([sign]), colon)) > 0]
    return raw[: colon + 2] + word + raw[min(ends, default=len(raw)) :]


@pytest.mark.parametrize("base", sorted(BASES))
@pytest.mark.parametrize("seed", range(60))
def test_a_file_changed_at_random_is_reported_not_raised(base: str, seed: int) -> None:
    rng = random.Random(f"{base}-{seed}")
    files = list(BASES[base])
    place = rng.randrange(len(files))
    files[place] = DeclaredFile(files[place].path, mutated(files[place].raw, rng))
    checked(files)


@pytest.mark.parametrize("base", sorted(BASES))
def test_a_pack_that_lacks_any_one_file_is_reported_not_raised(base: str) -> None:
    for place in range(len(BASES[base])):
        checked([file for index, file in enumerate(BASES[base]) if index != place])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_reported(raw: bytes) -> None:
    reading = read(DeclaredFile("any.yaml", raw))
    assert (reading.document is None) <= bool(reading.problems)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
        ),
        max_leaves=12,
    ),
    st.sampled_from(["rule.yaml", "feeds/f.yaml", "tables/t.yaml", "routes.yaml", "lists/l.yaml"]),
)
def test_any_shape_of_document_is_reported(value: object, path: str) -> None:
    raw = json.dumps(value).encode()
    checked([*BASES["river"], DeclaredFile(f"{Path(BASES['river'][0].path).parent}/{path}", raw)])
