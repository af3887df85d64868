"""One sample tenant's journal in the making: groups of entries of one shape, held as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reports_pipeline.accounting.journal import EntryKind, EntryStatus
from reports_pipeline.accounting.periods import Month
from resources.ledger_loading import TABLES
from resources.sample_companies import SampleCompany

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
TextArray = NDArray[Any]  # of str, as objects

_EPOCH_MONTH = Month(1970, 1).ordinal


@dataclass(frozen=True)
class EntryGroup:
    """Entries of one shape: n days and memos, n × lines accounts and amounts."""

    days: IntArray
    memos: TextArray
    accounts: IntArray
    amounts: IntArray
    kind: EntryKind
    status: EntryStatus


class SampleJournal:
    """One tenant's journal in the making.

    Months are the company's own, which end on its closing day. They are counted from 0, the month
    before the first of the books, so that months 1 … `last` are those of the books; entries dated
    outside them are not posted.
    """

    def __init__(self, first_month: Month, months: int, closing_day: int = 31) -> None:
        self.last = months
        self.months = np.arange(months + 1)
        self.calendar_months = (first_month.month - 2 + self.months) % 12 + 1
        ordinals = first_month.ordinal - 2 - _EPOCH_MONTH + np.arange(months + 7)
        # The first days of calendar months, from the one before month 0 on.
        self._calendar = ordinals.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
        self._closing_day = closing_day
        at_month_end = closing_day == 31
        self._starts = self._calendar[1:] if at_month_end else self._calendar[:-1] + closing_day
        self._groups: list[EntryGroup] = []
        self.opening: dict[int, int] = {}

    @property
    def first_day(self) -> int:
        return int(self._starts[1])

    def post(
        self,
        days: IntArray,
        memos: TextArray | str,
        *lines: tuple[IntArray | int, IntArray],
        kind: EntryKind = EntryKind.NORMAL,
        status: EntryStatus = EntryStatus.POSTED,
    ) -> None:
        """Post entries of one shape: per line the account and the signed amounts (debit > 0)."""
        accounts, amounts = np.empty((2, len(days), len(lines)), dtype=np.int64)
        for position, (line_accounts, line_amounts) in enumerate(lines):
            accounts[:, position] = line_accounts
            amounts[:, position] = line_amounts
        posted = (days >= self.first_day) & (days < self._starts[self.last + 1])
        posted &= amounts.any(axis=1)
        texts = np.full(len(days), memos, dtype=object) if isinstance(memos, str) else memos
        group = EntryGroup(
            days[posted], texts[posted], accounts[posted], amounts[posted], kind, status
        )
        if kind is EntryKind.OPENING:
            self._groups.insert(0, group)  # so that it comes first on its day
        else:
            self._groups.append(group)

    def open(self, account: int, amount: IntArray | int) -> None:
        """Bring a balance (debit > 0) into the books; retained earnings make up the rest."""
        self.opening[account] = self.opening.get(account, 0) + int(amount)

    def days_in(self, months: IntArray, shares: FloatArray, *, weekends: bool) -> IntArray:
        """The day at a share (0 to 1) of each month."""
        lengths = self._starts[months + 1] - self._starts[months]
        days = self._starts[months] + (shares * lengths).astype(np.int64)
        return days if weekends else self._working_day(days, months)

    def day_of(self, months: IntArray, day_of_month: IntArray | int) -> IntArray:
        """A day of each month, or its calendar month's last if that is shorter; never a weekend.

        A day after the closing day is in the calendar month before.
        """
        calendar_months = months + np.where(day_of_month > self._closing_day, 0, 1)
        last = self._calendar[calendar_months + 1] - 1
        days = np.minimum(self._calendar[calendar_months] + day_of_month - 1, last)
        return self._working_day(days, months)

    def last_day(self, months: IntArray) -> IntArray:
        return self._starts[months + 1] - 1

    def _working_day(self, days: IntArray, months: IntArray) -> IntArray:
        """The Friday before a weekend, or the Monday after it where that is another month."""
        weekday = (days + 3) % 7  # 1970-01-01 was a Thursday
        friday = days - np.maximum(weekday - 4, 0)
        monday = days + (7 - weekday) % 7
        return np.where((weekday > 4) & (friday < self._starts[months]), monday, friday)

    def month_of(self, days: IntArray) -> IntArray:
        return np.searchsorted(self._starts, days, side="right") - 1

    def movements(self) -> dict[int, IntArray]:
        """What each account moved in each month (debit > 0), of posted entries so far."""
        posted = [group for group in self._groups if group.status is EntryStatus.POSTED]
        accounts, position = np.unique(
            np.concatenate([group.accounts.ravel() for group in posted]), return_inverse=True
        )
        months = np.concatenate(
            [np.repeat(self.month_of(group.days), group.accounts.shape[1]) for group in posted]
        )
        amounts = np.concatenate([group.amounts.ravel() for group in posted])
        totals = np.zeros((len(accounts), self.last + 1), dtype=np.int64)
        np.add.at(totals, (position, months), amounts)
        return dict(zip(accounts.tolist(), totals, strict=True))

    def lowest_balance(self, account: int) -> int:
        """The lowest end-of-day sum of the account's postings, at most 0."""
        days: list[IntArray] = []
        amounts: list[IntArray] = []
        for group in self._groups:
            if group.status is EntryStatus.POSTED:
                rows, columns = np.nonzero(group.accounts == account)
                days.append(group.days[rows])
                amounts.append(group.amounts[rows, columns])
        elapsed = np.concatenate(days) - self.first_day
        by_day = np.zeros(int(self._starts[self.last + 1]) - self.first_day, dtype=np.int64)
        np.add.at(by_day, elapsed, np.concatenate(amounts))
        return min(int(np.cumsum(by_day).min()), 0)

    def tables(self, company: SampleCompany) -> dict[str, pa.Table]:
        """The journal in order of dates, entries numbered from 1."""
        groups = self._groups
        sizes = [len(group.days) for group in groups]
        days = np.concatenate([group.days for group in groups])
        order = np.argsort(days, kind="stable")
        entry_ids = np.empty(len(days), dtype=np.int64)
        entry_ids[order] = np.arange(1, len(days) + 1)
        kinds = np.repeat(np.array([group.kind.value for group in groups], dtype=object), sizes)
        states = np.repeat(np.array([group.status.value for group in groups], dtype=object), sizes)
        memos = np.concatenate([group.memos for group in groups])

        firsts = np.cumsum([0, *sizes[:-1]])
        entry_of_line = np.concatenate(
            [
                np.repeat(np.arange(first, first + size), group.accounts.shape[1])
                for first, size, group in zip(firsts, sizes, groups, strict=True)
            ]
        )
        accounts = np.concatenate([group.accounts.ravel() for group in groups])
        amounts = np.concatenate([group.amounts.ravel() for group in groups])
        kept = np.flatnonzero(amounts)
        kept = kept[np.argsort(entry_ids[entry_of_line[kept]], kind="stable")]
        entry_of_line, accounts, amounts = entry_of_line[kept], accounts[kept], amounts[kept]
        line_entry_ids = entry_ids[entry_of_line]
        first_lines = np.searchsorted(line_entry_ids, line_entry_ids)
        return {
            "journal_entries": ledger_table(
                "journal_entries",
                len(days),
                tenant_id=company.tenant_id,
                posted_on=days[order].astype(np.int32),
                entry_id=np.arange(1, len(days) + 1),
                memo=memos[order],
                currency=company.currency,
                kind=kinds[order],
                status=states[order],
            ),
            "journal_lines": ledger_table(
                "journal_lines",
                len(amounts),
                tenant_id=company.tenant_id,
                posted_on=days[entry_of_line].astype(np.int32),
                entry_id=line_entry_ids,
                line_no=np.arange(len(amounts)) - first_lines + 1,
                account_code=accounts,
                debit=np.maximum(amounts, 0),
                credit=np.maximum(-amounts, 0),
                kind=kinds[entry_of_line],
                status=states[entry_of_line],
            ),
        }


def ledger_table(name: str, rows: int, /, **columns: Any) -> pa.Table:
    """A table of the ledger; a single text stands for a column of it."""
    schema = TABLES[name]
    return pa.Table.from_arrays(
        [
            pa.repeat(columns[column], rows)
            if isinstance(columns[column], str)
            else pa.array(columns[column]).cast(schema.field(column).type)
            for column in schema.names
        ],
        schema=schema,
    )
