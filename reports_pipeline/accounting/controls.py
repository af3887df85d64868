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
from reports_pipeline.accounting.books import TREND_MONTHS, AccountIndex, Flags, Ints, sums_by
from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.accounting.ledger import LedgerExtract
from reports_pipeline.accounting.reports import LineKind, StatementKind
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
    shown = [
        _first_difference(control(ledger, lines), len(extract.companies))
        for control in CONTROLS.values()
    ]
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
    """[k] amounts that must agree; `actual` is not known where the statements lack its line."""

    tenant: Ints
    expected: Ints
    actual: Ints
    known: Flags


def _first_difference(comparisons: Iterator[_Comparison], tenants: int) -> _Comparison:
    """[t] of each tenant the first comparison that differs, else the first."""
    every = list(comparisons)
    tenant = np.concatenate([comparison.tenant for comparison in every])
    expected = np.concatenate([comparison.expected for comparison in every])
    actual = np.concatenate([comparison.actual for comparison in every])
    known = np.concatenate([comparison.known for comparison in every])
    # The number of each comparison, those that hold after all that differ.
    numbers = np.arange(len(tenant)) + len(tenant) * (known & (expected == actual))
    first = np.full(tenants, 2 * len(tenant))
    np.minimum.at(first, tenant, numbers)
    rows = first % max(len(tenant), 1)
    return _Comparison(np.arange(tenants), expected[rows], actual[rows], known[rows])


def _agree(expected: Ints, actual: Ints, known: Flags | None = None) -> _Comparison:
    """[t] one amount of each tenant, or [t, k] several, which are known together."""
    each = expected[0].size if len(expected) else 1
    everywhere = np.ones(len(expected), dtype=np.bool_)
    return _Comparison(
        tenant=np.repeat(np.arange(len(expected)), each),
        expected=expected.ravel(),
        actual=actual.ravel(),
        known=np.repeat(everywhere if known is None else known, each),
    )


_IS_FLOW = np.array([c.section.in_income_statement for c in AccountClass])
_IS_ASSET = np.array([c.section.side is Side.DEBIT for c in AccountClass]) & ~_IS_FLOW
_IS_CASH = np.array([c is AccountClass.CASH_AND_DEPOSITS for c in AccountClass])


class _Ledger:
    """The movements of an extract added up by tenant and month: [t, months], the reported month
    last. Without closing entries but for `sides`."""

    def __init__(self, extract: LedgerExtract, index: AccountIndex) -> None:
        rows = extract.movements[index.tenants_of(extract.movements) >= 0]
        self._placed = index.place(rows)
        self.month = extract.month.ordinal
        self.months = np.arange(self._placed.month.min(initial=self.month), self.month + 1)
        self._tenants = len(extract.companies)

        starts = extract.companies["fiscal_year_start_month"].to_numpy()
        self.year_start = self.month - (extract.month.month - starts) % 12
        self.prior_year_start = self.month - 1 - (extract.month.month - 1 - starts) % 12

        # Debits and credits of all entries but closing ones, of opening and of closing entries.
        self.sides = [
            (self._monthly(rows[f"{kind}debit"]), self._monthly(rows[f"{kind}credit"]))
            for kind in ("", "opening_", "closing_")
        ]
        net, opened = rows["debit"] - rows["credit"], rows["opening_debit"] - rows["opening_credit"]
        self.assets, self.opened_assets = (self._monthly(a, _IS_ASSET) for a in (net, opened))
        self.cash, self.opened_cash = (self._monthly(a, _IS_CASH) for a in (net, opened))
        self.profit = -self._monthly(net, _IS_FLOW)

    def _monthly(self, amounts: pd.Series, is_of_class: Flags | None = None) -> Ints:
        placed = self._placed
        cells = placed.tenant * len(self.months) + placed.month - self.months[0]
        # An unknown account is of no class.
        taken = ... if is_of_class is None else np.append(is_of_class, False)[placed.account_class]
        groups = self._tenants * len(self.months)
        sums = sums_by(cells[taken], amounts.to_numpy()[taken], groups)
        return sums.reshape(self._tenants, len(self.months))

    def before(self, monthly: Ints, end: Ints | int) -> Ints:
        """[t] the sum over the months before `end` (a month, or one of each tenant)."""
        sums: Ints = np.sum(monthly, axis=1, where=self.months < np.reshape(end, (-1, 1)))
        return sums

    def between(self, monthly: Ints, start: Ints | int, end: Ints | int) -> Ints:
        """[t] the sum over the months from `start` on and before `end`."""
        return self.before(monthly, end) - self.before(monthly, start)


_CURRENT, _PRIOR, _YEAR_TO_DATE, _OPENING = range(len(AMOUNT_COLUMNS))


@dataclass(frozen=True)
class _Line:
    """One line of every tenant's statement; null amounts are 0."""

    amounts: Ints  # [t, 4 + TREND_MONTHS]
    known: Flags  # [t] the statement has this line, once
    absent: Flags  # [t] it has it not


class _Lines:
    """The lines of all statements as arrays, in the order they print; m lines."""

    def __init__(
        self, extract: LedgerExtract, statements: pd.DataFrame, index: AccountIndex
    ) -> None:
        tenant = index.tenants_of(statements)
        statement, self._statements = _numbered(statements["statement"])
        order = np.lexsort((statements["position"], statement, tenant))
        order = order[tenant[order] >= 0]
        table, self.tenant, statement = statements.iloc[order], tenant[order], statement[order]
        self.is_balance = (
            (table["statement"] == StatementKind.BALANCE_SHEET)
            | table["key"].isin(["opening_cash", "closing_cash"])
        ).to_numpy(dtype=np.bool_)
        columns = [table[name].to_numpy(dtype=np.int64, na_value=0) for name in AMOUNT_COLUMNS]
        self.amounts: Ints = np.column_stack([*columns, trend_matrix(table)])
        self._tenants = len(extract.companies)
        key, self._keys = _numbered(table["key"])
        self._line = statement * len(self._keys) + key
        self._of_account = (table["kind"] == LineKind.ACCOUNT).to_numpy(dtype=np.bool_)
        # The last line above each that is not an account's.
        own = np.where(self._of_account, 0, np.arange(len(table)))
        self._part = self._line[np.maximum.accumulate(own)]

    def line(self, statement: StatementKind, key: str) -> _Line:
        rows = np.flatnonzero(self._line == self._code(statement, key))
        count = np.bincount(self.tenant[rows], minlength=self._tenants)
        return _Line(self._sums(rows), known=count == 1, absent=count == 0)

    def account_lines(self, statement: StatementKind, part: str) -> Ints:
        """[t, 4 + TREND_MONTHS] the sums of the account lines right below a line."""
        in_part = self._part == self._code(statement, part)
        return self._sums(np.flatnonzero(in_part & self._of_account))

    def _code(self, statement: StatementKind, key: str) -> int:
        if statement not in self._statements or key not in self._keys:
            return -1
        return self._statements[statement] * len(self._keys) + self._keys[key]

    def _sums(self, rows: Ints) -> Ints:
        return sums_by(self.tenant[rows], self.amounts[rows], self._tenants)


def _numbered(texts: pd.Series) -> tuple[Ints, dict[str, int]]:
    """The number of each text, and the numbers by text."""
    numbers, names = pd.factorize(texts)
    return numbers.astype(np.int64), {name: number for number, name in enumerate(names)}


def _debits_equal_credits(ledger: _Ledger, _lines: _Lines) -> Iterator[_Comparison]:
    """In all, and of each kind of entries in each month."""
    (debits, credits), _, (closing_debits, closing_credits) = ledger.sides
    yield _agree((debits + closing_debits).sum(axis=1), (credits + closing_credits).sum(axis=1))
    for debits, credits in ledger.sides:
        yield _agree(debits, credits)


def _assets_equal_liabilities_and_net_assets(
    ledger: _Ledger, lines: _Lines
) -> Iterator[_Comparison]:
    """In every column and month of the trend; and the assets are those of the ledger."""
    assets = lines.line(StatementKind.BALANCE_SHEET, "total_assets")
    financing = lines.line(StatementKind.BALANCE_SHEET, "total_liabilities_and_net_assets")
    known = assets.known & financing.known
    yield _agree(assets.amounts, financing.amounts, known)
    yield _agree(ledger.assets.sum(axis=1), assets.amounts[:, _CURRENT], assets.known)


def _current_profit_equals_income_statement(
    ledger: _Ledger, lines: _Lines
) -> Iterator[_Comparison]:
    """At the month's end, and both are the ledger's; so is the balance sheet's a month before."""
    net_profit = lines.line(StatementKind.INCOME_STATEMENT, "net_profit")
    of_year = lines.line(StatementKind.BALANCE_SHEET, "net_profit_for_year")
    year_to_date, current = net_profit.amounts[:, _YEAR_TO_DATE], of_year.amounts[:, _CURRENT]
    yield _agree(year_to_date, current, net_profit.known & of_year.known)
    profit = ledger.between(ledger.profit, ledger.year_start, ledger.month + 1)
    yield _agree(profit, year_to_date, net_profit.known)
    prior_profit = ledger.between(ledger.profit, ledger.prior_year_start, ledger.month)
    yield _agree(prior_profit, of_year.amounts[:, _PRIOR], of_year.known)


def _months_add_up_to_year_to_date(ledger: _Ledger, lines: _Lines) -> Iterator[_Comparison]:
    """The net profit's, and those of every line that is a flow."""
    months = np.arange(ledger.month - TREND_MONTHS + 1, ledger.month + 1)
    net_profit = lines.line(StatementKind.INCOME_STATEMENT, "net_profit")

    def year_to_date(amounts: Ints, tenant: Ints) -> Ints:
        in_year = months >= ledger.year_start[tenant, np.newaxis]
        sums: Ints = np.sum(amounts[:, len(AMOUNT_COLUMNS) :], axis=1, where=in_year)
        return sums

    yield _agree(
        year_to_date(net_profit.amounts, np.arange(len(net_profit.known))),
        net_profit.amounts[:, _YEAR_TO_DATE],
        net_profit.known,
    )
    flows = np.flatnonzero(~lines.is_balance)
    tenant, amounts = lines.tenant[flows], lines.amounts[flows]
    yield _Comparison(
        tenant=tenant,
        expected=year_to_date(amounts, tenant),
        actual=amounts[:, _YEAR_TO_DATE],
        known=np.ones(len(flows), dtype=np.bool_),
    )


def _opening_equals_prior_closing(ledger: _Ledger, lines: _Lines) -> Iterator[_Comparison]:
    """Cash at the month's start is what the ledger and the prior month's statement closed with,
    and cash and assets at the year's start are the ledger's; opening entries count as opening."""
    opening = lines.line(StatementKind.CASH_FLOW, "opening_cash")
    closing = lines.line(StatementKind.CASH_FLOW, "closing_cash")
    assets = lines.line(StatementKind.BALANCE_SHEET, "total_assets")
    month, year, end = ledger.month, ledger.year_start, ledger.month + 1
    opened = ledger.between(ledger.opened_cash, month, end)
    yield _agree(
        ledger.before(ledger.cash, month) + opened, opening.amounts[:, _CURRENT], opening.known
    )
    yield _agree(
        closing.amounts[:, _PRIOR] + opened,
        opening.amounts[:, _CURRENT],
        opening.known & closing.known,
    )
    yield _agree(
        ledger.before(ledger.cash, year) + ledger.between(ledger.opened_cash, year, end),
        opening.amounts[:, _YEAR_TO_DATE],
        opening.known,
    )
    yield _agree(
        ledger.before(ledger.assets, year) + ledger.between(ledger.opened_assets, year, end),
        assets.amounts[:, _OPENING],
        assets.known,
    )


def _cash_change_equals_cash_flow(ledger: _Ledger, lines: _Lines) -> Iterator[_Comparison]:
    """The ledger's cash grew by the net flow of the month, the month before and the year, and the
    statement leads from its opening to its closing cash."""
    change = lines.line(StatementKind.CASH_FLOW, "net_cash_change")
    opening = lines.line(StatementKind.CASH_FLOW, "opening_cash")
    closing = lines.line(StatementKind.CASH_FLOW, "closing_cash")
    grown = ledger.cash - ledger.opened_cash
    month = ledger.month
    for column, start, end in (
        (_CURRENT, month, month + 1),
        (_PRIOR, month - 1, month),
        (_YEAR_TO_DATE, ledger.year_start, month + 1),
    ):
        yield _agree(ledger.between(grown, start, end), change.amounts[:, column], change.known)
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
