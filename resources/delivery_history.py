"""Every step of a tenant's deliveries, of programs and of people, for the auditor."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

from reports_pipeline.accounting.periods import Month


@dataclass(frozen=True, slots=True)
class Step:
    """`what`: `r1/2 POSTING → ACCEPTED` of a mail (revision and recipient), `r2 approve`,
    `r2 test_send to ADDRESS` of a decision."""

    at: datetime.datetime
    what: str
    actor: str
    reason: str


def delivery_history(url: str, tenant_id: str, month: Month) -> list[Step]:
    """In order of time; holds of every month are in it too, and what ended a wait of all tenants
    of the month."""
    with psycopg.connect(url) as connection, connection.cursor(row_factory=class_row(Step)) as rows:
        return rows.execute(
            """
            select at, what, actor, reason from (
                select at, 0 as kind, version::bigint as number, recipient_no,
                       format('r%%s/%%s %%s%%s', revision, recipient_no,
                              from_state || ' → ', to_state) as what,
                       actor, reason
                from reporting.delivery_moves join reporting.deliveries using (delivery_id)
                where tenant_id = %(tenant_id)s and month = %(month)s
                union all
                select decided_at, 1, decision_id, recipient_no,
                       concat('r' || revision, '/' || recipient_no, case when revision is not null
                              then ' ' end, decision, ' to ' || address, case when month is null
                              then ' every month' end),
                       decided_by, reason
                from reporting.delivery_decisions
                where (tenant_id = %(tenant_id)s or decision = 'end_canary')
                  and (month = %(month)s or month is null)
            ) steps
            order by at, kind, number, recipient_no
            """,
            {"tenant_id": tenant_id, "month": month.start},
        ).fetchall()
