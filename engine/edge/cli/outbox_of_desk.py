"""The outbox of a desk for `forewarn outbox --desk`: in its database, done deeds into its audit."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from engine.edge.cli.voice import voice
from engine.edge.desk import by_hand
from engine.edge.desk.opening import open_ledger, open_store, settings_of_desk
from engine.edge.desk.store import FILE_NAME, DeskStore
from engine.edge.settings import Configured
from engine.edge.store import outbox_look as look
from engine.edge.store.outbox_hand import Deed, Result
from engine.edge.store.outbox_look import Chosen, Entry, Line
from engine.errors import EnvironmentUnusable


@contextmanager
def desk_box(configured: Configured, clock_ms: int) -> Iterator["DeskBox"]:
    """The outbox of the desk, to be closed again; the desk may run meanwhile.

    Raises:
        EnvironmentUnusable: there is no desk, or its database cannot be used.

    """
    settings, own = settings_of_desk(configured), configured.data_folder / FILE_NAME
    if settings.url is None and settings.url_file is None and not own.is_file():
        raise EnvironmentUnusable(voice().say("report-no-desk", path=own))
    store = open_store(configured, voice().lang)
    try:
        yield DeskBox(configured, store, clock_ms)
    except SQLAlchemyError as error:
        raise store.unusable(error) from error
    finally:
        store.close_now()


class DeskBox:
    """Papers of cases, looked at and worked on by hand."""

    unfinished: tuple[str, ...] = (look.WAITING, "wait", look.DEAD)

    def __init__(self, configured: Configured, store: DeskStore, clock_ms: int) -> None:
        """Work on this store, at this time."""
        self._configured, self._store, self._now_ms = configured, store, clock_ms

    def find(self, chosen: Chosen, limit: int = -1) -> list[Line]:
        """The chosen papers; -1 for all of them."""
        return self._store.read_now(lambda link: by_hand.find(link, chosen, self._now_ms, limit))

    def count(self, chosen: Chosen) -> dict[str, dict[str, int]]:
        """How many are chosen, by sink and phase."""
        return self._store.read_now(lambda link: by_hand.count(link, chosen, self._now_ms))

    def body(self, line: Line) -> bytes:
        """What is sent of a paper."""
        return self._store.read_now(lambda link: by_hand.body_of(link, line.id))

    def trail(self, rows: Sequence[int] | None, limit: int = -1) -> list[Entry]:
        """What was done by hand, of some papers or of all."""
        return self._store.read_now(lambda link: by_hand.trail(link, rows, limit))

    def do(self, deed: Deed) -> Result:
        """Do something by hand.

        Raises:
            EnvironmentUnusable: there is no key for the audit.

        """
        ledger = open_ledger(self._configured, voice().lang)
        return self._store.write_now(lambda link: by_hand.do(link, deed, ledger, self._now_ms))
