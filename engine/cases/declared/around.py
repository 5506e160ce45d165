"""What a desk is declared beside: rules, calendars and sinks; what is not known is not checked."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from engine.model.calendar import WorkCalendar
from engine.ruleset.spec import Project, RuleSpec, variants


@dataclass(frozen=True, slots=True)
class Around:
    """The world of a desk.

    Attributes:
        project: The rules whose alerts come to the desk; None: names of rules are not checked.
        sinks: Sinks that the settings declare; None: not checked.
        today: The day on which it is loaded; None: whether calendars last is not checked.

    """

    project: Project | None = None
    sinks: Collection[str] | None = None
    today: date | None = None

    @property
    def rules(self) -> Mapping[str, RuleSpec]:
        """The rules by id; none where they are not known."""
        return self.project.rules if self.project is not None else {}

    @property
    def calendars(self) -> Mapping[str, WorkCalendar]:
        """The calendars that a desk may name besides its own."""
        found = {"cn": WorkCalendar.china(), "all-days": WorkCalendar.every_day()}
        return {**found, **(self.project.calendars if self.project is not None else {})}

    def dispatches(self) -> Collection[str]:
        """Every word that a rule says under `dispatch`."""
        return {rule.dispatch for rule in self.rules.values() if rule.dispatch}

    def versions(self, rule: str) -> list[str]:
        """The variants that overrides make of a rule."""
        return list(variants(self.rules.values()).get(rule, ()))
