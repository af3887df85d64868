"""The expense analysis: what was spent on what, the largest first."""

from __future__ import annotations

import numpy as np

from reports_pipeline.accounting.accounts import AccountClass, Section
from reports_pipeline.accounting.books import Books
from reports_pipeline.accounting.income_statement import flow_amounts
from reports_pipeline.accounting.reports import LineKind, StatementKind
from reports_pipeline.accounting.statement_layout import (
    AMOUNT_COLUMNS,
    CLASS_SLOTS,
    Line,
    SlotAmounts,
    StatementSpec,
    section,
    terms,
)

_SECTIONS = (Section.COST_OF_SALES, Section.SELLING_GENERAL_ADMINISTRATIVE)
_IS_EXPENSE = np.array([account_class.section in _SECTIONS for account_class in AccountClass])


def _amounts(books: Books) -> list[SlotAmounts]:
    accounts = np.flatnonzero(_IS_EXPENSE[books.account_class])
    amounts = flow_amounts(books, accounts)
    largest_first = -amounts[:, AMOUNT_COLUMNS["current"]]
    return [SlotAmounts(books.account_class[accounts], accounts, amounts, largest_first)]


EXPENSE_ANALYSIS = StatementSpec(
    kind=StatementKind.EXPENSE_ANALYSIS,
    columns=frozenset({"current", "prior", "prior_year", "year_to_date"}),
    slots=CLASS_SLOTS,
    amounts=_amounts,
    lines=(
        *section(Section.COST_OF_SALES),
        *section(Section.SELLING_GENERAL_ADMINISTRATIVE),
        Line("total_expenses", LineKind.TOTAL, 0, terms(*_SECTIONS), always=True),
    ),
)
