"""Parquet files as rows of tables; the reader is an extra (`forewarn[parquet]`)."""

from pathlib import Path

from engine.edge.reference.rows import as_answer
from engine.errors import DeclarationError, Location, Problem


def read_parquet(path: Path) -> bytes:
    """The rows of a Parquet file as packs hold them.

    Raises:
        DeclarationError: The extra is not installed (R645), or the file cannot be read (R646).

    """
    place = Location(path.as_posix())
    try:
        import duckdb  # noqa: PLC0415 - an extra, wanted by few
    except ImportError as error:
        found = {"name": path.name, "extra": "parquet"}
        raise DeclarationError([Problem(place, "R645", found)]) from error
    try:
        with duckdb.connect(":memory:") as link:
            link.execute("SET TimeZone='UTC'")
            link.execute("SET threads=1")
            answer = link.execute("SELECT * FROM read_parquet(?)", [str(path)])
            columns = [one[0] for one in answer.description or ()]
            return as_answer(columns, answer.fetchall())
    except (duckdb.Error, ValueError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        found = {"name": path.name, "reason": reason}
        raise DeclarationError([Problem(place, "R646", found)]) from error
