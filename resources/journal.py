"""Reads a tenant's chart and journal as values: for other programs, not for the statements.

The statements are made from sums (`resources/ledger.py`); here every entry passes by.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator

import psycopg

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.charts import Account
from reports_pipeline.accounting.journal import EntryKind, EntryStatus, JournalEntry, JournalLine
from reports_pipeline.accounting.periods import Month

_ENTRIES_A_FETCH = 5_000
_SECONDS_FOR_A_LOCK = 30


class Journals:
    """Reads charts (`ledger.accounts`, `ledger.account_mappings`) and journals
    (`ledger.journal_entries`, `ledger.journal_lines`).

    All methods raise psycopg.OperationalError if somebody holds a lock on one for 30 seconds.
    """

    def __init__(self, ledger_url: str) -> None:
        self._url = ledger_url

    @contextlib.contextmanager
    def _connect(self) -> Iterator[psycopg.Connection]:
        with psycopg.connect(self._url) as connection:
            connection.execute(f"set lock_timeout = '{_SECONDS_FOR_A_LOCK}s'")
            yield connection

    def accounts(self, tenant_id: str, month: Month) -> list[Account]:
        """The tenant's chart, by code, with the classes that are in effect in a month. Accounts
        that are mapped to no class are left out: a tenant that uses one has no statements
        (UNKNOWN_ACCOUNT)."""
        with self._connect() as connection:
            rows = connection.execute(
                """
                select account_code, name, account_class
                from ledger.accounts_in(array[%s::text], %s)
                where account_class = any(%s) order by account_code
                """,
                [tenant_id, month.start, list(AccountClass)],
            )
            return [Account(code, name, AccountClass(kind)) for code, name, kind in rows]

    def is_longer(self, tenant_id: str, entries: int, *, before: datetime.date) -> bool:
        """Whether the tenant has more entries than that, posted before a day."""
        with self._connect() as connection:
            found = connection.execute(
                "select from ledger.journal_entries where tenant_id = %s and posted_on < %s"
                " limit 1 offset %s",
                [tenant_id, before, entries],
            )
            return found.fetchone() is not None

    def entries(self, tenant_id: str, *, before: datetime.date) -> Iterator[JournalEntry]:
        """The tenant's entries posted before a day, cancelled ones too, by day and id.

        They are fetched while they are read. A line whose entry is missing, or is of another kind
        or status, is in none of them.
        """
        with (
            self._connect() as connection,
            connection.cursor(name="entries") as cursor,
        ):
            cursor.itersize = _ENTRIES_A_FETCH
            # Without statistics, as after an import, every entry would look at every line.
            connection.execute("set local enable_nestloop = off")
            cursor.execute(
                """
                select posted_on, entry_id, memo, kind, status,
                       array_agg(account_code order by line_no),
                       array_agg(debit - credit order by line_no)
                from ledger.journal_entries
                join ledger.journal_lines using (tenant_id, posted_on, entry_id, kind, status)
                where tenant_id = %s and posted_on < %s
                group by posted_on, entry_id, memo, kind, status
                order by posted_on, entry_id
                """,
                [tenant_id, before],
            )
            for posted_on, entry_id, memo, kind, status, codes, amounts in cursor:
                yield JournalEntry(
                    posted_on,
                    entry_id,
                    memo,
                    tuple(map(JournalLine, codes, amounts)),
                    EntryKind(kind),
                    EntryStatus(status),
                )
