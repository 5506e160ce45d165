"""A world as files: one JSONL per feed, tables as CSV, the truth, and a card that describes it.

OUT/world.json            seed, sizes, first and last instant, records by feed, stories by kind
OUT/<feed>.jsonl          records in order of arrival, heartbeats included
OUT/tables/<table>.csv    look-up tables
OUT/truth.jsonl           one story a line
"""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from simulators.pace import paced
from simulators.scenario import Item, World


def write_records(world: World, folder: Path, rate: float = 0.0) -> Counter[str]:
    """Write the records of each feed, flushed batch by batch; answers how many of each."""
    folder.mkdir(parents=True, exist_ok=True)
    counts: Counter[str] = Counter()
    with ExitStack() as stack:
        files = {
            feed.name: stack.enter_context((folder / f"{feed.name}.jsonl").open("wb"))
            for feed in world.feeds
        }
        for batch in paced(world.items(), rate):
            for item in batch:
                files[item.feed].write(item.value + b"\n")
            counts.update(item.feed for item in batch)
            if rate > 0:
                for file in files.values():
                    file.flush()
    return counts


def write_tables(world: World, folder: Path) -> Counter[str]:
    """Write each table as CSV with a header line; answers how many rows of each."""
    counts: Counter[str] = Counter()
    for name, rows in world.tables().items():
        (folder / "tables").mkdir(parents=True, exist_ok=True)
        counts[name] = _write_csv(folder / "tables" / f"{name}.csv", rows)
    return counts


def _write_csv(path: Path, rows: Iterable[Mapping[str, object]]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = None
        for row in rows:
            if writer is None:
                writer = csv.DictWriter(file, list(row), lineterminator="\n")
                writer.writeheader()
            writer.writerow(row)
            count += 1
    return count


def write_truth(world: World, folder: Path) -> Counter[str]:
    """Write the truth; answers how many stories by `rule kind`."""
    folder.mkdir(parents=True, exist_ok=True)
    counts: Counter[str] = Counter()
    with (folder / "truth.jsonl").open("wb") as file:
        for story in world.stories():
            file.write(story.line())
            counts[f"{story.rule} {story.kind}"] += 1
    return counts


def write_card(folder: Path, card: Mapping[str, object]) -> None:
    """Write down what this world is, so that it can be made again."""
    text = json.dumps(card, ensure_ascii=False, indent=2)
    (folder / "world.json").write_text(text + "\n", "utf-8")


def as_lines(items: Iterable[Item]) -> bytes:
    """Records as NDJSON."""
    return b"".join(item.value + b"\n" for item in items)


def read_truth(path: Path) -> list[dict[str, object]]:
    """The stories of a `truth.jsonl` as plain dicts."""
    return [json.loads(line) for line in path.read_bytes().splitlines() if line]
