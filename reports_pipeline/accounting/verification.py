"""Compares a tenant's statements with what an accounting program of others makes of its journal.

The statements come from snapshots and lines by way of the database and arrays; the program reads
the journal as text. Where both say the same, neither made a mistake the other did not make too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reports_pipeline.accounting.accounts import AccountClass, Section
from reports_pipeline.accounting.charts import Account
from reports_pipeline.accounting.reports import LineKind, StatementKind, TenantReports

_ACCOUNT = "account:"
# The statements' own lines that an engine can compute, but for the indirect cash flow, which has no
# others. It knows no Japanese ladder of profits.
_OWN_LINES = {
    "net_profit",
    "retained_earnings_brought_forward",
    "net_profit_for_year",
    "total_inflows",
    "total_outflows",
    "opening_cash",
    "net_cash_change",
    "closing_cash",
}
# The flows of the prior columns are left out: a company does not say when the months of another
# calendar began and ended. Nor does it say in which fiscal year the month before was.
_COLUMNS = {
    StatementKind.INCOME_STATEMENT: ("current", "year_to_date"),
    StatementKind.BALANCE_SHEET: ("current", "prior", "opening"),
    StatementKind.CASH_FLOW: ("current", "year_to_date"),
    StatementKind.INDIRECT_CASH_FLOW: ("current", "year_to_date"),
}
_OF_FISCAL_YEAR = {"retained_earnings_brought_forward", "net_profit_for_year"}

# The lines of the indirect cash flow and the classes of accounts whose effects on cash they add up.
# The statement has a table of its own: a class that one of the two misplaces is a difference.
_DEPRECIATION = (
    AccountClass.DEPRECIATION_IN_COST_OF_SALES,
    AccountClass.DEPRECIATION,
    AccountClass.AMORTIZATION_OF_DEFERRED_ASSETS,
)
_DISPOSALS = (AccountClass.GAIN_ON_DISPOSAL_OF_ASSETS, AccountClass.LOSS_ON_DISPOSAL_OF_ASSETS)
# These are taken away: the profit has them too, and a line below has them where they belong.
_TAKEN_OUT_OF_PROFIT = {
    "depreciation_and_amortization": _DEPRECIATION,
    "interest_and_dividend_income_excluded": (AccountClass.INTEREST_AND_DIVIDEND_INCOME,),
    "interest_expense_excluded": (AccountClass.INTEREST_EXPENSE,),
    "disposal_of_assets_excluded": _DISPOSALS,
}
_ABOVE_SUBTOTAL: Mapping[str, Sequence[AccountClass]] = {
    "profit_before_tax_in_cash_flow": [
        account_class
        for account_class in AccountClass
        if account_class.section.in_income_statement
        and account_class.section is not Section.INCOME_TAXES
    ],
    **_TAKEN_OUT_OF_PROFIT,
    "change_in_allowance_for_doubtful_accounts": [AccountClass.ALLOWANCE_FOR_DOUBTFUL_ACCOUNTS],
    "change_in_trade_receivables": [AccountClass.TRADE_RECEIVABLES],
    "change_in_inventories": [AccountClass.INVENTORIES],
    "change_in_trade_payables": [AccountClass.TRADE_PAYABLES],
    "change_in_other_assets_and_liabilities": [
        AccountClass.OTHER_CURRENT_ASSETS,
        AccountClass.OTHER_CURRENT_LIABILITIES,
        AccountClass.OTHER_NONCURRENT_LIABILITIES,
    ],
}
_BELOW_SUBTOTAL: Mapping[str, Sequence[AccountClass]] = {
    "interest_and_dividends_received": [AccountClass.INTEREST_AND_DIVIDEND_INCOME],
    "interest_paid": [AccountClass.INTEREST_EXPENSE],
    "income_taxes_paid": [
        AccountClass.INCOME_TAXES,
        AccountClass.INCOME_TAXES_RECEIVABLE,
        AccountClass.INCOME_TAXES_PAYABLE,
        AccountClass.DEFERRED_TAX_ASSETS,
        AccountClass.DEFERRED_TAX_LIABILITIES,
    ],
}
_INVESTING: Mapping[str, Sequence[AccountClass]] = {
    "fixed_assets": [
        AccountClass.PROPERTY_PLANT_EQUIPMENT,
        AccountClass.ACCUMULATED_DEPRECIATION,
        AccountClass.INTANGIBLE_ASSETS,
        AccountClass.DEFERRED_ASSETS,
        *_DEPRECIATION,
        *_DISPOSALS,
    ],
    "short_term_investments_in_cash_flow": [AccountClass.SHORT_TERM_INVESTMENTS],
    "investments_and_other_assets_in_cash_flow": [
        AccountClass.INVESTMENTS_AND_OTHER_ASSETS,
        AccountClass.VALUATION_AND_TRANSLATION,
    ],
}
_FINANCING: Mapping[str, Sequence[AccountClass]] = {
    "change_in_short_term_borrowings": [AccountClass.SHORT_TERM_BORROWINGS],
    "change_in_long_term_borrowings": [AccountClass.LONG_TERM_BORROWINGS],
    "repayment_of_lease_obligations": [AccountClass.LEASE_OBLIGATIONS],
    "issuance_of_shares": [
        AccountClass.CAPITAL_STOCK,
        AccountClass.CAPITAL_SURPLUS,
        AccountClass.SHARE_ACQUISITION_RIGHTS,
    ],
    "change_in_treasury_stock": [AccountClass.TREASURY_STOCK],
    "dividends_paid": [
        AccountClass.RETAINED_EARNINGS_BROUGHT_FORWARD,
        AccountClass.OTHER_RETAINED_EARNINGS,
    ],
}
_ACTIVITIES = {
    "subtotal_of_operating_activities": _ABOVE_SUBTOTAL,
    "total_operating_activities": {**_ABOVE_SUBTOTAL, **_BELOW_SUBTOTAL},
    "total_investing_activities": _INVESTING,
    "total_financing_activities": _FINANCING,
}


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
    opened: Mapping[str, int]  # what opening entries brought, of every account


@dataclass(frozen=True, slots=True)
class EngineFigures:
    """What an engine computes of a tenant's month, without closing entries; debits less credits
    in minor units. Balances are of accounts of neither revenue nor expense, by account code."""

    balances: Mapping[str, int]  # at the month's end
    prior_balances: Mapping[str, int]  # at its start
    balances_before_year: Mapping[str, int]
    earlier_income: int  # revenue and expense before the fiscal year
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
    """Compare each account line of income statement, balance sheet and cash flow, the lines of the
    roll of earnings and of cash, and every line of the indirect cash flow, in the columns
    `current`, `year_to_date` and `opening`; in `prior`, the accounts of the balance sheet.

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
            elif kind is not StatementKind.INDIRECT_CASH_FLOW and name not in _OWN_LINES:
                continue
            for column in columns:
                if column == "prior" and name in _OF_FISCAL_YEAR:
                    continue
                yield (f"{kind}.{column}", name), getattr(line, column) or 0


def _expected(accounts: Iterable[Account], engine: EngineFigures) -> Iterator[_Figure]:
    classes = {account.account_code: account.account_class for account in accounts}
    yield from _expected_balances(classes, engine)
    for column, balances_before, sums in (
        ("current", engine.prior_balances, engine.month),
        ("year_to_date", engine.balances_before_year, engine.year_to_date),
    ):
        yield from _expected_flows(classes, column, sums)
        effects = _effects_on_cash(classes, balances_before, engine.balances, sums)
        yield from _expected_indirect_flows(column, effects)
        closing_cash = sum(
            amount
            for code, amount in engine.balances.items()
            if classes[code] is AccountClass.CASH_AND_DEPOSITS
        )
        opening_cash = closing_cash + effects[AccountClass.CASH_AND_DEPOSITS]
        for kind in (StatementKind.CASH_FLOW, StatementKind.INDIRECT_CASH_FLOW):
            yield (f"{kind}.{column}", "opening_cash"), opening_cash
            yield (f"{kind}.{column}", "closing_cash"), closing_cash


def _expected_balances(
    classes: Mapping[str, AccountClass], engine: EngineFigures
) -> Iterator[_Figure]:
    opened_income = 0
    opening_balances = dict(engine.balances_before_year)
    for code, amount in engine.year_to_date.opened.items():
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


def _expected_flows(
    classes: Mapping[str, AccountClass], column: str, sums: PeriodSums
) -> Iterator[_Figure]:
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


def _effects_on_cash(
    classes: Mapping[str, AccountClass],
    balances_before: Mapping[str, int],
    balances: Mapping[str, int],
    sums: PeriodSums,
) -> Counter[AccountClass]:
    """What normal entries credited less what they debited in a period, by class of account."""
    effects: Counter[AccountClass] = Counter()
    for amounts, sign in (
        (balances, -1),
        (balances_before, 1),
        (sums.income.accounts, -1),
        (sums.opened, 1),
    ):
        for code, amount in amounts.items():
            effects[classes[code]] += sign * amount
    return effects


def _expected_indirect_flows(column: str, effects: Counter[AccountClass]) -> Iterator[_Figure]:
    statement = f"{StatementKind.INDIRECT_CASH_FLOW}.{column}"
    for total, lines in _ACTIVITIES.items():
        amounts = {
            line: sum(effects[account_class] for account_class in of)
            * (-1 if line in _TAKEN_OUT_OF_PROFIT else 1)
            for line, of in lines.items()
        }
        for line, amount in amounts.items():
            yield (statement, line), amount
        yield (statement, total), sum(amounts.values())
    # By cash itself, not by the lines above.
    yield (statement, "net_cash_change"), -effects[AccountClass.CASH_AND_DEPOSITS]
