"""START HERE: the desk. What comes in, in which order it is looked at, what goes out.

    alert's transition --take--.
    request, receipt ----ask---+--> due by now? --> the step itself --> Acts (cases, moves, papers)
    an instant ----------tick--'    (clocks, in       (table of life)
                                     order)

The desk keeps nothing between calls. It is given the book, answers acts, and whoever called keeps
all of them in one transaction or none. Whatever was due by now is done first, so a case does not
depend on how often somebody looks; what has been done before is answered and not done again.
"""

from typing import final

from engine.cases.areas import Areas
from engine.cases.asking import STEPS, Asked
from engine.cases.book import Acts, Book, Request
from engine.cases.decision import Decide, Quiet
from engine.cases.due import catch_up
from engine.cases.grouping import group_key, home_of, still_home
from engine.cases.life import allowed, way_for
from engine.cases.merging import merge
from engine.cases.model import Incident, State, Verb
from engine.cases.mute import quiet as ask_quiet
from engine.cases.policy import Policy
from engine.cases.receipts import receipt
from engine.cases.refused import Refused, Why
from engine.cases.routing import Router
from engine.cases.taking import follow, join, newer, number_day, open_case
from engine.cases.work import Work
from engine.dispatch.route import SENT
from engine.model.change import Change, Transition

_OPENS = frozenset({Transition.FIRED, Transition.RAISED, Transition.UPDATED})
"""Transitions that open a case; a desk that begins late meets alerts in the middle."""


@final
class Desk:
    """Decides about cases, and does nothing.

    Attributes:
        policy: What is declared: departments, routes, limits.

    """

    def __init__(
        self, policy: Policy, decide: Decide | None = None, quiet: Quiet = ask_quiet
    ) -> None:
        """Take what is declared.

        Args:
            policy: Departments, routes, limits, mutes.
            decide: Routing, bound to the regions that positions are looked up in; by default labels
                alone say where an alert is.
            quiet: Muting.

        """
        self.policy = policy
        self._areas = Areas(policy.centres)
        self._decide: Decide = Router() if decide is None else decide
        self._quiet = quiet

    def take(self, book: Book, change: Change, now_ms: int) -> Acts:
        """Take one transition of an alert.

        The same transition again is answered with the move it made. One that is older than what is
        known of the alert, that ends an alert nobody opened, or that belongs to a rule which is not
        told (draft, shadow) changes nothing; `quiet` says so.
        """
        known = book.told(change.delivery_id)
        if known is not None:
            return Acts(known=known)
        if change.status not in SENT:
            return Acts(quiet=f"status:{change.status}")
        work = Work(self.policy, self._areas, book, now_ms)
        found = book.of_episode(change.episode_id)
        if found is not None:
            if not newer(found, change):
                return Acts(quiet="stale")
            follow(work, self._caught_up(work, found), change, self._decide)
            return work.acts()
        if change.transition not in _OPENS:
            return Acts(quiet="never-opened")
        return self._taken_in(work, change)

    def ask(self, book: Book, request: Request, now_ms: int) -> Acts:
        """Do what somebody asks of a case.

        Raises:
            Refused: It is not legal, not allowed, incomplete, or was decided on an older version.

        """
        found = book.incident(request.incident)
        if found is None:
            raise Refused(Why.UNKNOWN, request.incident)
        known = book.told(request.id)
        if known is not None:
            if known.incident != request.incident or known.verb is not request.verb:
                raise Refused(Why.REUSED, found, (), request=request.id)
            return Acts(known=known)
        work = Work(self.policy, self._areas, book, now_ms)
        incident = self._caught_up(work, found)
        if request.version is not None and request.version != incident.version:
            could = allowed(incident, request.actor)
            now, seen = incident.version, request.version
            raise Refused(Why.CHANGED, incident, could, now=now, seen=seen)
        way_for(incident, request.verb, request.actor, request.details, request.reason)
        self._done(Asked(work, incident, request))
        return work.acts()

    def tick(self, book: Book, incident_id: str, now_ms: int) -> Acts:
        """Do what is due for one case; nothing if nothing is."""
        found = book.incident(incident_id)
        if found is None:
            return Acts()
        work = Work(self.policy, self._areas, book, now_ms)
        self._caught_up(work, found)
        return work.acts()

    def _caught_up(self, work: Work, incident: Incident) -> Incident:
        return catch_up(work, incident, self._quiet, self._decide)

    def _taken_in(self, work: Work, change: Change) -> Acts:
        """An alert that belongs to no case yet."""
        decision = self._decide(self.policy, change, work.now_ms)
        mute = self._quiet(self.policy, work.book, change, decision.area, work.now_ms)
        group = group_key(decision, change)
        joined = home_of(work.book, decision, change, group, work.now_ms)
        if joined is not None:
            joined = self._caught_up(work, joined)
            recurs = joined.state in {State.VERIFYING, State.CLOSED}
            if still_home(joined, decision, work.now_ms) and not (
                mute is not None and joined.state is State.CLOSED
            ):
                join(work, joined, change, decision, recurs=recurs, mute=mute)
                return work.acts("" if mute is None else mute.why)
        day = number_day(work.now_ms)
        number = f"{day}-{work.book.next_number(day):04d}"
        open_case(work, change, decision, mute, number)
        return work.acts("" if mute is None else mute.why)

    def _done(self, asked: Asked) -> None:
        verb = asked.request.verb
        if verb is Verb.MERGE:
            into = asked.work.book.incident(asked.text("into"))
            if into is not None and into.id != asked.incident.id:
                into = self._caught_up(asked.work, into)
            merge(asked, into)
        elif verb is Verb.RECEIPT:
            receipt(asked)
        else:
            STEPS[verb](asked)
