"""Options that several verbs share; their help is in the catalogue (`opt-<name>`)."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json")]
Lang = Annotated[str | None, typer.Option("--lang", metavar="zh|en")]
Paths = Annotated[list[Path] | None, typer.Argument(metavar="PATHS")]
Packs = Annotated[list[Path] | None, typer.Option("--rules", "-r", metavar="PATH")]
