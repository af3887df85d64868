"""Every difference between two revisions is told, in the order in which documents show it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest

from reports_pipeline.accounting.assembly import numbers_hash
from reports_pipeline.accounting.corrections import line_changes, most_telling
from reports_pipeline.accounting.journal import JournalEntry
from reports_pipeline.accounting.reports import (
    Claim,
    Company,
    LineChange,
    Statement,
    StatementKind,
    StatementLine,
    TenantReports,
)
from tests.accounting.extracts import Bookkeeping, extract_of
from tests.accounting.printing import reports_of
from tests.accounting.sakura import (
    CASH,
    DEPOSITS,
    MAY,
    OUTPUT_TAX,
    RECEIVABLES,
    RENT,
    SAKURA,
    SALES,
    entry,
)

LATE_SALE = entry("2026-05-30", {RECEIVABLES: 110_000, SALES: -100_000, OUTPUT_TAX: -10_000})


def reports(books: Bookkeeping) -> TenantReports:
    [made] = reports_of(extract_of(MAY, [books]))
    return made


def changes_by(*entries: JournalEntry) -> tuple[LineChange, ...]:
    """What changes in May if these are posted too."""
    posted = replace(SAKURA, entries=[*SAKURA.entries, *entries])
    return line_changes(reports(SAKURA), reports(posted))


def told(changes: tuple[LineChange, ...], statement: StatementKind, column: str) -> list[str]:
    return [
        f"{change.label or change.key} {change.before} → {change.after}"
        for change in changes
        if change.statement == statement and change.column == column
    ]


def test_a_late_sale_is_told_from_the_sales_line_to_the_profit() -> None:
    assert told(changes_by(LATE_SALE), StatementKind.INCOME_STATEMENT, "current") == [
        "売上高 0 → 100000",
        "total_net_sales -50000 → 50000",
        "gross_profit -50000 → 50000",
        "operating_profit -360000 → -260000",
        "ordinary_profit -360000 → -260000",
        "profit_before_tax -360000 → -260000",
        "net_profit -360000 → -260000",
    ]


def test_a_late_sale_is_told_in_the_balances_that_it_changed() -> None:
    assert told(changes_by(LATE_SALE), StatementKind.BALANCE_SHEET, "current") == [
        "売掛金 0 → 110000",
        "total_current_assets 3453000 → 3563000",
        "total_assets 4033000 → 4143000",
        "仮受消費税等 95000 → 105000",
        "total_current_liabilities 103000 → 113000",
        "total_liabilities 2103000 → 2113000",
        "net_profit_for_year 630000 → 730000",
        "total_retained_earnings 930000 → 1030000",
        "total_shareholders_equity 1930000 → 2030000",
        "total_net_assets 1930000 → 2030000",
        "total_liabilities_and_net_assets 4033000 → 4143000",
    ]


def test_statements_come_in_their_order_and_columns_in_theirs() -> None:
    changes = changes_by(LATE_SALE)
    kinds = list(dict.fromkeys(change.statement for change in changes))
    assert kinds == [
        StatementKind.INCOME_STATEMENT,
        StatementKind.BALANCE_SHEET,
        StatementKind.INDIRECT_CASH_FLOW,
    ]
    columns = [change.column for change in changes if change.key == f"account:{SALES}"]
    assert columns == ["current", "year_to_date"]


def test_an_earlier_month_is_told_once_and_by_its_name() -> None:
    """A late posting to January is in the trend, in no column of the month."""
    changes = changes_by(entry("2026-01-20", {DEPOSITS: 7_000, SALES: -7_000}))
    sales = f"account:{SALES}"
    # Its counterpart is cash, so the cash flow has it too.
    assert [change for change in changes if change.key == sales] == [
        LineChange(statement, sales, "売上高", "trend.2026-01", 0, 7_000)
        for statement in (StatementKind.INCOME_STATEMENT, StatementKind.CASH_FLOW)
    ]


def test_a_line_that_appears_is_told_by_its_amounts() -> None:
    changes = changes_by(entry("2026-05-31", {RENT: 80_000, CASH: -80_000}))
    rent = [
        (change.statement, change.column, change.before, change.after)
        for change in changes
        if change.key == f"account:{RENT}"
    ]
    # It was a cost of last year, so the income statement has had the line.
    assert rent == [
        (StatementKind.INCOME_STATEMENT, "current", 0, 80_000),
        (StatementKind.INCOME_STATEMENT, "year_to_date", 0, 80_000),
        (StatementKind.EXPENSE_ANALYSIS, "current", 0, 80_000),
        (StatementKind.EXPENSE_ANALYSIS, "year_to_date", 0, 80_000),
        (StatementKind.CASH_FLOW, "current", 0, 80_000),
        (StatementKind.CASH_FLOW, "year_to_date", 0, 80_000),
    ]
    appeared = [c for c in changes_by(LATE_ADVERTISING) if c.key == "account:6240"]
    assert [(c.column, c.before, c.after) for c in appeared[:2]] == [
        ("current", None, 5_000),
        ("year_to_date", None, 5_000),
    ]


LATE_ADVERTISING = entry("2026-05-31", {"6240": 5_000, CASH: -5_000})


def test_a_line_that_is_gone_stands_where_it_stood() -> None:
    """Backwards: the revision before had the line, this one has not."""
    posted = replace(SAKURA, entries=[*SAKURA.entries, LATE_ADVERTISING])
    changes = line_changes(reports(posted), reports(SAKURA))
    lines = [c.key for c in changes if c.statement == StatementKind.INCOME_STATEMENT]
    assert list(dict.fromkeys(lines))[:2] == [
        "account:6240",
        "total_selling_general_administrative",
    ]
    gone = [(c.column, c.before, c.after) for c in changes if c.key == "account:6240"]
    assert gone[:2] == [("current", 5_000, None), ("year_to_date", 5_000, None)]


def test_an_account_among_receipts_is_another_line_than_among_payments() -> None:
    """Receivables came in in May; a refund makes them go out too."""
    refund = entry("2026-05-28", {RECEIVABLES: 55_000, DEPOSITS: -55_000})
    cash_flow = [
        (change.column, change.before, change.after)
        for change in changes_by(refund)
        if change.statement == StatementKind.CASH_FLOW and change.key == f"account:{RECEIVABLES}"
    ]
    assert cash_flow == [("current", None, 55_000), ("year_to_date", None, 55_000)]


def test_a_renamed_account_is_told_by_its_names() -> None:
    accounts = [
        replace(account, name="商品売上") if account.account_code == SALES else account
        for account in SAKURA.accounts
    ]
    changes = line_changes(reports(SAKURA), reports(replace(SAKURA, accounts=accounts)))
    assert changes == tuple(
        LineChange(statement, "account:4110", "商品売上", "label", "売上高", "商品売上")
        for statement in (StatementKind.INCOME_STATEMENT, StatementKind.CASH_FLOW)
    )


CLAIM = reports(SAKURA).claims[0]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((), (CLAIM,), [("claim:c1", "c1", "amount", None, 29_040)]),
        ((CLAIM,), (), [("claim:c1", "c1", "amount", 29_040, None)]),
        (
            (CLAIM,),
            (replace(CLAIM, amount=30_000, status="paid"),),
            [
                ("claim:c1", "c1", "amount", 29_040, 30_000),
                ("claim:c1", "c1", "status", "approved", "paid"),
            ],
        ),
        (
            (CLAIM, replace(CLAIM, claim_id="c2"), replace(CLAIM, claim_id="c3")),
            (CLAIM, replace(CLAIM, claim_id="c3", payee="JR")),
            [
                ("claim:c2", "c2", "amount", 29_040, None),
                ("claim:c3", "c3", "payee", "東海旅客鉄道", "JR"),
            ],
        ),
    ],
    ids=["added", "removed", "changed", "among others"],
)
def test_claims_are_told_by_their_numbers(
    before: tuple[Claim, ...], after: tuple[Claim, ...], expected: list[tuple[object, ...]]
) -> None:
    made = reports(SAKURA)
    changes = line_changes(replace(made, claims=before), replace(made, claims=after))
    assert {change.statement for change in changes} == {"expense_claims"}
    assert [(c.key, c.label, c.column, c.before, c.after) for c in changes] == expected


def test_the_company_comes_first() -> None:
    made = reports(SAKURA)
    after = replace(
        made,
        company=replace(made.company, name="株式会社さくら", closed=False),
        claims=(),
    )
    assert line_changes(made, after)[:2] == (
        LineChange("company", "name", "", "", "株式会社さくら商店", "株式会社さくら"),
        LineChange("company", "closed", "", "", "closed", "provisional"),
    )


def test_the_same_reports_have_no_changes() -> None:
    made = reports(SAKURA)
    assert line_changes(made, reports(SAKURA)) == ()
    assert line_changes(made, replace(made, revision=3, corrects=2)) == ()


Mutation = Callable[[TenantReports], TenantReports]


def company_mutation(name: str) -> Mutation:
    def changed(made: TenantReports) -> TenantReports:
        value = getattr(made.company, name)
        other: Any = not value if isinstance(value, bool) else f"{value}0"
        return replace(made, company=replace(made.company, **{name: other}))

    return changed


def line_mutation(name: str, value: Any) -> Mutation:
    """Another value in the first account line of the balance sheet."""

    def changed(made: TenantReports) -> TenantReports:
        income_statement, balance_sheet, *others = made.statements
        lines: list[StatementLine] = list(balance_sheet.lines)
        number = next(n for n, line in enumerate(lines) if line.key.startswith("account:"))
        lines[number] = replace(lines[number], **{name: value})
        statement = Statement(balance_sheet.kind, tuple(lines))
        return replace(made, statements=(income_statement, statement, *others))

    return changed


def claim_mutation(name: str) -> Mutation:
    def changed(made: TenantReports) -> TenantReports:
        value = getattr(made.claims[0], name)
        other: Any = value + 1 if isinstance(value, int) else f"{value}0"
        return replace(made, claims=(replace(made.claims[0], **{name: other}),))

    return changed


@pytest.mark.parametrize(
    "mutation",
    [
        *(company_mutation(field.name) for field in fields(Company) if field.name != "tenant_id"),
        *(claim_mutation(field.name) for field in fields(Claim)),
        *(
            line_mutation(name, 17)
            for name in ("current", "prior", "prior_year", "year_to_date", "opening")
        ),
        line_mutation("label", "手許現金"),
        line_mutation("trend", (1,) * 12),
    ],
)
def test_what_makes_a_new_revision_is_told_and_nothing_else(mutation: Mutation) -> None:
    made = reports(SAKURA)
    other = mutation(made)
    is_new = numbers_hash(other) != numbers_hash(made)
    assert bool(line_changes(made, other)) == is_new


def test_the_months_own_figures_come_before_comparisons() -> None:
    changes = changes_by(LATE_SALE, entry("2026-01-20", {DEPOSITS: 7_000, SALES: -7_000}))
    sorted_changes = most_telling(changes)
    assert sorted(map(repr, sorted_changes)) == sorted(map(repr, changes))
    columns = ["current" if c.column == "current" else "other" for c in sorted_changes]
    assert columns == sorted(columns)
    assert [c for c in sorted_changes if c.column == "current"] == [
        c for c in changes if c.column == "current"
    ]
