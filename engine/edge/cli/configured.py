"""The settings that a verb is given: of a file, the environment and its flags."""

import os
from pathlib import Path
from typing import Any

from engine.edge.settings import Configured, read_settings
from engine.edge.wiring import connector_problems


def settings_of(target: Path, *, broker: str | None = None, data: Path | None = None) -> Configured:
    """Settings from the file, the environment and these flags."""
    flags: dict[str, Any] = {"broker": broker}
    if data is not None:
        flags["data_folder"] = str(data.resolve())
    return read_settings(target, dict(os.environ), flags, connector_problems)
