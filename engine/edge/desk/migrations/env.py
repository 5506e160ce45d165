"""How alembic gets at the database: through the connection it is handed, and no other way."""

from alembic import context

from engine.edge.desk.migrate import VERSION_TABLE
from engine.edge.desk.tables import metadata

link = context.config.attributes["link"]
context.configure(connection=link, target_metadata=metadata, version_table=VERSION_TABLE)
context.run_migrations()
