"""The month in Airflow: a mapped task for each tenant. Airflow loads this file."""

from __future__ import annotations

import json
import os
from pathlib import Path

from airflow.sdk import dag, task

from benchmarks.peers.client import take_through, take_through_alone


@dag(schedule=None, catchup=False, is_paused_upon_creation=False)
def tenant_months() -> None:
    @task
    def tenant_month(tenant_id: str) -> None:
        if program := os.environ.get("PEERS_PROGRAM"):
            take_through_alone(json.loads(program), tenant_id)
        else:
            take_through(os.environ["PEERS_WORKERS"], tenant_id)

    tenant_ids = json.loads(Path(os.environ["PEERS_TENANTS"]).read_text())
    tenant_month.expand(tenant_id=tenant_ids)


tenant_months()
