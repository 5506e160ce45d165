"""What a delivery says to a person: one reading of a body for every sink that renders for people.

A body is either a `Change` of the engine, or a document of the case desk: JSON with `document`,
the name of its kind, and `notice`, what it says in both languages. A kind that is not known here
is shown all the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from connectors.personal import masked
from connectors.wording import clean
from engine.errors import Permanent
from engine.model.change import ENDED
from engine.model.formats import format_duration, format_time
from engine.model.severity import Severity
from engine.text import LANGUAGES, catalogue, say

ALERT = "alert"
"""The kind of a body that is a change of the engine itself."""

_UNREADABLE = "unreadable"
_CHANGES = frozenset({"raised", "updated"})
_ENDING = frozenset({"cancel", "closed"})
_CHANGING = frozenset({"change", "reminder", "supervision"})
_LEVELS = {level.value: level.rank for level in Severity}


@dataclass(frozen=True, slots=True)
class Notice:
    """A delivery in words. Texts are as events wrote them: every channel escapes them itself.

    Attributes:
        document: `alert`, or the kind of a document of the case desk.
        delivery_id: What a receiver recognises a repeat by.
        reference: The episode or incident it belongs to; messages of one are one thread.
        stage: The transition of an alert, or whatever the desk calls this step; may be empty.
        level: `blue` to `red`, or empty.
        at_ms: When it happened (UTC ms of event time); `due_ms` is until when something is due.
        fields: Labels and values in the order a person reads them.
        check: What to look at on site; with `units` in charge, `offences` and legal `basis`.
        link: Where to read on, or empty.
        references: Delivery ids of earlier messages that this one is about.

    """

    document: str
    delivery_id: str
    reference: str
    stage: str
    level: str
    title: str
    text: str
    lang: str
    at_ms: int
    due_ms: int | None = None
    place: str = ""
    lon: float | None = None
    lat: float | None = None
    fields: tuple[tuple[str, str], ...] = ()
    check: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    offences: tuple[str, ...] = ()
    basis: tuple[str, ...] = ()
    link: str = ""
    references: tuple[str, ...] = ()

    @property
    def rank(self) -> int:
        """1 for blue to 4 for red, 0 without a level."""
        return _LEVELS.get(self.level, 0)

    @property
    def is_over(self) -> bool:
        """Whether it ends what earlier messages of this reference began."""
        return self.stage in ENDED or self.document in _ENDING

    @property
    def is_change(self) -> bool:
        """Whether it changes what an earlier message of this reference said."""
        return self.stage in _CHANGES or self.document in _CHANGING

    @property
    def staged(self) -> str:
        """The stage in words, or nothing where there are none for it."""
        named = f"notice-{self.stage}"
        return say(named, self.lang) if self.stage and named in catalogue() else ""

    @property
    def headline(self) -> str:
        """Level, title and stage on one line."""
        words = {"level": say(f"notice-level-{self.level}", self.lang), "title": self.title}
        if not self.staged:
            return say("notice-headline", self.lang, **words)
        return say("notice-headline-stage", self.lang, **words, stage=self.staged)

    def sections(self) -> Iterator[tuple[str, Sequence[str]]]:
        """The lists of the playbook that hold anything, with their headings."""
        lists = {
            "check": self.check,
            "units": self.units,
            "offences": self.offences,
            "basis": self.basis,
        }
        for name, lines in lists.items():
            if lines:
                yield say(f"notice-{name}", self.lang), lines


def read(
    body: bytes, lang: str, delivery_id: str = "", *, personal: str = "full", desk: str = ""
) -> Notice:
    """Read what a sink was handed.

    Args:
        body: The encoded change or document.
        lang: `zh` or `en`.
        delivery_id: What the sink was told; wins over what the body says.
        personal: `masked` if no personal data may be read in the answer.
        desk: Where the console of the case desk is; its links begin there.

    Raises:
        Permanent: it is no JSON object; no other attempt will change that.

    """
    found = opened(body, personal)
    said = found.get("notice")
    if isinstance(said, Mapping):
        return _of_document(found, said, lang, delivery_id, desk)
    return _of_change(found, lang, delivery_id)


def opened(body: bytes, personal: str) -> dict[str, Any]:
    """The decoded body, masked if it must be.

    Raises:
        Permanent: it is no JSON object.

    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Permanent(_UNREADABLE, str(error)) from error
    if not isinstance(found, dict):
        raise Permanent(_UNREADABLE, "no object")
    return masked(found) if personal == "masked" else found


def carried(body: bytes, personal: str) -> bytes:
    """The body as a system may have it: as it is, or with personal data masked."""
    return body if personal == "full" else orjson.dumps(opened(body, personal))


def _of_change(found: Mapping[str, Any], lang: str, delivery_id: str) -> Notice:
    at_ms, since_ms = _number(found.get("at_ms")), _number(found.get("since_ms"))
    place = _text(found.get("place"))
    title = _said(found.get("title"), lang) or _text(found.get("rule"))
    held_ms = _number(found.get("held_ms"))
    fields = [
        ("subject", _text(found.get("key"))),
        ("place", place),
        ("since", format_time(since_ms, lang=lang) if since_ms else ""),
        ("at", format_time(at_ms, lang=lang) if at_ms else ""),
        ("held", format_duration(held_ms, lang) if held_ms >= 1000 else ""),  # noqa: PLR2004
    ]
    kind = _text(found.get("document")) or ALERT
    return Notice(
        document=kind,
        delivery_id=delivery_id or _text(found.get("delivery_id")),
        reference=_text(found.get("episode_id")),
        stage=_text(found.get("transition")),
        level=_level(found.get("severity")),
        title=title or say("notice-untitled", lang, kind=kind),
        text=_said(found.get("summary"), lang),
        lang=lang,
        at_ms=at_ms,
        place=place,
        lon=_float(found.get("lon")),
        lat=_float(found.get("lat")),
        fields=tuple((say(f"notice-{name}", lang), value) for name, value in fields if value),
        **_playbook(found, lang),
    )


def _of_document(
    found: Mapping[str, Any], said: Mapping[str, Any], lang: str, delivery_id: str, desk: str
) -> Notice:
    due_ms = said.get("due_ms")
    due = format_time(due_ms, lang=lang) if isinstance(due_ms, int) else ""
    kind = _text(found.get("document")) or ALERT
    incident = _text(said.get("incident") or found.get("incident"))
    at_ms = _number(said.get("at_ms") or found.get("at_ms"))
    fields = [(_said(label, lang), _said(value, lang)) for label, value in _pairs(said)]
    own = [("incident", incident), ("due", due)] if not fields else []
    own.append(("at", format_time(at_ms, lang=lang) if at_ms else ""))
    fields += [(say(f"notice-{name}", lang), value) for name, value in own if value]
    plan = found.get("playbook")
    return Notice(
        document=kind,
        delivery_id=delivery_id or _text(found.get("id") or found.get("delivery_id")),
        reference=incident or _text(found.get("episode_id")),
        stage=_text(said.get("stage") or found.get("transition")),
        level=_level(said.get("level")),
        title=_said(said.get("title"), lang) or say("notice-untitled", lang, kind=kind),
        text=_said(said.get("text"), lang),
        lang=lang,
        at_ms=at_ms,
        due_ms=due_ms if isinstance(due_ms, int) else None,
        place=_said(said.get("place") or found.get("place"), lang),
        lon=_float(said.get("lon", found.get("lon"))),
        lat=_float(said.get("lat", found.get("lat"))),
        fields=tuple((label, value) for label, value in fields if label and value),
        link=_link(_text(said.get("link")), desk),
        references=tuple(map(_text, _list(said.get("references")))),
        **_playbook({**found, **(plan if isinstance(plan, Mapping) else {}), **said}, lang),
    )


def _link(link: str, desk: str) -> str:
    """Where to read on: a whole address, or a path of the desk's console; else nothing."""
    if link.startswith(("https://", "http://")):
        return link
    return f"{desk.rstrip('/')}{link}" if desk and link.startswith("/") else ""


def _playbook(found: Mapping[str, Any], lang: str) -> dict[str, Any]:
    lists = {
        name: tuple(filter(None, (_said(one, lang) for one in _list(found.get(name)))))
        for name in ("check", "units", "offences")
    }
    basis = (_ground(one, lang) for one in _list(found.get("basis")))
    return {**lists, "basis": tuple(filter(None, basis))}


def _ground(one: Any, lang: str) -> str:
    """A legal ground: its title and article."""
    if not isinstance(one, Mapping):
        return _said(one, lang)
    title, article = _said(one.get("title"), lang), _text(one.get("article"))
    if not title or not article:
        return title or _said(one, lang)
    return say("notice-article", lang, title=title, article=article)


def _pairs(said: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    for pair in _list(said.get("fields")):
        if isinstance(pair, list) and len(pair) == 2:  # noqa: PLR2004 - a label and a value
            yield pair[0], pair[1]


def _said(value: Any, lang: str) -> str:
    """A text in one language, or in whichever there is."""
    if not isinstance(value, Mapping):
        return _text(value)
    for name in (lang, *LANGUAGES, *value):
        if _text(value.get(name)):
            return _text(value.get(name))
    return ""


def _level(value: Any) -> str:
    return value if isinstance(value, str) and value in _LEVELS else ""


def _text(value: Any) -> str:
    return clean(str(value)) if isinstance(value, str | int | float) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0


def _float(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
