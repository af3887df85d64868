"""Statements as data: which lines in which order, and what each line adds up.

A statement is laid out for a whole batch at once. Its `amounts` distributes the books over slots
(an account class, or a name of the statement's own), and a line is a sum of slots, of all tenants
at once. What a particular statement says belongs in its own module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reports_pipeline.accounting.accounts import AccountClass, Section
from reports_pipeline.accounting.books import Books, Ints, sums_by
from reports_pipeline.accounting.reports import LineKind, StatementKind

# The columns of a matrix of amounts: these four, then the trend.
AMOUNT_COLUMNS = ("current", "prior", "year_to_date", "opening")

CLASS_SLOTS = tuple(str(account_class) for account_class in AccountClass)

# Slots to add and to subtract.
Terms = Mapping[str, int]


@dataclass(frozen=True)
class Line:
    """A heading, subtotal, total or pooled line. Unless it stands always, it is left out for
    tenants without an account line in any of its slots."""

    key: str
    kind: LineKind
    level: int
    terms: Terms
    always: bool = False


@dataclass(frozen=True)
class AccountLines:
    """A line for each account that has an amount in one of these slots, in their order."""

    slots: Sequence[str]
    level: int


@dataclass(frozen=True)
class SlotAmounts:
    """The books of a batch, distributed over the slots of a statement; k amounts of accounts."""

    slots: Sequence[str]
    slot: Ints  # [k] position in `slots`
    account: Ints  # [k] account of the books
    rank: Ints  # [k] order of the account lines, before the account code
    amounts: Ints  # [k, 4 + TREND_MONTHS] signed as they print


@dataclass(frozen=True)
class StatementSpec:
    kind: StatementKind
    columns: frozenset[str]  # those of AMOUNT_COLUMNS that the statement has
    amounts: Callable[[Books], SlotAmounts]
    lines: Sequence[Line | AccountLines]


@dataclass(frozen=True)
class LaidOut:
    """The lines of one statement for a batch, by tenant and then as they print; m lines."""

    tenant: Ints  # [m]
    line: Ints  # [m] number in the specification's lines
    position: Ints  # [m] from 0 in each tenant's statement
    account: Ints  # [m] account of the books, -1 for a line of the statement's own
    amounts: Ints  # [m, 4 + TREND_MONTHS]


def terms(*sections: Section, sign: int = 1) -> dict[str, int]:
    """The account classes of these sections, all added or all subtracted."""
    return {
        str(account_class): sign
        for account_class in AccountClass
        if account_class.section in sections
    }


def section(
    of: Section, level: int = 0, *, always: bool = False
) -> tuple[Line, AccountLines, Line]:
    """A section's heading, account lines and subtotal."""
    classes = terms(of)
    return (
        Line(of, LineKind.HEADING, level, classes, always),
        AccountLines(tuple(classes), level + 1),
        Line(f"total_{of}", LineKind.SUBTOTAL, level, classes, always),
    )


def amounts_of(
    trend: Ints, *, year_to_date: Ints | None = None, opening: Ints | None = None
) -> Ints:
    """[k, 4 + TREND_MONTHS] amounts from a [k, TREND_MONTHS] trend, whose last two months are the
    current and the prior one."""
    nothing = np.zeros(len(trend), dtype=np.int64)
    return np.column_stack(
        [
            trend[:, -1],
            trend[:, -2],
            nothing if year_to_date is None else year_to_date,
            nothing if opening is None else opening,
            trend,
        ]
    )


def lay_out(spec: StatementSpec, books: Books) -> LaidOut:
    """The lines of a statement for every tenant of the books."""
    slotted = spec.amounts(books)
    tenant = books.tenant[slotted.account]
    tenants, slots = len(books.tenant_ids), len(slotted.slots)
    shown = slotted.amounts.any(axis=1)
    totals = sums_by(slotted.slot * tenants + tenant, slotted.amounts, slots * tenants)
    totals = totals.reshape(slots, tenants, slotted.amounts.shape[1])
    filled = np.zeros((slots, tenants), dtype=np.bool_)
    filled[slotted.slot[shown], tenant[shown]] = True

    line_of_slot = np.full(slots, -1, dtype=np.int64)
    printed = np.zeros((len(spec.lines), tenants), dtype=np.bool_)
    own_totals = np.zeros((len(spec.lines), *totals.shape[1:]), dtype=np.int64)
    numbers = {slot: number for number, slot in enumerate(slotted.slots)}
    for number, line in enumerate(spec.lines):
        if isinstance(line, AccountLines):
            line_of_slot[[numbers[slot] for slot in line.slots]] = number
            continue
        printed[number] = line.always | filled[[numbers[slot] for slot in line.terms]].any(axis=0)
        if line.kind is not LineKind.HEADING:
            # Not a product of matrices: of integers, numpy has none that is fast.
            for slot, sign in line.terms.items():
                own_totals[number] += sign * totals[numbers[slot]]
    own_line, own_tenant = np.nonzero(printed)
    own_amounts = own_totals[own_line, own_tenant]

    listed = shown & (line_of_slot[slotted.slot] >= 0)
    tenant = np.concatenate([own_tenant, tenant[listed]])
    line_numbers = np.concatenate([own_line, line_of_slot[slotted.slot[listed]]])
    rank = np.concatenate([np.zeros_like(own_line), slotted.rank[listed]])
    account = np.concatenate([np.full_like(own_line, -1), slotted.account[listed]])
    order = np.lexsort((account, rank, line_numbers, tenant))
    tenant = tenant[order]
    return LaidOut(
        tenant=tenant,
        line=line_numbers[order],
        position=np.arange(len(tenant)) - np.searchsorted(tenant, tenant),
        account=account[order],
        amounts=np.concatenate([own_amounts, slotted.amounts[listed]])[order],
    )
