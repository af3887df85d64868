"""The statements once more, slowly and obviously: loops over the postings of one company.

What the engine computes with arrays for a batch must be exactly this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from reports_pipeline.accounting.accounts import AccountClass, Section
from reports_pipeline.accounting.charts import Account
from reports_pipeline.accounting.journal import EntryKind
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import LineKind, Statement, StatementKind, StatementLine
from tests.accounting.extracts import Bookkeeping

# Five columns and the twelve months of the trend.
Amounts = list[int]
NOTHING: Amounts = [0] * 17

HEADING, SUBTOTAL, TOTAL = LineKind.HEADING, LineKind.SUBTOTAL, LineKind.TOTAL


def plus(first: Amounts, second: Amounts, sign: int = 1) -> Amounts:
    return [a + sign * b for a, b in zip(first, second, strict=True)]


def total(amounts: Iterable[Amounts]) -> Amounts:
    result = NOTHING
    for each in amounts:
        result = plus(result, each)
    return result


class Reference:
    def __init__(self, books: Bookkeeping, month: Month) -> None:
        self.month = month
        self.calendar = books.company.calendar
        self.entries = books.posted(month)
        self.accounts = sorted(
            books.accounts,
            key=lambda account: (
                list(AccountClass).index(account.account_class),
                account.account_code,
            ),
        )
        months = [each for each, _ in self.entries]
        year_start = self.year_start(month)
        self.has_prior = any(each <= month.plus(-1) for each in months)
        self.has_prior_year = any(each <= month.plus(-12) for each in months)
        opened = [self.opened(account, year_start, month) for account in self.accounts]
        self.has_opening = any(each < year_start for each in months) or any(opened)
        self.lines: list[StatementLine] = []

    # Amounts of an account, debit less credit, over the months from `first` to `last`, both in it.

    def amount(
        self, account: Account, kinds: Sequence[EntryKind], first: Month | None, last: Month
    ) -> int:
        return sum(
            line.amount
            for month, entry in self.entries
            for line in entry.lines
            if line.account_code == account.account_code
            and entry.kind in kinds
            and (first is None or first <= month)
            and month <= last
        )

    def posted(self, account: Account, first: Month | None, last: Month) -> int:
        return self.amount(account, [EntryKind.NORMAL, EntryKind.OPENING], first, last)

    def opened(self, account: Account, first: Month, last: Month) -> int:
        return self.amount(account, [EntryKind.OPENING], first, last)

    def happened(self, account: Account, first: Month, last: Month) -> int:
        return self.amount(account, [EntryKind.NORMAL], first, last)

    def year_start(self, month: Month) -> Month:
        return self.calendar.year_start(month)

    def trend(self) -> list[Month]:
        return [self.month.plus(-back) for back in range(11, -1, -1)]

    def flows(self, flow: Callable[[Month, Month], int]) -> Amounts:
        """The columns of what `flow` says of periods."""
        month, prior, prior_year = self.month, self.month.plus(-1), self.month.plus(-12)
        return [
            flow(month, month),
            flow(prior, prior),
            flow(prior_year, prior_year),
            flow(self.year_start(month), month),
            0,
            *[flow(each, each) for each in self.trend()],
        ]

    def balances(self, at_end: Callable[[Month], int], opening: int) -> Amounts:
        return [
            at_end(self.month),
            at_end(self.month.plus(-1)),
            at_end(self.month.plus(-12)),
            0,
            opening,
            *[at_end(each) for each in self.trend()],
        ]

    # Lines.

    def line(
        self, key: str, kind: LineKind, level: int, amounts: Amounts = NOTHING, label: str = ""
    ) -> None:
        self.lines.append(
            StatementLine(
                key=key,
                label=label,
                kind=kind,
                level=level,
                current=amounts[0],
                prior=amounts[1],
                prior_year=amounts[2],
                year_to_date=amounts[3],
                opening=amounts[4],
                trend=tuple(amounts[5:]),
            )
        )

    def account_lines(self, rows: list[tuple[Account, Amounts]], level: int) -> None:
        for account, amounts in rows:
            if any(amounts):
                self.line(
                    f"account:{account.account_code}",
                    LineKind.ACCOUNT,
                    level,
                    amounts,
                    account.name,
                )

    def section(
        self,
        key: str,
        rows: list[tuple[Account, Amounts]],
        level: int = 0,
        *,
        always: bool = False,
    ) -> Amounts:
        """A heading, the accounts and their total; returns the total."""
        amounts = total(amounts for _, amounts in rows)
        if always or any(any(amounts) for _, amounts in rows):
            self.line(key, HEADING, level)
            self.account_lines(rows, level + 1)
            self.line(f"total_{key}", SUBTOTAL, level, amounts)
        return amounts

    def finish(self, kind: StatementKind) -> Statement:
        """The lines so far, without the amounts that do not exist."""
        balances = kind is StatementKind.BALANCE_SHEET

        def existing(amount: int | None, line: StatementLine, exists: bool = True) -> int | None:
            return amount if exists and line.kind is not HEADING else None

        lines = tuple(
            replace(
                line,
                current=existing(line.current, line),
                prior=existing(line.prior, line, self.has_prior),
                prior_year=existing(line.prior_year, line, self.has_prior_year),
                year_to_date=existing(line.year_to_date, line, not balances),
                opening=existing(line.opening, line, balances and self.has_opening),
            )
            for line in self.lines
        )
        self.lines = []
        return Statement(kind, lines)

    # Statements.

    def section_flows(self, section: Section) -> list[tuple[Account, Amounts]]:
        """The accounts of a section of the income statement by their codes."""

        def amounts(account: Account) -> Amounts:
            return self.flows(
                lambda first, last: section.side.value * self.posted(account, first, last)
            )

        return [
            (account, amounts(account))
            for account in sorted(self.accounts, key=lambda account: account.account_code)
            if account.account_class.section is section
        ]

    def income_statement(self) -> Statement:
        profit = NOTHING

        def add(section: Section, sign: int, *, always: bool = False) -> None:
            nonlocal profit
            amounts = self.section(section, self.section_flows(section), always=always)
            profit = plus(profit, amounts, sign)

        add(Section.NET_SALES, 1, always=True)
        add(Section.COST_OF_SALES, -1, always=True)
        self.line("gross_profit", TOTAL, 0, profit)
        add(Section.SELLING_GENERAL_ADMINISTRATIVE, -1, always=True)
        self.line("operating_profit", TOTAL, 0, profit)
        add(Section.NON_OPERATING_INCOME, 1)
        add(Section.NON_OPERATING_EXPENSES, -1)
        self.line("ordinary_profit", TOTAL, 0, profit)
        add(Section.EXTRAORDINARY_INCOME, 1)
        add(Section.EXTRAORDINARY_LOSSES, -1)
        self.line("profit_before_tax", TOTAL, 0, profit)
        add(Section.INCOME_TAXES, -1)
        self.line("net_profit", TOTAL, 0, profit)
        return self.finish(StatementKind.INCOME_STATEMENT)

    def expense_analysis(self) -> Statement:
        expenses = NOTHING
        for section in (Section.COST_OF_SALES, Section.SELLING_GENERAL_ADMINISTRATIVE):
            rows = self.section_flows(section)
            rows.sort(key=lambda row: (-row[1][0], row[0].account_code))
            expenses = plus(expenses, self.section(section, rows))
        self.line("total_expenses", TOTAL, 0, expenses)
        return self.finish(StatementKind.EXPENSE_ANALYSIS)

    def standing(self, account: Account) -> Amounts:
        start = self.year_start(self.month)
        opening = self.posted(account, None, start.plus(-1)) + self.opened(
            account, start, self.month
        )
        side = account.account_class.section.side.value
        return self.balances(lambda month: side * self.posted(account, None, month), side * opening)

    def of_classes(self, *classes: AccountClass) -> list[tuple[Account, Amounts]]:
        return [
            (account, self.standing(account))
            for account in self.accounts
            if account.account_class in classes
        ]

    def of_section(self, section: Section) -> list[tuple[Account, Amounts]]:
        return self.of_classes(*[c for c in AccountClass if c.section is section])

    def earlier_profit(self, account: Account) -> Amounts:
        return self.balances(
            lambda month: -self.posted(account, None, self.year_start(month).plus(-1)),
            -self.posted(account, None, self.year_start(self.month).plus(-1)),
        )

    def profit_of_year(self, account: Account) -> Amounts:
        return self.balances(
            lambda month: -self.posted(account, self.year_start(month), month),
            -self.opened(account, self.year_start(self.month), self.month),
        )

    def balance_sheet(self) -> Statement:
        self.line("assets", HEADING, 0)
        assets = self.section(
            "current_assets", self.of_section(Section.CURRENT_ASSETS), 1, always=True
        )
        fixed = {
            section: self.of_section(section)
            for section in (
                Section.PROPERTY_PLANT_EQUIPMENT,
                Section.INTANGIBLE_ASSETS,
                Section.INVESTMENTS_AND_OTHER_ASSETS,
            )
        }
        any_fixed = any(any(amounts) for rows in fixed.values() for _, amounts in rows)
        if any_fixed:
            self.line("noncurrent_assets", HEADING, 1)
        noncurrent = total([self.section(section, rows, 2) for section, rows in fixed.items()])
        if any_fixed:
            self.line("total_noncurrent_assets", SUBTOTAL, 1, noncurrent)
        deferred = self.section("deferred_assets", self.of_section(Section.DEFERRED_ASSETS), 1)
        self.line("total_assets", TOTAL, 0, total([assets, noncurrent, deferred]))

        self.line("liabilities", HEADING, 0)
        current = self.section(
            "current_liabilities", self.of_section(Section.CURRENT_LIABILITIES), 1, always=True
        )
        noncurrent = self.section(
            "noncurrent_liabilities", self.of_section(Section.NONCURRENT_LIABILITIES), 1
        )
        liabilities = plus(current, noncurrent)
        self.line("total_liabilities", TOTAL, 0, liabilities)

        self.line("net_assets", HEADING, 0)
        self.line("shareholders_equity", HEADING, 1)
        capital = self.of_classes(AccountClass.CAPITAL_STOCK, AccountClass.CAPITAL_SURPLUS)
        self.account_lines(capital, 2)
        self.line("retained_earnings", HEADING, 2)
        reserves = self.of_classes(AccountClass.OTHER_RETAINED_EARNINGS)
        self.account_lines(reserves, 3)
        nominal = [a for a in self.accounts if a.account_class.section.in_income_statement]
        brought_forward = plus(
            total(a for _, a in self.of_classes(AccountClass.RETAINED_EARNINGS_BROUGHT_FORWARD)),
            total(self.earlier_profit(account) for account in nominal),
        )
        of_year = total(self.profit_of_year(account) for account in nominal)
        self.line("retained_earnings_brought_forward", LineKind.ACCOUNT, 3, brought_forward)
        self.line("net_profit_for_year", LineKind.ACCOUNT, 3, of_year)
        retained = total([*[a for _, a in reserves], brought_forward, of_year])
        self.line("total_retained_earnings", SUBTOTAL, 2, retained)
        treasury = self.of_classes(AccountClass.TREASURY_STOCK)
        self.account_lines(treasury, 2)
        shareholders = total([*[a for _, a in capital], retained, *[a for _, a in treasury]])
        self.line("total_shareholders_equity", SUBTOTAL, 1, shareholders)
        valuation = self.section(
            "valuation_and_translation", self.of_section(Section.VALUATION_AND_TRANSLATION), 1
        )
        rights = self.section(
            "share_acquisition_rights", self.of_section(Section.SHARE_ACQUISITION_RIGHTS), 1
        )
        net_assets = total([shareholders, valuation, rights])
        self.line("total_net_assets", TOTAL, 0, net_assets)
        self.line("total_liabilities_and_net_assets", TOTAL, 0, plus(liabilities, net_assets))
        return self.finish(StatementKind.BALANCE_SHEET)

    def cash(self) -> list[Account]:
        return [a for a in self.accounts if a.account_class is AccountClass.CASH_AND_DEPOSITS]

    def opening_cash(self) -> Amounts:
        """What was there at the start, and what opening entries brought during a period."""
        return self.flows(
            lambda first, last: sum(
                self.posted(account, None, first.plus(-1)) + self.opened(account, first, last)
                for account in self.cash()
            )
        )

    def closing_cash(self) -> Amounts:
        return self.flows(
            lambda _first, last: sum(self.posted(account, None, last) for account in self.cash())
        )

    def cash_flow(self) -> Statement:
        codes = {account.account_code for account in self.cash()}
        cash_entries = [
            (month, entry)
            for month, entry in self.entries
            if entry.kind is EntryKind.NORMAL
            and any(line.account_code in codes for line in entry.lines)
        ]

        def counterparts(side: str) -> list[tuple[Account, Amounts]]:
            def amounts(account: Account) -> Amounts:
                return self.flows(
                    lambda first, last: sum(
                        getattr(line, side)
                        for month, entry in cash_entries
                        for line in entry.lines
                        if line.account_code == account.account_code and first <= month <= last
                    )
                )

            return [(a, amounts(a)) for a in self.accounts if a.account_code not in codes]

        self.line("opening_cash", TOTAL, 0, self.opening_cash())
        inflows = self.section("inflows", counterparts("credit"), always=True)
        outflows = self.section("outflows", counterparts("debit"), always=True)
        self.line("net_cash_change", TOTAL, 0, plus(inflows, outflows, -1))
        self.line("closing_cash", TOTAL, 0, self.closing_cash())
        return self.finish(StatementKind.CASH_FLOW)

    def indirect_cash_flow(self) -> Statement:
        of = AccountClass
        in_income_statement = [c for c in of if c.section.in_income_statement]
        depreciation = (
            of.DEPRECIATION,
            of.DEPRECIATION_IN_COST_OF_SALES,
            of.AMORTIZATION_OF_DEFERRED_ASSETS,
        )
        interest_received, interest_paid = of.INTEREST_AND_DIVIDEND_INCOME, of.INTEREST_EXPENSE
        disposals = (of.GAIN_ON_DISPOSAL_OF_ASSETS, of.LOSS_ON_DISPOSAL_OF_ASSETS)

        def cash(*classes: AccountClass) -> Amounts:
            """What cash gained by all that is posted to accounts of these classes."""
            accounts = [a for a in self.accounts if a.account_class in classes]
            return self.flows(
                lambda first, last: -sum(self.happened(a, first, last) for a in accounts)
            )

        def without(*classes: AccountClass) -> Amounts:
            return plus(NOTHING, cash(*classes), -1)

        def lines(amounts_of: dict[str, Amounts]) -> Amounts:
            for key, amounts in amounts_of.items():
                self.line(key, LineKind.ACCOUNT, 1, amounts)
            return total(amounts_of.values())

        self.line("operating_activities", HEADING, 0)
        subtotal = lines(
            {
                "profit_before_tax_in_cash_flow": cash(
                    *[c for c in in_income_statement if c is not of.INCOME_TAXES]
                ),
                "depreciation_and_amortization": without(*depreciation),
                "change_in_allowance_for_doubtful_accounts": cash(
                    of.ALLOWANCE_FOR_DOUBTFUL_ACCOUNTS
                ),
                "interest_and_dividend_income_excluded": without(interest_received),
                "interest_expense_excluded": without(interest_paid),
                "disposal_of_assets_excluded": without(*disposals),
                "change_in_trade_receivables": cash(of.TRADE_RECEIVABLES),
                "change_in_inventories": cash(of.INVENTORIES),
                "change_in_trade_payables": cash(of.TRADE_PAYABLES),
                "change_in_other_assets_and_liabilities": cash(
                    of.OTHER_CURRENT_ASSETS,
                    of.OTHER_CURRENT_LIABILITIES,
                    of.OTHER_NONCURRENT_LIABILITIES,
                ),
            }
        )
        self.line("subtotal_of_operating_activities", SUBTOTAL, 1, subtotal)
        settled = lines(
            {
                "interest_and_dividends_received": cash(interest_received),
                "interest_paid": cash(interest_paid),
                "income_taxes_paid": cash(
                    of.INCOME_TAXES,
                    of.INCOME_TAXES_PAYABLE,
                    of.INCOME_TAXES_RECEIVABLE,
                    of.DEFERRED_TAX_ASSETS,
                    of.DEFERRED_TAX_LIABILITIES,
                ),
            }
        )
        operating = plus(subtotal, settled)
        self.line("total_operating_activities", SUBTOTAL, 0, operating)

        self.line("investing_activities", HEADING, 0)
        investing = lines(
            {
                "fixed_assets": cash(
                    of.PROPERTY_PLANT_EQUIPMENT,
                    of.ACCUMULATED_DEPRECIATION,
                    of.INTANGIBLE_ASSETS,
                    of.DEFERRED_ASSETS,
                    *depreciation,
                    *disposals,
                ),
                "short_term_investments_in_cash_flow": cash(of.SHORT_TERM_INVESTMENTS),
                "investments_and_other_assets_in_cash_flow": cash(
                    of.INVESTMENTS_AND_OTHER_ASSETS, of.VALUATION_AND_TRANSLATION
                ),
            }
        )
        self.line("total_investing_activities", SUBTOTAL, 0, investing)

        self.line("financing_activities", HEADING, 0)
        financing = lines(
            {
                "change_in_short_term_borrowings": cash(of.SHORT_TERM_BORROWINGS),
                "change_in_long_term_borrowings": cash(of.LONG_TERM_BORROWINGS),
                "repayment_of_lease_obligations": cash(of.LEASE_OBLIGATIONS),
                "issuance_of_shares": cash(
                    of.CAPITAL_STOCK, of.CAPITAL_SURPLUS, of.SHARE_ACQUISITION_RIGHTS
                ),
                "change_in_treasury_stock": cash(of.TREASURY_STOCK),
                "dividends_paid": cash(
                    of.RETAINED_EARNINGS_BROUGHT_FORWARD, of.OTHER_RETAINED_EARNINGS
                ),
            }
        )
        self.line("total_financing_activities", SUBTOTAL, 0, financing)

        self.line("net_cash_change", TOTAL, 0, total([operating, investing, financing]))
        self.line("opening_cash", TOTAL, 0, self.opening_cash())
        self.line("closing_cash", TOTAL, 0, self.closing_cash())
        return self.finish(StatementKind.INDIRECT_CASH_FLOW)

    def statements(self) -> tuple[Statement, ...]:
        return (
            self.income_statement(),
            self.balance_sheet(),
            self.expense_analysis(),
            self.cash_flow(),
            self.indirect_cash_flow(),
        )
