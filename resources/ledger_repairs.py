"""What an operator mends in a loaded ledger: stale snapshots, and which entries are 損益振替."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from dataclasses import dataclass

import psycopg

from reports_pipeline.accounting.accounts import INCOME_STATEMENT, RETAINED_EARNINGS
from reports_pipeline.accounting.journal import EntryKind, EntryStatus
from reports_pipeline.accounting.periods import Month
from resources.balance_snapshots import refresh_stale_snapshots

_EntryKey = tuple[str, datetime.date, int]  # tenant_id, posted_on, entry_id


class NotAClosingEntryError(ValueError):
    """There is no such entry, or it is none that closes a year; the message says why."""


@dataclass(frozen=True, slots=True)
class MarkedEntry:
    """What `mark_closing` or `unmark_closing` has done."""

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
    """Mark an entry as closing, so that statements leave it out, and refresh all stale months of
    the tenant, not only the entry's.

    Raises:
        NotAClosingEntryError: there is no such entry, it is an opening, closing or cancelled one,
            or it does more, or less, than to carry profit and loss over to 利益剰余金.
    """
    key = (tenant_id, posted_on, entry_id)
    with psycopg.connect(url) as connection:
        kind = _posted_kind(connection, key)
        if kind is not EntryKind.NORMAL:
            raise NotAClosingEntryError(f"the entry is marked as {kind} already")
        _require_closing(connection, key)
        return _mark(connection, key, EntryKind.CLOSING)


def unmark_closing(
    url: str, tenant_id: str, posted_on: datetime.date, entry_id: int
) -> MarkedEntry:
    """Make a closing entry a normal one again, which statements count, and refresh all stale
    months of the tenant.

    Raises:
        NotAClosingEntryError: there is no such entry, or it is cancelled or not marked as closing.
    """
    key = (tenant_id, posted_on, entry_id)
    with psycopg.connect(url) as connection:
        kind = _posted_kind(connection, key)
        if kind is not EntryKind.CLOSING:
            raise NotAClosingEntryError("the entry is not marked as closing")
        return _mark(connection, key, EntryKind.NORMAL)


def _posted_kind(connection: psycopg.Connection, key: _EntryKey) -> EntryKind:
    row = connection.execute(
        """
        select kind, status from ledger.journal_entries
        where (tenant_id, posted_on, entry_id) = (%s, %s, %s) for update
        """,
        key,
    ).fetchone()
    if row is None:
        tenant_id, posted_on, entry_id = key
        raise NotAClosingEntryError(f"{tenant_id} has no entry {entry_id} of {posted_on}")
    kind, status = row
    if status == EntryStatus.CANCELLED:
        raise NotAClosingEntryError("the entry is cancelled")
    return EntryKind(kind)


def _require_closing(connection: psycopg.Connection, key: _EntryKey) -> None:
    tenant_id, _, _ = key
    # By the newest mappings: a report of any later month may have found the entry.
    rows = connection.execute(
        """
        select distinct account_code, account_class from ledger.journal_lines
        left join ledger.accounts_in(array[%s::text], 'infinity') using (tenant_id, account_code)
        where (tenant_id, posted_on, entry_id) = (%s, %s, %s) order by account_code
        """,
        [tenant_id, *key],
    ).fetchall()
    classes = {account_class for _, account_class in rows}
    if not classes & INCOME_STATEMENT:
        raise NotAClosingEntryError(
            "the entry is on no account of the income statement, so it closes none"
        )
    if not classes & RETAINED_EARNINGS:
        raise NotAClosingEntryError(
            "the entry is on no account of 利益剰余金, to which closing carries the profit"
        )
    closed = INCOME_STATEMENT | RETAINED_EARNINGS
    if others := [code for code, account_class in rows if account_class not in closed]:
        raise NotAClosingEntryError(
            f"the entry is on {', '.join(others)} too, which the balance sheet would lose with it: "
            "closing is on accounts of the income statement and 利益剰余金 only"
        )


def _mark(connection: psycopg.Connection, key: _EntryKey, kind: EntryKind) -> MarkedEntry:
    connection.execute(
        """
        update ledger.journal_entries set kind = %s
        where (tenant_id, posted_on, entry_id) = (%s, %s, %s)
        """,
        [kind, *key],
    )
    [(lines, debit, currency, memo)] = connection.execute(
        """
        select count(account_code), coalesce(sum(debit), 0)::bigint, currency, memo
        from ledger.journal_entries
        left join ledger.journal_lines using (tenant_id, posted_on, entry_id)
        where (tenant_id, posted_on, entry_id) = (%s, %s, %s) group by currency, memo
        """,
        key,
    )
    tenant_id, _, _ = key
    refreshed = refresh_stale_snapshots(connection, [tenant_id])
    return MarkedEntry(lines, debit, currency, memo, tuple(refreshed.get(tenant_id, [])))
