"""Who asks, as the ledger and the register remember it."""

from __future__ import annotations

import getpass
import os


def operator_name() -> str:
    """The account that runs the command; a container's account may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
