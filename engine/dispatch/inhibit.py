"""While a feed is down, alerts that something is missing from it are held: they say nothing new.

    feed-down alert (rule with `silence: {of: feed}`)    ----fired=============cleared----
    silence / deadline alerts that fire meanwhile               held  held            |
                                                     those still open then are sent <-'

What is open is known from the stream of alerts alone, so the same alerts are held in any run. The
grace period after the feed is back is `keep_firing_for` of the rule that says it is down.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.dispatch.route import sinks_for
from engine.model.change import Change
from engine.operators.specs.deadline import DeadlineSpec
from engine.operators.specs.silence import SilenceSpec
from engine.ruleset.spec import Project, RouteSpec, RuleSpec, Status

Named = tuple[str, str]
"""A rule and the key of one of its alerts."""


@dataclass(frozen=True, slots=True)
class DownFeeds:
    """Which alerts tell that a feed is down, and which alerts that explains.

    Attributes:
        explains: For each rule about what is missing, the alerts that explain it.
        explained: For each such alert, the rules that it explains.

    """

    explains: Mapping[str, tuple[Named, ...]] = field(default_factory=dict)
    explained: Mapping[Named, tuple[str, ...]] = field(default_factory=dict)


def down_feeds(project: Project) -> DownFeeds:
    """What the rules of a project say about feeds that are down.

    Rules that are only on their way hold nobody back.
    """
    telling: dict[str, list[Named]] = {}
    for rule in project.rules.values():
        when, stable = rule.when, rule.status is Status.STABLE
        if stable and isinstance(when, SilenceSpec) and when.of_feed():
            for feed in rule.feeds:
                telling.setdefault(feed, []).append((rule.id, feed))
    explains: dict[str, tuple[Named, ...]] = {}
    explained: dict[Named, list[str]] = {}
    for rule in project.rules.values():
        alerts = tuple(one for feed in _awaited(rule) for one in telling.get(feed, ()))
        if alerts:
            explains[rule.id] = alerts
        for one in alerts:
            explained.setdefault(one, []).append(rule.id)
    return DownFeeds(explains, {one: tuple(rules) for one, rules in explained.items()})


def _awaited(rule: RuleSpec) -> tuple[str, ...]:
    """The feeds from which a rule misses something."""
    when = rule.when
    if isinstance(when, SilenceSpec):
        return () if when.of_feed() else rule.feeds
    if isinstance(when, DeadlineSpec):
        return tuple(dict.fromkeys(need.test.feed for need in when.needs))
    return ()


@dataclass(frozen=True, slots=True)
class Routing:
    """Who must hear of a change, and which changes wait while a feed is down."""

    routes: Mapping[str, RouteSpec] = field(default_factory=dict)
    down: DownFeeds = field(default_factory=DownFeeds)

    def __call__(self, change: Change) -> tuple[str, ...]:
        """Names of the sinks that must hear of a change."""
        return sinks_for(change, self.routes)
