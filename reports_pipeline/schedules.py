"""When the month starts: the 1st, 01:00 in Tokyo, for the month before. What is lost, stuck or due
of it is found every five minutes from then on; what nobody asks for any more goes at night."""

from collections.abc import Collection

import dagster as dg

from reports_pipeline.accounting.periods import Month
from reports_pipeline.event_retention import EventRetention
from reports_pipeline.launching import (
    ANYWHERE,
    TaskPlacement,
    add_missing_partitions,
    month_launch,
    run_requests,
)
from reports_pipeline.month_opening import MonthNotOverError, open_month
from reports_pipeline.sweeping import Sweeper
from reports_pipeline.tokyo import TOKYO, now
from resources.delivery_months import DeliveryMonths
from resources.launches import Launches
from resources.tenants import Tenants

# Dagster gives up a tick after a minute.
_PRUNING_SECONDS = 30


def monthly_reports_schedule(
    assets: dg.AssetsDefinition,
    *,
    tenants_per_run: int,
    canaries: Collection[str],
    placement: TaskPlacement = ANYWHERE,
) -> dg.ScheduleDefinition:
    """The schedule that opens the previous month and launches it for everybody expected."""

    @dg.schedule(
        name="monthly_reports_schedule",
        cron_schedule="0 1 1 * *",
        execution_timezone=TOKYO.key,
        target=assets,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Opens the previous month, and launches the reports of all its tenants, once.",
    )
    def schedule(
        context: dg.ScheduleEvaluationContext,
        tenants: dg.ResourceParam[Tenants],
        delivery_months: dg.ResourceParam[DeliveryMonths],
        launches: dg.ResourceParam[Launches],
    ) -> list[dg.RunRequest] | dg.SkipReason:
        in_tokyo = context.scheduled_execution_time.astimezone(TOKYO)
        month = Month.of(in_tokyo.date()).plus(-1)
        try:
            # By the real clock: whoever tries the schedule out with a later one opens nothing.
            open_month(
                delivery_months,
                tenants,
                month,
                canaries=canaries,
                opened_by="schedule",
                now=now(),
            )
        except MonthNotOverError as error:
            return dg.SkipReason(str(error))
        if absent := sorted(set(canaries) - set(delivery_months.canaries(month))):
            context.log.warning(f"{month}: no canaries, not being active: {', '.join(absent)}")
        expected = delivery_months.expected(month)
        add_missing_partitions(context.instance, expected)
        launch = month_launch(
            context.instance, launches, tenants, month, expected, tenants_per_run=tenants_per_run
        )
        requests = run_requests(launch, placement)
        return requests or dg.SkipReason(f"{month}: everybody expected has a run.")

    return schedule


def delivery_sweeper_schedule(assets: dg.AssetsDefinition) -> dg.ScheduleDefinition:
    """The schedule that sweeps the open months."""

    @dg.schedule(
        name="delivery_sweeper_schedule",
        cron_schedule="*/5 * * * *",
        execution_timezone=TOKYO.key,
        target=assets,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Asks again for what of the open months is lost, stuck or due.",
    )
    def schedule(
        context: dg.ScheduleEvaluationContext, sweeper: dg.ResourceParam[Sweeper]
    ) -> dg.SkipReason:
        # By the real clock: trying it out does what the next tick does, and nothing earlier.
        sweeps = sweeper.sweep(context.instance, now(), context.log)
        return dg.SkipReason("\n".join(map(str, sweeps)) or "No month is open.")

    return schedule


def event_retention_schedule(assets: dg.AssetsDefinition) -> dg.ScheduleDefinition:
    """The schedule that removes the steps of old runs from the event log."""

    @dg.schedule(
        name="event_retention_schedule",
        cron_schedule="30 4 * * *",
        execution_timezone=TOKYO.key,
        target=assets,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Removes the steps of old runs from the event log; no partition changes.",
    )
    def schedule(
        context: dg.ScheduleEvaluationContext, event_retention: dg.ResourceParam[EventRetention]
    ) -> dg.SkipReason:
        # By the real clock: trying it out does what the next tick does, and nothing earlier.
        pruning = event_retention.prune(context.instance, now(), seconds=_PRUNING_SECONDS)
        return dg.SkipReason(f"removed {pruning}")

    return schedule
