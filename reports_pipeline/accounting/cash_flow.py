"""The cash-flow summary (入出金): what came in and went out, by counterpart account.

Opening entries bring cash into the books, not into the company: they are in the opening cash of
their month, and in no flow.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.books import SHOWN_MONTHS, Books, Ints
from reports_pipeline.accounting.reports import LineKind, StatementKind
from reports_pipeline.accounting.statement_layout import (
    AccountLines,
    Line,
    SlotAmounts,
    StatementSpec,
    amounts_of,
)

_CASH = list(AccountClass).index(AccountClass.CASH_AND_DEPOSITS)
CASH_SLOTS = ("opening_cash", "closing_cash")
OPENING_CASH, CLOSING_CASH = (
    Line(slot, LineKind.TOTAL, 0, {slot: 1}, always=True) for slot in CASH_SLOTS
)
_SLOTS = (*CASH_SLOTS, "inflows", "outflows")


def cash_amounts(books: Books, slots: Sequence[str]) -> list[SlotAmounts]:
    """The cash at the start and at the end of each period, in CASH_SLOTS of these slots."""
    cash = np.flatnonzero(books.account_class == _CASH)
    balances, openings = books.balances[cash], books.openings[cash]
    month_starts = balances[:, -SHOWN_MONTHS - 1 : -1] + openings
    year_start = books.balances_before_year(cash)[:, -1] + books.since_year_start(openings, cash)
    month_ends = balances[:, -SHOWN_MONTHS:]
    of_slots = (
        amounts_of(month_starts, year_to_date=year_start),
        amounts_of(month_ends, year_to_date=month_ends[:, -1]),
    )
    return [
        SlotAmounts(slots.index(slot), cash, amounts)
        for slot, amounts in zip(CASH_SLOTS, of_slots, strict=True)
    ]


def _amounts(books: Books) -> list[SlotAmounts]:
    return [
        *cash_amounts(books, _SLOTS),
        _flows("inflows", books, books.inflows),
        _flows("outflows", books, books.outflows),
    ]


def _flows(slot: str, books: Books, flows: Ints) -> SlotAmounts:
    accounts = np.flatnonzero(flows.any(axis=1))
    monthly = flows[accounts]
    amounts = amounts_of(monthly, year_to_date=books.since_year_start(monthly, accounts))
    return SlotAmounts(_SLOTS.index(slot), accounts, amounts, books.account_class[accounts])


_INFLOWS, _OUTFLOWS = {"inflows": 1}, {"outflows": 1}

CASH_FLOW = StatementSpec(
    kind=StatementKind.CASH_FLOW,
    columns=frozenset({"current", "prior", "prior_year", "year_to_date"}),
    slots=_SLOTS,
    amounts=_amounts,
    lines=(
        OPENING_CASH,
        Line("inflows", LineKind.HEADING, 0, _INFLOWS, always=True),
        AccountLines(("inflows",), 1),
        Line("total_inflows", LineKind.SUBTOTAL, 0, _INFLOWS, always=True),
        Line("outflows", LineKind.HEADING, 0, _OUTFLOWS, always=True),
        AccountLines(("outflows",), 1),
        Line("total_outflows", LineKind.SUBTOTAL, 0, _OUTFLOWS, always=True),
        Line("net_cash_change", LineKind.TOTAL, 0, {"inflows": 1, "outflows": -1}, always=True),
        CLOSING_CASH,
    ),
)
