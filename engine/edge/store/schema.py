"""The tables of the daemon's one database file, their version, and what we refuse to open."""

import sqlite3
from contextlib import suppress
from pathlib import Path

from engine.errors import EnvironmentUnusable, StateError
from engine.text import say

VERSION = 6
APPLICATION_ID = 0x46574E31  # "FWN1": tells our file from any other SQLite file
FILE_NAME = "forewarn.db"

TABLES = """
-- What the core must find again after a stop: written in the transaction that stores its effects.
CREATE TABLE meta (
  space TEXT NOT NULL, partition INTEGER NOT NULL,
  value BLOB NOT NULL, watermark_ms INTEGER NOT NULL,
  PRIMARY KEY (space, partition)
) WITHOUT ROWID;
CREATE TABLE state (
  space TEXT NOT NULL, partition INTEGER NOT NULL, rule TEXT NOT NULL, key TEXT NOT NULL,
  value BLOB NOT NULL,
  PRIMARY KEY (space, partition, rule, key)
) WITHOUT ROWID;

-- How far each log was read. `origin` is the space, or the reader of a dispatcher.
CREATE TABLE positions (
  origin TEXT NOT NULL, partition INTEGER NOT NULL, log TEXT NOT NULL,
  committed INTEGER NOT NULL, frontier INTEGER NOT NULL, before_ms INTEGER NOT NULL,
  PRIMARY KEY (origin, partition, log)
) WITHOUT ROWID;
CREATE TABLE reach (
  feed TEXT NOT NULL, partition INTEGER NOT NULL, newest_ms INTEGER NOT NULL,
  PRIMARY KEY (feed, partition)
) WITHOUT ROWID;
CREATE TABLE files (
  source TEXT NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL,
  PRIMARY KEY (source, number), UNIQUE (source, name)
) WITHOUT ROWID;

-- How far sources came that keep what they read in the inbox, written together with it.
CREATE TABLE marks (source TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- Which set of declarations is live, and which was refused.
CREATE TABLE rulesets (
  what TEXT PRIMARY KEY, hash TEXT NOT NULL, at_ms INTEGER NOT NULL
) WITHOUT ROWID;

-- Inputs that no outside log keeps for us: what was posted, and the ticks that moved quiet time.
CREATE TABLE inbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, feed TEXT NOT NULL,
  value BLOB NOT NULL, arrived_ms INTEGER NOT NULL
);
CREATE INDEX inbox_feed ON inbox (feed, seq);
CREATE TABLE ticks (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, space TEXT NOT NULL,
  feed TEXT NOT NULL, partition INTEGER NOT NULL, elapsed_ms INTEGER NOT NULL,
  written_ms INTEGER NOT NULL
);

-- What key spaces handed to each other and the reader has not released: nobody can send it again.
CREATE TABLE handed (
  space TEXT NOT NULL, log TEXT NOT NULL, place INTEGER NOT NULL, value BLOB NOT NULL,
  PRIMARY KEY (space, log, place)
) WITHOUT ROWID;

-- What came out: every transition, the present state of every episode, who must still hear of it.
CREATE TABLE changes (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, delivery_id TEXT NOT NULL UNIQUE,
  episode_id TEXT NOT NULL, rule TEXT NOT NULL, key TEXT NOT NULL, transition TEXT NOT NULL,
  ordinal INTEGER NOT NULL, at_ms INTEGER NOT NULL, severity TEXT NOT NULL, status TEXT NOT NULL,
  body BLOB NOT NULL, stored_ms INTEGER NOT NULL
);
CREATE INDEX changes_episode ON changes (episode_id, ordinal);
CREATE TABLE alerts (
  episode_id TEXT PRIMARY KEY, rule TEXT NOT NULL, key TEXT NOT NULL, transition TEXT NOT NULL,
  ordinal INTEGER NOT NULL, severity TEXT NOT NULL, since_ms INTEGER NOT NULL,
  at_ms INTEGER NOT NULL, delivery_id TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX alerts_rule ON alerts (rule, key);
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT, delivery_id TEXT NOT NULL, sink TEXT NOT NULL,
  episode_id TEXT NOT NULL, phase TEXT NOT NULL DEFAULT 'due', attempts INTEGER NOT NULL DEFAULT 0,
  due_ms INTEGER NOT NULL, stored_ms INTEGER NOT NULL, done_ms INTEGER,
  reason TEXT NOT NULL DEFAULT '', detail TEXT NOT NULL DEFAULT '',
  turn INTEGER NOT NULL DEFAULT 0,
  UNIQUE (delivery_id, sink)
);
CREATE INDEX outbox_turn ON outbox (sink, turn, id, episode_id, due_ms) WHERE phase = 'due';
CREATE INDEX outbox_next ON outbox (sink, due_ms) WHERE phase = 'due';
CREATE INDEX outbox_dead ON outbox (sink) WHERE phase = 'dead';
CREATE INDEX outbox_order ON outbox (sink, episode_id, id) WHERE phase = 'due';
-- What people did to deliveries by hand. A row stays as it was written, for ever.
CREATE TABLE outbox_trail (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, who TEXT NOT NULL,
  did TEXT NOT NULL, reason TEXT NOT NULL, outbox_id INTEGER NOT NULL, sink TEXT NOT NULL,
  delivery_id TEXT NOT NULL, episode_id TEXT NOT NULL, rule TEXT NOT NULL,
  phase TEXT NOT NULL, attempts INTEGER NOT NULL, failure TEXT NOT NULL
);
CREATE INDEX outbox_trail_row ON outbox_trail (outbox_id);
CREATE TRIGGER outbox_trail_stays BEFORE UPDATE ON outbox_trail
BEGIN SELECT raise(ABORT, 'the trail is append-only')__ END;
CREATE TRIGGER outbox_trail_remains BEFORE DELETE ON outbox_trail
BEGIN SELECT raise(ABORT, 'the trail is append-only')__ END;

-- What could not be used, and what an operator must hear about.
CREATE TABLE dead (
  id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, feed TEXT NOT NULL,
  partition INTEGER NOT NULL, place INTEGER, reason TEXT NOT NULL, detail TEXT NOT NULL,
  value BLOB NOT NULL, stored_ms INTEGER NOT NULL
);
CREATE UNIQUE INDEX dead_once ON dead (kind, feed, partition, place) WHERE place IS NOT NULL;
-- What nearly fired, and what failed: a ring of each for every rule and key.
CREATE TABLE notes (
  id INTEGER PRIMARY KEY AUTOINCREMENT, rule TEXT NOT NULL, key TEXT NOT NULL, kind TEXT NOT NULL,
  at_ms INTEGER NOT NULL, part TEXT NOT NULL, body BLOB NOT NULL, stored_ms INTEGER NOT NULL,
  UNIQUE (rule, key, kind, at_ms, part)
);
CREATE TABLE troubles (
  id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, rule TEXT NOT NULL,
  detail TEXT NOT NULL, at_ms INTEGER NOT NULL, stored_ms INTEGER NOT NULL
);
"""

_TRAIL = TABLES[TABLES.index("CREATE TABLE outbox_trail") : TABLES.index("\n-- What could not be")]

UPGRADES = {
    1: "CREATE TABLE handed (space TEXT NOT NULL, log TEXT NOT NULL, place INTEGER NOT NULL,"
    " value BLOB NOT NULL, PRIMARY KEY (space, log, place)) WITHOUT ROWID",
    2: "CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, rule TEXT NOT NULL,"
    " key TEXT NOT NULL, kind TEXT NOT NULL, at_ms INTEGER NOT NULL, part TEXT NOT NULL,"
    " body BLOB NOT NULL, stored_ms INTEGER NOT NULL, UNIQUE (rule, key, kind, at_ms, part))",
    3: "CREATE TABLE rulesets (what TEXT PRIMARY KEY, hash TEXT NOT NULL, at_ms INTEGER NOT NULL)"
    " WITHOUT ROWID",
    4: "ALTER TABLE outbox ADD COLUMN turn INTEGER NOT NULL DEFAULT 0; DROP INDEX outbox_due;"
    " CREATE INDEX outbox_turn ON outbox (sink, turn, id, episode_id, due_ms)"
    " WHERE phase = 'due'; " + _TRAIL,
    5: "CREATE TABLE marks (source TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
}
"""What makes of a file of each older version one of the next."""


def connect(path: Path, lang: str) -> sqlite3.Connection:
    """Open the database for its one writer, making it when the folder is new.

    It holds personal data: nobody but its owner may read it, nor the log that SQLite keeps beside.

    Raises:
        EnvironmentUnusable: the file is damaged, is not ours, or the disk refuses.
        StateError: a newer Forewarn wrote it.

    """
    try:
        with suppress(OSError):  # SQLite says it better
            path.touch(0o600)
            path.chmod(0o600)
        link = sqlite3.connect(path, isolation_level=None, timeout=5, cached_statements=256)
        try:
            _prepare(link, path, lang)
        except BaseException:
            link.close()
            raise
    except sqlite3.Error as error:
        raise EnvironmentUnusable(say("store-unusable", lang, path=path, why=str(error))) from error
    return link


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open an existing database for looking only; sees whole transactions."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def _prepare(link: sqlite3.Connection, path: Path, lang: str) -> None:
    link.execute("PRAGMA journal_mode = WAL")
    link.execute("PRAGMA synchronous = FULL")
    link.execute("PRAGMA foreign_keys = ON")
    link.execute("PRAGMA wal_autocheckpoint = 4000")
    link.execute("PRAGMA cache_size = -65536")
    application, version = _mark(link, "application_id"), _mark(link, "user_version")
    if (application, version) == (APPLICATION_ID, VERSION):
        _check(link, path, lang)
    elif (application, version) == (0, 0) and not _table_count(link):
        link.execute("BEGIN IMMEDIATE")
        for statement in statements(TABLES):
            link.execute(statement)
        link.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        link.execute(f"PRAGMA user_version = {VERSION}")
        link.execute("COMMIT")
    elif application == APPLICATION_ID and version in UPGRADES:
        link.execute("BEGIN IMMEDIATE")
        for older in range(version, VERSION):
            for statement in statements(UPGRADES[older]):
                link.execute(statement)
        link.execute(f"PRAGMA user_version = {VERSION}")
        link.execute("COMMIT")
        _check(link, path, lang)
    elif application == APPLICATION_ID:
        raise StateError(say("store-version", lang, path=path, found=version, ours=VERSION))
    else:
        raise EnvironmentUnusable(say("store-foreign", lang, path=path))


def _mark(link: sqlite3.Connection, name: str) -> int:
    return int(link.execute(f"PRAGMA {name}").fetchone()[0])


def _check(link: sqlite3.Connection, path: Path, lang: str) -> None:
    """A quick look for damage at start; a full check of a big file would take minutes."""
    small = path.stat().st_size < 64 * 1024 * 1024
    words = link.execute("PRAGMA quick_check(1)").fetchone()[0] if small else "ok"
    if words != "ok":
        raise EnvironmentUnusable(say("store-unusable", lang, path=path, why=words))


def _table_count(link: sqlite3.Connection) -> int:
    return int(link.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])


def statements(text: str) -> list[str]:
    """The statements of a text, which are parted by `;`; inside a trigger it is written `__`."""
    plain = "\n".join(line.split("--")[0] for line in text.splitlines())
    return [statement.replace("__", ";") for statement in plain.split(";") if statement.strip()]
