"""Which comment belongs to what: to the line it stands behind, or to what follows or ends."""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import groupby

from engine.ruleset.fmt.tree import Comment, Entry, Node, Place, Unformattable, Why, entries


def find_comments(root: Node, lines: list[str]) -> list[Comment]:
    """Every comment of a file; a `#` outside of all scalars begins one."""
    spans = sorted((node.start, node.end) for node in _scalars(root) if node.start != node.end)
    starts = [start for start, _ in spans]
    found = []
    for number, line in enumerate(lines):
        column = line.find("#")
        while column >= 0:
            index = bisect_right(starts, (number, column)) - 1
            if index >= 0 and (number, column) < spans[index][1]:
                end = spans[index][1]
                column = line.find("#", end[1]) if end[0] == number else -1
                continue
            alone = not line[:column].strip()
            found.append(Comment((number, column), line[column:].rstrip(), alone))
            break
    return found


def attach(root: Node, lines: list[str]) -> list[str]:
    """Give every comment and blank line to an entry; answers those at the head of the file.

    Raises:
        Unformattable: A comment stands where none can be kept.

    """
    order = list(entries(root))
    begins = [entry.start for _, entry in order]
    comments = find_comments(root, lines)
    kept = _keep_whole(root, comments)
    trail: list[str] | None = None
    last: Place = (-1, -1)
    placed = [((number, 0), "") for number in _blanks(root, lines)]
    for comment in comments:
        if any(start < comment.place < end for start, end in kept):
            continue
        if not comment.alone:
            number = bisect_right(begins, comment.place) - 1
            if number < 0:
                raise Unformattable(Why.DIRECTIVE, comment.place)
            trail = order[number][1].trail
        elif trail is None or comment.place != (last[0] + 1, last[1]):
            placed.append((comment.place, comment.text))
            continue
        trail.append(comment.text)
        last = comment.place
    return _settle(root, order, sorted(placed))


def _settle(
    root: Node, order: list[tuple[Node, Entry]], placed: list[tuple[Place, str]]
) -> list[str]:
    """Give what stands on lines of its own to the entry below it, or to the block it ends."""
    begins = [entry.start for _, entry in order]
    head: list[str] = []
    for number, run in groupby(placed, key=lambda one: bisect_right(begins, one[0])):
        lead, blank, ended = head, False, number > 0
        if number:
            lead = order[number][1].lead if number < len(order) else root.foot
        for place, text in run:
            if not text:
                blank = True
                continue
            block = _ended(root, order, number, place[1]) if ended else None
            ended = block is not None
            target = lead if block is None else block.foot
            target += ["", text] if blank else [text]
            blank = False
        if blank:
            lead.append("")
    return head


def _ended(root: Node, order: list[tuple[Node, Entry]], number: int, column: int) -> Node | None:
    """The block that ends before entry `number` and that a comment in this column belongs to."""
    following = order[number][0] if number < len(order) else root
    margin = following.entries[0].start[1]
    for block in _around(root, order[number - 1][1]):
        if block is following:
            return None
        if margin < block.entries[0].start[1] <= column:
            return block
    return None


def _around(root: Node, entry: Entry) -> list[Node]:
    """The blocks that hold an entry, the innermost first."""

    def search(node: Node) -> list[Node] | None:
        for one in node.entries:
            if one is entry:
                return [node]
            if one.value.is_block and one.start <= entry.start:
                found = search(one.value)
                if found:
                    return [*found, node]
        return None

    return search(root) or []


def _keep_whole(root: Node, comments: list[Comment]) -> list[tuple[Place, Place]]:
    """Mark the flow values that hold comments, which stay as they are written; answers where."""
    kept = []
    for node in _flows(root):
        if any(node.start < comment.place < node.end for comment in comments):
            node.whole = True
            kept.append((node.start, node.end))
    return kept


def _blanks(root: Node, lines: list[str]) -> Iterator[int]:
    """Lines with nothing on them, outside of scalars and flow values."""
    spans = [(n.start[0], n.end[0]) for n in (*_scalars(root), *_flows(root))]
    covered = {line for first, last in spans if last > first for line in range(first, last + 1)}
    for number, line in enumerate(lines):
        if not line.strip() and number not in covered:
            yield number


def _scalars(node: Node) -> Iterator[Node]:
    if node.kind == "scalar":
        yield node
    for entry in node.entries:
        if entry.key is not None:
            yield entry.key
        yield from _scalars(entry.value)


def _flows(node: Node) -> Iterator[Node]:
    """The outermost flow values."""
    if node.style == "flow":
        yield node
        return
    for entry in node.entries:
        yield from _flows(entry.value)
