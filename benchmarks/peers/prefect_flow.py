"""The month in Prefect: a mapped task for each tenant. Prints the seconds that the flow
took, and its CPU seconds."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner

from benchmarks.peers.client import take_through


@task
def tenant_month(tenant_id: str) -> None:
    take_through(os.environ["PEERS_WORKERS"], tenant_id)


# Threads: the work is done elsewhere, and processes would cost Prefect more.
@flow(task_runner=ThreadPoolTaskRunner(max_workers=int(os.environ["PEERS_TASKS"])))
def tenant_months(tenant_ids: list[str]) -> None:
    tenant_month.map(tenant_ids).result()


if __name__ == "__main__":
    tenants = json.loads(Path(os.environ["PEERS_TENANTS"]).read_text())
    started, cpu_started = time.perf_counter(), time.process_time()
    tenant_months(tenants)
    print(json.dumps([time.perf_counter() - started, time.process_time() - cpu_started]))
