"""The JSON lines sink: exactly once in the file, whatever a crash left."""

import json
import resource
from pathlib import Path

import pytest

from connectors.sinks import jsonl
from engine.errors import EnvironmentUnusable, Retryable
from engine.ports import SinkContext


def body(name: str) -> bytes:
    return json.dumps({"delivery_id": name}).encode()


def make(folder: Path, path: str = "out/a.jsonl") -> jsonl.JsonlSink:
    return jsonl.build("a", jsonl.Options(path=path), SinkContext(str(folder)))


async def send(folder: Path, *names: str) -> list[str]:
    sink = make(folder)
    await sink.open()
    for name in names:
        await sink.send(name, body(name), 1)
    await sink.close()
    lines = (folder / "out/a.jsonl").read_bytes().splitlines()
    return [json.loads(line)["delivery_id"] for line in lines]


async def test_after_a_crash_the_repeated_delivery_is_not_written_again(tmp_path: Path) -> None:
    assert await send(tmp_path, "d1", "d2", "d3") == ["d1", "d2", "d3"]
    assert await send(tmp_path, "d2", "d3", "d4") == ["d1", "d2", "d3", "d4"]


async def test_half_a_line_of_a_power_cut_is_cut_off(tmp_path: Path) -> None:
    await send(tmp_path, "d1")
    with (tmp_path / "out/a.jsonl").open("ab") as file:
        file.write(body("d2")[:7])
    assert await send(tmp_path, "d2") == ["d1", "d2"]


async def test_a_full_disk_may_pass_and_leaves_no_half_line(tmp_path: Path) -> None:
    sink = make(tmp_path)
    await sink.open()
    await sink.send("d1", body("d1"), 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30, hard))
    try:
        with pytest.raises(Retryable, match="disk"):
            await sink.send("d2", body("d2"), 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "out/a.jsonl").read_bytes() == body("d1") + b"\n"
    await sink.send("d2", body("d2"), 2)
    await sink.close()
    assert await send(tmp_path) == ["d1", "d2"]


async def test_a_file_that_cannot_be_made_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file where the folder should be")
    with pytest.raises(EnvironmentUnusable, match="cannot be written"):
        await make(tmp_path).open()
