"""Assembly: settings and adapters in, Dagster definitions out."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping

import dagster as dg
import psycopg
import sqlalchemy

from assets.monthly_reports import monthly_reports
from assets.tenant_batch import TenantSelection
from reports_pipeline.accounting.periods import Month
from reports_pipeline.environments import Environment, rolling_first_month
from reports_pipeline.event_retention import EventRetention
from reports_pipeline.launching import ANYWHERE, TaskPlacement
from reports_pipeline.schedules import (
    delivery_sweeper_schedule,
    event_retention_schedule,
    monthly_reports_schedule,
)
from reports_pipeline.sensors import (
    delivery_feedback_sensor,
    launch_sensor,
    run_failure_sensor,
    tenant_sensor,
)
from reports_pipeline.sweeping import Sweeper
from resources.launches import SWEEPER

_PATIENCE_SECONDS = 60


def build_definitions(
    environment: Environment, resource_overrides: Mapping[str, object] | None = None
) -> dg.Definitions:
    """Everything Dagster loads. A test replaces adapters by `resource_overrides`, by role."""
    settings = environment.settings
    assets = monthly_reports(_first_month(environment), tenants_per_run=settings.tenants_per_run)
    placement = _task_placement(environment)
    adapters: Mapping[str, Callable[[], object]] = {
        "ledger": environment.ledger,
        "tenants": environment.tenants,
        "launches": environment.launches,
        "delivery_months": environment.delivery_months,
        "stage_outcomes": environment.stage_outcomes,
        "brandings": environment.brandings,
        "document_renderer": environment.document_renderer,
        "delivery_preferences": environment.delivery_preferences,
        "departures": environment.departures,
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
        schedules=[
            monthly_reports_schedule(
                assets,
                tenants_per_run=settings.tenants_per_run,
                canaries=settings.canary_tenants,
                placement=placement,
            ),
            delivery_sweeper_schedule(assets),
            event_retention_schedule(assets),
        ],
        sensors=[
            tenant_sensor,
            launch_sensor(assets, placement),
            run_failure_sensor,
            delivery_feedback_sensor,
        ],
        resources={
            "tenant_selection": TenantSelection(),
            **{role: _on_demand(adapter) for role, adapter in adapters.items()},
            "delivery_register": dg.ResourceDefinition(
                lambda context: environment.delivery_register(
                    f"run {context.run.run_id}" if context.run else "feedback of the mail provider"
                )
            ),
            "sweeper": dg.ResourceDefinition(lambda _: _sweeper(environment)),
            "event_retention": dg.ResourceDefinition(
                lambda _: EventRetention(settings.event_months, environment.delivery_months())
            ),
            **(resource_overrides or {}),
        },
        # Stages run in one process; parallelism comes from runs beside each other. A stage goes
        # on with the tenants that are left when a stage before it failed for some.
        executor=dg.in_process_executor.configured(
            {"step_dependency_config": {"require_upstream_step_success": False}}
        ),
    )


def _task_placement(environment: Environment) -> TaskPlacement:
    aws = environment.settings.aws
    if aws is None:
        return ANYWHERE
    return TaskPlacement(
        aws.large_task,
        aws.backfill_capacity,
        lambda month, tenant_ids: environment.tenants().line_counts(month, tenant_ids),
    )


def _first_month(environment: Environment) -> Month:
    """Of the partitions. Loading starts no server for it: where none is named, only the definitions
    are looked at, since `reports exec` names one to Dagster's programs."""
    settings = environment.settings
    if settings.database_url is None:
        return settings.first_month or rolling_first_month()
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return environment.first_month()
        except (psycopg.OperationalError, sqlalchemy.exc.OperationalError):
            # A restarting database must not cost a code server, and no other month will do.
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


@contextlib.contextmanager
def _sweeper(environment: Environment) -> Iterator[Sweeper]:
    """With a register of its own, whose history names it."""
    settings = environment.settings
    with environment.delivery_register(SWEEPER) as register:
        yield Sweeper(
            months=environment.delivery_months(),
            records=environment.month_records(),
            unknown_mails=environment.unknown_mails(),
            tenants=environment.tenants(),
            launches=environment.launches(),
            departures=environment.departures(),
            preferences=environment.delivery_preferences(),
            register=register,
            notifier=environment.notifier(),
            attempts=settings.sweep_attempts,
            tenants_per_run=settings.tenants_per_run,
        )


def _on_demand(adapter: Callable[[], object]) -> dg.ResourceDefinition:
    return dg.ResourceDefinition(lambda _: adapter())
