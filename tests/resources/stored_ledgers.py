"""What stands in the ledger's database, as values that tests compare."""

from __future__ import annotations

import datetime

import psycopg

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.charts import Account
from reports_pipeline.accounting.journal import EntryKind, EntryStatus, JournalEntry, JournalLine


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
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "select account_code, name, account_class from ledger.accounts "
            "where tenant_id = %s order by account_code",
            [tenant_id],
        )
        return [Account(code, name, AccountClass(kind)) for code, name, kind in rows]


def stored_entries(url: str, tenant_id: str) -> list[JournalEntry]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            """
            select posted_on, entry_id, memo, kind, status,
                   array_agg(l.account_code order by l.line_no),
                   array_agg(l.debit - l.credit order by l.line_no)
            from ledger.journal_entries e
            join ledger.journal_lines l using (tenant_id, posted_on, entry_id, kind, status)
            where tenant_id = %s group by 1, 2, 3, 4, 5 order by 1, 2
            """,
            [tenant_id],
        )
        return [
            JournalEntry(
                posted_on,
                entry_id,
                memo,
                tuple(map(JournalLine, codes, amounts)),
                EntryKind(kind),
                EntryStatus(status),
            )
            for posted_on, entry_id, memo, kind, status, codes, amounts in rows
        ]
