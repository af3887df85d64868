"""The reports of one tenant and month as data: what the statements stage hands to rendering."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from reports_pipeline.accounting.periods import Month

TREND_MONTHS = 12


class StatementKind(StrEnum):
    INCOME_STATEMENT = "income_statement"
    BALANCE_SHEET = "balance_sheet"
    EXPENSE_ANALYSIS = "expense_analysis"
    CASH_FLOW = "cash_flow"  # the direct summary: receipts and payments by counterpart
    INDIRECT_CASH_FLOW = "indirect_cash_flow"


class LineKind(StrEnum):
    """How a line reads: a heading has no amounts, a subtotal closes a section, a total is ruled."""

    HEADING = "heading"
    ACCOUNT = "account"
    SUBTOTAL = "subtotal"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line of a statement; amounts in minor units, signed as they print (△ if negative).

    `key` is stable: `account:<code>` for an account, else the message id of its label
    (`gross_profit`). Amounts keep their sign whatever the label: a profit line whose current
    amount is negative is labelled as a loss by the renderer (message `gross_profit.loss`).
    `None` prints as —.
    """

    key: str
    label: str  # the account's name; empty where the label is the message of the key
    kind: LineKind
    level: int  # indentation, 0 to 3
    current: int | None  # the month, or the balance at its end
    prior: int | None  # the same for the month before
    prior_year: int | None  # the same for the month a year before
    year_to_date: int | None  # flows since the fiscal year's start; None on the balance sheet
    opening: int | None  # the balance at the fiscal year's start; None on flow statements
    trend: tuple[int, ...]  # the TREND_MONTHS up to this one, oldest first; 0 before the books
    # The account is a contra account. No document shows it, so it makes no line another one.
    is_contra: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Statement:
    kind: StatementKind
    lines: tuple[StatementLine, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """One expense claim; amounts in minor units, tax included in `amount`."""

    claim_id: str
    incurred_on: str  # ISO date
    employee: str
    category: str
    payee: str
    description: str
    amount: int
    consumption_tax: int
    status: str  # submitted, approved, paid, rejected


@dataclass(frozen=True, slots=True)
class Company:
    """The tenant as its documents name it."""

    tenant_id: str
    name: str
    language: str  # ja or en
    currency: str  # ISO 4217
    time_zone: str
    # ISO dates. The reported month is half-open; it is no calendar month where books close on the
    # 20th, say.
    fiscal_year_start: str
    month_start: str
    month_end: str
    consumption_tax_basis: str  # exclusive, inclusive or none
    display_unit: str  # one or thousand: what documents print amounts in
    plan: str
    closed: bool  # False: the month is provisional
    copy_language: str = ""  # of the copy that the premium plan adds; empty for none


# What documents show of the company: neither its time zone, nor its plan and the copy, which decide
# what documents there are.
COMPANY_ON_DOCUMENTS = (
    "tenant_id",
    "name",
    "language",
    "currency",
    "fiscal_year_start",
    "month_start",
    "month_end",
    "consumption_tax_basis",
    "display_unit",
    "closed",
)


@dataclass(frozen=True, slots=True)
class LineChange:
    """A figure or text that documents show otherwise than those of an earlier revision did.

    `statement` is a StatementKind, `expense_claims` or `company`; `key` the line's key,
    `claim:<id>` or the name of a field of Company. `column` is the name of an amount or text of
    the line or claim, `trend.<YYYY-MM>` for a month of the trend, and empty for the company.
    Amounts are whole numbers of minor units; `None` where there was, or is, nothing.
    """

    statement: str
    key: str
    label: str  # empty where the label is a message
    column: str
    before: int | str | None
    after: int | str | None


@dataclass(frozen=True, slots=True)
class TenantReports:
    """Everything the documents of one tenant and month show."""

    company: Company
    month: Month
    revision: int
    statements: tuple[Statement, ...]  # one of each StatementKind, in its order
    claims: tuple[Claim, ...]
    # The revision of a closed month, or one that was mailed, that this one takes the place of;
    # and what differs from it, unless nobody has compared them yet.
    corrects: int | None = None
    changes: tuple[LineChange, ...] | None = None

    @property
    def trend_start(self) -> int:
        """The month of the trends (an index) with which the books begin: 0 if they had begun a
        year before. A month of zeros only before all others is taken for one before the books."""
        shown = self.statement(StatementKind.INCOME_STATEMENT).lines
        if any(line.prior_year is not None for line in shown):
            return 0
        shown += self.statement(StatementKind.BALANCE_SHEET).lines
        trends = [line.trend for line in shown if line.kind is LineKind.ACCOUNT]
        months = enumerate(zip(*trends, strict=True))
        return next((number for number, amounts in months if any(amounts)), TREND_MONTHS - 1)

    def statement(self, kind: StatementKind) -> Statement:
        return next(statement for statement in self.statements if statement.kind is kind)
