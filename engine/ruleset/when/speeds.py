"""Which field of a feed holds the speed, for operators that ask how fast a key moves."""

from engine.feeds.spec import FeedSpec
from engine.model.unit_table import UNITS
from engine.ruleset.when.base import Loading


def speed_field(limit: float | None, operator: str, at: Loading) -> tuple[str, float]:
    """The field with the speed, and metres a second in one of its units; none without a limit."""
    if limit is None or not at.feeds:
        return "", 1.0
    choices = [_speed_fields(feed) for feed in at.feeds]
    shared = [item for item in choices[0] if all(item in other for other in choices)]
    named = [item for item in shared if item[0] == "speed"] or shared
    if len(named) != 1:
        names = ", ".join(feed.name for feed in at.feeds)
        at.notes.add(("when", operator, "slower_than"), "R222", feed=names, count=len(named))
        return "", 1.0
    return named[0][0], float(UNITS[named[0][1]].factor)


def _speed_fields(feed: FeedSpec) -> list[tuple[str, str]]:
    """The fields of a feed whose unit is a speed, with that unit."""
    return [
        (name, spec.unit)
        for name, spec in feed.fields.items()
        if spec.unit in UNITS and UNITS[spec.unit].dimension == "speed"
    ]
