"""A batch's books as arrays: the tables of an extract as matrices of accounts by months.

Everything the four statements are made of is computed from here, for all tenants at once. Amounts
are minor units in int64, so that sums are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.ledger import LedgerExtract

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Texts = NDArray[np.object_]

TREND_MONTHS = 12
# The fiscal year of a trend's oldest month begins up to 22 months before the reported month; what
# is older stands in the first column.
HISTORY_MONTHS = 2 * TREND_MONTHS

_SIDES = np.array([account_class.section.side.value for account_class in AccountClass])
_IS_FLOW = np.array([account_class.section.in_income_statement for account_class in AccountClass])


@dataclass(frozen=True)
class Placed:
    """What the rows of a table of movements or cash flows name; -1 where there is none such."""

    tenant: Ints  # row of `companies`
    account: Ints  # row of `accounts`
    account_class: Ints  # position in AccountClass
    month: Ints  # Month.ordinal


class AccountIndex:
    """Finds the companies and accounts that the rows of an extract's tables name."""

    def __init__(self, extract: LedgerExtract) -> None:
        accounts = extract.accounts
        self._tenants = pd.Index(extract.companies["tenant_id"], dtype=object)
        self._codes = pd.Index(sorted(accounts["account_code"].unique()), dtype=object)
        keys = self._keys(self.tenants_of(accounts), accounts)
        rows = np.argsort(keys, kind="stable")
        # Rows of `accounts` in the order of companies, then of account codes (by code points).
        self.rows: Ints = rows[keys[rows] >= 0]
        self._accounts = pd.Index(keys[self.rows])
        classes = pd.Index([str(account_class) for account_class in AccountClass], dtype=object)
        self.account_class = _positions(classes, accounts["account_class"])

    def tenants_of(self, table: pd.DataFrame) -> Ints:
        """The row of `companies` of each row of a table, -1 if there is none such."""
        return _positions(self._tenants, table["tenant_id"])

    def place(self, table: pd.DataFrame) -> Placed:
        """What each row of a table of movements or cash flows names."""
        tenant = self.tenants_of(table)
        found = self._accounts.get_indexer(pd.Index(self._keys(tenant, table)))
        # -1 selects what is appended.
        account = np.append(self.rows, -1)[found]
        account_class = np.append(self.account_class, -1)[account]
        return Placed(tenant, account, account_class, table["month"].to_numpy())

    def _keys(self, tenant: Ints, table: pd.DataFrame) -> Ints:
        codes = _positions(self._codes, table["account_code"])
        return np.where((tenant < 0) | (codes < 0), -1, tenant * len(self._codes) + codes)


def _positions(index: pd.Index[Any], column: pd.Series[Any]) -> Ints:
    codes, values = pd.factorize(column)
    found = index.get_indexer(pd.Index(values, dtype=object)).astype(np.int64)
    return np.append(found, -1)[codes]


def sums_by(group: Ints, amounts: Ints, groups: int) -> Ints:
    """The exact sums of amounts ([k], or [k, columns]) by group ([k], from 0): [groups, …]."""
    columns = amounts.shape[1:]
    width = int(np.prod(columns))
    # `np.add.at` is many times faster with one flat index than with rows.
    cells = group[:, np.newaxis] * width + np.arange(width)
    sums = np.zeros(groups * width, dtype=np.int64)
    np.add.at(sums, cells.ravel(), amounts.ravel())
    return sums.reshape(groups, *columns)


@dataclass(frozen=True)
class Books:
    """The books of t tenants with n accounts, in order of company and account code.

    Accounts without a movement or cash flow are not in it: most of a chart is never used. Tenants
    with a movement or cash flow on an unknown account, or on one of an unknown class, are not in it
    either: their amounts have no place in any statement.
    """

    tenant_ids: Texts  # [t]
    year_months: Ints  # [t] months from the fiscal year's start to the reported month, 1 to 12
    has_prior: Flags  # [t] there are movements before the reported month
    has_opening: Flags  # [t] there are balances at the fiscal year's start
    tenant: Ints  # [n] the account's tenant
    account_class: Ints  # [n] position in AccountClass
    account_codes: Texts  # [n]
    account_names: Texts  # [n]
    # Debit less credit without closing entries. The last 12 columns end with the reported month.
    movements: Ints  # [n, HISTORY_MONTHS], the first column with all before it
    openings: Ints  # [n, TREND_MONTHS], the part of movements that opening entries brought
    inflows: Ints  # [n, TREND_MONTHS], what came in from this counterpart
    outflows: Ints  # [n, TREND_MONTHS]

    @property
    def balances(self) -> Ints:
        """[n, HISTORY_MONTHS] the balance at the end of each month."""
        return np.cumsum(self.movements, axis=1)

    @property
    def sides(self) -> Ints:
        """[n] the sign of (debit - credit) that prints as a positive amount in its section."""
        return _SIDES[self.account_class]

    @property
    def in_income_statement(self) -> Flags:
        """[n] the account is one of revenue or expense."""
        return _IS_FLOW[self.account_class]

    def at_year_start(self, balances: Ints) -> Ints:
        """[n] of [n, HISTORY_MONTHS] balances those at the start of the fiscal year."""
        before_year = HISTORY_MONTHS - 1 - self.year_months[self.tenant]
        return balances[np.arange(len(balances)), before_year]

    def since_year_start(self, monthly: Ints) -> Ints:
        """[n] the sum of a [n, TREND_MONTHS] matrix over the months of the fiscal year."""
        in_year = _in_year(self.year_months[self.tenant])
        sums: Ints = np.sum(monthly, axis=1, where=in_year)
        return sums


def _in_year(year_months: Ints) -> Flags:
    """[k, TREND_MONTHS] the month belongs to the fiscal year of the last one."""
    months_back = np.arange(TREND_MONTHS)[::-1]
    return months_back < year_months[:, np.newaxis]


def read_books(extract: LedgerExtract) -> Books:
    """The books of an extract.

    Raises:
        ValueError: a movement or cash flow is later than the month of the extract.
    """
    index = AccountIndex(extract)
    movements, flows = index.place(extract.movements), index.place(extract.cash_flows)
    last = extract.month.ordinal
    if max(movements.month.max(initial=last), flows.month.max(initial=last)) > last:
        raise ValueError(f"the extract of {extract.month} has later movements")

    companies = _placed_companies(len(extract.companies), movements, flows)
    tenants = _numbering(companies, len(extract.companies))[index.tenants_of(extract.accounts)]
    used = np.zeros(len(extract.accounts) + 1, dtype=np.bool_)  # the last for row -1
    used[movements.account] = used[flows.account] = True
    rows = index.rows[used[index.rows] & (tenants[index.rows] >= 0)]
    numbers = _numbering(rows, len(extract.accounts))

    def monthly(placed: Placed, amounts: pd.Series[int], months: int) -> Ints:
        """[n, months] sums up to the last month; the first column has all before it too."""
        account = numbers[placed.account]
        column = np.maximum(placed.month - (last - months + 1), 0)
        in_books = account >= 0
        cells = (account * months + column)[in_books]
        taken = np.asarray(amounts, dtype=np.int64)[in_books]
        return sums_by(cells, taken, len(rows) * months).reshape(-1, months)

    def trend(placed: Placed, amounts: pd.Series[int]) -> Ints:
        """[n, TREND_MONTHS] sums, without what is older."""
        return monthly(placed, amounts, TREND_MONTHS + 1)[:, 1:]

    table = extract.movements
    openings = trend(movements, table["opening_debit"] - table["opening_credit"])
    tenant = tenants[rows]
    start_months = extract.companies["fiscal_year_start_month"].to_numpy()[companies]
    year_months = (extract.month.month - start_months) % 12 + 1
    opened = np.zeros(len(companies), dtype=np.bool_)
    opened[tenant[(_in_year(year_months[tenant]) & (openings != 0)).any(axis=1)]] = True
    first_months = np.full(len(extract.companies) + 1, last)
    np.minimum.at(first_months, movements.tenant, movements.month)
    return Books(
        tenant_ids=extract.companies["tenant_id"].to_numpy(dtype=object)[companies],
        year_months=year_months,
        has_prior=first_months[companies] < last,
        has_opening=(first_months[companies] <= last - year_months) | opened,
        tenant=tenant,
        account_class=index.account_class[rows],
        account_codes=extract.accounts["account_code"].to_numpy(dtype=object)[rows],
        account_names=extract.accounts["name"].to_numpy(dtype=object)[rows],
        movements=monthly(movements, table["debit"] - table["credit"], HISTORY_MONTHS),
        openings=openings,
        inflows=trend(flows, extract.cash_flows["inflow"]),
        outflows=trend(flows, extract.cash_flows["outflow"]),
    )


def _placed_companies(count: int, *tables: Placed) -> Ints:
    """The rows of the companies all of whose amounts are on accounts of a known class."""
    placed = np.ones(count + 1, dtype=np.bool_)  # the last for rows of no company
    for table in tables:
        placed[table.tenant[table.account_class < 0]] = False
    return np.flatnonzero(placed[:-1])


def _numbering(rows: Ints, count: int) -> Ints:
    """[count + 1] the position of each row among `rows`, -1 for the others and for row -1."""
    numbers = np.full(count + 1, -1, dtype=np.int64)
    numbers[rows] = np.arange(len(rows))
    return numbers
