"""A batch's books as arrays: the tables of an extract as matrices of accounts by months.

Everything the statements are made of is computed from here, for all tenants at once. Amounts
are minor units in int64, so that sums are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.ledger import LedgerExtract
from reports_pipeline.accounting.reports import TREND_MONTHS

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

# The months that statements show: those of the trend, after the one a year before the last.
SHOWN_MONTHS = TREND_MONTHS + 1
# The fiscal year of the oldest shown month begins up to 11 months before it; what is older still
# stands in the first column.
HISTORY_MONTHS = 1 + 11 + SHOWN_MONTHS

_NEVER = np.iinfo(np.int64).max
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
    sums = np.zeros((groups, *amounts.shape[1:]), dtype=np.int64)
    # By columns: `np.add.at` adds numbers many times faster than rows.
    for column, of_column in zip(np.atleast_2d(sums.T), np.atleast_2d(amounts.T), strict=True):
        np.add.at(column, group, of_column)
    return sums


@dataclass(frozen=True)
class Books:
    """The books of t tenants with n accounts, in order of company and account code.

    Accounts without a movement or cash flow are not in it: most of a chart is never used. Tenants
    with a movement or cash flow on an unknown account, or on one of an unknown class, are not in it
    either: their amounts have no place in any statement.

    The columns of months all end with the reported month.
    """

    tenant_ids: pd.Series[str]  # [t]
    # [t, SHOWN_MONTHS] the column of HISTORY_MONTHS with which the month's fiscal year begins
    year_starts: Ints
    has_prior: Flags  # [t] there are movements before the reported month
    has_prior_year: Flags  # [t] there are movements up to the month a year before it
    has_opening: Flags  # [t] there are balances at the fiscal year's start
    tenant: Ints  # [n] the account's tenant
    account_class: Ints  # [n] position in AccountClass
    account_codes: pd.Series[str]  # [n]
    account_names: pd.Series[str]  # [n]
    # Debit less credit without closing entries.
    movements: Ints  # [n, HISTORY_MONTHS], the first column with all before it
    openings: Ints  # [n, SHOWN_MONTHS], the part of movements that opening entries brought
    inflows: Ints  # [n, SHOWN_MONTHS], what came in from this counterpart
    outflows: Ints  # [n, SHOWN_MONTHS]

    @cached_property
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

    def balances_before_year(self, accounts: Ints) -> Ints:
        """[k, SHOWN_MONTHS] the balances of k accounts when the fiscal year of each month began.

        Each month has a fiscal year of its own (odoo 18010).
        """
        before_year = self.year_starts[self.tenant[accounts]] - 1
        return np.take_along_axis(self.balances.take(accounts, axis=0), before_year, axis=1)

    def since_year_start(self, monthly: Ints, accounts: Ints) -> Ints:
        """[k] the sums of a [k, SHOWN_MONTHS] matrix of k accounts over the months of the reported
        month's fiscal year."""
        in_year = _in_reported_year(self.year_starts)[self.tenant[accounts]]
        # Five times as fast as the sum of numpy that takes a condition.
        sums: Ints = (monthly * in_year).sum(axis=1)
        return sums


def _in_reported_year(year_starts: Ints) -> Flags:
    """[t, SHOWN_MONTHS] the month belongs to the fiscal year of the last one."""
    return np.arange(HISTORY_MONTHS)[-SHOWN_MONTHS:] >= year_starts[:, -1:]


def read_books(extract: LedgerExtract) -> Books:
    """The books of an extract.

    Raises:
        ValueError: a movement or cash flow is later than the month of the extract, or a company
            has no fiscal year.
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

    def shown(placed: Placed, amounts: pd.Series[int]) -> Ints:
        """[n, SHOWN_MONTHS] sums, without what is older."""
        return monthly(placed, amounts, SHOWN_MONTHS + 1)[:, 1:]

    table = extract.movements
    openings = shown(movements, table["opening_debit"] - table["opening_credit"])
    tenant = tenants[rows]
    history = np.arange(last - HISTORY_MONTHS + 1, last + 1)
    year_starts = _fiscal_year_starts(extract, index, history[-SHOWN_MONTHS:])[companies]
    year_columns = year_starts - history[0]
    opened = np.zeros(len(companies), dtype=np.bool_)
    opened[tenant[(_in_reported_year(year_columns)[tenant] & (openings != 0)).any(axis=1)]] = True
    first_months = np.full(len(extract.companies) + 1, last)
    np.minimum.at(first_months, movements.tenant, movements.month)
    first_months = first_months[companies]
    return Books(
        tenant_ids=extract.companies["tenant_id"].iloc[companies],
        year_starts=year_columns,
        has_prior=first_months < last,
        has_prior_year=first_months <= last - TREND_MONTHS,
        has_opening=(first_months < year_starts[:, -1]) | opened,
        tenant=tenant,
        account_class=index.account_class[rows],
        account_codes=extract.accounts["account_code"].iloc[rows],
        account_names=extract.accounts["name"].iloc[rows],
        movements=monthly(movements, table["debit"] - table["credit"], HISTORY_MONTHS),
        openings=openings,
        inflows=shown(flows, extract.cash_flows["inflow"]),
        outflows=shown(flows, extract.cash_flows["outflow"]),
    )


def _fiscal_year_starts(extract: LedgerExtract, index: AccountIndex, months: Ints) -> Ints:
    """[companies, months] the first month of the fiscal year that each month belongs to.

    The latest of the company's fiscal years that has begun says in which months its years begin;
    before the earliest, that one does. A year that another one interrupts is short.
    """
    tenant = index.tenants_of(extract.fiscal_years)
    first = extract.fiscal_years["first_month"].to_numpy()[tenant >= 0]
    tenant = tenant[tenant >= 0]
    earliest = np.full(len(extract.companies), _NEVER)
    np.minimum.at(earliest, tenant, first)
    if (earliest == _NEVER).any():
        raise ValueError("a company has no fiscal year")
    latest = np.repeat(earliest[:, np.newaxis], len(months), axis=1)
    begun = first[:, np.newaxis] <= months
    np.maximum.at(latest, tenant, np.where(begun, first[:, np.newaxis], 0))
    starts: Ints = months - (months - latest) % 12
    return starts


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
