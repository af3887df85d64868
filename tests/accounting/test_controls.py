"""Each control catches what it claims: a posting or a line that is lost, doubled or turned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest

from reports_pipeline.accounting import statements
from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.controls import (
    CONTROLS,
    IDENTITY_COLUMNS,
    check_identities,
    identity_failures,
)
from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.accounting.indirect_cash_flow import (
    ACTIVITY_LINES,
    INDIRECT_CASH_FLOW,
    net_cash_change,
)
from reports_pipeline.accounting.journal import JournalEntry
from reports_pipeline.accounting.ledger import LedgerExtract
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import StatementKind
from reports_pipeline.accounting.statement_layout import Line
from reports_pipeline.accounting.statements import build_statements
from tests.accounting.extracts import company, extract_of
from tests.accounting.journals import CHART
from tests.accounting.sakura import CASH, DEPOSITS, MAY, RENT, SAKURA, SALES, entry

Change = Callable[[pd.DataFrame], pd.DataFrame]

CASH_FLOWS = (StatementKind.CASH_FLOW, StatementKind.INDIRECT_CASH_FLOW)

# A month of every column: a fiscal year before, opening entries, prior month, the month itself.
BOOKS = replace(
    SAKURA, entries=[*SAKURA.entries, entry("2026-05-28", {RENT: 80_000, CASH: -80_000})]
)


def violated(extract: LedgerExtract, statements: pd.DataFrame) -> set[str]:
    """The controls that do not hold."""
    identities = check_identities(extract, statements)
    differs = (identities["expected"] != identities["actual"]).fillna(True)
    return set(identities.loc[differs.astype(bool), "control"])


def dropped(table: pd.DataFrame) -> pd.DataFrame:
    return table.iloc[:0]


def doubled(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table, table])


def turned(*columns: str) -> Change:
    def turn(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(**{column: -table[column] for column in columns})

    return turn


def swapped(first: str, second: str) -> Change:
    def swap(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(**{first: table[second], second: table[first]})

    return swap


def one_off(column: str) -> Change:
    return lambda table: table.assign(**{column: table[column] + 1})


def changed(table: pd.DataFrame, change: Change, **where: object) -> pd.DataFrame:
    """The table with one row changed."""
    chosen = pd.Series(data=True, index=table.index)
    for column, value in where.items():
        chosen &= table[column] == value
    assert chosen.sum() == 1
    parts = [table[table.index < chosen.idxmax()], change(table[chosen])]
    parts.append(table[table.index > chosen.idxmax()])
    return pd.concat(parts, ignore_index=True)


def test_sakura_obeys_every_identity() -> None:
    extract = extract_of(MAY, [BOOKS])
    identities = check_identities(extract, build_statements(extract))
    assert identities.dtypes.astype(str).to_dict() == dict(IDENTITY_COLUMNS)
    assert identities["control"].tolist() == list(CONTROLS)
    assert identity_failures(identities) == []
    assert dict(zip(identities["control"], identities["expected"], strict=True)) == {
        "debits_equal_credits": 7_490_000,
        "assets_equal_liabilities_and_net_assets": 3_953_000,
        "current_profit_equals_income_statement": 550_000,
        "months_add_up_to_year_to_date": 550_000,
        "opening_equals_prior_closing": 2_640_000,
        "cash_change_equals_cash_flow": 673_000,
        "account_lines_add_up_to_totals": -50_000,
    }


@pytest.mark.parametrize("change", [dropped, doubled, swapped("debit", "credit")])
def test_unequal_debits_and_credits_unbalance_the_books_and_the_balance_sheet(
    change: Change,
) -> None:
    extract = extract_of(MAY, [BOOKS])
    movements = changed(
        extract.movements, change, account_code="2510", month=Month(2026, 4).ordinal
    )
    extract = replace(extract, movements=movements)
    assert violated(extract, build_statements(extract)) == {
        "debits_equal_credits",
        "assets_equal_liabilities_and_net_assets",
        "cash_change_equals_cash_flow",
    }


def test_unequal_debits_and_credits_of_closing_entries_are_noticed() -> None:
    extract = extract_of(MAY, [BOOKS])
    change = turned("closing_debit")
    movements = changed(extract.movements, change, account_code=SALES, month=Month(2026, 3).ordinal)
    extract = replace(extract, movements=movements)
    assert violated(extract, build_statements(extract)) == {"debits_equal_credits"}


@pytest.mark.parametrize("change", [dropped, doubled, swapped("inflow", "outflow")])
@pytest.mark.parametrize("month", [Month(2026, 4), MAY])
def test_cash_flows_that_do_not_explain_the_cash_are_noticed(change: Change, month: Month) -> None:
    extract = extract_of(MAY, [BOOKS])
    code = {Month(2026, 4): "2510", MAY: "1210"}[month]
    flows = changed(extract.cash_flows, change, account_code=code, month=month.ordinal)
    extract = replace(extract, cash_flows=flows)
    assert violated(extract, build_statements(extract)) == {"cash_change_equals_cash_flow"}


@pytest.mark.parametrize(
    ("late", "controls"),
    [
        (
            entry("2026-05-03", {CASH: 100, SALES: -100}),
            {
                "assets_equal_liabilities_and_net_assets",
                "current_profit_equals_income_statement",
                "cash_change_equals_cash_flow",
            },
        ),
        (
            entry("2026-04-03", {RENT: 100, CASH: -100}),
            {
                "assets_equal_liabilities_and_net_assets",
                "current_profit_equals_income_statement",
                "opening_equals_prior_closing",
                "cash_change_equals_cash_flow",
            },
        ),
        (
            entry("2026-03-03", {DEPOSITS: 100, SALES: -100}),
            {
                "assets_equal_liabilities_and_net_assets",
                "current_profit_equals_income_statement",
                "opening_equals_prior_closing",
                "cash_change_equals_cash_flow",
            },
        ),
        (
            # In no month that the statements show, and in no fiscal year of theirs.
            entry("2025-03-31", {DEPOSITS: 100, SALES: -100}),
            {
                "assets_equal_liabilities_and_net_assets",
                "opening_equals_prior_closing",
            },
        ),
    ],
)
def test_a_posting_later_than_the_statements_is_noticed(
    late: JournalEntry, controls: set[str]
) -> None:
    statements = build_statements(extract_of(MAY, [BOOKS]))
    later = replace(BOOKS, entries=[*BOOKS.entries, late])
    assert violated(extract_of(MAY, [later]), statements) == controls


@pytest.mark.parametrize(
    ("control", "change", "statement", "key"),
    [
        (
            "assets_equal_liabilities_and_net_assets",
            turned("current"),
            StatementKind.BALANCE_SHEET,
            "total_assets",
        ),
        (
            "current_profit_equals_income_statement",
            turned("current"),
            StatementKind.BALANCE_SHEET,
            "net_profit_for_year",
        ),
        (
            "months_add_up_to_year_to_date",
            turned("year_to_date"),
            StatementKind.INCOME_STATEMENT,
            "account:6120",
        ),
        (
            "opening_equals_prior_closing",
            turned("current"),
            StatementKind.CASH_FLOW,
            "opening_cash",
        ),
        (
            "opening_equals_prior_closing",
            turned("prior"),
            StatementKind.CASH_FLOW,
            "closing_cash",
        ),
        *[
            ("cash_change_equals_cash_flow", one_off(column), statement, "net_cash_change")
            for statement in CASH_FLOWS
            for column in ("current", "prior", "prior_year", "year_to_date")
        ],
        *[
            ("opening_equals_prior_closing", one_off(column), statement, key)
            for statement in CASH_FLOWS
            for key in ("opening_cash", "closing_cash")
            for column in ("current", "prior", "prior_year", "year_to_date")
        ],
        (
            "assets_equal_liabilities_and_net_assets",
            one_off("prior_year"),
            StatementKind.BALANCE_SHEET,
            "total_liabilities_and_net_assets",
        ),
        *[
            ("current_profit_equals_income_statement", one_off("prior_year"), statement, key)
            for statement, key in [
                (StatementKind.INCOME_STATEMENT, "net_profit"),
                (StatementKind.BALANCE_SHEET, "net_profit_for_year"),
            ]
        ],
        (
            "months_add_up_to_year_to_date",
            one_off("year_to_date"),
            StatementKind.INDIRECT_CASH_FLOW,
            "depreciation_and_amortization",
        ),
        *[
            ("account_lines_add_up_to_totals", change, statement, key)
            for statement, key in [
                (StatementKind.INCOME_STATEMENT, "account:6120"),
                (StatementKind.BALANCE_SHEET, "account:1590"),
                (StatementKind.EXPENSE_ANALYSIS, "account:6120"),
                (StatementKind.CASH_FLOW, "account:6120"),
                (StatementKind.INDIRECT_CASH_FLOW, "change_in_trade_receivables"),
                (StatementKind.INDIRECT_CASH_FLOW, "total_operating_activities"),
                *[
                    (StatementKind.INCOME_STATEMENT, key)
                    for key in ("total_net_sales", "gross_profit", "net_profit")
                ],
            ]
            for change in (dropped, doubled, turned("current"), one_off("prior_year"))
        ],
    ],
)
def test_a_line_that_is_wrong_is_noticed(
    control: str, change: Change, statement: StatementKind, key: str
) -> None:
    extract = extract_of(MAY, [BOOKS])
    statements = changed(build_statements(extract), change, statement=statement, key=key)
    assert control in violated(extract, statements)


# Each class moves cash, each another amount.
EVERY_CLASS = replace(
    BOOKS,
    accounts=CHART,
    entries=[
        entry("2026-05-01", {account.account_code: 2**number, CHART[0].account_code: -(2**number)})
        for number, account in enumerate(CHART)
        if account.account_class is not AccountClass.CASH_AND_DEPOSITS
    ],
)


@pytest.mark.parametrize("times", [0, 2, -1])
@pytest.mark.parametrize(
    "account_class", [c for c in AccountClass if c is not AccountClass.CASH_AND_DEPOSITS]
)
def test_an_indirect_cash_flow_with_a_class_not_once_in_it_is_noticed(
    monkeypatch: pytest.MonkeyPatch, account_class: AccountClass, times: int
) -> None:
    def misplaced(line: Line) -> Line:
        sign = line.terms.get(account_class, 0)
        return replace(line, terms={**line.terms, account_class: sign * times})

    lines = [misplaced(line) for line in INDIRECT_CASH_FLOW.lines if isinstance(line, Line)]
    wrong = replace(INDIRECT_CASH_FLOW, lines=lines)
    monkeypatch.setattr(statements, "STATEMENT_SPECS", (*statements.STATEMENT_SPECS[:-1], wrong))
    extract = extract_of(MAY, [EVERY_CLASS])
    assert violated(extract, build_statements(extract)) == {"cash_change_equals_cash_flow"}


def test_a_line_missing_from_the_indirect_cash_flow_is_refused() -> None:
    for number, line in enumerate(ACTIVITY_LINES):
        with pytest.raises(ValueError, match=next(iter(line.terms))):
            net_cash_change(ACTIVITY_LINES[:number] + ACTIVITY_LINES[number + 1 :])
        with pytest.raises(ValueError, match=next(iter(line.terms))):
            net_cash_change([*ACTIVITY_LINES, line])


def test_statements_of_another_fiscal_year_are_noticed() -> None:
    extract = extract_of(MAY, [BOOKS])
    a_month_later = extract.fiscal_years.assign(first_month=lambda table: table["first_month"] + 1)
    statements_of_another_year = build_statements(replace(extract, fiscal_years=a_month_later))
    assert violated(extract, statements_of_another_year) == {
        "current_profit_equals_income_statement",
        "months_add_up_to_year_to_date",
        "opening_equals_prior_closing",
        "cash_change_equals_cash_flow",
    }


def test_years_that_are_cut_short_obey_every_identity() -> None:
    """The year of April 2025 ends in December, that of January 2026 in April."""
    extract = extract_of(MAY, [BOOKS])
    first_months = [Month(2025, 4), Month(2026, 1), MAY]
    fiscal_years = pd.DataFrame(
        {
            "tenant_id": pd.Series(["sakura"] * 3, dtype="str"),
            "first_month": [month.ordinal for month in reversed(first_months)],
        }
    )
    for rows in (fiscal_years, fiscal_years.iloc[1:], fiscal_years.iloc[:1]):
        cut_short = replace(extract, fiscal_years=rows)
        assert violated(cut_short, build_statements(cut_short)) == set()


def copies(count: int) -> LedgerExtract:
    """A batch of companies that all keep the same books."""
    return extract_of(
        MAY, [replace(BOOKS, company=company(f"sakura{number}")) for number in range(count)]
    )


def failed(extract: LedgerExtract, statements: pd.DataFrame) -> set[str]:
    identities = check_identities(extract, statements)
    return {failure.tenant_id for failure in identity_failures(identities)}


@pytest.mark.parametrize("column", ["current", "prior", "prior_year", "year_to_date", "opening"])
def test_no_amount_of_any_line_can_be_one_off(column: str) -> None:
    """As many companies as there are amounts, each with another one wrong."""
    amounts = build_statements(copies(1))[column].notna()
    extract = copies(int(amounts.sum()))
    statements = build_statements(extract)
    wrong = [number * len(amounts) + line for number, line in enumerate(amounts[amounts].index)]
    statements.loc[wrong, column] += 1
    assert failed(extract, statements) == set(extract.companies["tenant_id"])


def test_no_month_of_any_trend_can_be_one_off() -> None:
    lines = build_statements(copies(1))
    amounts = [
        (line, month) for line in lines.index[lines["kind"] != "heading"] for month in range(12)
    ]
    extract = copies(len(amounts))
    statements = build_statements(extract)
    trends = [trend.copy() for trend in statements["trend"]]
    for number, (line, month) in enumerate(amounts):
        trends[number * len(lines) + line][month] += 1
    statements["trend"] = trends
    assert failed(extract, statements) == set(extract.companies["tenant_id"])


@pytest.mark.parametrize("change", [dropped, doubled, swapped("debit", "credit")])
def test_no_movement_can_be_wrong(change: Change) -> None:
    """As many companies as there are movements, each with another one wrong."""
    ours = copies(1).movements
    count = int(((ours["debit"] - ours["credit"]) != 0).sum())
    extract = copies(count)
    movements = extract.movements
    nonzero = movements[movements["debit"] != movements["credit"]]
    chosen = nonzero.groupby("tenant_id").cumcount() == nonzero["tenant_id"].str[6:].astype(int)
    wrong = nonzero[chosen]
    kept = movements.drop(index=wrong.index)
    extract = replace(extract, movements=pd.concat([kept, change(wrong)], ignore_index=True))
    assert failed(extract, build_statements(extract)) == set(extract.companies["tenant_id"])


def test_a_company_without_statements_fails() -> None:
    extract = extract_of(MAY, [BOOKS])
    identities = check_identities(extract, build_statements(extract).iloc[:0])
    assert identity_failures(identities) == [
        TenantFailure(
            "sakura",
            FailureCode.IDENTITY_VIOLATED,
            {
                "control": "assets_equal_liabilities_and_net_assets",
                "expected": 0,
                "actual": None,
            },
        )
    ]
