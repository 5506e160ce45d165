"""Values in brackets, and single words and texts, as they are written anew."""

from unicodedata import east_asian_width

from engine.ruleset.fmt.tree import Entry, Node

WIDTH = 100
"""Values in brackets are broken where a line would get wider than so many cells."""

_WIDE = ("W", "F")


def width(text: str) -> int:
    """How many cells a text takes: Chinese takes two a sign."""
    return sum(2 if east_asian_width(char) in _WIDE else 1 for char in text)


def spelled(node: Node) -> str:
    """A scalar of one line; single quotes become double where nothing needs escaping."""
    raw = node.raw[0] if node.raw else ""
    if node.style == "'" and '"' not in raw and "\\" not in raw:
        return '"' + raw[1:-1].replace("''", "'") + '"'
    return raw


def one_line(node: Node) -> str:
    """A scalar or a value in brackets on a single line."""
    if node.kind == "scalar":
        return spelled(node)
    opening, closing = _brackets(node)
    return opening + ", ".join(_item(entry) for entry in node.entries) + closing


def flow(node: Node, column: int, behind: int = 0) -> list[str]:
    """A value in brackets that begins at a column, on as many lines as it needs.

    `behind` cells are taken by what follows its last line, such as brackets that close.
    """
    single = one_line(node)
    if node.kind == "scalar" or not node.entries or column + width(single) + behind <= WIDTH:
        return [single]
    opening, closing = _brackets(node)
    margin = column + len(opening)
    apart = node.kind == "list" and any(one.value.entries for one in node.entries)
    lines, at = [opening], margin
    last = len(node.entries) - 1
    for number, entry in enumerate(node.entries):
        after = behind + 1 if number == last else 1
        begun = at > margin
        if begun and (apart or at + 1 + width(_item(entry)) + after > WIDTH):
            lines.append(" " * margin)
            at, begun = margin, False
        if begun:
            lines[-1] += " "
            at += 1
        some = _broken(entry, at, after)
        lines[-1] += some[0]
        lines += some[1:]
        lines[-1] += closing if number == last else ","
        at = width(lines[-1]) + (column if len(lines) == 1 else 0)
    return lines


def shifted(lines: list[str], old: int, new: int, margin: int) -> list[str]:
    """Lines as they were written, moved from one column to another; none left of the margin."""
    moved = [lines[0]]
    for line in lines[1:]:
        text = line.strip(" ")
        indent = len(line) - len(line.lstrip(" "))
        moved.append(" " * max(margin, indent + new - old) + text if text else "")
    return moved


def _brackets(node: Node) -> tuple[str, str]:
    """What opens and closes a value in brackets."""
    if node.pair:
        return "", ""
    return ("{", "}") if node.kind == "mapping" else ("[", "]")


def _item(entry: Entry) -> str:
    """An item of a list, or a key with its value, on one line."""
    value = one_line(entry.value)
    if entry.key is None:
        return value
    return f"{spelled(entry.key)}: {value}" if value else spelled(entry.key)


def _broken(entry: Entry, column: int, behind: int) -> list[str]:
    """The same on as many lines as it needs."""
    if entry.key is None:
        return flow(entry.value, column, behind)
    if not one_line(entry.value):
        return [spelled(entry.key)]
    key = f"{spelled(entry.key)}: "
    lines = flow(entry.value, column + width(key), behind)
    return [key + lines[0], *lines[1:]]
