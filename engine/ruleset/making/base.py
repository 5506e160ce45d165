"""What is at hand when a rule's operator is made ready."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.alerts.context import Names
from engine.alerts.judge import RuleJudge, Words
from engine.feeds.spec import FeedSpec
from engine.operators.base import EventCodec, Host, Logic
from engine.operators.specs.base import EventTest
from engine.ruleset.expr import Typed
from engine.ruleset.spec import Project, RuleSpec

Function = Callable[[Any, Any], Any]
"""A compiled expression: of an event and the extra names."""

Owns = Callable[[str], bool]
"""Whether a key belongs to this partition; decides who starts the clock of a roster's key."""

Make = Callable[[Host, Callable[[Any], None], Callable[[str, int], None], Owns], Logic]
"""Makes a rule's operator for one partition: (host, emit, overflow, owns)."""


@dataclass(frozen=True, slots=True)
class Making:
    """One rule whose operator is being made ready, once for all partitions."""

    rule: RuleSpec
    words: Words
    project: Project
    codec: EventCodec
    function: Callable[[Typed], Function]

    def maybe(self, typed: Typed | None) -> Function | None:
        """The compiled expression, if there is one."""
        return None if typed is None else self.function(typed)

    def test(self, test: EventTest) -> tuple[str, Function | None]:
        """A feed and the compiled condition its events must meet."""
        return test.feed, self.maybe(test.where)

    def names(self, key: str, event: Any, at_ms: int) -> Names:
        """The names an expression may read beside the event's fields."""
        return Names(self.words.surroundings, key, event, at_ms)

    def asks_more(self, typed: Typed) -> bool:
        """Whether an expression reads more than the event's own fields and position."""
        fields = {name for feed in self.rule.feeds for name in self.project.feeds[feed].fields}
        return not set(typed.names) <= fields | {"position"}

    def judge(self, emit: Callable[[Any], None], overflow: Callable[[str, int], None]) -> RuleJudge:
        """The rule's own words, for one partition."""
        return RuleJudge(self.words, emit, overflow)


@dataclass(frozen=True, slots=True)
class Part:
    """What a rule does in one key space, of several that hand on to each other.

    Attributes:
        spec: The rule as it stands there; the last part has the rule's own id.
        make: As `making.make.maker`.
        reads: The derived feeds that it reads.
        sender: The key space that sends them; empty for the part that reads the rule's feeds.

    """

    spec: RuleSpec
    make: Callable[[Making], Make]
    reads: Mapping[str, FeedSpec] = field(default_factory=dict)
    sender: str = ""
