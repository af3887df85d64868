"""Real runs of the monthly reports on a database and a folder of a test's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import dagster as dg

from assets.tenant_batch import TenantSelection
from reports_pipeline.accounting.periods import Month
from reports_pipeline.build import build_definitions
from reports_pipeline.environments import LocalEnvironment, Settings
from resources.document_renderer import DocumentRenderer
from resources.worker import Worker
from tests.assets.odd_rendering import odd_pdfs


def monthly_job(variables: Mapping[str, str], *, odd: bool) -> dg.JobDefinition:
    """All stages, in an environment of these variables; `odd` renders by `odd_rendering`."""
    environment = LocalEnvironment(Settings.from_environment(variables))
    overrides: dict[str, object] = {}
    if odd:
        worker = Worker(environment.settings.tenant_budget, modules=["tests.assets.odd_rendering"])
        overrides["document_renderer"] = DocumentRenderer(worker.call, pdfs=odd_pdfs)
    jobs = dg.Definitions(jobs=[dg.define_asset_job("month", selection="*")])
    merged = dg.Definitions.merge(build_definitions(environment, overrides), jobs)
    return merged.resolve_job_def("month")


def run_month(
    instance: dg.DagsterInstance,
    url: str,
    home: Path,
    month: Month,
    tenant_ids: Sequence[str],
    *,
    odd: bool = False,
    **budget: str,
) -> dg.JobExecutionResult:
    """Take the tenants through all stages, as the queue's runs do."""
    variables = {
        "REPORTS_HOME": str(home),
        "REPORTS_DATABASE_URL": url,
        "REPORTS_FIRST_MONTH": str(month),
        "REPORTS_VERIFIED_TENANTS_PER_RUN": "0",
        **budget,
    }
    instance.add_dynamic_partitions("tenant", list(tenant_ids))
    return dg.execute_job(
        dg.build_reconstructable_job(
            __name__,
            "monthly_job",
            reconstructable_args=(variables,),
            reconstructable_kwargs={"odd": odd},
        ),
        instance=instance,
        run_config=TenantSelection.run_config(month, tenant_ids),
    )


def failures(result: dg.JobExecutionResult, stage: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Code and details of each tenant that failed in a stage."""
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for event in result.get_step_failure_events():
        failure = event.step_failure_data.user_failure_data
        assert failure is not None, event.message
        if event.step_key == f"monthly_reports.{stage}_stage":
            facts = cast("list[dict[str, Any]]", failure.metadata["failed_tenants"].value)
            found |= {fact["tenant_id"]: (fact["code"], fact["details"]) for fact in facts}
    return found
