"""A small pipeline on the tenant-batch mechanism, whose failures a test decides."""

import os
import signal

import dagster as dg

from assets.partitions import month_tenant_partitions
from assets.tenant_batch import (
    Artefact,
    CheckOutcome,
    Stage,
    StageResult,
    StageWork,
    TenantSelection,
    Violation,
    for_each_tenant,
    tenant_batch_assets,
)
from reports_pipeline.accounting.failures import FailureCode, TenantFailure, TenantFailureError
from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.errors import ThrottledError
from resources.stage_outcomes import StageOutcomes

# stage -> tenants that fail in it; tests fill it
failing: dict[str, set[str]] = {}
# tenants whose data makes the first stage fail as a whole
breaking: set[str] = set()
# tenant -> how often the first stage is told to come back later
throttled: dict[str, int] = {}
# tenants that have begun when the run is told to end, and those of each stage that were ended
interrupting: set[str] = set()
made: list[tuple[str, str]] = []
# (stage, tenants) of every call
calls: list[tuple[str, list[str]]] = []
# failing tenants of which the check only warns
pardoned: set[str] = set()
# whether the check warns of no tenant in particular
broken_scales = False
# tenants whose data makes the second stage fail as a whole, and with what
clogging: set[str] = set()
clogs_with: type[Exception] = ValueError


class FixedTenants:
    """Every tenant is active but one."""

    def active_ids(self, among: list[str]) -> list[str]:
        return [tenant_id for tenant_id in among if tenant_id != "inactive"]


def _work(stage: str, work: StageWork) -> StageResult:
    calls.append((stage, list(work.tenant_ids)))

    def make(tenant_id: str) -> Artefact:
        if throttled.get(tenant_id, 0) > 0:
            throttled[tenant_id] -= 1
            raise ThrottledError("later")
        if tenant_id in failing.get(stage, ()):
            details: dict[str, str | int | float | None] = {"difference": 3}
            raise TenantFailureError(
                TenantFailure(tenant_id, FailureCode.LEDGER_IMBALANCE, details)
            )
        if tenant_id in interrupting:
            os.kill(os.getpid(), signal.SIGTERM)
        made.append((stage, tenant_id))
        return Artefact(f"{stage}/{tenant_id}", {"made_by": dg.MetadataValue.text(stage)})

    return for_each_tenant(work, make)


def grains(work: StageWork) -> StageResult:
    """One per month and tenant."""
    if broken := breaking.intersection(work.tenant_ids):
        raise ValueError(f"cannot read {broken}")
    return _work("grains", work)


def flour(work: StageWork) -> StageResult:
    """One per month and tenant."""
    if clogged := clogging.intersection(work.tenant_ids):
        calls.append(("flour, clogged", list(work.tenant_ids)))
        raise clogs_with(f"cannot grind {clogged}")
    result = _work("flour", work)
    result.revisions = dict.fromkeys(work.tenant_ids, 2)
    violations = [
        Violation(
            failure.tenant_id,
            "grey",
            {"grams": dg.MetadataValue.int(3)},
            dg.AssetCheckSeverity.WARN
            if failure.tenant_id in pardoned
            else dg.AssetCheckSeverity.ERROR,
        )
        for failure in result.failures
    ]
    result.checks.append(
        CheckOutcome(
            "flour_is_white",
            violations,
            counts={"sacks": 10 * len(work.tenant_ids)},
            names={"weighed": work.tenant_ids},
            warnings=["the scales are broken"] if broken_scales else [],
        )
    )
    return result


def bread(work: StageWork) -> StageResult:
    """One per month and tenant."""
    return _work("bread", work)


STAGES = [
    Stage(grains),
    Stage(flour, upstream=("grains",), checks={"flour_is_white": "No tenant failed."}),
    Stage(bread, upstream=("flour",)),
]


def definitions() -> dg.Definitions:
    assets = tenant_batch_assets(
        STAGES,
        month_tenant_partitions(Month(2025, 1)),
        name="bakery",
        group_name="bakery",
        owners=["team:bakers"],
        tenants_per_run=100,
    )
    return dg.Definitions(
        assets=[assets],
        jobs=[dg.define_asset_job("bake", selection=[assets])],
        resources={
            # read late: Dagster loads these definitions once for all tests
            "stage_outcomes": dg.ResourceDefinition(
                lambda _: StageOutcomes(os.environ["TEST_DATABASE_URL"])
            ),
            "tenants": FixedTenants(),
            "tenant_selection": TenantSelection(),
        },
        executor=dg.in_process_executor.configured(
            {"step_dependency_config": {"require_upstream_step_success": False}}
        ),
    )


def job() -> dg.JobDefinition:
    return definitions().resolve_job_def("bake")
