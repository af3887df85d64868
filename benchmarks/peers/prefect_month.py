"""Runs the month in Prefect, with a server of its own that keeps its records in PostgreSQL."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from benchmarks.month import postmaster
from benchmarks.peers.installation import (
    PROJECT,
    Spent,
    answers,
    free_port,
    run,
    service,
    wait_until,
)
from benchmarks.processes import tree_cpu_seconds


def run_in_prefect(
    programs: Path, database_url: str, folder: Path, tasks: int, variables: Mapping[str, str]
) -> Spent:
    """From the call of the flow to its end; `variables` are those that the flow reads.

    Raises:
        PeerUnavailableError: the server does not start, or the flow failed.
    """
    folder.mkdir(parents=True)
    port = free_port()
    environment = {
        **os.environ,
        **variables,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(PROJECT),
        "PEERS_TASKS": str(tasks),
        "PREFECT_HOME": str(folder),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_API_DATABASE_CONNECTION_URL": database_url.replace(
            "postgresql://", "postgresql+asyncpg://", 1
        ),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    log = folder / "server.log"
    server = [str(programs / "prefect"), "server", "start", "--host", "127.0.0.1"]
    server += ["--port", str(port)]
    with service(server, environment, log) as process:
        health = f"http://127.0.0.1:{port}/api/health"
        wait_until(lambda: answers(health), "it answers", process, log)
        flow = [str(programs / "python"), "-m", "benchmarks.peers.prefect_flow"]
        roots = [process.pid, postmaster(database_url)]
        before = sum(map(tree_cpu_seconds, roots))
        seconds, cpu_seconds = json.loads(run(flow, environment).splitlines()[-1])
        return Spent(seconds, sum(map(tree_cpu_seconds, roots)) - before + cpu_seconds)
