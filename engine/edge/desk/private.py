"""Which values in the papers of a case are personal data: what its alerts say of their fields.

A paper has the words of an alert, but not the fields they came from; a sink that must not tell of
people could mask only what looks like a plate or a number. So it is given the values as well.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from engine.edge.desk.tables import alerts, transitions
from engine.model.personal import PERSONAL, PERSONAL_VALUES, values_of

MOST = 100
"""So many alerts of a case are asked, the newest; a paper lists fewer."""


class Private:
    """The personal values of cases, each case asked once."""

    def __init__(self, link: Connection) -> None:
        """Look by this connection."""
        self._link = link
        self._known: dict[str, Mapping[str, str]] = {}

    def told(self, group: str, body: str) -> bytes:
        """The body of a paper of a case, or of a digest, with the personal values in it named."""
        document = msgspec.json.decode(body)
        known: dict[str, str] = {}
        for incident in _about(group, document):
            known |= self._of(incident)
        text = "\n".join(_texts(document)) if known else ""
        found = {value: kind for value, kind in known.items() if value in text}
        return msgspec.json.encode({**document, PERSONAL_VALUES: found}) if found else body.encode()

    def _of(self, incident: str) -> Mapping[str, str]:
        if incident not in self._known:
            query = (
                select(transitions.c.body)
                .join(alerts, alerts.c.delivery_id == transitions.c.delivery_id)
                .where(alerts.c.incident == incident)
                .order_by(alerts.c.seq.desc())
                .limit(MOST)
            )
            found: dict[str, str] = {}
            for body in self._link.execute(query).scalars():
                change = msgspec.json.decode(body)
                if kinds := change.get(PERSONAL):
                    found |= dict(values_of(change, kinds))
            self._known[incident] = found
        return self._known[incident]


def _about(group: str, document: Mapping[str, Any]) -> Iterator[str]:
    """The cases that a paper speaks of: its own, or those that a digest lists."""
    yield group
    for one in document.get("papers", ()):
        yield one["incident"]


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str() | int():
            yield str(value)
        case list() | tuple():
            for part in value:
                yield from _texts(part)
        case Mapping():
            for part in value.values():
                yield from _texts(part)
