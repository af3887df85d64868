"""精算表: a fiscal year from its opening balances to the closing entry, as bookkeepers write it."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports_pipeline.accounting.charts import Account
from reports_pipeline.accounting.journal import EntryKind, JournalEntry, JournalLine
from reports_pipeline.accounting.periods import Month
from tests.accounting.extracts import Bookkeeping, Tenant

_ids = itertools.count(1)

# Amounts by the names of accounts.
Amounts = Mapping[str, int]


class Journal:
    """Writes entries by the names of a chart's accounts: debits (借方), then credits (貸方)."""

    def __init__(self, accounts: Sequence[Account]) -> None:
        self._codes = {account.name: account.account_code for account in accounts}

    def entry(
        self, day: str, debits: Amounts, credits: Amounts, kind: EntryKind = EntryKind.NORMAL
    ) -> JournalEntry:
        entry = JournalEntry(
            posted_on=datetime.date.fromisoformat(day),
            entry_id=next(_ids),
            memo="",
            lines=(
                *(JournalLine(self._codes[name], amount) for name, amount in debits.items()),
                *(JournalLine(self._codes[name], -amount) for name, amount in credits.items()),
            ),
            kind=kind,
        )
        assert entry.imbalance == 0, entry
        return entry


@dataclass(frozen=True)
class Worksheet:
    company: Tenant
    accounts: Sequence[Account]
    last_month: Month  # of the fiscal year
    transactions: Sequence[JournalEntry]  # opening balances, and what was posted during the year
    trial_balance: tuple[Amounts, Amounts]  # 決算整理前残高試算表: debit and credit balances
    adjustments: Sequence[JournalEntry]  # 決算整理仕訳
    closing: JournalEntry  # 損益振替

    def books(self, *, closed: bool) -> Bookkeeping:
        """The books at the end, with or without the closing entry."""
        entries = [*self.transactions, *self.adjustments, *([self.closing] if closed else [])]
        return Bookkeeping(self.company, self.accounts, entries)
