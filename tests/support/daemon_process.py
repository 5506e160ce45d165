"""An embedded daemon as a process of its own, for tests that kill it."""

import os
import sys
from pathlib import Path

from engine.edge.daemon import run_embedded
from engine.edge.files import read_project
from engine.edge.logs import set_up_logs
from engine.edge.settings import read_settings
from engine.ruleset.load import load_project


def main() -> int:
    """Run `daemon_process.py FOLDER [--once]`."""
    set_up_logs("info", "json")
    configured = read_settings(Path(sys.argv[1]), dict(os.environ))
    loaded = load_project(read_project(configured.packs))
    assert loaded.project is not None, loaded.problems
    return run_embedded(configured, loaded.project, once="--once" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
