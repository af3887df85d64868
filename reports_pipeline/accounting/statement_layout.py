"""Statements as data: which lines in which order, and what each line adds up.

A statement is laid out for a whole batch at once. Its `amounts` distributes the books over its
slots (an account class, or a name of the statement's own), and a line is a sum of slots, of all
tenants at once. What a particular statement says belongs in its own module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reports_pipeline.accounting.accounts import AccountClass, Section
from reports_pipeline.accounting.books import SHOWN_MONTHS, Books, Ints, sums_by
from reports_pipeline.accounting.reports import LineKind, StatementKind

# A row of amounts has those of the shown months, oldest first, and these two.
_YEAR_TO_DATE, _OPENING = SHOWN_MONTHS, SHOWN_MONTHS + 1
_WIDTH = SHOWN_MONTHS + 2
# Where in it the columns of statements stand.
AMOUNT_COLUMNS = {
    "current": SHOWN_MONTHS - 1,
    "prior": SHOWN_MONTHS - 2,
    "prior_year": 0,
    "year_to_date": _YEAR_TO_DATE,
    "opening": _OPENING,
}
TREND_COLUMNS = slice(1, SHOWN_MONTHS)

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
    """Amounts of k accounts of the books, in their order."""

    slot: Ints | int  # [k] position in the statement's slots, or that of all k
    account: Ints  # [k] account of the books
    amounts: Ints  # [k, width] signed as they print
    rank: Ints | int = 0  # [k] order of the account lines, before the account code


@dataclass(frozen=True)
class StatementSpec:
    kind: StatementKind
    columns: frozenset[str]  # those of AMOUNT_COLUMNS that the statement has
    slots: Sequence[str]
    amounts: Callable[[Books], Sequence[SlotAmounts]]
    lines: Sequence[Line | AccountLines]


@dataclass(frozen=True)
class LaidOut:
    """Lines of statements for a batch; m lines."""

    tenant: Ints  # [m]
    line: Ints  # [m] number in the specification's lines
    rank: Ints  # [m] order of account lines with the same number, before the account
    account: Ints  # [m] account of the books, -1 for a line of the statement's own
    amounts: Ints  # [m, width]


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
    monthly: Ints, *, year_to_date: Ints | None = None, opening: Ints | None = None
) -> Ints:
    """[k, width] amounts from those of the shown months ([k, SHOWN_MONTHS])."""
    amounts = np.zeros((len(monthly), _WIDTH), dtype=np.int64)
    amounts[:, :SHOWN_MONTHS] = monthly
    if year_to_date is not None:
        amounts[:, _YEAR_TO_DATE] = year_to_date
    if opening is not None:
        amounts[:, _OPENING] = opening
    return amounts


def lay_out(spec: StatementSpec, books: Books) -> Iterator[LaidOut]:
    """The lines of a statement for every tenant of the books: those of accounts, in their order,
    then the statement's own."""
    tenants = len(books.tenant_ids)
    numbers = {name: number for number, name in enumerate(spec.slots)}
    account_line = np.full(len(spec.slots), -1, dtype=np.int64)
    for number, line in enumerate(spec.lines):
        if isinstance(line, AccountLines):
            account_line[[numbers[name] for name in line.slots]] = number

    totals = np.zeros((len(spec.slots), tenants, _WIDTH), dtype=np.int64)
    filled = np.zeros((len(spec.slots), tenants), dtype=np.bool_)
    for part in spec.amounts(books):
        tenant = books.tenant[part.account]
        slot = np.broadcast_to(part.slot, tenant.shape)
        totals += sums_by(slot * tenants + tenant, part.amounts, filled.size).reshape(totals.shape)
        shown = part.amounts.any(axis=1)
        filled[slot[shown], tenant[shown]] = True
        listed = np.flatnonzero(shown & (account_line[slot] >= 0))
        yield LaidOut(
            tenant=tenant[listed],
            line=account_line[slot[listed]],
            rank=np.broadcast_to(part.rank, tenant.shape)[listed],
            account=part.account[listed],
            amounts=part.amounts.take(listed, axis=0),
        )

    printed = np.zeros((len(spec.lines), tenants), dtype=np.bool_)
    own_amounts = np.zeros((len(spec.lines), tenants, _WIDTH), dtype=np.int64)
    for number, line in enumerate(spec.lines):
        if isinstance(line, AccountLines):
            continue
        printed[number] = line.always | filled[[numbers[name] for name in line.terms]].any(axis=0)
        if line.kind is not LineKind.HEADING:
            # Not a product of matrices: of integers, numpy has none that is fast.
            for name, sign in line.terms.items():
                own_amounts[number] += sign * totals[numbers[name]]
    own_line, tenant = np.nonzero(printed)
    yield LaidOut(
        tenant=tenant,
        line=own_line,
        rank=np.zeros_like(own_line),
        account=np.full_like(own_line, -1),
        amounts=own_amounts.reshape(-1, _WIDTH).take(np.flatnonzero(printed), axis=0),
    )
