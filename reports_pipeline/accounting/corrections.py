"""What a correction changes: the difference between two revisions of a tenant's month."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import fields
from typing import TypeVar

from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import (
    COMPANY_ON_DOCUMENTS,
    Claim,
    Company,
    LineChange,
    LineKind,
    Statement,
    StatementLine,
    TenantReports,
)
from reports_pipeline.accounting.statement_layout import AMOUNT_COLUMNS

COMPANY = "company"
EXPENSE_CLAIMS = "expense_claims"

_COMPANY_FACTS = [name for name in COMPANY_ON_DOCUMENTS if name not in ("tenant_id", "closed")]
_CLAIM_COLUMNS = [field.name for field in fields(Claim) if field.name != "claim_id"]

# For an account's line the heading above it, since an account may be among receipts and among
# payments; then the line's key.
_Place = tuple[str, str]
_Key = TypeVar("_Key", bound=Hashable)


def line_changes(before: TenantReports, after: TenantReports) -> tuple[LineChange, ...]:
    """Everything that differs, in order of the documents: the company, the lines of each
    statement, the claims. What is gone stands where it stood.

    An account that came or went is told by its amounts: always the month's, and others unless 0.
    """
    changes = list(_company_changes(before.company, after.company))
    for old, new in zip(before.statements, after.statements, strict=True):
        changes += _statement_changes(old, new, before.month)
    changes += _claim_changes(before.claims, after.claims)
    return tuple(changes)


def most_telling(changes: Sequence[LineChange]) -> list[LineChange]:
    """The same, comparisons with other periods last."""
    comparisons = {*AMOUNT_COLUMNS} - {"current"}
    return sorted(
        changes,
        key=lambda change: change.column in comparisons or change.column.startswith("trend."),
    )


def _company_changes(before: Company, after: Company) -> Iterator[LineChange]:
    old = {name: str(getattr(before, name)) for name in _COMPANY_FACTS}
    new = {name: str(getattr(after, name)) for name in _COMPANY_FACTS}
    old["closed"], new["closed"] = (
        "closed" if company.closed else "provisional" for company in (before, after)
    )
    for name in new:
        if old[name] != new[name]:
            yield LineChange(COMPANY, name, "", "", old[name], new[name])


def _statement_changes(before: Statement, after: Statement, month: Month) -> Iterator[LineChange]:
    old, new = _lines_by_place(before), _lines_by_place(after)
    for place in _merged(list(old), list(new)):
        yield from _line_changes(after.kind, old.get(place), new.get(place), month)


def _lines_by_place(statement: Statement) -> dict[_Place, StatementLine]:
    lines: dict[_Place, StatementLine] = {}
    headings: list[StatementLine] = []
    for line in statement.lines:
        if line.kind is LineKind.HEADING:
            headings.append(line)
        section = ""
        if line.key.startswith("account:"):
            section = next((h.key for h in reversed(headings) if h.level < line.level), "")
        lines[section, line.key] = line
    return lines


def _line_changes(
    statement: str, before: StatementLine | None, after: StatementLine | None, month: Month
) -> Iterator[LineChange]:
    line = after or before
    if line is None or line.kind is LineKind.HEADING:
        return
    old, new = _figures(before, month), _figures(after, month)
    if before is None or after is None:
        for column in {**old, **new}:
            amounts = (old.get(column), new.get(column))
            if column == "current" or any(amounts):
                yield LineChange(statement, line.key, line.label, column, *amounts)
        return
    if before.label != after.label:
        yield LineChange(statement, line.key, line.label, "label", before.label, after.label)
    for column in new:
        if old[column] != new[column]:
            yield LineChange(statement, line.key, line.label, column, old[column], new[column])


def _figures(line: StatementLine | None, month: Month) -> dict[str, int | None]:
    """The line's amounts by column. Of the trend, the newest two months are `current` and `prior`
    already."""
    if line is None:
        return {}
    amounts: dict[str, int | None] = {name: getattr(line, name) for name in AMOUNT_COLUMNS}
    first = month.plus(1 - len(line.trend))
    for elapsed, amount in enumerate(line.trend[:-2]):
        amounts[f"trend.{first.plus(elapsed)}"] = amount
    return amounts


def _claim_changes(before: Sequence[Claim], after: Sequence[Claim]) -> Iterator[LineChange]:
    old = {claim.claim_id: claim for claim in before}
    new = {claim.claim_id: claim for claim in after}
    for claim_id in _merged(list(old), list(new)):
        was, is_now = old.get(claim_id), new.get(claim_id)
        # One that came or went is told by its amount.
        columns = _CLAIM_COLUMNS if was and is_now else ["amount"]
        for column in columns:
            values = getattr(was, column, None), getattr(is_now, column, None)
            if values[0] != values[1] or was is None or is_now is None:
                yield LineChange(EXPENSE_CLAIMS, f"claim:{claim_id}", claim_id, column, *values)


def _merged(before: Sequence[_Key], after: Sequence[_Key]) -> list[_Key]:
    """All of `after` in its order; what only `before` has follows what it followed there."""
    merged, kept = list(after), set(after)
    position = 0
    for key in before:
        if key in kept:
            position = merged.index(key)
        else:
            merged.insert(position, key)
        position += 1
    return merged
