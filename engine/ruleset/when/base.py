"""What every operator's declaration can be asked, and what its loader may use."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from engine.feeds.spec import FeedSpec, FieldType
from engine.operators.specs.base import EventTest, Path
from engine.ruleset.expr import Typed
from engine.ruleset.expr.types import Scope, Type
from engine.ruleset.known import Known, common_scope
from engine.ruleset.notes import Notes
from engine.ruleset.phrases import Phrases
from engine.ruleset.schema_types import Expression, Text
from engine.ruleset.shape import Strict, refuse
from engine.ruleset.spec import TableSpec

if TYPE_CHECKING:
    from engine.ruleset.schema import RuleModel


Doubt = tuple[Path, str, Mapping[str, object]]
"""A warning about an operator: path below it, code, what was found."""


def exactly_one(given: dict[str, object], *names: str) -> None:
    """Refuse a mapping that holds none or several of these keys."""
    present = [name for name in names if given.get(name) is not None]
    if len(present) != 1:
        at = {"at": present[-1]} if present else {}
        refuse("R130", choices=", ".join(names), count=len(present), **at)


class EventModel(Strict):
    """Events of one feed that satisfy a condition."""

    feed: Text
    where: Expression | None = None


class OperatorModel(Strict):
    """The mapping under an operator's name.

    Attributes:
        names_feeds: Its events name their feeds themselves; `from` may repeat them.
        needs_no_event: It falls due without an event, so fields are read through other names.
        overdue_levels: Its levels climb by `overdue`, not by `at_least`.
        retracts: A late record may withdraw its alerts (`late: {then: retract}`).
        typed_names: Names for which its spec has types; unknown while the operator is wrong.

    """

    names_feeds: ClassVar[bool] = False
    needs_no_event: ClassVar[bool] = False
    overdue_levels: ClassVar[bool] = False
    retracts: ClassVar[bool] = False
    typed_names: ClassVar[frozenset[str]] = frozenset()

    def may_retract(self) -> bool:
        """Whether a late record may withdraw its alerts, as it is declared."""
        return self.retracts

    def events(self) -> Sequence[tuple[Path, str]]:
        """The feeds it names itself, each with its path below the operator, the main one first."""
        return ()

    def rules(self) -> Mapping[Path, str]:
        """The rules whose alerts it reads, each with its path below the operator."""
        return {}

    def doubts(self) -> Iterable[Doubt]:
        """What is allowed but probably not meant, or costs much: warnings."""
        return ()

    def alert_names(self, known: Known) -> Mapping[str, Type]:
        """Names of its own that `except`, `clear`, `levels` and texts may use."""
        del known
        return {}


@dataclass(slots=True)
class Loading:
    """One rule whose operator is being checked.

    Attributes:
        model: The whole rule as declared.
        feeds: The feeds it reads.
        scope: The names that conditions over its events may use.

    """

    model: "RuleModel"
    feeds: Sequence[FeedSpec]
    known: Known
    notes: Notes
    phrases: Phrases
    scope: Scope

    def event(self, model: EventModel, path: Path) -> EventTest:
        """Events of a feed that satisfy a condition over that feed's fields."""
        feed = self.known.feeds.get(model.feed)
        if feed is None:
            return EventTest(model.feed)
        return EventTest(
            model.feed,
            self.phrases.condition(model.where, (*path, "where"), self.scope_of(feed)),
        )

    def scope_of(self, feed: FeedSpec) -> Scope:
        """The names of one feed's events alone."""
        return common_scope([feed], self.known, {})

    def condition(self, text: str | None, *path: str | int) -> Typed | None:
        """The checked condition over the rule's events at a path below `when`."""
        return self.phrases.condition(text, ("when", *path), self.scope)

    def positive(self, value: float | None, *path: str | int) -> None:
        """Note that a duration or a distance below `when` is zero, which means nothing there."""
        if value is not None and value <= 0:
            self.notes.add(("when", *path), "R416", name=str(path[-1]))

    def roster(
        self, name: str, columns: Mapping[str, str | None], *path: str | int
    ) -> TableSpec | None:
        """The table of keys that must report, declared at a path below `when`.

        Notes a table nobody declared, and of these columns, by the key that names them, each that
        the table lacks or that holds no time.
        """
        notes, place = self.notes, ("when", *path)
        if not notes.known(name, self.known.tables, "R203", (*place, "table")):
            return None
        table = self.known.tables[name]
        for key, column in columns.items():
            if column is None:
                continue
            found = notes.known(column, table.fields, "R214", (*place, key), table=name)
            if found and table.fields[column].type is not FieldType.TIME:
                declared = table.fields[column].type.value
                notes.add((*place, key), "R429", name=column, type=declared, wanted="time")
        return table

    def needs_positions(self, operator: str) -> None:
        """Note every feed that has no position, though this operator looks at places."""
        for feed in self.feeds:
            if feed.position is None:
                self.notes.add(
                    ("when", operator), "R221", feed=feed.name, text=operator, at_key=True
                )
