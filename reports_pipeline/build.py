"""Assembly: settings and adapters in, Dagster definitions out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import dagster as dg

from assets.monthly_reports import monthly_reports
from assets.tenant_batch import TenantSelection
from reports_pipeline.environments import LocalEnvironment
from reports_pipeline.schedules import monthly_reports_schedule
from reports_pipeline.sensors import (
    delivery_feedback_sensor,
    launch_sensor,
    run_failure_sensor,
    tenant_sensor,
)


def build_definitions(
    environment: LocalEnvironment, resource_overrides: Mapping[str, object] | None = None
) -> dg.Definitions:
    """Everything Dagster loads. A test replaces adapters by `resource_overrides`, by role."""
    settings = environment.settings
    assets = monthly_reports(settings.first_month, tenants_per_run=settings.tenants_per_run)
    adapters: Mapping[str, Callable[[], object]] = {
        "ledger": environment.ledger,
        "tenants": environment.tenants,
        "launches": environment.launches,
        "stage_outcomes": environment.stage_outcomes,
        "brandings": environment.brandings,
        "report_register": environment.report_register,
        "statement_verifier": environment.statement_verifier,
        "document_store": environment.document_store,
        "mailer": environment.mailer,
        "feedback_queue": environment.feedback_queue,
        "notifier": environment.notifier,
        "mail_settings": environment.mail_settings,
    }
    return dg.Definitions(
        assets=[assets],
        schedules=[monthly_reports_schedule(assets, tenants_per_run=settings.tenants_per_run)],
        sensors=[
            tenant_sensor,
            launch_sensor(assets),
            run_failure_sensor,
            delivery_feedback_sensor,
        ],
        resources={
            "tenant_selection": TenantSelection(),
            **{role: _on_demand(adapter) for role, adapter in adapters.items()},
            "delivery_register": dg.ResourceDefinition(
                lambda context: environment.delivery_register(
                    f"run {context.run_id}" if context.run_id else "feedback of the mail provider"
                )
            ),
            **(resource_overrides or {}),
        },
        # Stages run in one process; parallelism comes from runs beside each other. A stage goes
        # on with the tenants that are left when a stage before it failed for some.
        executor=dg.in_process_executor.configured(
            {"step_dependency_config": {"require_upstream_step_success": False}}
        ),
    )


def _on_demand(adapter: Callable[[], object]) -> dg.ResourceDefinition:
    return dg.ResourceDefinition(lambda _: adapter())
