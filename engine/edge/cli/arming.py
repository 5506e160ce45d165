"""A proof may want this process to end at a named place: heeds the environment's word for it."""

import os

from engine.edge import crashpoint
from engine.edge.cli.exits import Misuse
from engine.edge.cli.voice import voice


def arm() -> None:
    """Heed the place at which a proof wants this process to end.

    Raises:
        Misuse: there is no such place.

    """
    try:
        crashpoint.arm(os.environ)
    except ValueError as unknown:
        known = ", ".join(crashpoint.POINTS)
        raise Misuse(voice().say("run-crashpoint", found=unknown, known=known)) from unknown
