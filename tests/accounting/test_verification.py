"""Whatever a statement says that an engine does not is found, and nothing else is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from reports_pipeline.accounting import statements
from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.charts import Account
from reports_pipeline.accounting.indirect_cash_flow import ACTIVITY_LINES, INDIRECT_CASH_FLOW
from reports_pipeline.accounting.journal import EntryKind
from reports_pipeline.accounting.reports import StatementKind, StatementLine, TenantReports
from reports_pipeline.accounting.statement_layout import Line
from reports_pipeline.accounting.verification import (
    Difference,
    EngineFigures,
    PeriodSums,
    Sums,
    verify,
)
from tests.accounting.extracts import extract_of
from tests.accounting.printing import reports_of
from tests.accounting.sakura import (
    ACCUMULATED_DEPRECIATION,
    BROUGHT_FORWARD,
    CAPITAL,
    CASH,
    DEPOSITS,
    DEPRECIATION,
    EQUIPMENT,
    INPUT_TAX,
    LOAN,
    MAY,
    OUTPUT_TAX,
    RECEIVABLES,
    SAKURA,
    SALARIES,
    SALES,
    SALES_ALLOWANCES,
    WITHHELD_TAX,
    entry,
    posting,
)

# Computed by hand from the journal; debits less credits.
BY_HAND = EngineFigures(
    balances={
        CASH: 30_000,
        DEPOSITS: 3_363_000,
        RECEIVABLES: 0,
        INPUT_TAX: 60_000,
        EQUIPMENT: 600_000,
        ACCUMULATED_DEPRECIATION: -20_000,
        WITHHELD_TAX: -8_000,
        OUTPUT_TAX: -95_000,
        LOAN: -2_000_000,
        CAPITAL: -1_000_000,
        BROUGHT_FORWARD: 0,
    },
    prior_balances={
        DEPOSITS: 2_640_000,
        RECEIVABLES: 1_100_000,
        INPUT_TAX: 60_000,
        EQUIPMENT: 600_000,
        ACCUMULATED_DEPRECIATION: -10_000,
        OUTPUT_TAX: -100_000,
        LOAN: -2_000_000,
        CAPITAL: -1_000_000,
    },
    balances_before_year={DEPOSITS: 1_300_000, CAPITAL: -1_000_000},
    earlier_income=-300_000,
    month=PeriodSums(
        income=Sums({SALES_ALLOWANCES: 50_000, SALARIES: 300_000, DEPRECIATION: 10_000}, 360_000),
        receipts=Sums({RECEIVABLES: -1_045_000, WITHHELD_TAX: -8_000}, -1_053_000),
        payments=Sums({SALARIES: 300_000}, 300_000),
        opened={},
    ),
    year_to_date=PeriodSums(
        income=Sums(
            {SALES: -1_000_000, SALES_ALLOWANCES: 50_000, SALARIES: 300_000, DEPRECIATION: 20_000},
            -630_000,
        ),
        receipts=Sums(
            {LOAN: -2_000_000, RECEIVABLES: -1_045_000, WITHHELD_TAX: -8_000}, -3_053_000
        ),
        payments=Sums({EQUIPMENT: 600_000, INPUT_TAX: 60_000, SALARIES: 300_000}, 960_000),
        opened={},
    ),
)


@pytest.fixture(scope="module")
def reports() -> TenantReports:
    [reports] = reports_of(extract_of(MAY, [SAKURA]))
    return reports


def test_figures_made_by_hand_agree(reports: TenantReports) -> None:
    verification = verify(reports, SAKURA.accounts, BY_HAND)
    assert verification.differences == ()
    # 9 balances and 2 of the roll, 8 of the month before, 2 and what was brought forward of the
    # year's start; 3 + 4 of income, 2 net profits; 2 + 1 and 3 + 3 of cash, and twice inflows,
    # outflows, opening balance, change and closing balance
    balances, flows = 9 + 2 + 8 + 2 + 1, 3 + 4 + 2 + 2 + 1 + 3 + 3 + 2 * 5
    # May: profit, depreciation, receivables, taxes withheld and of sales. The year: no receivables,
    # but equipment and a loan, with the totals of their activities. And twice the operating totals,
    # opening balance, change and closing balance.
    indirect_flows = 4 + 3 + 4 + 2 * 5
    assert verification.compared == balances + flows + indirect_flows


OWN_LINES = {
    "net_profit", "retained_earnings_brought_forward", "net_profit_for_year", "total_inflows",
    "total_outflows", "opening_cash", "net_cash_change", "closing_cash",
}  # fmt: skip
COMPARED = [
    (kind, column)
    for kind, columns in {
        StatementKind.INCOME_STATEMENT: ["current", "year_to_date"],
        StatementKind.BALANCE_SHEET: ["current", "prior", "opening"],
        StatementKind.CASH_FLOW: ["current", "year_to_date"],
        StatementKind.INDIRECT_CASH_FLOW: ["current", "year_to_date"],
    }.items()
    for column in columns
]


@pytest.mark.parametrize(("kind", "column"), COMPARED)
@pytest.mark.parametrize("change", [lambda amount: -amount, lambda amount: amount + 1])
def test_every_amount_is_compared(
    reports: TenantReports, kind: StatementKind, column: str, change: Callable[[int], int]
) -> None:
    lines = reports.statement(kind).lines
    if kind is StatementKind.INDIRECT_CASH_FLOW:
        own_lines = {line.key for line in lines}
    else:
        # An engine is not told in which fiscal year the month before was.
        own_lines = OWN_LINES if column != "prior" else set()
    positions = [
        position
        for position, line in enumerate(lines)
        if (line.key.startswith("account:") or line.key in own_lines) and getattr(line, column)
    ]
    assert positions
    for position in positions:
        line = lines[position]
        wrong = change(getattr(line, column))
        values: dict[str, Any] = {column: wrong}
        changed = dataclasses.replace(line, **values)
        found = verify(
            with_lines(reports, kind, (*lines[:position], changed, *lines[position + 1 :])),
            SAKURA.accounts,
            BY_HAND,
        )
        [difference] = found.differences
        assert difference.what == f"{kind}.{column}"
        assert difference.line.endswith(line.key)
        assert (difference.ours, difference.theirs) == (wrong, getattr(line, column))


def test_a_line_that_is_missing_or_too_much_is_found(reports: TenantReports) -> None:
    kind = StatementKind.BALANCE_SHEET
    lines = tuple(
        dataclasses.replace(line, key="account:9999") if line.key == f"account:{LOAN}" else line
        for line in reports.statement(kind).lines
    )
    found = verify(with_lines(reports, kind, lines), SAKURA.accounts, BY_HAND)
    loan = 2_000_000
    assert sorted(found.differences, key=lambda difference: difference.ours) == [
        Difference("balance_sheet.current", f"account:{LOAN}", ours=0, theirs=loan),
        Difference("balance_sheet.prior", f"account:{LOAN}", ours=0, theirs=loan),
        Difference("balance_sheet.current", "account:9999", ours=loan, theirs=0),
        Difference("balance_sheet.prior", "account:9999", ours=loan, theirs=0),
    ]
    assert {difference.difference for difference in found.differences} == {-loan, loan}


def test_what_opening_entries_brought_is_in_the_balances_at_the_years_start() -> None:
    """Books that moved here in May, with a profit of 300 since the year began."""
    books = posting(
        entry("2026-05-01", {CASH: 700, CAPITAL: -400, SALES: -300}, EntryKind.OPENING),
        entry("2026-05-02", {CASH: 50, SALES: -50}),
    )
    [reports] = reports_of(extract_of(MAY, [books]))
    of_may = PeriodSums(
        income=Sums({SALES: -350}, -350),
        receipts=Sums({SALES: -50}, -50),
        payments=Sums({}, 0),
        opened={CASH: 700, CAPITAL: -400, SALES: -300},
    )
    figures = EngineFigures(
        balances={CASH: 750, CAPITAL: -400},
        prior_balances={},
        balances_before_year={},
        earlier_income=0,
        month=of_may,
        year_to_date=of_may,
    )
    assert verify(reports, books.accounts, figures).differences == ()
    forgotten = dataclasses.replace(figures, year_to_date=dataclasses.replace(of_may, opened={}))
    assert {
        difference.line: (difference.ours, difference.theirs)
        for difference in verify(reports, books.accounts, forgotten).differences
    } == {
        f"account:{CASH}": (700, 0),
        f"account:{CAPITAL}": (400, 0),
        "net_profit_for_year": (300, 0),
        "profit_before_tax_in_cash_flow": (50, 350),
        "subtotal_of_operating_activities": (50, 350),
        "total_operating_activities": (50, 350),
        "issuance_of_shares": (0, 400),
        "total_financing_activities": (0, 400),
        # The direct one's flows are those of other entries.
        "net_cash_change": (50, 750),
        "opening_cash": (700, 0),
    }


def test_receipts_and_payments_of_an_account_are_not_netted(reports: TenantReports) -> None:
    month = dataclasses.replace(
        BY_HAND.month,
        receipts=Sums({RECEIVABLES: -1_045_000, WITHHELD_TAX: -9_000}, -1_054_000),
        payments=Sums({SALARIES: 300_000, WITHHELD_TAX: 1_000}, 301_000),
    )
    found = verify(reports, SAKURA.accounts, dataclasses.replace(BY_HAND, month=month))
    assert [(difference.line, difference.difference) for difference in found.differences] == [
        (f"inflows account:{WITHHELD_TAX}", -1_000),
        (f"outflows account:{WITHHELD_TAX}", -1_000),
        ("total_inflows", -1_000),
        ("total_outflows", -1_000),
    ]


# A company with an account of each class, whose code is the class; each of them brings another
# amount of cash.
BROUGHT_IN = {
    str(account_class): 2**number
    for number, account_class in enumerate(AccountClass)
    if account_class is not AccountClass.CASH_AND_DEPOSITS
}
CREDITS = {code: -amount for code, amount in BROUGHT_IN.items()}
BOUGHT_CASH = {str(AccountClass.CASH_AND_DEPOSITS): sum(BROUGHT_IN.values())}
ALL_CLASSES = dataclasses.replace(
    posting(entry("2026-05-01", CREDITS | BOUGHT_CASH)),
    accounts=[Account(account_class, "", account_class) for account_class in AccountClass],
)


def figures_of_all_classes() -> EngineFigures:
    income = {
        code: amount
        for code, amount in CREDITS.items()
        if AccountClass(code).section.in_income_statement
    }
    of_may = PeriodSums(
        income=Sums(income, sum(income.values())),
        receipts=Sums(CREDITS, sum(CREDITS.values())),
        payments=Sums({}, 0),
        opened={},
    )
    return EngineFigures(
        balances={
            code: amount for code, amount in (CREDITS | BOUGHT_CASH).items() if code not in income
        },
        prior_balances={},
        balances_before_year={},
        earlier_income=0,
        month=of_may,
        year_to_date=of_may,
    )


def test_every_class_of_account_is_where_the_indirect_cash_flow_has_it() -> None:
    [reports] = reports_of(extract_of(MAY, [ALL_CLASSES]))
    assert verify(reports, ALL_CLASSES.accounts, figures_of_all_classes()).differences == ()


@pytest.mark.parametrize(
    ("line", "account_class"),
    [(line, account_class) for line in ACTIVITY_LINES for account_class in line.terms],
    ids=lambda value: value.key if isinstance(value, Line) else value,
)
def test_a_class_moved_to_another_line_of_the_indirect_cash_flow_is_found(
    monkeypatch: pytest.MonkeyPatch, line: Line, account_class: str
) -> None:
    """To the next line. No total is another for that, if both are of the same activities."""
    following = ACTIVITY_LINES[(ACTIVITY_LINES.index(line) + 1) % len(ACTIVITY_LINES)]
    sign = line.terms[account_class]
    moved = {
        line.key: {slot: sign for slot, sign in line.terms.items() if slot != account_class},
        following.key: {
            **following.terms,
            account_class: following.terms.get(account_class, 0) + sign,
        },
    }
    lines = [
        dataclasses.replace(each, terms=moved[each.key])
        if isinstance(each, Line) and each.key in moved
        else each
        for each in INDIRECT_CASH_FLOW.lines
    ]
    specs = (
        *(spec for spec in statements.STATEMENT_SPECS if spec is not INDIRECT_CASH_FLOW),
        dataclasses.replace(INDIRECT_CASH_FLOW, lines=lines),
    )
    monkeypatch.setattr(statements, "STATEMENT_SPECS", specs)
    [reports] = reports_of(extract_of(MAY, [ALL_CLASSES]))
    amount = sign * BROUGHT_IN[account_class]
    found = verify(reports, ALL_CLASSES.accounts, figures_of_all_classes()).differences
    assert {(difference.what, difference.line): difference.difference for difference in found} == {
        (f"indirect_cash_flow.{column}", key): difference
        for column in ("current", "year_to_date")
        for key, difference in ((line.key, -amount), (following.key, amount))
    }


def with_lines(
    reports: TenantReports, kind: StatementKind, lines: tuple[StatementLine, ...]
) -> TenantReports:
    return dataclasses.replace(
        reports,
        statements=tuple(
            dataclasses.replace(statement, lines=lines) if statement.kind is kind else statement
            for statement in reports.statements
        ),
    )
