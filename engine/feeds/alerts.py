"""Alerts as a feed: what rules may read of other rules' alerts.

What a late record changes is dated back; other rules hear of it at the place of that record in the
order, which is the same in every run. What they made of an alert that is withdrawn stays made.
"""

from collections.abc import Collection

import msgspec

from engine.feeds.spec import FeedSpec, FieldSpec, FieldType, PositionSpec, TimeSpec
from engine.model.change import Change, Transition
from engine.model.severity import Severity

ALERTS = "alerts"
"""The name under which rules read them: `from: alerts`."""

_TEXT, _TIME, _NUMBER = FieldType.TEXT, FieldType.TIME, FieldType.NUMBER
ENDS = (Transition.CLEARED, Transition.RETRACTED, Transition.DROPPED)
"""After these an alert does not go on."""
_TOLD = (Transition.FIRED, Transition.RAISED, Transition.UPDATED, *ENDS)
_FIXED = (
    FieldSpec("rule", _TEXT),
    FieldSpec("key", _TEXT),
    FieldSpec("transition", _TEXT, values=tuple(one.value for one in _TOLD)),
    FieldSpec("severity", _TEXT, values=tuple(one.value for one in Severity)),
    FieldSpec("at", _TIME, format="epoch-ms"),
    FieldSpec("since", _TIME, format="epoch-ms"),
    FieldSpec("held", _NUMBER, unit="ms"),
    FieldSpec("episode", _TEXT),
    FieldSpec("delivery", _TEXT),
    FieldSpec("pack", _TEXT),
    FieldSpec("owner", _TEXT),
    FieldSpec("place", _TEXT, optional=True),
    FieldSpec("lon", _NUMBER, unit="deg", optional=True, low=-180.0, high=180.0),
    FieldSpec("lat", _NUMBER, unit="deg", optional=True, low=-90.0, high=90.0),
)
FIXED = frozenset(field.name for field in _FIXED)
"""Fields that every alert has; labels of these names are not readable."""


def alerts_feed(labels: Collection[str], name: str = ALERTS) -> FeedSpec:
    """The feed of alerts: its fixed fields, and every label that a rule of the project gives."""
    fields = {field.name: field for field in _FIXED}
    fields |= {one: FieldSpec(one, _TEXT, optional=True) for one in sorted(set(labels) - FIXED)}
    return FeedSpec(
        name=name,
        topic="",
        format="json",
        key=("rule", "key"),
        id=("delivery",),
        time=TimeSpec("at", "epoch-ms"),
        fields=fields,
        title={"zh": "预警", "en": "Alerts"},
        position=PositionSpec("lon", "lat", "wgs84"),
    )


def alert_record(change: Change, at_ms: int) -> bytes | None:
    """A transition as a record of the feed, heard at an instant; None for one that is not told."""
    if change.transition not in _TOLD:
        return None
    fixed = {
        "rule": change.rule,
        "key": change.key,
        "transition": change.transition.value,
        "severity": change.severity,
        "at": at_ms,
        "since": change.since_ms,
        "held": change.held_ms,
        "episode": change.episode_id,
        "delivery": change.delivery_id,
        "pack": change.pack,
        "owner": change.owner,
        "place": change.place,
        "lon": change.lon,
        "lat": change.lat,
    }
    return msgspec.json.encode({**change.labels, **fixed})
