"""When a sink would be told more than people can read: papers wait and become one digest.

Nothing is lost: a digest lists every paper that it stands for, and its id is a hash of theirs, so
that making it again makes the same one.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from engine.cases.model import Paper, PaperKind
from engine.cases.policy import Storm
from engine.model.severity import Severity

MOST_LISTED = 500
"""Papers that one digest stands for; more make further digests."""

_COUNTED = ("route", "severity", "area", "lead")
_SHOWN = ("number", "severity", "title", "summary", "area", "place", "lead", "due_ms")


@dataclass(frozen=True, slots=True)
class Sifted:
    """Papers that go out now, and those that wait for a digest; in the order they were given."""

    now: tuple[Paper, ...] = ()
    wait: tuple[Paper, ...] = ()


def sift(
    storm: Storm,
    papers: Iterable[Paper],
    sent_since: Callable[[str, int], int],
    waiting: Callable[[str, str], bool],
    now_ms: int,
) -> Sifted:
    """Tell papers that go out singly from those that wait for a digest.

    A paper waits when more than `over` would have gone to its sink within `within_ms`, and when
    one of its group waits for that sink already, so that nothing overtakes. Papers of the level
    `singly_from` and above, and those to sinks that are not `sinks`, go out whatever happens.

    Args:
        storm: What is declared.
        papers: In the order in which they were made.
        sent_since: How many single papers went to a sink since an instant.
        waiting: Whether a paper of a group waits for a sink.
        now_ms: The desk's own time, UTC ms.

    """
    going: list[Paper] = []
    held: list[Paper] = []
    counts: Counter[str] = Counter()
    before: dict[str, int] = {}
    behind: set[tuple[str, str]] = set()
    for paper in papers:
        sink = paper.sink
        if paper.kind is PaperKind.DIGEST or not _gathered(storm, paper):
            going.append(paper)
            continue
        if sink not in before:
            before[sink] = sent_since(sink, now_ms - storm.within_ms)
        overtakes = (sink, paper.group) in behind or waiting(sink, paper.group)
        if overtakes or before[sink] + counts[sink] >= storm.over:
            held.append(paper)
            behind.add((sink, paper.group))
            continue
        counts[sink] += 1
        going.append(paper)
    return Sifted(tuple(going), tuple(held))


def _gathered(storm: Storm, paper: Paper) -> bool:
    """Whether a paper may wait for a digest at all."""
    if storm.sinks and paper.sink not in storm.sinks:
        return False
    severity = str(paper.document.get("severity", ""))
    known = severity in list(Severity)
    return not (
        known and storm.singly_from and Severity(severity).rank >= Severity(storm.singly_from).rank
    )


def due_ms(storm: Storm, held: Iterable[Paper]) -> int | None:
    """When what waits is to be told: so long after the first of it; None when nothing waits."""
    first = min((paper.at_ms for paper in held), default=None)
    return None if first is None else first + storm.every_ms


def digests(held: Iterable[Paper], now_ms: int) -> tuple[Paper, ...]:
    """What stands for papers that waited: for each sink one document, or several for very many.

    The order in which the papers are given does not matter.
    """
    by_sink: dict[str, dict[str, Paper]] = {}
    for paper in held:
        by_sink.setdefault(paper.sink, {})[paper.id] = paper
    found: list[Paper] = []
    for sink in sorted(by_sink):
        papers = sorted(by_sink[sink].values(), key=lambda one: (one.at_ms, one.id))
        parts = [papers[at : at + MOST_LISTED] for at in range(0, len(papers), MOST_LISTED)]
        found += [
            _digest(sink, part, (number, len(parts)), now_ms)
            for number, part in enumerate(parts, 1)
        ]
    return tuple(found)


def _digest(sink: str, papers: Sequence[Paper], part: tuple[int, int], now_ms: int) -> Paper:
    document: dict[str, Any] = {
        "kind": str(PaperKind.DIGEST),
        "count": len(papers),
        "part": part[0],
        "parts": part[1],
        "from_ms": papers[0].at_ms,
        "until_ms": papers[-1].at_ms,
        "counts": {name: _counted(name, papers) for name in _COUNTED},
        "papers": [_listed(paper) for paper in papers],
    }
    return Paper(
        id=digest_id(sink, [paper.id for paper in papers]),
        kind=PaperKind.DIGEST,
        sink=sink,
        group=f"digest:{sink}",
        at_ms=now_ms,
        document=document,
    )


def digest_id(sink: str, papers: Collection[str]) -> str:
    """The delivery id of the digest that stands for some papers."""
    whole = "\n".join([sink, *sorted(papers)])
    return sha256(whole.encode()).hexdigest()[:24]


def _counted(name: str, papers: Sequence[Paper]) -> dict[str, int]:
    """How many papers have each value of a field, the most frequent first."""
    counts = Counter(str(paper.document.get(name) or "") for paper in papers)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _listed(paper: Paper) -> dict[str, Any]:
    """What a digest says of one paper: enough to find the case and to see what it is about."""
    shown = {name: paper.document[name] for name in _SHOWN if paper.document.get(name)}
    return {"id": paper.id, "kind": str(paper.kind), "incident": paper.group, **shown}
