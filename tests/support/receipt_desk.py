"""A desk with its API as a process of its own, for tests that kill it while it takes a receipt.

`receipt_desk.py FOLDER [PLACE[:TIMES]]`: the place is armed only when the desk leads and everything
that a start does is over, so that the first passing is the receipt's own. Then it says `ready`.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

from engine.edge import crashpoint
from engine.edge.cli.desk_process import run_desk
from engine.edge.desk.opening import OpenDesk
from engine.edge.files import read_project
from engine.edge.settings import read_settings
from engine.edge.wiring import plan_connectors
from engine.ruleset.load import load_project

CALM_S = 1.0
"""A desk that has written nothing for so long has done what a start does."""


def main() -> int:
    """Run until SIGTERM, or until the place."""
    configured = read_settings(Path(sys.argv[1]), dict(os.environ))
    project = load_project(read_project(configured.packs)).project
    assert project is not None
    place = sys.argv[2] if len(sys.argv) > 2 else ""
    tasks: set[asyncio.Task[None]] = set()

    def started(desk: OpenDesk) -> None:
        tasks.add(asyncio.get_running_loop().create_task(ready(desk, place)))

    plan = plan_connectors(configured, project, "en")
    return run_desk(configured, project, plan, "en", started)


async def ready(desk: OpenDesk, place: str) -> None:
    """Arm the place once nothing is written any more."""
    written_s = [time.monotonic()]

    def wrote() -> None:
        written_s[0] = time.monotonic()

    desk.keeper.store.listen(wrote)
    while not desk.runner.leads or time.monotonic() - written_s[0] < CALM_S:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    crashpoint.arm({crashpoint.VARIABLE: place})
    sys.stdout.write("ready\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
