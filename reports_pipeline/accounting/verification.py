"""Compares a tenant's statements with what an accounting program of others makes of its journal.

The statements come from snapshots and lines by way of the database and arrays; the program reads
the journal as text. Where both say the same, neither made a mistake the other did not make too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.charts import Account
from reports_pipeline.accounting.reports import LineKind, StatementKind, TenantReports

_ACCOUNT = "account:"
# The statements' own lines that an engine can compute. It knows no Japanese ladder of profits.
_OWN_LINES = {
    "net_profit",
    "retained_earnings_brought_forward",
    "net_profit_for_year",
    "total_inflows",
    "total_outflows",
    "net_cash_change",
    "closing_cash",
}
# The flows of the prior columns are left out: a company does not say when the months of another
# calendar began and ended. Nor does it say in which fiscal year the month before was.
_COLUMNS = {
    StatementKind.INCOME_STATEMENT: ("current", "year_to_date"),
    StatementKind.BALANCE_SHEET: ("current", "prior", "opening"),
    StatementKind.CASH_FLOW: ("current", "year_to_date"),
}
_OF_FISCAL_YEAR = {"retained_earnings_brought_forward", "net_profit_for_year"}


@dataclass(frozen=True, slots=True)
class Sums:
    """An engine's sums by account code, and its own total of them; debits less credits in minor
    units. An account that is missing has 0."""

    accounts: Mapping[str, int]
    total: int


@dataclass(frozen=True, slots=True)
class PeriodSums:
    """What happened in a period, without closing entries."""

    income: Sums  # accounts of revenue and expense
    receipts: Sums  # credits of the counterparts of cash, without opening entries
    payments: Sums  # debits of the counterparts of cash, without opening entries


@dataclass(frozen=True, slots=True)
class EngineFigures:
    """What an engine computes of a tenant's month, without closing entries; debits less credits
    in minor units. Balances are of accounts of neither revenue nor expense, by account code."""

    balances: Mapping[str, int]  # at the month's end
    prior_balances: Mapping[str, int]  # at its start
    balances_before_year: Mapping[str, int]
    earlier_income: int  # revenue and expense before the fiscal year
    opened: Mapping[str, int]  # what its opening entries brought, of every account
    month: PeriodSums
    year_to_date: PeriodSums


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure on which the statements and the engine disagree; minor units, as it prints."""

    what: str  # statement and column, such as balance_sheet.current
    line: str  # the line's key; in the cash flow an account's stands after inflows or outflows
    ours: int
    theirs: int

    @property
    def difference(self) -> int:
        return self.ours - self.theirs


@dataclass(frozen=True, slots=True)
class Verification:
    """The comparison of one tenant's month."""

    compared: int  # figures, those that are 0 on both sides left out
    differences: tuple[Difference, ...]


def verify(
    reports: TenantReports, accounts: Iterable[Account], engine: EngineFigures
) -> Verification:
    """Compare each account line of income statement, balance sheet and cash flow, and the lines
    of the roll of earnings and of cash, in the columns `current`, `year_to_date` and `opening`;
    in `prior`, the accounts of the balance sheet.

    A line that the statements lack counts as 0, as does one that the engine knows nothing of.
    """
    ours, theirs = dict(_shown(reports)), dict(_expected(accounts, engine))
    figures = sorted(
        figure for figure in ours.keys() | theirs.keys() if ours.get(figure) or theirs.get(figure)
    )
    differences = (
        Difference(*figure, ours.get(figure, 0), theirs.get(figure, 0)) for figure in figures
    )
    return Verification(
        compared=len(figures),
        differences=tuple(difference for difference in differences if difference.difference),
    )


# (what, line) and the amount as it prints.
_Figure = tuple[tuple[str, str], int]


def _shown(reports: TenantReports) -> Iterator[_Figure]:
    for kind, columns in _COLUMNS.items():
        heading = ""
        for line in reports.statement(kind).lines:
            if line.kind is LineKind.HEADING:
                heading = line.key
                continue
            name = line.key
            if name.startswith(_ACCOUNT):
                # An account may be among receipts and among payments.
                name = f"{heading} {name}" if kind is StatementKind.CASH_FLOW else name
            elif name not in _OWN_LINES:
                continue
            for column in columns:
                if column == "prior" and name in _OF_FISCAL_YEAR:
                    continue
                yield (f"{kind}.{column}", name), getattr(line, column) or 0


def _expected(accounts: Iterable[Account], engine: EngineFigures) -> Iterator[_Figure]:
    classes = {account.account_code: account.account_class for account in accounts}
    opened_income = 0
    opening_balances = dict(engine.balances_before_year)
    for code, amount in engine.opened.items():
        if classes[code].section.in_income_statement:
            opened_income += amount
        else:
            opening_balances[code] = opening_balances.get(code, 0) + amount

    for column, balances, earned in (
        ("current", engine.balances, engine.year_to_date.income.total),
        ("prior", engine.prior_balances, None),
        ("opening", opening_balances, opened_income),
    ):
        sheet = f"{StatementKind.BALANCE_SHEET}.{column}"
        brought_forward = -engine.earlier_income
        for code, amount in balances.items():
            if classes[code] is AccountClass.RETAINED_EARNINGS_BROUGHT_FORWARD:
                brought_forward -= amount  # one line for all accounts of the class
            else:
                yield (sheet, f"{_ACCOUNT}{code}"), amount * classes[code].section.side.value
        if earned is not None:
            yield (sheet, "retained_earnings_brought_forward"), brought_forward
            yield (sheet, "net_profit_for_year"), -earned

    closing_cash = sum(
        amount
        for code, amount in engine.balances.items()
        if classes[code] is AccountClass.CASH_AND_DEPOSITS
    )
    for column, sums in {"current": engine.month, "year_to_date": engine.year_to_date}.items():
        income = f"{StatementKind.INCOME_STATEMENT}.{column}"
        for code, amount in sums.income.accounts.items():
            yield (income, f"{_ACCOUNT}{code}"), amount * classes[code].section.side.value
        yield (income, "net_profit"), -sums.income.total

        cash = f"{StatementKind.CASH_FLOW}.{column}"
        for code, amount in sums.receipts.accounts.items():
            yield (cash, f"inflows {_ACCOUNT}{code}"), -amount
        yield (cash, "total_inflows"), -sums.receipts.total
        for code, amount in sums.payments.accounts.items():
            yield (cash, f"outflows {_ACCOUNT}{code}"), amount
        yield (cash, "total_outflows"), sums.payments.total
        yield (cash, "net_cash_change"), -(sums.receipts.total + sums.payments.total)
        yield (cash, "closing_cash"), closing_cash
