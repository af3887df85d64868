"""What the register holds of a month, for all its tenants at once: enough to say where each of
them stands, in a handful of queries."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import psycopg

from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.states import DeliveryState
from resources.delivery_decisions import Hold

_MAKES_REVISIONS = "statements"


@dataclass(frozen=True, slots=True)
class MessageRecord:
    """A mail; `dealt_with`: a person has signed its outcome off, or had it sent once more, so that
    the copy counts, which is `resend_of` it."""

    state: DeliveryState
    moved_at: datetime.datetime
    dealt_with: bool = False
    recipient_no: int = 1
    resend_of: int | None = None
    blocked_code: FailureCode | None = None


@dataclass(frozen=True, slots=True)
class StageRecord:
    """The last outcome of a stage; without a failure, the stage is done. `revision` is that of the
    figures it made or worked on, None where it knows none."""

    recorded_at: datetime.datetime
    failure: TenantFailure | None
    revision: int | None = None


@dataclass(slots=True)
class TenantRecord:
    """A tenant's month; the defaults are those of a month to which no run has come.

    `revision` is that of its figures: the one of which the statements stage spoke last, which may
    be an earlier one than the newest, or the newest, if a run made it and died before it spoke.
    """

    tenant_id: str
    revision: int = 0
    approved_revision: int = 0  # the last correction that a person let out
    delivery_revision: int = 0  # the newest that was registered for delivery
    messages: list[MessageRecord] = field(default_factory=list)  # of that one
    stages: dict[str, StageRecord] = field(default_factory=dict)
    hold: Hold | None = None  # in force
    waived: bool = False


def month_records(
    connection: psycopg.Connection[Any], month: Month, tenant_ids: Collection[str]
) -> dict[str, TenantRecord]:
    """The month of each of the tenants, in their order.

    The transaction decides of which moment: of one for all queries if it is repeatable read.
    """
    records = {tenant_id: TenantRecord(tenant_id) for tenant_id in tenant_ids}
    asked = {"month": month.start, "tenants": list(records)}
    dealt_with = _read_decisions(connection, month, records)
    for tenant_id, revision, number, state, moved_at, resend_of, code in connection.execute(
        """
        select tenant_id, revision, recipient_no, state, updated_at, resend_of, blocked_code
        from (
            select distinct on (tenant_id) tenant_id, revision, delivery_id
            from reporting.deliveries where month = %(month)s and tenant_id = any(%(tenants)s)
            order by tenant_id, revision desc
        ) newest
        left join reporting.delivery_messages using (delivery_id)
        order by tenant_id, recipient_no
        """,
        asked,
    ).fetchall():
        record = records[tenant_id]
        record.delivery_revision = revision
        if state is not None:  # a delivery without recipients has none
            record.messages.append(
                MessageRecord(
                    DeliveryState(state),
                    moved_at,
                    (tenant_id, revision, number) in dealt_with,
                    number,
                    resend_of,
                    code and FailureCode(code),
                )
            )
    for tenant_id, stage, recorded_at, code, details, revision in connection.execute(
        """
        select tenant_id, stage, recorded_at, failure_code, failure_details, revision
        from reporting.stage_outcomes where month = %(month)s and tenant_id = any(%(tenants)s)
        """,
        asked,
    ).fetchall():
        failure = code and TenantFailure(tenant_id, FailureCode(code), details or {})
        records[tenant_id].stages[stage] = StageRecord(recorded_at, failure, revision)
    for tenant_id, revision, made_at in connection.execute(
        """
        select distinct on (tenant_id) tenant_id, revision, created_at
        from reporting.report_revisions where month = %(month)s and tenant_id = any(%(tenants)s)
        order by tenant_id, revision desc
        """,
        asked,
    ).fetchall():
        record = records[tenant_id]
        said = record.stages.get(_MAKES_REVISIONS)
        has_spoken = said is not None and said.recorded_at >= made_at
        record.revision = (said.revision if said and has_spoken else None) or revision
    return records


def tenants_with_open_mails(connection: psycopg.Connection[Any], month: Month) -> list[str]:
    """Those with a mail of the month, in any revision, that may still go out, or of which nobody
    knows whether it did; in order."""
    rows = connection.execute(
        """
        select distinct tenant_id from reporting.delivery_messages
        join reporting.deliveries using (delivery_id)
        where month = %s
          and state in ('BUILT', 'VERIFIED', 'READY', 'CLAIMED', 'POSTING', 'UNKNOWN')
        order by tenant_id
        """,
        [month.start],
    )
    return [tenant_id for (tenant_id,) in rows.fetchall()]


def _read_decisions(
    connection: psycopg.Connection[Any], month: Month, records: dict[str, TenantRecord]
) -> set[tuple[str, int, int]]:
    """Enter what people have decided about tenants; returns the mails that they have dealt with, as
    tenant, revision and number of the recipient."""
    asked = [month.start, list(records)]
    for tenant_id, of_month, reason, decided_by in connection.execute(
        """
        select tenant_id, month, reason, decided_by from reporting.delivery_holds
        where (month is null or month = %s) and tenant_id = any(%s)
        """,
        asked,
    ).fetchall():
        held_month = None if of_month is None else month
        records[tenant_id].hold = Hold(tenant_id, held_month, reason, decided_by)
    dealt_with = set()
    for tenant_id, decision, revision, recipient_no in connection.execute(
        """
        select tenant_id, decision, revision, recipient_no from reporting.delivery_decisions
        where month = %s and tenant_id = any(%s)
          and decision in ('waive', 'unwaive', 'approve', 'resend', 'sign_off')
        order by decision_id
        """,
        asked,
    ).fetchall():
        match decision:
            case "waive" | "unwaive":
                records[tenant_id].waived = decision == "waive"
            case "approve":
                records[tenant_id].approved_revision = revision
            case _:
                dealt_with.add((tenant_id, revision, recipient_no))
    return dealt_with


class MonthRecords:
    """Reads them all as they were at one moment."""

    def __init__(self, url: str) -> None:
        self._url = url

    def read(self, month: Month, tenant_ids: Collection[str]) -> dict[str, TenantRecord]:
        """The month of each of the tenants, in their order."""
        with psycopg.connect(self._url) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            return month_records(connection, month, tenant_ids)

    def with_open_mails(self, month: Month) -> list[str]:
        """Tenants with a mail of the month that may still go out, or of which nobody knows whether
        it did; in order."""
        with psycopg.connect(self._url) as connection:
            return tenants_with_open_mails(connection, month)

    def months_with_waiting_mails(self) -> list[Month]:
        """Those of which a mail waits to go out, open or not, oldest first."""
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                """
                select distinct month from reporting.delivery_messages
                join reporting.deliveries using (delivery_id)
                where state in ('BUILT', 'VERIFIED', 'READY') order by month
                """
            )
            return [Month.of(month) for (month,) in rows]
