"""What watches: new tenants, launches that lack runs, runs that failed, mails that came back."""

import time
from collections.abc import Iterator
from typing import Any, cast

import dagster as dg
import psycopg

from assets.partitions import TENANTS
from reports_pipeline.delivery.errors import LostClaimError
from reports_pipeline.delivery.feedback import (
    Feedback,
    FeedbackError,
    FeedbackKind,
    is_greeting,
    parse_ses_event,
)
from reports_pipeline.documents.catalogs import LANGUAGES, catalog
from reports_pipeline.launching import (
    ANYWHERE,
    MONTH_TAG,
    TaskPlacement,
    missing_partitions,
    missing_runs,
)
from resources.delivery_register import DeliveryRegister
from resources.feedback_queue import FeedbackQueue
from resources.launches import Launches
from resources.notifier import Notice, Notifier, Severity
from resources.tenants import ContactPurpose, Tenants

_MOST_TENANTS_SHOWN = 50
# A tick of a sensor that takes longer than a minute is given up by Dagster.
_FEEDBACK_SECONDS = 40


@dg.sensor(
    name="tenant_sensor",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Adds a partition for every new company. Partitions are never deleted.",
)
def tenant_sensor(
    context: dg.SensorEvaluationContext, tenants: dg.ResourceParam[Tenants]
) -> dg.SensorResult | dg.SkipReason:
    new = missing_partitions(context.instance, tenants.all_ids())
    if not new:
        return dg.SkipReason("Every company has its partition.")
    return dg.SensorResult(dynamic_partitions_requests=[TENANTS.build_add_request(new)])


def launch_sensor(
    assets: dg.AssetsDefinition, placement: TaskPlacement = ANYWHERE
) -> dg.SensorDefinition:
    """The sensor that creates the runs of launches which lack some."""

    @dg.sensor(
        name="launch_sensor",
        target=assets,
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Creates the runs that `reports backfill` or the sweeper asked for.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, launches: dg.ResourceParam[Launches]
    ) -> dg.SensorResult | dg.SkipReason:
        pending = launches.unlaunched()
        if not pending:
            return dg.SkipReason("No launch lacks a run.")
        requests: list[dg.RunRequest] = []
        for launch in pending:
            if missing := missing_runs(context.instance, launch, placement):
                requests += missing
            else:
                launches.mark_launched([launch.launch_id])
        tenant_ids = [t for launch in pending for batch in launch.batches for t in batch]
        new = missing_partitions(context.instance, list(dict.fromkeys(tenant_ids)))
        return dg.SensorResult(
            run_requests=requests,
            dynamic_partitions_requests=[TENANTS.build_add_request(new)] if new else [],
        )

    return sensor


@dg.run_failure_sensor(
    name="run_failure_sensor",
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Writes a notice for every failed run, with its failed tenants and their codes.",
)
def run_failure_sensor(
    context: dg.RunFailureSensorContext, notifier: dg.ResourceParam[Notifier]
) -> None:
    # Dagster gives up an alert whose sensor raises, so nothing here may.
    try:
        notifier.notify(_failure_notice(context))
    except Exception as error:
        context.log.error(f"notice for run {context.dagster_run.run_id} not written: {error!r}")


def _failure_notice(context: dg.RunFailureSensorContext) -> Notice:
    run = context.dagster_run
    tenants = list(_failed_tenants(context))
    values = {
        "run_id": run.run_id,
        "month": run.tags.get(MONTH_TAG, "—"),
        "count": len({tenant["tenant_id"] for tenant in tenants}),
    }
    # A run that failed as a whole, for example a killed process, names no tenant.
    kind = "tenants_failed" if tenants else "run_failed"
    body = {
        language: "\n".join(
            f"{tenant['month']} {tenant['tenant_id']} {tenant['code']}: "
            f"{tenant[f'message_{language}']}"
            for tenant in tenants[:_MOST_TENANTS_SHOWN]
        )
        + ("\n…" if len(tenants) > _MOST_TENANTS_SHOWN else "")
        or str(context.failure_event.message)
        for language in LANGUAGES
    }
    return Notice(
        key=f"run-failed_{run.run_id}",
        severity=Severity.ERROR,
        title={
            language: catalog(language).text(f"notice.{kind}", **values) for language in LANGUAGES
        },
        body=body,
        links={"run": f"/runs/{run.run_id}"},
    )


def _failed_tenants(context: dg.RunFailureSensorContext) -> Iterator[dict[str, Any]]:
    """What the failed stages of the run say of their tenants."""
    for event in context.get_step_failure_events():
        failure = event.step_failure_data.user_failure_data
        if failure is not None and "failed_tenants" in failure.metadata:
            yield from cast("list[dict[str, Any]]", failure.metadata["failed_tenants"].value)


@dg.sensor(
    name="delivery_feedback_sensor",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Registers what the mail provider reports: delivered, bounced, complained about.",
)
def delivery_feedback_sensor(
    context: dg.SensorEvaluationContext,
    feedback_queue: dg.ResourceParam[FeedbackQueue],
    delivery_register: dg.ResourceParam[DeliveryRegister],
    tenants: dg.ResourceParam[Tenants],
    notifier: dg.ResourceParam[Notifier],
) -> dg.SkipReason:
    recorded = left = 0
    stop = time.monotonic() + _FEEDBACK_SECONDS
    while time.monotonic() < stop and (events := feedback_queue.receive()):
        settled = []
        for event in events:
            if is_greeting(event.text):
                settled.append(event)
                continue
            try:
                feedback = parse_ses_event(event.text)
                is_ours = delivery_register.record(feedback)
            except (FeedbackError, LostClaimError, psycopg.DataError) as error:
                context.log.warning(f"left in the queue: {error}")
                continue
            if is_ours and feedback.needs_a_person:
                # Before the event is settled, so that it cannot be lost; it is told once.
                notifier.notify(_returned_notice(feedback, delivery_register, tenants))
            settled.append(event)
        feedback_queue.settle(settled)
        recorded += len(settled)
        left += len(events) - len(settled)
        if not settled:
            break  # only what comes again later is left
    return dg.SkipReason(f"{recorded} events of mails, {left} left in the queue.")


def _returned_notice(
    feedback: Feedback, delivery_register: DeliveryRegister, tenants: Tenants
) -> Notice:
    """A task for an operator: reach the company in another way, by an alternative contact first. No
    addresses: they are personal data, which the register keeps."""
    contacts = tenants.contacts([feedback.tenant_id]).get(feedback.tenant_id, [])
    suppressed = delivery_register.suppressed([contact.email for contact in contacts])
    others = sorted(
        (contact for contact in contacts if contact.email.lower() not in suppressed),
        key=lambda contact: contact.purpose is not ContactPurpose.ALTERNATIVE,
    )
    kind = "complained" if feedback.kind is FeedbackKind.COMPLAINT else "bounced"
    body = "mail_returned" if feedback.suppresses else "mail_not_delivered"

    def text(msgid: str, language: str) -> str:
        texts = catalog(language)
        names = [
            texts.text("notice.alternative_contact", name=contact.name)
            if contact.purpose is ContactPurpose.ALTERNATIVE
            else contact.name
            for contact in others
        ]
        return texts.text(
            msgid,
            tenant_id=feedback.tenant_id,
            month=feedback.month,
            recipient_no=feedback.recipient_no,
            reason=feedback.reason,
            others=", ".join(names) or "—",
        )

    return Notice(
        key=f"mail-{kind}_{feedback.delivery_id[:16]}_{feedback.recipient_no}",
        severity=Severity.WARNING,
        title={language: text(f"notice.mail_{kind}", language) for language in LANGUAGES},
        body={language: text(f"notice.{body}", language) for language in LANGUAGES},
    )
