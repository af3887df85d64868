"""What an operator mends in a loaded ledger: stale snapshots, and unmarked 損益振替."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from dataclasses import dataclass

import psycopg

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.periods import Month
from resources.ledger_loading import refresh_stale_snapshots

_INCOME_STATEMENT = [c for c in AccountClass if c.section.in_income_statement]


class NotAClosingEntryError(ValueError):
    """There is no such entry, or it cannot be one that closes a year; the message says why."""


@dataclass(frozen=True, slots=True)
class MarkedEntry:
    """What `mark_closing` has done."""

    lines: int
    debit: int  # the entry's debits in minor units of `currency`
    currency: str
    memo: str
    refreshed: tuple[Month, ...]


def refresh_snapshots(
    url: str, tenant_ids: Collection[str] | None = None
) -> dict[str, list[Month]]:
    """Refresh the stale snapshots of these tenants, or of all; returns the months by tenant."""
    with psycopg.connect(url) as connection:
        if tenant_ids is None:
            stale = connection.execute("select distinct tenant_id from ledger.stale_snapshots")
            tenant_ids = [tenant_id for (tenant_id,) in stale]
        return refresh_stale_snapshots(connection, list(tenant_ids))


def mark_closing(url: str, tenant_id: str, posted_on: datetime.date, entry_id: int) -> MarkedEntry:
    """Mark an entry as closing, so that statements leave it out, and refresh its month.

    Raises:
        NotAClosingEntryError: there is no such entry, it is an opening, closing or cancelled one,
            or it is on no account of the income statement.
    """
    key = [tenant_id, posted_on, entry_id]
    with psycopg.connect(url) as connection:
        row = connection.execute(
            """
            select kind, status, memo, currency from ledger.journal_entries
            where (tenant_id, posted_on, entry_id) = (%s, %s, %s) for update
            """,
            key,
        ).fetchone()
        if row is None:
            raise NotAClosingEntryError(f"{tenant_id} has no entry {entry_id} of {posted_on}")
        kind, status, memo, currency = row
        if status == "cancelled":
            raise NotAClosingEntryError("the entry is cancelled")
        if kind != "normal":
            raise NotAClosingEntryError(f"the entry is marked as {kind} already")
        lines, debit, of_profit = connection.execute(
            """
            select count(*), sum(debit)::bigint, coalesce(bool_or(coalesce(
                (select mapping.account_class from ledger.account_mappings mapping
                 where mapping.tenant_id = line.tenant_id
                   and mapping.account_code = line.account_code
                   and mapping.first_month <= ledger.month_of(line.tenant_id, line.posted_on)
                 order by mapping.first_month desc limit 1),
                account.account_class
            ) = any(%s)), false)
            from ledger.journal_lines line
            left join ledger.accounts account using (tenant_id, account_code)
            where (tenant_id, posted_on, entry_id) = (%s, %s, %s)
            """,
            [_INCOME_STATEMENT, *key],
        ).fetchone() or (0, 0, False)
        if not of_profit:
            raise NotAClosingEntryError(
                "the entry is on no account of the income statement, so it closes none"
            )
        connection.execute(
            """
            update ledger.journal_entries set kind = 'closing'
            where (tenant_id, posted_on, entry_id) = (%s, %s, %s)
            """,
            key,
        )
        refreshed = refresh_stale_snapshots(connection, [tenant_id])
    return MarkedEntry(lines, debit, currency, memo, tuple(refreshed.get(tenant_id, [])))
