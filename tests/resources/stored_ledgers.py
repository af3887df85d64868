"""What stands in the ledger's database, as values that tests compare."""

from __future__ import annotations

import datetime

import psycopg

from reports_pipeline.accounting.charts import Account
from reports_pipeline.accounting.journal import JournalEntry
from reports_pipeline.accounting.periods import Month
from resources.journal import Journals


def stored_balances(url: str, tenant_id: str, before: datetime.date) -> dict[str, int]:
    """Debit - credit of each account by the snapshots of the months before a date, zeros left
    out."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            """
            select account_code, sum(debit - credit)::bigint from ledger.balance_snapshots
            where tenant_id = %s and month < %s
            group by account_code having sum(debit - credit) <> 0
            """,
            [tenant_id, before],
        )
        return dict(rows.fetchall())


def stored_accounts(url: str, tenant_id: str) -> list[Account]:
    return Journals(url).accounts(tenant_id, Month(9998, 12))


def stored_entries(url: str, tenant_id: str) -> list[JournalEntry]:
    return list(Journals(url).entries(tenant_id, before=datetime.date.max))
