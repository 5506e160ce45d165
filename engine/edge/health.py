"""Whether the daemon lives, whether it is ready, and if not, why."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from engine.text import say


@dataclass(slots=True)
class Health:
    """What `/live` and `/ready` answer, and what the service manager is told.

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
        self._enter("running")

    def restoring(self) -> None:
        """Some of the state is being read back (again): a partition moved here, or was lost."""
        self._enter("starting")

    def stopping(self) -> None:
        """Nothing new is taken in; this is final."""
        self._enter("stopping")

    def blocked(self, why: str) -> None:
        """The disk refuses writes."""
        self._block(why)

    def unblocked(self) -> None:
        """The disk takes writes again."""
        self._block("")

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every change."""
        self._listeners.append(listener)

    def deafen(self, listener: Callable[[], None]) -> None:
        """Call `listener` no more."""
        self._listeners.remove(listener)

    @property
    def is_ready(self) -> bool:
        """Whether records are taken in and kept."""
        return self._phase == "running" and not self._blocked

    @property
    def is_stopping(self) -> bool:
        """Whether the end has begun."""
        return self._phase == "stopping"

    def reasons(self, lang: str) -> list[str]:
        """Why it is not ready, as sentences; empty when it is."""
        found = [] if self._phase == "running" else [say(f"health-{self._phase}", lang)]
        if self._blocked:
            found.append(say("health-blocked", lang, why=self._blocked))
        return found

    def summary(self, lang: str) -> str:
        """How it is, in one line."""
        return "; ".join(self.reasons(lang)) or say("health-running", lang)

    def _enter(self, phase: str) -> None:
        if self._phase not in (phase, "stopping"):
            self._phase = phase
            self._tell()

    def _block(self, why: str) -> None:
        if self._blocked != why:
            self._blocked = why
            self._tell()

    def _tell(self) -> None:
        for listener in tuple(self._listeners):
            listener()
