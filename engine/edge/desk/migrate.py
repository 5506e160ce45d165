"""Brings the tables of a desk's database up to this version; a newer one is left alone.

The steps are alembic's, one file each under `migrations/versions`, and run in one transaction.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from engine.errors import EnvironmentUnusable, StateError
from engine.text import say

FOLDER = Path(__file__).parent / "migrations"
VERSION_TABLE = "forewarn_desk"
LOCK = 0x464F5246
"""Number of the advisory lock under which PostgreSQL's tables are changed."""


def upgrade(engine: Engine, name: str, lang: str = "en", to: str = "head") -> tuple[str, str]:
    """Bring the tables up; answers the version before (empty in a new database) and after.

    Args:
        engine: A writing engine.
        name: The database as people know it.
        lang: Language of what is said.
        to: The version to stop at.

    Raises:
        StateError: the tables are newer than this program.
        EnvironmentUnusable: the database holds tables that are not ours.

    """
    with engine.begin() as link:
        if engine.dialect.name != "sqlite":
            link.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        before = version(link)
        known = versions()
        if before and before not in known:
            words = {"where": name, "found": before, "ours": known[-1]}
            raise StateError(say("desk-version", lang, **words))
        if not before and inspect(link).has_table("incidents"):
            raise EnvironmentUnusable(say("desk-foreign", lang, where=name))
        if before == (known[-1] if to == "head" else to):
            return before, before
        config = _config()
        config.attributes["link"] = link
        command.upgrade(config, to)
        return before, version(link)


def version(link: Connection) -> str:
    """The version of the tables; empty where there are none."""
    context = MigrationContext.configure(link, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision() or ""


def versions() -> list[str]:
    """Every version there ever was, oldest first."""
    found = ScriptDirectory.from_config(_config()).walk_revisions()
    return [script.revision for script in reversed(list(found))]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return config
