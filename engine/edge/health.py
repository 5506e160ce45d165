"""Whether the daemon lives, whether it is ready, and if not, why."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from engine.text import say


@dataclass(slots=True)
class Health:
    """What `/live` and `/ready` answer.

    Ready means: restored, reading, and able to keep what it reads. A sink that keeps failing or
    a quiet feed is told as a note; the daemon goes on and is ready.

    Attributes:
        notes: Asked at each look; sentences that do not make it unready.

    """

    notes: Callable[[], Sequence[str]] = tuple
    _phase: str = "starting"
    _blocked: str = ""
    _listeners: list[Callable[[], None]] = field(default_factory=list)

    def started(self) -> None:
        """State is restored and sources are open."""
        self._phase = "running"

    def stopping(self) -> None:
        """Nothing new is taken in."""
        self._phase = "stopping"

    def blocked(self, why: str) -> None:
        """The disk refuses writes."""
        self._blocked = why

    def unblocked(self) -> None:
        """The disk takes writes again."""
        self._blocked = ""

    @property
    def is_ready(self) -> bool:
        """Whether records are taken in and kept."""
        return self._phase == "running" and not self._blocked

    def reasons(self, lang: str) -> list[str]:
        """Why it is not ready, as sentences; empty when it is."""
        found = [] if self._phase == "running" else [say(f"health-{self._phase}", lang)]
        if self._blocked:
            found.append(say("health-blocked", lang, why=self._blocked))
        return found
