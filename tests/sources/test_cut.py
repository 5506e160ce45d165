"""Bytes become lines with their places, whatever chunks they come in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sources.csv_rows import CsvRows
from connectors.sources.lines import LONGEST, Lines

TEXTS = st.binary(max_size=80).map(lambda raw: raw.replace(b"\r", b"x"))


def cut(data: bytes, sizes: list[int], *, quoted: bool = False) -> list[tuple[int, bytes]]:
    lines, found = Lines(quoted=quoted), []
    for size in sizes:
        found += lines.take(data[:size])
        data = data[size:]
    found += lines.take(data)
    return found + lines.finish()


@given(TEXTS, st.lists(st.integers(0, 20), max_size=8))
def test_chunks_do_not_matter_and_every_place_points_at_its_line(
    data: bytes, sizes: list[int]
) -> None:
    found = cut(data, sizes)
    assert [line for _, line in found] == [line for line in data.split(b"\n") if line]
    assert all(data[place : place + len(line)] == line for place, line in found)


@given(
    st.lists(st.sampled_from([b"a", b",", b'"', b"\n"]), max_size=30).map(b"".join),
    st.lists(st.integers(0, 9), max_size=8),
)
def test_quoted_line_ends_do_not_depend_on_chunks(data: bytes, sizes: list[int]) -> None:
    assert cut(data, sizes, quoted=True) == cut(data, [], quoted=True)


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        pytest.param(b"a\r\nb\r\n", [b"a", b"b"], id="carriage-returns-go"),
        pytest.param(b"\n\n a\n", [b" a"], id="blank-lines-are-no-records"),
        pytest.param(b"a", [b"a"], id="a-last-line-needs-no-end"),
        pytest.param(b"", [], id="nothing-gives-nothing"),
    ],
)
def test_lines(data: bytes, lines: list[bytes]) -> None:
    assert [line for _, line in cut(data, [])] == lines


def test_a_line_end_between_quotes_belongs_to_the_record() -> None:
    assert cut(b'1,"a\nb",2\n3,c,4\n', [], quoted=True) == [(0, b'1,"a\nb",2'), (10, b"3,c,4")]


def test_an_endless_line_is_given_once_cut_and_passed_over() -> None:
    data = b"x" * (3 * LONGEST) + b"\nnext\n"
    found = cut(data, [1 << 16] * 60)
    assert [len(line) for _, line in found] == [LONGEST + 1, 4]
    assert found[1] == (3 * LONGEST + 1, b"next")


@pytest.mark.parametrize(
    ("header", "row", "out"),
    [
        pytest.param(b"t,a,b", b"1,2,3", b"1,2,3", id="same-order-is-untouched"),
        pytest.param(b"b,t,x,a", b"3,1,9,2", b"1,2,3", id="rearranged-and-extra-left-out"),
        pytest.param(b"t,b", b"1,3", b"1,,3", id="a-missing-column-is-empty"),
        pytest.param(b"b,a,t", b'"x,y",2,1', b'1,2,"x,y"', id="quotes-survive"),
        pytest.param(b"\xef\xbb\xbfb,a,t", b"3,2,1", b"1,2,3", id="byte-order-mark"),
        pytest.param(b"b,a,t,x", b"3,2,1", b"3,2,1,", id="too-short-stays-wrong"),
        pytest.param(b"b,a,t", b"#watermark,55", b"#watermark,55", id="heartbeats-go-through"),
    ],
)
def test_rows_of_a_file_become_rows_of_the_feed(header: bytes, row: bytes, out: bytes) -> None:
    rows = CsvRows(("t", "a", "b"))
    assert rows.take(header) is None
    assert rows.take(row) == out
