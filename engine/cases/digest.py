"""One document for many papers: it lists every one of them, and reads well in a duty room.

Its id is a hash of theirs, so that making it again makes the same one, and in whatever order the
papers come.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from hashlib import sha256
from typing import Any

from engine.cases.model import Paper, PaperKind
from engine.cases.notices import clock_time, in_language
from engine.model.severity import Severity
from engine.text import LANGUAGES, say
from engine.text.terms import Term

MOST_LISTED = 500
"""Papers that one digest stands for; more make further digests."""
MOST_READ = 20
"""Papers, and areas, that its text names."""

_COUNTED = ("route", "severity", "area", "lead")
_SHOWN = ("number", "severity", "title", "summary", "area", "place", "lead", "due_ms")


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
    made = digest_id(sink, [paper.id for paper in papers])
    document: dict[str, Any] = {
        "document": str(PaperKind.DIGEST),
        "id": made,
        "at_ms": now_ms,
        "severity": _highest(papers),
        "count": len(papers),
        "part": part[0],
        "parts": part[1],
        "from_ms": papers[0].at_ms,
        "until_ms": papers[-1].at_ms,
        "counts": {name: _counted(name, papers) for name in _COUNTED},
        "papers": [_listed(paper) for paper in papers],
        "notice": _notice(papers, part, now_ms),
    }
    return Paper(
        id=made,
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


def _notice(papers: Sequence[Paper], part: tuple[int, int], now_ms: int) -> dict[str, Any]:
    """What people read of a digest: how many, of which levels and areas, and the gravest first."""
    grave = sorted(papers, key=lambda one: (-_rank(one), one.at_ms, one.id))[:MOST_READ]
    return {
        "title": {lang: _title(papers, part, lang) for lang in LANGUAGES},
        "text": {lang: _text(papers, grave, lang) for lang in LANGUAGES},
        "level": _highest(papers),
        "at_ms": now_ms,
        "incident": "",
        "due_ms": None,
        "fields": [],
        "link": "/incidents",
    }


def _title(papers: Sequence[Paper], part: tuple[int, int], lang: str) -> str:
    name = "digest-title" if part[1] == 1 else "digest-title-part"
    return say(name, lang, count=len(papers), part=part[0], parts=part[1])


def _text(papers: Sequence[Paper], grave: Sequence[Paper], lang: str) -> str:
    words = {"begin": clock_time(papers[0].at_ms), "end": clock_time(papers[-1].at_ms)}
    levels = [
        say("digest-of", lang, name=format(Term(name), lang) if name else "-", count=count)
        for name, count in _counted("severity", papers).items()
    ]
    areas = [
        say("digest-of", lang, name=name or "-", count=count)
        for name, count in list(_counted("area", papers).items())[:MOST_READ]
    ]
    lines = [say("digest-when", lang, **words), ", ".join(levels), ", ".join(areas)]
    lines += [_line(paper, lang) for paper in grave]
    if len(papers) > len(grave):
        lines.append(say("digest-more", lang, count=len(papers) - len(grave)))
    return "\n".join(lines)


def _line(paper: Paper, lang: str) -> str:
    """One paper in a digest's text."""
    document = paper.document
    title = document.get("title")
    words = in_language(title, lang) if isinstance(title, dict) else ""
    severity = str(document.get("severity") or "")
    level = format(Term(severity), lang) if severity else ""
    parts = (str(document.get("number") or paper.group), level, words, document.get("place") or "")
    return "  ".join(part for part in parts if part)


def _rank(paper: Paper) -> int:
    severity = str(paper.document.get("severity") or "")
    return Severity(severity).rank if severity in list(Severity) else 0


def _highest(papers: Sequence[Paper]) -> str:
    """The gravest level of some papers; empty when none has one."""
    return str(max(papers, key=_rank).document.get("severity") or "")
