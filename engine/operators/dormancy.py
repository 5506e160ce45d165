"""Which saved rows may stay as they are until their keys are touched, and which timers they have.

Where the keys of a rule have nothing to do with each other, a row need not be taken up before its
key has an event or a timer; only its timers must be known from the start. What is answered here
are the very instants that the operator's `load` asks for.

    row    [own part or null, [episode, ...]]
                   |                  |
                   '-- OWN[operator]  '-- value 10 of an episode, its timer

Not here: operators that look across keys. Rules with a roster must know all of their keys.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from engine.operators.base import Host
from engine.operators.change import ChangeLogic
from engine.operators.cluster import ClusterLogic
from engine.operators.correlate import CorrelateLogic
from engine.operators.corridor import CorridorLogic
from engine.operators.cross import CrossLogic
from engine.operators.deadline import DeadlineLogic
from engine.operators.dwell import DwellLogic
from engine.operators.match import MatchLogic
from engine.operators.sequence import SequenceLogic
from engine.operators.silence import SilenceLogic
from engine.operators.window import WindowLogic
from engine.operators.window_session import SessionLogic

Own = Callable[[Any, Any], list[int] | None]
"""An operator's logic and its own part of a row to the instants (UTC ms) that it asks for.

None: this row must be taken up at once.
"""

_EPISODE, _WAKE = 13, 10
"""How many values a saved episode has, and which of them is the instant of its timer."""


class Dormancy(NamedTuple):
    """How rows of one rule may lie dormant.

    Attributes:
        host: Where taking up a row asks for its timers.
        wakes: The instants (UTC ms) a row asks for; None if it must be taken up at once.

    """

    host: Host
    wakes: Callable[[Any], list[int] | None]


def dormancy(logic: Any) -> Dormancy | None:
    """How rows of this rule may lie dormant, or None where all must be taken up at once."""
    own = OWN.get(type(logic))
    if own is None:
        return None

    def wakes(saved: Any) -> list[int] | None:
        plain, episodes = saved
        found = [] if plain is None else own(logic, plain)
        for one in episodes:
            if found is None or len(one) != _EPISODE:
                return None
            if one[_WAKE]:
                found.append(one[_WAKE])
        return found

    return Dormancy(logic.host, wakes)


def _match(logic: MatchLogic, plain: Any) -> list[int]:
    times, _, holding, _ = plain
    if holding and logic.spec.quiet_ms:
        return [times[-1] + logic.spec.quiet_ms]
    return [times[0] + logic.spec.within_ms] if times else []


def _change(logic: ChangeLogic, plain: Any) -> list[int]:
    _, _, hit, _, wake, *_ = plain
    return [wake, hit + logic.spec.quiet_ms] if hit else [wake]


def _cross(logic: CrossLogic, plain: Any) -> list[int]:
    _, _, _, _, hits, wake, *_ = plain
    quiet = logic.spec.quiet_ms
    return [wake, *(at + quiet for _, at in hits)] if quiet else [wake]


def _corridor(logic: CorridorLogic, plain: Any) -> list[int] | None:
    if plain[0] not in logic.routes:
        return None
    return _there(plain[5][2])


def _silence(logic: SilenceLogic, plain: Any) -> list[int] | None:
    return None if logic.roster is not None else _there(plain[1])


def _deadline(logic: DeadlineLogic, plain: Any) -> list[int] | None:
    return None if logic.roster else _there(plain[3][3])


def _there(wake: int) -> list[int]:
    """The instant of a timer, if there is one."""
    return [wake] if wake else []


OWN: Mapping[type, Own] = {
    MatchLogic: _match,
    DwellLogic: lambda _, plain: _there(plain[5]),
    SilenceLogic: _silence,
    DeadlineLogic: _deadline,
    ChangeLogic: _change,
    CrossLogic: _cross,
    CorridorLogic: _corridor,
    SequenceLogic: lambda _, plain: _there(plain[2][5]),
    WindowLogic: lambda _, plain: [plain[1]],
    SessionLogic: lambda _, plain: [plain[3]],
    ClusterLogic: lambda _, plain: _there(plain[3]),
    CorrelateLogic: lambda _, plain: _there(plain[2]),
}
