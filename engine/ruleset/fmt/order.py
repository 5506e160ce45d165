"""In which order the keys of a file stand, and which of its names are set out in columns."""

from engine.ruleset.fmt.tree import Entry, Node
from engine.ruleset.json_schema import DECLARATIONS

_LAST = {"table": ("fields",)}
"""Keys that come behind all others, because they are long."""
_TESTS = ("rules", "defaults", "tests")
DESK = {
    "desk": ("desk", "title", "owner", "storm", "reopen_lifts", "merge_reasons"),
    "timings": ("hours", "timings"),
    "branches": ("default", "branches"),
}
"""Of files of a desk, by a key that tells what each is; a desk is declared beside the rules."""

COLUMNS = {"rule": ("lookup", "signals"), "feed": ("fields",), "table": ("fields",)}
"""Mappings of names that are set out in columns, by the kind of file."""


def kind_of(root: Node) -> str:
    """What a file declares, by its keys; nothing if that is no declaration we know."""
    names = {name_of(entry) for entry in root.entries}
    return next((kind for kind in (*DECLARATIONS, "tests", *DESK) if kind in names), "")


def ordered(root: Node) -> list[Entry]:
    """The entries of a file in the order in which its kind is documented.

    A key that the kind does not know stays behind the known one it stands behind.
    """
    kind = kind_of(root)
    names: tuple[str, ...] = _TESTS if kind == "tests" else DESK.get(kind, ())
    if kind in DECLARATIONS:
        fields = DECLARATIONS[kind].model_fields
        names = tuple(field.alias or name for name, field in fields.items())
    last = _LAST.get(kind, ())
    ranks = {name: len(names) if name in last else rank for rank, name in enumerate(names)}
    placed: list[tuple[int, int, Entry]] = []
    rank = -1
    for number, entry in enumerate(root.entries):
        rank = ranks.get(name_of(entry), rank)
        placed.append((rank, number, entry))
    return [entry for _, _, entry in sorted(placed, key=lambda one: one[:2])]


def name_of(entry: Entry) -> str:
    """The name of a key, without its quotes."""
    return "" if entry.key is None else entry.key.raw[0].strip("\"'")
