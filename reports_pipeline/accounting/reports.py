"""The reports of one tenant and month as data: what the statements stage hands to rendering."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reports_pipeline.accounting.periods import Month


class StatementKind(StrEnum):
    INCOME_STATEMENT = "income_statement"
    BALANCE_SHEET = "balance_sheet"
    EXPENSE_ANALYSIS = "expense_analysis"
    CASH_FLOW = "cash_flow"


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
    year_to_date: int | None  # flows since the fiscal year's start; None on the balance sheet
    opening: int | None  # the balance at the fiscal year's start; None on flow statements
    trend: tuple[int, ...]  # the 12 months up to this one, oldest first


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
    fiscal_year_start_month: int
    consumption_tax_basis: str  # exclusive, inclusive or none
    plan: str
    closed: bool  # False: the month is provisional


@dataclass(frozen=True, slots=True)
class TenantReports:
    """Everything the documents of one tenant and month show."""

    company: Company
    month: Month
    revision: int
    statements: tuple[Statement, ...]  # one of each StatementKind, in its order
    claims: tuple[Claim, ...]

    def statement(self, kind: StatementKind) -> Statement:
        return next(statement for statement in self.statements if statement.kind is kind)
