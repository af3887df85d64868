"""The cash-flow summary (入出金): what came in and went out, by counterpart account.

Opening entries bring cash into the books, not into the company: they are in the opening cash of
their month, and in no flow.
"""

from __future__ import annotations

import numpy as np

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.books import TREND_MONTHS, Books
from reports_pipeline.accounting.reports import LineKind, StatementKind
from reports_pipeline.accounting.statement_layout import (
    AccountLines,
    Line,
    SlotAmounts,
    StatementSpec,
    amounts_of,
)

_SLOTS = ("opening_cash", "inflows", "outflows", "closing_cash")
_CASH = list(AccountClass).index(AccountClass.CASH_AND_DEPOSITS)


def _amounts(books: Books) -> SlotAmounts:
    balances = books.balances
    month_starts = balances[:, -TREND_MONTHS - 1 : -1] + books.openings
    year_start = books.at_year_start(balances) + books.since_year_start(books.openings)
    closing = balances[:, -TREND_MONTHS:]
    cash = np.flatnonzero(books.account_class == _CASH)
    inflows = np.flatnonzero(books.inflows.any(axis=1))
    outflows = np.flatnonzero(books.outflows.any(axis=1))
    accounts = (cash, inflows, outflows, cash)
    return SlotAmounts(
        slots=_SLOTS,
        slot=np.repeat(np.arange(len(_SLOTS)), [len(rows) for rows in accounts]),
        account=np.concatenate(accounts),
        rank=books.account_class[np.concatenate(accounts)],
        amounts=np.concatenate(
            [
                amounts_of(month_starts[cash], year_to_date=year_start[cash]),
                amounts_of(
                    books.inflows[inflows],
                    year_to_date=books.since_year_start(books.inflows)[inflows],
                ),
                amounts_of(
                    books.outflows[outflows],
                    year_to_date=books.since_year_start(books.outflows)[outflows],
                ),
                amounts_of(closing[cash], year_to_date=closing[cash, -1]),
            ]
        ),
    )


_INFLOWS, _OUTFLOWS = {"inflows": 1}, {"outflows": 1}

CASH_FLOW = StatementSpec(
    kind=StatementKind.CASH_FLOW,
    columns=frozenset({"current", "prior", "year_to_date"}),
    amounts=_amounts,
    lines=(
        Line("opening_cash", LineKind.TOTAL, 0, {"opening_cash": 1}, always=True),
        Line("inflows", LineKind.HEADING, 0, _INFLOWS, always=True),
        AccountLines(("inflows",), 1),
        Line("total_inflows", LineKind.SUBTOTAL, 0, _INFLOWS, always=True),
        Line("outflows", LineKind.HEADING, 0, _OUTFLOWS, always=True),
        AccountLines(("outflows",), 1),
        Line("total_outflows", LineKind.SUBTOTAL, 0, _OUTFLOWS, always=True),
        Line("net_cash_change", LineKind.TOTAL, 0, {"inflows": 1, "outflows": -1}, always=True),
        Line("closing_cash", LineKind.TOTAL, 0, {"closing_cash": 1}, always=True),
    ),
)
