"""When a sink would be told more than people can read: papers wait and become one digest.

Nothing is lost: a digest lists every paper that it stands for, see `engine.cases.digest`.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from engine.cases.digest import MOST_LISTED as MOST_LISTED  # noqa: PLC0414 - read together
from engine.cases.digest import digests as digests  # noqa: PLC0414
from engine.cases.model import Paper, PaperKind
from engine.cases.policy import Storm
from engine.model.severity import Severity


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
    for paper in papers:
        sink = paper.sink
        if paper.kind is PaperKind.DIGEST or not _gathered(storm, paper):
            going.append(paper)
            continue
        if sink not in before:
            before[sink] = sent_since(sink, now_ms - storm.within_ms)
        if waiting(sink, paper.group) or before[sink] + counts[sink] >= storm.over:
            held.append(paper)  # and so does every later one of this call: a full sink stays full
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
