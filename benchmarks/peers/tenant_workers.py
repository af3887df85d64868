"""Warm processes that take a tenant through all stages when a task asks for it.

An orchestrator's task would otherwise import the stages anew for each tenant, which takes a hundred
times as long as the tenant; a peer is to be compared by what it adds itself.
"""

from __future__ import annotations

import contextlib
import socketserver
import tempfile
import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.month import run_stages, warm_processes
from benchmarks.processes import tree_cpu_seconds
from reports_pipeline.accounting.periods import Month
from reports_pipeline.environments import Settings


@dataclass(frozen=True)
class TenantWorkers:
    """Processes, and the address at which `benchmarks.peers.client` asks them."""

    address: str
    pids: Collection[int]

    def cpu_seconds(self) -> float:
        """What they and the processes that they started have spent so far."""
        return sum(map(tree_cpu_seconds, self.pids))


@contextlib.contextmanager
def tenant_workers(settings: Settings, month: Month, processes: int) -> Iterator[TenantWorkers]:
    """So many processes for a month of the tenants in this environment, while the context lasts."""
    with warm_processes(settings, processes) as (workers, pids):

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                tenant_id = self.rfile.readline().decode().strip()
                try:
                    workers.submit(run_stages, settings, month, [tenant_id]).result()
                except Exception as error:
                    answer = " ".join(repr(error).split())
                else:
                    answer = "done"
                self.wfile.write(f"{answer}\n".encode())

        with tempfile.TemporaryDirectory() as folder:
            address = str(Path(folder, "tenants"))
            with socketserver.ThreadingUnixStreamServer(address, Handler) as server:
                thread = threading.Thread(target=server.serve_forever, daemon=True)
                thread.start()
                try:
                    yield TenantWorkers(address, pids)
                finally:
                    server.shutdown()
                    thread.join()
