"""The identities that gate delivery: true statements about a tenant's books and statements.

A control compares the statements with the extract, or with each other. The ledger's side is added
up here from the rows of the extract, by another way than the statements were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports_pipeline.accounting.accounts import AccountClass, Side
from reports_pipeline.accounting.books import (
    HISTORY_MONTHS,
    AccountIndex,
    Flags,
    Ints,
    sums_by,
)
from reports_pipeline.accounting.cash_flow import CASH_SLOTS
from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.accounting.ledger import LedgerExtract
from reports_pipeline.accounting.reports import TREND_MONTHS, LineKind, StatementKind
from reports_pipeline.accounting.statement_layout import AMOUNT_COLUMNS
from reports_pipeline.accounting.statements import trend_matrix

# column -> pandas dtype. One row a company of the extract and control, in the order of both.
IDENTITY_COLUMNS: Mapping[str, str] = {
    "tenant_id": "str",
    "control": "str",
    "expected": "Int64",
    "actual": "Int64",  # null: the statements lack a line, so the control does not hold
}


def check_identities(extract: LedgerExtract, statements: pd.DataFrame) -> pd.DataFrame:
    """Every control for every company of the extract, with the columns IDENTITY_COLUMNS.

    A control that compares several amounts shows the first that differs, else the first.
    """
    index = AccountIndex(extract)
    ledger = _Ledger(extract, index)
    lines = _Lines(extract, statements, index)
    shown = [_first_difference(control(ledger, lines)) for control in CONTROLS.values()]
    tenant_ids = extract.companies["tenant_id"].to_numpy(dtype=object)
    unknown = np.column_stack([~comparison.known for comparison in shown])
    expected = np.column_stack([comparison.expected for comparison in shown])
    actual = np.column_stack([comparison.actual for comparison in shown])
    return pd.DataFrame(
        {
            "tenant_id": np.repeat(tenant_ids, len(CONTROLS)),
            "control": np.tile(np.array(list(CONTROLS), dtype=object), len(tenant_ids)),
            "expected": pd.array(expected.ravel(), dtype="Int64"),
            "actual": pd.arrays.IntegerArray(actual.ravel(), unknown.ravel()),
        }
    ).astype(dict(IDENTITY_COLUMNS))


def identity_failures(identities: pd.DataFrame) -> list[TenantFailure]:
    """IDENTITY_VIOLATED (`control`, `expected`, `actual`) for the first control that a tenant
    does not obey."""
    obeyed = (identities["expected"] == identities["actual"]).fillna(False)
    violated = identities[~obeyed.astype(bool)].drop_duplicates("tenant_id")
    return [
        TenantFailure(
            tenant_id,
            FailureCode.IDENTITY_VIOLATED,
            {
                "control": control,
                "expected": int(expected),
                "actual": None if pd.isna(actual) else int(actual),
            },
        )
        for tenant_id, control, expected, actual in violated.itertuples(index=False)
    ]


@dataclass(frozen=True)
class _Comparison:
    """[t] an amount of each tenant that must agree: the first of several that differs, if any."""

    expected: Ints
    actual: Ints
    known: Flags  # not where the statements lack the line of `actual`


def _agree(expected: Ints, actual: Ints, known: Flags | None = None) -> _Comparison:
    """Compare [t, k] k amounts of each tenant, which are known together."""
    tenants, first = np.arange(len(expected)), np.argmax(expected != actual, axis=1)
    return _Comparison(
        expected[tenants, first],
        actual[tenants, first],
        known=np.ones(len(expected), dtype=np.bool_) if known is None else known,
    )


def _first_difference(comparisons: Iterator[_Comparison]) -> _Comparison:
    """[t] of each tenant the first comparison that differs, else the first."""
    every = list(comparisons)
    expected = np.column_stack([comparison.expected for comparison in every])
    actual = np.column_stack([comparison.actual for comparison in every])
    known = np.column_stack([comparison.known for comparison in every])
    tenants, first = np.arange(len(known)), np.argmax(~known | (expected != actual), axis=1)
    return _Comparison(expected[tenants, first], actual[tenants, first], known[tenants, first])


_IS_FLOW = np.array([c.section.in_income_statement for c in AccountClass])
_IS_ASSET = np.array([c.section.side is Side.DEBIT for c in AccountClass]) & ~_IS_FLOW
_IS_CASH = np.array([c is AccountClass.CASH_AND_DEPOSITS for c in AccountClass])

# The columns of a line's amounts, and those of single months with the months they are of.
_CURRENT, _PRIOR, _PRIOR_YEAR, _YEAR_TO_DATE, _OPENING = range(len(AMOUNT_COLUMNS))
_TREND = slice(len(AMOUNT_COLUMNS), len(AMOUNT_COLUMNS) + TREND_MONTHS)
_MONTHLY = [_CURRENT, _PRIOR, _PRIOR_YEAR, *range(_TREND.start, _TREND.stop)]
_MONTHS_BACK = np.array([0, 1, TREND_MONTHS, *reversed(range(TREND_MONTHS))])


class _Ledger:
    """The movements of an extract added up by tenant and month: [t, months], the reported month
    last. Without closing entries but for `sides`."""

    def __init__(self, extract: LedgerExtract, index: AccountIndex) -> None:
        rows = extract.movements
        self._placed = index.place(rows)
        self._tenants = len(extract.companies)
        month = extract.month.ordinal
        oldest = self._placed.month.min(initial=month - HISTORY_MONTHS + 1)
        self.months = np.arange(oldest, month + 1)

        # [15] the months of the columns _MONTHLY, and [t, 15] the first of their fiscal years.
        self.shown = month - _MONTHS_BACK
        self.shown_year_starts = self._year_starts(extract, index)[:, self.shown - oldest]
        # [t, 1] of the reported month.
        self.year_start = self.shown_year_starts[:, [0]]
        self.end = np.array([month + 1])

        # Debits and credits of all entries but closing ones, of opening and of closing entries.
        self.sides = [
            (self._monthly(rows[f"{kind}debit"]), self._monthly(rows[f"{kind}credit"]))
            for kind in ("", "opening_", "closing_")
        ]
        net, opened = rows["debit"] - rows["credit"], rows["opening_debit"] - rows["opening_credit"]
        self.assets, self.opened_assets = (self._monthly(a, _IS_ASSET) for a in (net, opened))
        self.cash, self.opened_cash = (self._monthly(a, _IS_CASH) for a in (net, opened))
        self.profit = -self._monthly(net, _IS_FLOW)

    def _monthly(self, amounts: pd.Series[int], is_of_class: Flags | None = None) -> Ints:
        placed = self._placed
        cells = placed.tenant * len(self.months) + placed.month - self.months[0]
        taken = placed.tenant >= 0
        if is_of_class is not None:
            # An unknown account is of no class.
            taken &= np.append(is_of_class, False)[placed.account_class]
        groups = self._tenants * len(self.months)
        sums = sums_by(cells[taken], np.asarray(amounts, dtype=np.int64)[taken], groups)
        return sums.reshape(self._tenants, len(self.months))

    def _year_starts(self, extract: LedgerExtract, index: AccountIndex) -> Ints:
        """[t, months] the first month of each month's fiscal year, if it is not older than the
        ledger: read off calendars in which the beginnings of years are marked."""
        begins = np.zeros((self._tenants, len(self.months)), dtype=np.bool_)
        tenants = index.tenants_of(extract.fiscal_years).tolist()
        first_months = extract.fiscal_years["first_month"].tolist()
        for tenant, first_month in sorted(zip(tenants, first_months, strict=True)):
            if tenant < 0:
                continue
            # The earliest of a tenant's rows holds for the time before it too.
            is_earliest = not begins[tenant].any()
            holds = slice(0 if is_earliest else max(first_month - self.months[0], 0), None)
            begins[tenant, holds] = (self.months[holds] - first_month) % 12 == 0
        return np.maximum.accumulate(np.where(begins, self.months, self.months[0]), axis=1)

    def before(self, monthly: Ints, ends: Ints) -> Ints:
        """[t, k] the sums over the months before each of [k] or [t, k] `ends`."""
        sums = np.pad(np.cumsum(monthly, axis=1), [(0, 0), (1, 0)])
        columns = np.broadcast_to(ends - self.months[0], (self._tenants, ends.shape[-1]))
        return np.take_along_axis(sums, columns, axis=1)

    def between(self, monthly: Ints, starts: Ints, ends: Ints) -> Ints:
        """[t, k] the sums over the months from each of `starts` on and before that of `ends`."""
        return self.before(monthly, ends) - self.before(monthly, starts)


@dataclass(frozen=True)
class _Line:
    """One line of every tenant's statement; null amounts are 0."""

    amounts: Ints  # [t, 5 + TREND_MONTHS]
    known: Flags  # [t] the statement has this line, once
    absent: Flags  # [t] it has it not


class _Lines:
    """The lines of all statements as arrays; m lines."""

    def __init__(
        self, extract: LedgerExtract, statements: pd.DataFrame, index: AccountIndex
    ) -> None:
        tenant = index.tenants_of(statements)
        if (tenant < 0).any():
            statements, tenant = statements[tenant >= 0], tenant[tenant >= 0]
        self.tenant = tenant
        statement, self._statements = _numbered(statements["statement"])
        key, self._keys = _numbered(statements["key"])
        columns = [statements[name].to_numpy(dtype=np.int64, na_value=0) for name in AMOUNT_COLUMNS]
        self.amounts: Ints = np.column_stack([*columns, trend_matrix(statements)])
        is_cash = np.isin(key, [self._keys.get(name, -1) for name in CASH_SLOTS])
        self.is_balance = is_cash | (
            statement == self._statements.get(StatementKind.BALANCE_SHEET, -1)
        )

        # The statements' own lines are asked for by name, those of single accounts are not.
        names_account = [name.startswith("account:") for name in self._keys]
        own = np.flatnonzero(~np.array(names_account, dtype=np.bool_)[key])
        number = np.full(len(tenant), -1)
        number[own], lines = pd.factorize((statement * len(self._keys) + key)[own])
        self._numbers = {line: number for number, line in enumerate(lines.tolist())}
        # The last line has no rows.
        self._shape = len(lines) + 1, len(extract.companies)
        self._lines = self._sums(number, own)
        self._counts = np.bincount(
            self._cells(number, own), minlength=self._shape[0] * self._shape[1]
        ).reshape(self._shape)

        of_account = (statements["kind"] == LineKind.ACCOUNT).to_numpy(dtype=np.bool_)
        order = np.lexsort((statements["position"], statement, tenant))
        # The last line above each that is not an account's.
        above = np.maximum.accumulate(np.where(of_account[order], 0, np.arange(len(order))))
        part = np.empty_like(number)
        part[order] = number[order[above]]
        self._account_lines = self._sums(part, np.flatnonzero(of_account & (part >= 0)))

    def line(self, statement: StatementKind, key: str) -> _Line:
        number = self._number(statement, key)
        count = self._counts[number]
        return _Line(self._lines[number], known=count == 1, absent=count == 0)

    def account_lines(self, statement: StatementKind, part: str) -> Ints:
        """[t, 5 + TREND_MONTHS] the sums of the account lines right below a line."""
        sums: Ints = self._account_lines[self._number(statement, part)]
        return sums

    def _number(self, statement: StatementKind, key: str) -> int:
        """That of a line; -1, which selects the line without rows, if there is none such."""
        if statement not in self._statements or key not in self._keys:
            return -1
        line = self._statements[statement] * len(self._keys) + self._keys[key]
        return self._numbers.get(line, -1)

    def _cells(self, number: Ints, rows: Ints) -> Ints:
        return number[rows] * self._shape[1] + self.tenant[rows]

    def _sums(self, number: Ints, rows: Ints) -> Ints:
        """[lines, t, 5 + TREND_MONTHS] the amounts of rows by the numbers of lines."""
        amounts = self.amounts.take(rows, axis=0)
        sums = sums_by(self._cells(number, rows), amounts, self._shape[0] * self._shape[1])
        return sums.reshape(*self._shape, amounts.shape[1])


def _numbered(texts: pd.Series) -> tuple[Ints, dict[str, int]]:
    """The number of each text, and the numbers by text."""
    numbers, names = pd.factorize(texts)
    return numbers.astype(np.int64), {name: number for number, name in enumerate(names)}


def _debits_equal_credits(ledger: _Ledger, _lines: _Lines) -> Iterator[_Comparison]:
    """In all, and of each kind of entries in each month."""
    (debits, credits), _, (closing_debits, closing_credits) = ledger.sides
    yield _agree(
        (debits + closing_debits).sum(axis=1, keepdims=True),
        (credits + closing_credits).sum(axis=1, keepdims=True),
    )
    for debits, credits in ledger.sides:
        yield _agree(debits, credits)


def _assets_equal_liabilities_and_net_assets(
    ledger: _Ledger, lines: _Lines
) -> Iterator[_Comparison]:
    """In every column and month of the trend; and the assets are those of the ledger."""
    assets = lines.line(StatementKind.BALANCE_SHEET, "total_assets")
    financing = lines.line(StatementKind.BALANCE_SHEET, "total_liabilities_and_net_assets")
    yield _agree(assets.amounts, financing.amounts, assets.known & financing.known)
    month_ends = ledger.before(ledger.assets, ledger.shown + 1)
    yield _agree(month_ends, assets.amounts[:, _MONTHLY], assets.known)


def _current_profit_equals_income_statement(
    ledger: _Ledger, lines: _Lines
) -> Iterator[_Comparison]:
    """At the month's end, and both are the ledger's; so is the balance sheet's of every month, and
    the income statement's."""
    net_profit = lines.line(StatementKind.INCOME_STATEMENT, "net_profit")
    of_year = lines.line(StatementKind.BALANCE_SHEET, "net_profit_for_year")
    year_to_date, current = net_profit.amounts[:, [_YEAR_TO_DATE]], of_year.amounts[:, [_CURRENT]]
    yield _agree(year_to_date, current, net_profit.known & of_year.known)
    ends = ledger.shown + 1
    since_year_starts = ledger.between(ledger.profit, ledger.shown_year_starts, ends)
    yield _agree(since_year_starts[:, [0]], year_to_date, net_profit.known)
    yield _agree(since_year_starts, of_year.amounts[:, _MONTHLY], of_year.known)
    of_months = ledger.between(ledger.profit, ledger.shown, ends)
    yield _agree(of_months, net_profit.amounts[:, _MONTHLY], net_profit.known)


def _months_add_up_to_year_to_date(ledger: _Ledger, lines: _Lines) -> Iterator[_Comparison]:
    """The net profit's, and those of every line that is a flow."""
    in_year = ledger.shown[-TREND_MONTHS:] >= ledger.year_start
    net_profit = lines.line(StatementKind.INCOME_STATEMENT, "net_profit")
    months = (net_profit.amounts[:, _TREND] * in_year).sum(axis=1, keepdims=True)
    yield _agree(months, net_profit.amounts[:, [_YEAR_TO_DATE]], net_profit.known)

    months = (lines.amounts[:, _TREND] * in_year[lines.tenant]).sum(axis=1)
    year_to_date = lines.amounts[:, _YEAR_TO_DATE]
    differs = np.flatnonzero(~lines.is_balance & (months != year_to_date))
    # The first of each tenant.
    tenants, first = np.unique(lines.tenant[differs], return_index=True)
    expected, actual = np.zeros((2, len(in_year), 1), dtype=np.int64)
    expected[tenants, 0], actual[tenants, 0] = months[differs[first]], year_to_date[differs[first]]
    yield _agree(expected, actual)


_CASH_FLOWS = (StatementKind.CASH_FLOW, StatementKind.INDIRECT_CASH_FLOW)


def _opening_equals_prior_closing(ledger: _Ledger, lines: _Lines) -> Iterator[_Comparison]:
    """Cash at a month's start is what the ledger and the statement of the month before closed
    with, and cash and assets at the year's start are the ledger's; opening entries count as
    opening. Both cash flows say the same."""
    opened = ledger.between(ledger.opened_cash, ledger.shown, ledger.shown + 1)
    month_starts = ledger.before(ledger.cash, ledger.shown) + opened
    year_start = ledger.before(ledger.cash, ledger.year_start)
    year_start += ledger.between(ledger.opened_cash, ledger.year_start, ledger.end)
    months_before = [_PRIOR_YEAR, *range(_TREND.start, _TREND.stop - 1)]
    for statement in _CASH_FLOWS:
        opening = lines.line(statement, "opening_cash")
        closing = lines.line(statement, "closing_cash")
        known = opening.known & closing.known
        yield _agree(month_starts, opening.amounts[:, _MONTHLY], opening.known)
        prior_closing = closing.amounts[:, [_PRIOR]] + opened[:, [0]]
        yield _agree(prior_closing, opening.amounts[:, [_CURRENT]], known)
        closings = closing.amounts[:, months_before] + opened[:, -TREND_MONTHS:]
        yield _agree(closings, opening.amounts[:, _TREND], known)
        yield _agree(year_start, opening.amounts[:, [_YEAR_TO_DATE]], opening.known)
    for key in ("opening_cash", "closing_cash"):
        direct, indirect = (lines.line(statement, key) for statement in _CASH_FLOWS)
        yield _agree(direct.amounts, indirect.amounts, direct.known & indirect.known)

    assets = lines.line(StatementKind.BALANCE_SHEET, "total_assets")
    year_start = ledger.before(ledger.assets, ledger.year_start)
    year_start += ledger.between(ledger.opened_assets, ledger.year_start, ledger.end)
    yield _agree(year_start, assets.amounts[:, [_OPENING]], assets.known)


def _cash_change_equals_cash_flow(ledger: _Ledger, lines: _Lines) -> Iterator[_Comparison]:
    """The ledger's cash grew by the net flow of every month and of the year, and each of the two
    statements leads from its opening to its closing cash."""
    grown = ledger.cash - ledger.opened_cash
    of_months = ledger.between(grown, ledger.shown, ledger.shown + 1)
    of_year = ledger.between(grown, ledger.year_start, ledger.end)
    for statement in _CASH_FLOWS:
        change = lines.line(statement, "net_cash_change")
        opening = lines.line(statement, "opening_cash")
        closing = lines.line(statement, "closing_cash")
        yield _agree(of_months, change.amounts[:, _MONTHLY], change.known)
        yield _agree(of_year, change.amounts[:, [_YEAR_TO_DATE]], change.known)
        known = change.known & opening.known & closing.known
        yield _agree(opening.amounts + change.amounts, closing.amounts, known)


# What each total adds up and takes away, by the line that stands above the account lines.
_GROSS = {"net_sales": 1, "cost_of_sales": -1}
_OPERATING = _GROSS | {"selling_general_administrative": -1}
_ORDINARY = _OPERATING | {"non_operating_income": 1, "non_operating_expenses": -1}
_BEFORE_TAX = _ORDINARY | {"extraordinary_income": 1, "extraordinary_losses": -1}
_NONCURRENT_ASSETS = {
    "property_plant_equipment": 1,
    "intangible_assets": 1,
    "investments_and_other_assets": 1,
}
_LIABILITIES = {"current_liabilities": 1, "noncurrent_liabilities": 1}
# 自己株式 stands below the total of 利益剰余金.
_SHAREHOLDERS = {"shareholders_equity": 1, "retained_earnings": 1, "total_retained_earnings": 1}
_NET_ASSETS = _SHAREHOLDERS | {"valuation_and_translation": 1, "share_acquisition_rights": 1}
_OPERATING_ACTIVITIES = {"operating_activities": 1, "subtotal_of_operating_activities": 1}
_TOTALS: Mapping[StatementKind, Mapping[str, Mapping[str, int]]] = {
    StatementKind.INCOME_STATEMENT: {
        **{f"total_{part}": {part: 1} for part in [*_BEFORE_TAX, "income_taxes"]},
        "gross_profit": _GROSS,
        "operating_profit": _OPERATING,
        "ordinary_profit": _ORDINARY,
        "profit_before_tax": _BEFORE_TAX,
        "net_profit": _BEFORE_TAX | {"income_taxes": -1},
    },
    StatementKind.BALANCE_SHEET: {
        **{f"total_{part}": {part: 1} for part in ["current_assets", *_NONCURRENT_ASSETS]},
        "total_noncurrent_assets": _NONCURRENT_ASSETS,
        "total_deferred_assets": {"deferred_assets": 1},
        "total_assets": {"current_assets": 1} | _NONCURRENT_ASSETS | {"deferred_assets": 1},
        **{f"total_{part}": {part: 1} for part in _LIABILITIES},
        "total_liabilities": _LIABILITIES,
        "total_retained_earnings": {"retained_earnings": 1},
        "total_shareholders_equity": _SHAREHOLDERS,
        "total_valuation_and_translation": {"valuation_and_translation": 1},
        "total_share_acquisition_rights": {"share_acquisition_rights": 1},
        "total_net_assets": _NET_ASSETS,
        "total_liabilities_and_net_assets": _LIABILITIES | _NET_ASSETS,
    },
    StatementKind.EXPENSE_ANALYSIS: {
        "total_cost_of_sales": {"cost_of_sales": 1},
        "total_selling_general_administrative": {"selling_general_administrative": 1},
        "total_expenses": {"cost_of_sales": 1, "selling_general_administrative": 1},
    },
    StatementKind.CASH_FLOW: {
        "total_inflows": {"inflows": 1},
        "total_outflows": {"outflows": 1},
        "net_cash_change": {"inflows": 1, "outflows": -1},
    },
    StatementKind.INDIRECT_CASH_FLOW: {
        "subtotal_of_operating_activities": {"operating_activities": 1},
        # The lines below the subtotal come after those above it.
        "total_operating_activities": _OPERATING_ACTIVITIES,
        "total_investing_activities": {"investing_activities": 1},
        "total_financing_activities": {"financing_activities": 1},
        "net_cash_change": _OPERATING_ACTIVITIES
        | {"investing_activities": 1, "financing_activities": 1},
    },
}


def _account_lines_add_up_to_totals(_ledger: _Ledger, lines: _Lines) -> Iterator[_Comparison]:
    """Of every statement, in every column and month of the trend."""
    for statement, totals in _TOTALS.items():
        for total, parts in totals.items():
            line = lines.line(statement, total)
            expected = sum(
                (sign * lines.account_lines(statement, part) for part, sign in parts.items()),
                start=np.zeros_like(line.amounts),
            )
            # A section without account lines may be left out together with its total.
            known = line.known | (line.absent & ~expected.any(axis=1))
            yield _agree(expected, line.amounts, known)


CONTROLS: Mapping[str, Callable[[_Ledger, _Lines], Iterator[_Comparison]]] = {
    "debits_equal_credits": _debits_equal_credits,
    "assets_equal_liabilities_and_net_assets": _assets_equal_liabilities_and_net_assets,
    "current_profit_equals_income_statement": _current_profit_equals_income_statement,
    "months_add_up_to_year_to_date": _months_add_up_to_year_to_date,
    "opening_equals_prior_closing": _opening_equals_prior_closing,
    "cash_change_equals_cash_flow": _cash_change_equals_cash_flow,
    "account_lines_add_up_to_totals": _account_lines_add_up_to_totals,
}
