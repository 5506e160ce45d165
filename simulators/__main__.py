"""`python -m simulators fleet|payroll|city|area`: make a world, and write, post or produce it.

    python -m simulators fleet --seed 7 --out DIR
    python -m simulators city --seed 7 --http http://127.0.0.1:8642 --rate 2000 --out DIR
    python -m simulators payroll --kafka 127.0.0.1:9092 --partitions 3 --out DIR
    python -m simulators area --out DIR         the zones the fleet lives in, as GeoJSON

Tables, truth and the card of the world always go to `--out`; records go there too unless they
are posted or produced. The same seed and sizes make the same bytes.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from simulators import kafka_access, to_files
from simulators.area import layers
from simulators.scenario import World
from simulators.worlds import WORLDS, make


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser("simulators", description="Worlds with labelled truth.")
    kinds = top.add_subparsers(dest="world", required=True)
    for name, kind in WORLDS.items():
        sub = kinds.add_parser(name, help=kind.help, description=kind.help)
        for option in kind.options:
            sub.add_argument(
                f"--{option.name.replace('_', '-')}",
                type=option.type,
                default=option.default,
                choices=option.choices,
                help=f"{option.help} (default: {option.default})",
            )
        sub.add_argument("--out", type=Path, required=True, help="folder for everything written")
        sub.add_argument("--rate", type=float, default=0.0, help="records a second, 0 = full speed")
        goal = sub.add_mutually_exclusive_group()
        goal.add_argument("--http", metavar="URL", help="post the records to an intake")
        goal.add_argument("--kafka", metavar="SERVERS", help="write the records to a broker")
        kafka_access.add_options(sub)
        sub.add_argument("--partitions", type=int, default=0, help="make missing topics so wide")
        sub.add_argument("--json", action="store_true", help="print the card as JSON")
        sub.add_argument("--tables-only", action="store_true", help="no records, tables and truth")
    area = kinds.add_parser("area", help="the zones the fleet lives in, as GeoJSON")
    area.add_argument("--out", type=Path, required=True, help="folder for the layers")
    return top


def main(
    argv: Sequence[str] | None = None, watch: Callable[[World], World] = lambda world: world
) -> int:
    """Make one world; answers the exit code.

    `watch` may put itself around the world, to see its records go by.
    """
    asked = parser().parse_args(argv)
    if asked.world == "area":
        write_area(asked.out)
        return 0
    try:
        return _make(asked, watch)
    except NotImplementedError as problem:
        message = f"the official working-day calendar does not cover this world: {problem}"
        print(message, file=sys.stderr)
        return 2


def _make(asked: argparse.Namespace, watch: Callable[[World], World]) -> int:
    """Write tables, truth, records and card of the world that was asked for."""
    kind = WORLDS[asked.world]
    sizes = {option.name: getattr(asked, option.name) for option in kind.options}
    world = make(asked.world, **sizes)
    tables = to_files.write_tables(world, asked.out)
    stories = to_files.write_truth(world, asked.out)
    records = Counter[str]() if asked.tables_only else _send(watch(world), asked)
    card = {
        "world": asked.world,
        **sizes,
        "start_ms": world.start_ms,
        "end_ms": world.end_ms,
        "records": dict(records),
        "rows": dict(tables),
        "stories": dict(sorted(stories.items())),
    }
    to_files.write_card(asked.out, card)
    _tell(card, as_json=asked.json)
    return 0


def _send(world: World, asked: argparse.Namespace) -> Counter[str]:
    """Give the records to whoever was asked for."""
    if asked.http:
        from simulators.to_http import post_records  # noqa: PLC0415 - only for who posts

        return post_records(world, asked.http, asked.rate)
    if asked.kafka:
        from simulators.to_kafka import produce_records  # noqa: PLC0415 - only for who produces

        client = kafka_access.client(asked)
        return produce_records(
            world, asked.kafka, asked.rate, partitions=asked.partitions, client=client
        )
    return to_files.write_records(world, asked.out, asked.rate)


def write_area(folder: Path) -> None:
    """Write every layer as `<layer>.geojson`, one feature a line."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, layer in layers().items():
        lines = ",\n".join(json.dumps(feature, ensure_ascii=False) for feature in layer["features"])
        head = '{"type": "FeatureCollection", "datum": "wgs84", "features": [\n'
        (folder / f"{name}.geojson").write_text(f"{head}{lines}\n]}}\n", "utf-8")


def _tell(card: dict[str, object], *, as_json: bool) -> None:
    """Print what was made."""
    if as_json:
        print(json.dumps(card, ensure_ascii=False))
        return
    for name, value in card.items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    sys.exit(main())
