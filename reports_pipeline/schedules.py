"""When the month starts: the 1st, 01:00 in Tokyo, for the month before."""

import dagster as dg

from reports_pipeline.accounting.periods import Month
from reports_pipeline.launching import add_missing_partitions, month_runs
from reports_pipeline.tokyo import TOKYO
from resources.tenants import Tenants


def monthly_reports_schedule(
    assets: dg.AssetsDefinition, *, tenants_per_run: int
) -> dg.ScheduleDefinition:
    """The schedule that launches the previous month for every active tenant."""

    @dg.schedule(
        name="monthly_reports_schedule",
        cron_schedule="0 1 1 * *",
        execution_timezone=TOKYO.key,
        target=assets,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Launches the reports of the previous month for all active tenants, once.",
    )
    def schedule(
        context: dg.ScheduleEvaluationContext, tenants: dg.ResourceParam[Tenants]
    ) -> list[dg.RunRequest] | dg.SkipReason:
        in_tokyo = context.scheduled_execution_time.astimezone(TOKYO)
        month = Month.of(in_tokyo.date()).plus(-1)
        add_missing_partitions(context.instance, tenants.active_ids())
        requests = month_runs(context.instance, tenants, month, tenants_per_run)
        return requests or dg.SkipReason(f"{month}: every active tenant has its run.")

    return schedule
