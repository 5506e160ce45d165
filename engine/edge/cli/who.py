"""Who sits at this machine: the name that is kept of what somebody does here."""

import getpass
import os


def logged_in() -> str:
    """The name of the account; its number in a container that has no name for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
