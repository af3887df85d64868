"""Journal entries as values: what importers read, exporters write and the ledger stores."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from enum import StrEnum


class EntryKind(StrEnum):
    """What statements must know of an entry: opening entries bring balances into the books and
    are no cash flow; closing entries (損益振替) empty the profit and loss accounts."""

    NORMAL = "normal"
    OPENING = "opening"
    CLOSING = "closing"


class EntryStatus(StrEnum):
    POSTED = "posted"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One side of an entry; `amount` is debit - credit in minor units."""

    account_code: str
    amount: int

    @property
    def debit(self) -> int:
        return max(self.amount, 0)

    @property
    def credit(self) -> int:
        return max(-self.amount, 0)


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """An entry; its id is unique among the entries of its tenant and day."""

    posted_on: datetime.date
    entry_id: int
    memo: str
    lines: tuple[JournalLine, ...]
    kind: EntryKind = EntryKind.NORMAL
    status: EntryStatus = EntryStatus.POSTED

    @property
    def imbalance(self) -> int:
        """Debits less credits in minor units: 0 for every entry of a ledger."""
        return sum(line.amount for line in self.lines)
