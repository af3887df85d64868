"""Accounting programs that others wrote, as judges of our figures.

An engine is given a tenant's journal in its own format and says what it computes of it. What is
compared with what is the business of `reports_pipeline.accounting.verification`.
"""

from __future__ import annotations

import csv
import datetime
import io
import shutil
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

from beancount import loader
from beancount.core.account import join
from beancount.core.data import BeancountError, Directives, Posting, Transaction
from beancount.ops import summarize

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.charts import Account
from reports_pipeline.accounting.journal import JournalEntry
from reports_pipeline.accounting.journal_export import (
    beancount_account,
    beancount_ledger,
    hledger_journal,
)
from reports_pipeline.accounting.money import to_minor_units
from reports_pipeline.accounting.reports import Company
from reports_pipeline.accounting.verification import EngineFigures, PeriodSums, Sums

_MOST_ERRORS_SHOWN = 5


class EngineNotInstalledError(RuntimeError):
    """The program is not on this machine; the message says how to get it."""


class JournalRefusedError(Exception):
    """The engine cannot read the tenant's journal; the message is the engine's."""


class AccountingEngine(ABC):
    """Computes figures of a journal."""

    name: ClassVar[str]

    @abstractmethod
    def figures(
        self, company: Company, accounts: Collection[Account], entries: Iterable[JournalEntry]
    ) -> EngineFigures:
        """The figures of the month that `company` describes; its days say when fiscal year and
        month begin and end. `entries` are all those before the month's end.

        Raises:
            JournalRefusedError: the engine cannot read the journal.
        """


class HledgerEngine(AccountingEngine):
    """hledger, a program written in Haskell (https://hledger.org), version 1.25 or newer."""

    name = "hledger"

    def __init__(self) -> None:
        """
        Raises:
            EngineNotInstalledError: there is no hledger on the path.
        """
        program = shutil.which("hledger")
        if program is None:
            raise EngineNotInstalledError(
                "hledger is not installed. On Debian: apt-get install hledger"
            )
        self._program = program

    def figures(
        self, company: Company, accounts: Collection[Account], entries: Iterable[JournalEntry]
    ) -> EngineFigures:
        currency = company.currency
        year_start, month_start = company.fiscal_year_start, company.month_start
        try:
            declarations = hledger_journal(accounts, [], currency)
            journal = hledger_journal(accounts, entries, currency)
        except ValueError as error:
            raise JournalRefusedError(str(error)) from error
        with tempfile.TemporaryDirectory() as folder:
            books, of_cash = Path(folder) / "books.journal", Path(folder) / "of_cash.journal"
            books.write_text(journal, encoding="utf-8")

            def sums(file: Path, *query: str, end: str = company.month_end) -> Sums:
                return self._sums(file, currency, "--end", end, *query)

            # The entries that touch cash, in full. `balance --related` would show counterparts at
            # once, but receipts net of payments, and with `type:` hledger 1.25 shows none.
            touching_cash = self._output(
                books, "print", "type:C", "not:tag:closing", "not:tag:opening",
                "--begin", year_start, "--end", company.month_end,
            )  # fmt: skip
            of_cash.write_text(declarations + touching_cash, encoding="utf-8")

            def period(start: str) -> PeriodSums:
                begin = ("--begin", start)
                return PeriodSums(
                    income=sums(books, "not:tag:closing", "type:RX", *begin),
                    receipts=sums(of_cash, "not:type:C", "amt:<0", *begin),
                    payments=sums(of_cash, "not:type:C", "amt:>0", *begin),
                    opened=sums(books, "tag:opening", *begin).accounts,
                )

            standing = ("not:tag:closing", "not:type:RX")
            return EngineFigures(
                balances=sums(books, *standing).accounts,
                prior_balances=sums(books, *standing, end=month_start).accounts,
                balances_before_year=sums(books, *standing, end=year_start).accounts,
                earlier_income=sums(books, "not:tag:closing", "type:RX", end=year_start).total,
                month=period(month_start),
                year_to_date=period(year_start),
            )

    def _sums(self, file: Path, currency: str, *query: str) -> Sums:
        output = self._output(file, "balance", "--flat", "--output-format", "csv", *query)
        _head, *rows, (_, total) = csv.reader(io.StringIO(output))

        def minor_units(amount: str) -> int:
            return to_minor_units(Decimal(amount.removesuffix(f" {currency}")), currency)

        return Sums({code: minor_units(amount) for code, amount in rows}, minor_units(total))

    def _output(self, file: Path, command: str, *arguments: str) -> str:
        done = subprocess.run(
            [self._program, command, "--file", str(file), *arguments],
            check=False,
            capture_output=True,
            encoding="utf-8",
            # What a person has configured for hledger is not for us.
            cwd=file.parent,
            env={"LC_ALL": "C.UTF-8", "HOME": str(file.parent)},
        )
        if done.returncode != 0:
            raise JournalRefusedError(done.stderr.strip())
        return done.stdout


class BeancountEngine(AccountingEngine):
    """Beancount, a library of Python (https://beancount.github.io) that this project depends on.

    It rolls earnings by itself: `OPEN ON … CLOSE ON … CLEAR`.
    """

    name = "beancount"

    def figures(
        self, company: Company, accounts: Collection[Account], entries: Iterable[JournalEntry]
    ) -> EngineFigures:
        try:
            text = beancount_ledger(accounts, entries, company.currency)
        except ValueError as error:
            raise JournalRefusedError(str(error)) from error
        directives, errors, option_values = loader.load_string(text)
        if errors:
            raise JournalRefusedError("\n".join(map(_explained, errors[:_MOST_ERRORS_SHOWN])))
        journal = _BeancountJournal(
            [
                directive
                for directive in directives
                if isinstance(directive, Transaction) and "closing" not in directive.tags
            ],
            option_values,
            company.currency,
            {beancount_account(account): account for account in accounts},
        )
        year_start, month_start, end = (
            datetime.date.fromisoformat(day)
            for day in (company.fiscal_year_start, company.month_start, company.month_end)
        )
        _, cleared = journal.rolled(year_start, end)
        return EngineFigures(
            balances=journal.by_code(cleared, of_income=False),
            prior_balances=journal.by_code(journal.before(month_start), of_income=False),
            balances_before_year=journal.by_code(journal.before(year_start), of_income=False),
            earlier_income=cleared.get(journal.previous_earnings, 0),
            month=journal.period(month_start, end),
            year_to_date=journal.period(year_start, end),
        )


class _BeancountJournal:
    """Transactions without closing entries, and what Beancount makes of them."""

    def __init__(
        self,
        transactions: Sequence[Transaction],
        option_values: dict[str, Any],
        currency: str,
        accounts: Mapping[str, Account],
    ) -> None:
        """`accounts` are by their names in Beancount."""
        self._transactions = transactions
        self._options = option_values
        self._currency = currency
        self._accounts = accounts
        equity = option_values["name_equity"]
        self.previous_earnings = join(equity, option_values["account_previous_earnings"])
        self._current_earnings = join(equity, option_values["account_current_earnings"])
        self._cash_accounts = {
            name
            for name, account in accounts.items()
            if account.account_class is AccountClass.CASH_AND_DEPOSITS
        }

    def rolled(
        self, start: datetime.date, end: datetime.date
    ) -> tuple[dict[str, int], dict[str, int]]:
        """Balances by Beancount's names after `OPEN ON start CLOSE ON end`, and then `CLEAR`."""
        opened, _ = summarize.open_opt([*self._transactions], start, self._options)
        closed, _ = summarize.close_opt(opened, end, self._options)
        cleared, _ = summarize.clear_opt(closed, end, self._options)
        return self._balances(closed), self._balances(cleared)

    def before(self, day: datetime.date) -> dict[str, int]:
        """Balances by Beancount's names."""
        return self._balances([each for each in self._transactions if each.date < day])

    def period(self, start: datetime.date, end: datetime.date) -> PeriodSums:
        closed, cleared = self.rolled(start, end)
        return PeriodSums(
            income=Sums(
                self.by_code(closed, of_income=True), cleared.get(self._current_earnings, 0)
            ),
            receipts=self._counterparts(start, end, lambda amount: amount < 0),
            payments=self._counterparts(start, end, lambda amount: amount > 0),
            opened=self._opened(start, end),
        )

    def by_code(self, balances: Mapping[str, int], *, of_income: bool) -> dict[str, int]:
        """The balances of our accounts, of the income statement or not, by account code."""
        return {
            account.account_code: balances.get(name, 0)
            for name, account in self._accounts.items()
            if account.account_class.section.in_income_statement is of_income
        }

    def _opened(self, start: datetime.date, end: datetime.date) -> dict[str, int]:
        opened = self._balances(
            [
                each
                for each in self._transactions
                if start <= each.date < end and "opening" in each.tags
            ]
        )
        return {self._accounts[name].account_code: amount for name, amount in opened.items()}

    def _counterparts(
        self, start: datetime.date, end: datetime.date, side: Callable[[Decimal], bool]
    ) -> Sums:
        """Postings of one side that are not to cash, of the transactions that touch cash."""
        touching_cash = (
            transaction
            for transaction in self._transactions
            if start <= transaction.date < end
            and "opening" not in transaction.tags
            and any(posting.account in self._cash_accounts for posting in transaction.postings)
        )
        balances = self._balances(
            [
                transaction._replace(
                    postings=[
                        posting
                        for posting in transaction.postings
                        if posting.account not in self._cash_accounts and side(_number(posting))
                    ]
                )
                for transaction in touching_cash
            ]
        )
        return Sums(
            {self._accounts[name].account_code: amount for name, amount in balances.items()},
            sum(balances.values()),
        )

    def _balances(self, directives: Directives) -> dict[str, int]:
        """By Beancount's names."""
        inventories, _ = summarize.balance_by_account(directives)
        return {
            # Beancount annotates this function in part.
            name: to_minor_units(
                inventory.get_currency_units(self._currency).number,  # type: ignore[no-untyped-call]
                self._currency,
            )
            for name, inventory in inventories.items()
        }


def _explained(error: BeancountError) -> str:
    if not isinstance(error.entry, Transaction):
        return error.message
    return f"{error.entry.date} entry {', '.join(error.entry.links)}: {error.message}"


def _number(posting: Posting) -> Decimal:
    # Optional in Beancount's types, for postings that it has yet to complete.
    assert posting.units is not None  # noqa: S101
    assert posting.units.number is not None  # noqa: S101
    return posting.units.number
