"""The income statement: the ladder of profits (会社計算規則 第88条 to 第94条)."""

from __future__ import annotations

import numpy as np

from reports_pipeline.accounting.accounts import Section
from reports_pipeline.accounting.books import SHOWN_MONTHS, Books, Ints
from reports_pipeline.accounting.reports import LineKind, StatementKind
from reports_pipeline.accounting.statement_layout import (
    CLASS_SLOTS,
    Line,
    SlotAmounts,
    StatementSpec,
    amounts_of,
    section,
    terms,
)


def flow_amounts(books: Books, accounts: Ints) -> Ints:
    """[k, width] the flows of k accounts, signed by the sides of their sections."""
    monthly = books.movements[accounts, -SHOWN_MONTHS:] * books.sides[accounts, np.newaxis]
    return amounts_of(monthly, year_to_date=books.since_year_start(monthly, accounts))


def _amounts(books: Books) -> list[SlotAmounts]:
    accounts = np.flatnonzero(books.in_income_statement)
    return [SlotAmounts(books.account_class[accounts], accounts, flow_amounts(books, accounts))]


_GROSS = terms(Section.NET_SALES) | terms(Section.COST_OF_SALES, sign=-1)
_OPERATING = _GROSS | terms(Section.SELLING_GENERAL_ADMINISTRATIVE, sign=-1)
_ORDINARY = (
    _OPERATING
    | terms(Section.NON_OPERATING_INCOME)
    | terms(Section.NON_OPERATING_EXPENSES, sign=-1)
)
_BEFORE_TAX = (
    _ORDINARY | terms(Section.EXTRAORDINARY_INCOME) | terms(Section.EXTRAORDINARY_LOSSES, sign=-1)
)
_NET = _BEFORE_TAX | terms(Section.INCOME_TAXES, sign=-1)

INCOME_STATEMENT = StatementSpec(
    kind=StatementKind.INCOME_STATEMENT,
    columns=frozenset({"current", "prior", "prior_year", "year_to_date"}),
    slots=CLASS_SLOTS,
    amounts=_amounts,
    lines=(
        *section(Section.NET_SALES, always=True),
        *section(Section.COST_OF_SALES, always=True),
        Line("gross_profit", LineKind.TOTAL, 0, _GROSS, always=True),
        *section(Section.SELLING_GENERAL_ADMINISTRATIVE, always=True),
        Line("operating_profit", LineKind.TOTAL, 0, _OPERATING, always=True),
        *section(Section.NON_OPERATING_INCOME),
        *section(Section.NON_OPERATING_EXPENSES),
        Line("ordinary_profit", LineKind.TOTAL, 0, _ORDINARY, always=True),
        *section(Section.EXTRAORDINARY_INCOME),
        *section(Section.EXTRAORDINARY_LOSSES),
        Line("profit_before_tax", LineKind.TOTAL, 0, _BEFORE_TAX, always=True),
        *section(Section.INCOME_TAXES),
        Line("net_profit", LineKind.TOTAL, 0, _NET, always=True),
    ),
)
