"""Files as a source: order, resuming anywhere, gzip, patterns, pace, sorting, following."""

import asyncio
import gzip
import json
from pathlib import Path

import pytest
from source_stage import context, read

from connectors.sources.file import FILE_SHIFT, FileSource, Options, build
from engine.errors import EnvironmentUnusable
from engine.ports import Batch, SourceId

TIMES = [3, 1, 2, 5, 4, 8, 6, 7]


def lines(times: list[int], name: str = "a") -> bytes:
    return b"".join(b'{"t":%d,"n":"%s"}\n' % (t, name.encode()) for t in times)


def source(folder: Path, path: str = "gps.jsonl", **options: object) -> FileSource:
    form = "csv" if path.endswith(("csv", "csv.gz")) else "json"
    columns = ("t", "n") if form == "csv" else ()
    declared = Options.model_validate({"feed": "gps", "path": path, **options})
    return build("gps", declared, context(folder, form, columns))


def write(folder: Path, name: str, data: bytes) -> None:
    path = folder / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)


CSV = b"n,t\n" + b"".join(b'"x\ny%d",%d\n' % (t, t) for t in TIMES)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param("gps.jsonl", lines(TIMES), id="json-lines"),
        pytest.param("gps.jsonl.gz", lines(TIMES), id="gzipped-json-lines"),
        pytest.param("gps.csv", CSV, id="csv-with-line-ends-in-quotes"),
        pytest.param("gps.csv.gz", CSV, id="gzipped-csv"),
        pytest.param("gps.jsonl", lines(TIMES)[:-1], id="no-line-end-at-the-end"),
    ],
)
async def test_it_goes_on_at_any_record_and_just_behind_any_record(
    tmp_path: Path, name: str, data: bytes
) -> None:
    write(tmp_path, name, data)
    whole = await read(source(tmp_path, name))
    assert len(whole) == len(TIMES)
    for at, record in enumerate(whole):
        again = await read(source(tmp_path, name), {"file/gps": record.offset})
        behind = await read(source(tmp_path, name), {"file/gps": record.offset + 1})
        assert again == whole[at:]
        assert behind == whole[at + 1 :]


async def test_files_of_a_pattern_are_one_log_in_name_order(tmp_path: Path) -> None:
    write(tmp_path, "b.jsonl", lines([3, 4], "b"))
    write(tmp_path, "a.jsonl.gz", lines([1, 2], "a"))
    found = await read(source(tmp_path, "*.jsonl*"))
    assert [json.loads(record.value)["t"] for record in found] == [1, 2, 3, 4]
    assert [record.offset >> FILE_SHIFT for record in found] == [0, 0, 1, 1]


async def test_a_file_that_comes_later_keeps_the_places_of_those_before(tmp_path: Path) -> None:
    first = source(tmp_path, "*.jsonl")
    write(tmp_path, "b.jsonl", lines([1, 2]))
    read_before = await read(first)
    write(tmp_path, "a.jsonl", lines([3]))
    second = FileSource("gps", first.options, first.context)
    rest = await read(second, {"file/gps": read_before[-1].offset + 1})
    assert [json.loads(record.value)["t"] for record in rest] == [3]


async def test_sorting_orders_the_whole_recording_and_can_go_on(tmp_path: Path) -> None:
    write(tmp_path, "gps.jsonl", lines(TIMES))
    found = await read(source(tmp_path, sort=True))
    assert [json.loads(record.value)["t"] for record in found] == sorted(TIMES)
    rest = await read(source(tmp_path, sort=True, batch=3), {"file/gps/sorted": 5})
    assert rest == found[5:]


async def test_a_batch_is_never_larger_than_declared(tmp_path: Path) -> None:
    write(tmp_path, "gps.jsonl", lines(TIMES))
    some = source(tmp_path, batch=3)
    await some.open({})
    sizes = [len(batch.records) async for batch in some.batches()]
    assert sizes == [3, 3, 2]
    await some.close()


async def test_with_a_speed_it_gives_what_happened_within_a_moment(tmp_path: Path) -> None:
    write(tmp_path, "gps.jsonl", lines([0, 100, 30_000, 29_000, 60_000]))
    paced = source(tmp_path, speed=100)
    await paced.open({})
    batches = [batch async for batch in paced.batches()]
    times = [[json.loads(r.value)["t"] for r in batch.records] for batch in batches]
    assert times == [[0, 100], [30_000, 29_000], [60_000]]
    assert paced.speed == 100
    await paced.close()


async def test_a_followed_file_gives_what_is_added_and_then_the_next_file(tmp_path: Path) -> None:
    write(tmp_path, "a.jsonl", lines([1])[:-3])
    tail = source(tmp_path, "*.jsonl", follow=True)
    assert tail.live
    await tail.open({})
    batches = tail.batches()
    waiting = asyncio.ensure_future(anext(batches))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    with (tmp_path / "a.jsonl").open("ab") as file:
        file.write(lines([1])[-3:] + lines([2]))
    first = await waiting
    write(tmp_path, "b.jsonl", lines([9]))
    second = await anext(batches)
    await tail.close()
    times = [json.loads(r.value)["t"] for batch in (first, second) for r in batch.records]
    assert times == [1, 2, 9]


async def test_a_followed_file_that_was_cut_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "gps.jsonl", lines([1, 2, 3]))
    tail = source(tmp_path, follow=True)
    await tail.open({})
    batches = tail.batches()
    await anext(batches)
    write(tmp_path, "gps.jsonl", b"")
    with pytest.raises(EnvironmentUnusable, match="became shorter"):
        await anext(batches)
    await tail.close()


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        pytest.param("other.txt", b"", "no file matches", id="no-such-file"),
        pytest.param("gps.jsonl.gz", b"not gzip", "cannot be read", id="not-gzip"),
        pytest.param("gps.jsonl.gz", None, "cannot be read", id="cut-gzip"),
    ],
)
async def test_what_cannot_be_read_is_said_in_a_sentence(
    tmp_path: Path, name: str, data: bytes | None, sentence: str
) -> None:
    cut = gzip.compress(lines(TIMES * 50))[:-20]
    (tmp_path / name).write_bytes(cut if data is None else data)
    with pytest.raises(EnvironmentUnusable, match=sentence):
        await read(source(tmp_path, "gps.jsonl.gz"))


def test_sorting_a_file_without_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentUnusable, match="cannot be used with 'follow'"):
        source(tmp_path, sort=True, follow=True)


async def test_batches_name_their_log_and_stream(tmp_path: Path) -> None:
    write(tmp_path, "gps.jsonl", lines([1]))
    one = source(tmp_path)
    await one.open({})
    batch = await anext(one.batches())
    assert batch == Batch("file/gps", SourceId("gps", 0), batch.records)
    assert list(one.ids) == [SourceId("gps", 0)]
    await one.close()
    await one.close()
