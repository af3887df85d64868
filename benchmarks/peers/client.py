"""How a task of any orchestrator has a tenant's month done: the standard library only, because it
is imported in the orchestrators' own environments."""

from __future__ import annotations

import socket


def take_through(address: str, tenant_id: str) -> None:
    """Return when a tenant worker behind the socket at `address` has taken the tenant through all
    stages.

    Raises:
        RuntimeError: the tenant failed.
    """
    with socket.socket(socket.AF_UNIX) as connection, connection.makefile("rw") as lines:
        connection.connect(address)
        lines.write(f"{tenant_id}\n")
        lines.flush()
        answer = lines.readline().strip()
    if answer != "done":
        raise RuntimeError(f"{tenant_id}: {answer or 'no answer'}")
