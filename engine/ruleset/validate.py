"""Whether what a rule refers to exists and may be used the way it is."""

from collections.abc import Iterable, Sequence

from engine.feeds.alerts import ALERTS
from engine.feeds.spec import FeedSpec
from engine.ruleset.known import Known
from engine.ruleset.notes import Notes
from engine.ruleset.schema import RuleModel
from engine.ruleset.schema_types import BasisModel
from engine.ruleset.spec import Basis


def check_by(
    model: RuleModel, names: Sequence[str], feeds: Sequence[FeedSpec], notes: Notes
) -> dict[str, tuple[str, ...]]:
    """For each feed the fields of its key, which must exist, equally many for all feeds."""
    if "*" in model.by:
        by = {name: tuple(model.by["*"]) for name in names}
    else:
        by = {name: tuple(fields) for name, fields in model.by.items()}
        for name in by:
            notes.known(name, names, "R215", ("by", name), at_key=True)
        for name in names:
            if name not in by:
                notes.add(("by",), "R216", feed=name)
        if len({len(fields) for fields in by.values()}) > 1:
            notes.add(("by",), "R226")
    for feed in feeds:
        for index, field in enumerate(by.get(feed.name, ())):
            path = ("by", index) if "*" in model.by else ("by", feed.name, index)
            if (
                notes.known(field, feed.fields, "R208", path, feed=feed.name)
                and feed.fields[field].optional
                and feed.name != ALERTS  # one without the label is not told under it
            ):
                notes.add(path, "R434", name=field)
    return by


def check_purpose(feeds: Sequence[FeedSpec], notes: Notes) -> None:
    """Feeds read together must share a purpose for which their data may be used.

    Alerts have none of their own: whoever may act on them may read them.
    """
    joined = [feed for feed in feeds if feed.name != ALERTS]
    if len(joined) < 2 or not any(feed.purpose for feed in joined):  # noqa: PLR2004
        return
    if not frozenset.intersection(*(feed.purpose for feed in joined)):
        notes.add(("from",), "R211", feeds=", ".join(feed.name for feed in feeds))


def check_references(model: RuleModel, notes: Notes, known: Known) -> None:
    """The playbook, the route and the calendar that a rule names exist."""
    if model.playbook is not None:
        notes.known(model.playbook, known.playbooks, "R206", ("playbook",))
    if model.dispatch is not None:
        notes.known(model.dispatch, known.routes, "R205", ("dispatch",))
    if model.schedule is not None:
        notes.known(model.schedule.calendar, known.calendars, "R207", ("schedule", "calendar"))
    check_basis(model.basis, notes)


def check_late(model: RuleModel, notes: Notes) -> None:
    """Withdrawing an alert needs state that can be merged; windows keep it for a declared time."""
    if model.late.then != "retract":
        return
    name, operator = model.when.chosen()
    if not operator.may_retract():
        notes.add(("late", "then"), "R212")
    elif name == "window" and not model.late.allow:
        notes.add(("late",), "R650", at_key=True)


def check_basis(basis: Iterable[BasisModel], notes: Notes) -> None:
    """A legal basis ends after it begins."""
    for index, item in enumerate(basis):
        if item.from_ is not None and item.to is not None and item.to < item.from_:
            notes.add(("basis", index, "to"), "R423", begin=item.from_)


def basis_of(basis: Iterable[BasisModel]) -> tuple[Basis, ...]:
    """The legal grounds as values."""
    return tuple(
        Basis(
            title=item.title,
            article=item.article or "",
            from_day=item.from_ or "",
            to_day=item.to or "",
            version=item.version or "",
            url=item.url or "",
            note=item.note or "",
        )
        for item in basis
    )
