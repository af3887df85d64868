"""Each control catches what it claims: a posting or a line that is lost, doubled or turned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest

from reports_pipeline.accounting.controls import (
    CONTROLS,
    IDENTITY_COLUMNS,
    check_identities,
    identity_failures,
)
from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.accounting.journal import JournalEntry
from reports_pipeline.accounting.ledger import LedgerExtract
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import StatementKind
from reports_pipeline.accounting.statements import build_statements
from tests.accounting.extracts import company, extract_of
from tests.accounting.sakura import CASH, DEPOSITS, MAY, RENT, SAKURA, SALES, entry

Change = Callable[[pd.DataFrame], pd.DataFrame]

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
        (
            "cash_change_equals_cash_flow",
            turned("current"),
            StatementKind.CASH_FLOW,
            "net_cash_change",
        ),
        *[
            ("account_lines_add_up_to_totals", change, statement, key)
            for statement, key in [
                (StatementKind.INCOME_STATEMENT, "account:6120"),
                (StatementKind.BALANCE_SHEET, "account:1590"),
                (StatementKind.EXPENSE_ANALYSIS, "account:6120"),
                (StatementKind.CASH_FLOW, "account:6120"),
            ]
            for change in (dropped, doubled, turned("current"))
        ],
        *[
            ("account_lines_add_up_to_totals", change, StatementKind.INCOME_STATEMENT, key)
            for key in ("total_net_sales", "gross_profit", "net_profit")
            for change in (dropped, doubled, turned("current"))
        ],
    ],
)
def test_a_line_that_is_wrong_is_noticed(
    control: str, change: Change, statement: StatementKind, key: str
) -> None:
    extract = extract_of(MAY, [BOOKS])
    statements = changed(build_statements(extract), change, statement=statement, key=key)
    assert control in violated(extract, statements)


def copies(count: int) -> LedgerExtract:
    """A batch of companies that all keep the same books."""
    return extract_of(
        MAY, [replace(BOOKS, company=company(f"sakura{number}")) for number in range(count)]
    )


def failed(extract: LedgerExtract, statements: pd.DataFrame) -> set[str]:
    identities = check_identities(extract, statements)
    return {failure.tenant_id for failure in identity_failures(identities)}


@pytest.mark.parametrize("column", ["current", "prior", "year_to_date", "opening"])
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
