"""A month in the middle of its delivery, as the tests of its commands find it."""

from __future__ import annotations

from dataclasses import asdict

import psycopg
from psycopg.types.json import Jsonb

from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from resources.delivery_months import DeliveryMonths
from resources.stage_outcomes import StageOutcomes
from tests.delivery.examples import LETTER, OCTOBER


def enter_october(url: str) -> None:
    """October has mails to t0001 and t0002 that are ready, t0003 failed, t0004 left before anything
    was made, and of t0005 nothing is known."""
    with psycopg.connect(url) as connection:
        connection.execute(
            """
            insert into ledger.companies (tenant_id, name, status) values
                ('t0001', '桜', 'active'), ('t0002', '梅', 'active'), ('t0003', '松', 'active'),
                ('t0004', '竹', 'left'), ('t0005', '藤', 'active')
            """
        )
        connection.execute(
            """
            with made as (
                insert into reporting.report_revisions
                    (tenant_id, month, revision, numbers_hash, closed, statements_key, run_id)
                select tenant_id, '2026-10-01', 1, repeat('a', 64), false, 'a.arrow', 'run'
                from unnest(array['t0001', 't0002']) as tenant_id
                returning tenant_id, month, revision
            ), registered as (
                insert into reporting.deliveries
                    (tenant_id, month, revision, delivery_id, numbers_hash, letter, documents)
                select tenant_id, month, revision, repeat(right(tenant_id, 1), 64), repeat('a', 64),
                       %s, '[]'
                from made returning delivery_id
            )
            insert into reporting.delivery_messages (delivery_id, recipient_no, name, email, state)
            select delivery_id, 1, '佐藤', 'sato@example.com', 'READY' from registered
            """,
            [Jsonb(asdict(LETTER))],
        )
    outcomes = StageOutcomes(url)
    unbalanced = TenantFailure("t0003", FailureCode.LEDGER_IMBALANCE, {"difference": 3})
    ready = {"t0001": "a", "t0002": "a"}
    outcomes.record("ledger_extracts", OCTOBER, "run", ready, [unbalanced])
    outcomes.record("report_deliveries", OCTOBER, "run", ready, [])


def open_october(url: str) -> None:
    """Everybody but t0005 is expected, and t0001 goes first."""
    DeliveryMonths(url).open(
        OCTOBER, ["t0001", "t0002", "t0003", "t0004"], canaries=["t0001"], opened_by="schedule"
    )


def move(url: str, tenant_id: str, state: str) -> None:
    """Move a tenant's mail, as if a run or an event of the mail provider had done it."""
    with psycopg.connect(url) as connection:
        connection.execute(
            """
            update reporting.delivery_messages
            set state = %(state)s,
                provider_id = case when %(state)s = 'ACCEPTED' then 'ses' end,
                lease_until = case when %(state)s = 'POSTING' then now() end
            where delivery_id = repeat(right(%(tenant_id)s, 1), 64)
            """,
            {"state": state, "tenant_id": tenant_id},
        )
