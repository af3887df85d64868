"""How a task of any orchestrator has a tenant's month done: the standard library only, because it
is imported in the orchestrators' own environments."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Sequence


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


def take_through_alone(program: Sequence[str], tenant_id: str) -> None:
    """Return when a process of its own, `program` with the tenant's id, has taken the tenant
    through all stages.

    Raises:
        subprocess.CalledProcessError: the tenant failed.
    """
    subprocess.run([*program, tenant_id], check=True)
