"""What a tenant's month costs, stage by stage, and what Dagster adds to it.

    python -m benchmarks.stages [--tenants N] [--lines-per-tenant L] [--json FILE]

Two fresh databases get the same sample ledger. On one the stage functions are called directly, on
the other the same assets run as a Dagster job with its storage in the same PostgreSQL. Both run
alternately, several times, on a month each; medians are printed.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableRepository

from assets.monthly_reports import STAGES
from assets.tenant_batch import StageWork, TenantSelection
from reports_pipeline.accounting.periods import Month
from reports_pipeline.environments import LocalEnvironment, Settings
from reports_pipeline.local import dagster_variables
from resources.database import create_database, temporary_postgres
from resources.ledger_loading import load_ledger
from resources.sample_ledger import SampleScale, sample_ledger

_FIRST_MONTH = "2025-01"
_LAST_MONTH = Month(2025, 10)
_ROUNDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tenants", type=int, default=100)
    parser.add_argument("--lines-per-tenant", type=int, default=400)
    parser.add_argument("--json", type=Path, help="also write the figures here, as one object")
    arguments = parser.parse_args()
    figures = measure(arguments.tenants, arguments.lines_per_tenant)
    for name, value in figures.items():
        print(f"{name:40}{value:>10}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(tenants: int, lines_per_tenant: int) -> dict[str, float]:
    """Milliseconds a tenant (medians of the rounds), and the job relative to the pure stages."""
    with temporary_postgres() as server_url, tempfile.TemporaryDirectory() as folder:
        direct, by_dagster = (
            LocalEnvironment(
                Settings.from_environment(
                    {
                        "REPORTS_HOME": f"{folder}/{name}",
                        "REPORTS_DATABASE_URL": create_database(server_url, name),
                        "REPORTS_FIRST_MONTH": _FIRST_MONTH,
                    }
                )
            )
            for name in ("direct", "by_dagster")
        )
        scale = SampleScale(
            tenants, _LAST_MONTH.plus(-_ROUNDS), _ROUNDS + 1, tenants * lines_per_tenant
        )
        for environment in (direct, by_dagster):
            load_ledger(environment.ledger_url, sample_ledger(scale, seed=1), replace=False)
        seconds: dict[str, list[float]] = defaultdict(list)
        for number in range(_ROUNDS):
            month = _LAST_MONTH.plus(number + 1 - _ROUNDS)
            for name, spent in _run_stages(direct, month).items():
                seconds[name].append(spent)
            seconds["job"].append(_run_job(by_dagster, month))
    milliseconds = {
        name: statistics.median(spent) * 1000 / tenants for name, spent in seconds.items()
    }
    stages = sum(milliseconds[stage.name] for stage in STAGES)
    return {
        "tenants": tenants,
        "lines_per_tenant": lines_per_tenant,
        **{f"{name}_ms_per_tenant": round(spent, 2) for name, spent in milliseconds.items()},
        "stages_ms_per_tenant": round(stages, 2),
        "job_over_stages": round(milliseconds["job"] / stages, 2),
    }


def _run_stages(environment: LocalEnvironment, month: Month) -> dict[str, float]:
    """Seconds of each stage for all tenants."""
    tenant_ids = environment.tenants().active_ids()
    artefacts: dict[str, dict[str, str]] = {}
    seconds = {}
    with environment.delivery_register("benchmark") as delivery_register:
        given = {"tenant_selection": TenantSelection(), "delivery_register": delivery_register}
        roles = set().union(*(stage.resource_keys for stage in STAGES)) - set(given)
        adapters: dict[str, Any] = {**given, **{r: getattr(environment, r)() for r in roles}}
        for stage in STAGES:
            log = logging.getLogger(__name__)
            work = StageWork(month, tenant_ids, f"benchmark-{month}", artefacts, log)
            started = time.perf_counter()
            result = stage.function(work, **{key: adapters[key] for key in stage.resource_keys})
            seconds[stage.name] = time.perf_counter() - started
            assert not result.failures, result.failures[0]
            artefacts[stage.name] = {t: made.key for t, made in result.artefacts.items()}
    return seconds


def _run_job(environment: LocalEnvironment, month: Month) -> float:
    """Seconds of the same month as one Dagster run in this process."""
    os.environ.update(dagster_variables(environment))
    os.environ["REPORTS_FIRST_MONTH"] = _FIRST_MONTH
    repository = ReconstructableRepository.for_module("reports_pipeline.definitions", "defs")
    config = TenantSelection.run_config(month, environment.tenants().active_ids())
    with dg.DagsterInstance.get() as instance:
        job = repository.get_reconstructable_job("__ASSET_JOB")
        started = time.perf_counter()
        result = dg.execute_job(job, instance=instance, run_config=config)
        seconds = time.perf_counter() - started
    assert result.success
    return seconds


if __name__ == "__main__":
    main()
