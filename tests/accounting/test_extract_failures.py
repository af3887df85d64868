from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from reports_pipeline.accounting.extract_failures import extract_failures
from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.accounting.journal import EntryKind
from reports_pipeline.accounting.ledger import LedgerExtract
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.statements import build_statements
from tests.accounting.extracts import company, extract_of
from tests.accounting.sakura import (
    ACCUMULATED_DEPRECIATION,
    BROUGHT_FORWARD,
    CAPITAL,
    DEPRECIATION,
    EQUIPMENT,
    MAY,
    RENT,
    SAKURA,
    SALES,
    entry,
    posting,
)


@pytest.fixture
def extract() -> LedgerExtract:
    """Two companies: `sakura`, and `ume`, which is always sound."""
    return extract_of(MAY, [SAKURA, replace(SAKURA, company=company("ume"))])


def of_sakura(table: pd.DataFrame, **where: object) -> pd.Series[bool]:
    chosen = table["tenant_id"] == "sakura"
    for column, value in where.items():
        chosen &= table[column] == value
    assert chosen.any()
    return chosen


def one_too_many(movements: pd.DataFrame, column: str, month: Month) -> pd.DataFrame:
    """The movements with 1 more in sakura's first of the month."""
    first = movements.index[of_sakura(movements, month=month.ordinal)][0]
    return movements.assign(**{column: movements[column] + (movements.index == first)})


def with_text(extract: LedgerExtract, table: str, field: str, text: str) -> LedgerExtract:
    changed = getattr(extract, table).copy()
    # Arrow's strings cannot hold what is tested here.
    changed[field] = changed[field].astype(object)
    changed.loc[changed.index[of_sakura(changed)][0], field] = text
    return replace(extract, **{table: changed})


def test_sound_books_have_none(extract: LedgerExtract) -> None:
    assert extract_failures(extract) == []


def test_amounts_on_an_account_that_is_not_in_the_chart(extract: LedgerExtract) -> None:
    accounts = extract.accounts[~of_sakura(extract.accounts, account_code=RENT)]
    extract = replace(extract, accounts=accounts)
    assert extract_failures(extract) == [
        TenantFailure(
            "sakura",
            FailureCode.UNKNOWN_ACCOUNT,
            {"account_code": RENT, "name": None, "account_class": None},
        )
    ]
    assert set(build_statements(extract)["tenant_id"]) == {"ume"}


def test_amounts_on_an_account_of_an_unknown_class(extract: LedgerExtract) -> None:
    accounts = extract.accounts.copy()
    accounts.loc[of_sakura(accounts, account_code=RENT), "account_class"] = "rents"
    extract = replace(extract, accounts=accounts)
    assert extract_failures(extract) == [
        TenantFailure(
            "sakura",
            FailureCode.UNKNOWN_ACCOUNT,
            {"account_code": RENT, "name": "地代家賃", "account_class": "rents"},
        )
    ]
    assert set(build_statements(extract)["tenant_id"]) == {"ume"}


def test_cash_flows_on_an_unknown_account(extract: LedgerExtract) -> None:
    flows = extract.cash_flows.copy()
    flows.loc[of_sakura(flows, account_code="2510"), "account_code"] = "9999"
    extract = replace(extract, cash_flows=flows)
    (failure,) = extract_failures(extract)
    assert (failure.tenant_id, failure.details["account_code"]) == ("sakura", "9999")
    assert set(build_statements(extract)["tenant_id"]) == {"ume"}


def test_an_unused_account_may_be_of_any_class(extract: LedgerExtract) -> None:
    accounts = extract.accounts.copy()
    accounts.loc[of_sakura(accounts, account_code="3310"), "account_class"] = "unheard_of"
    extract = replace(extract, accounts=accounts)
    assert extract_failures(extract) == []
    assert set(build_statements(extract)["tenant_id"]) == {"sakura", "ume"}


def test_a_company_without_a_chart(extract: LedgerExtract) -> None:
    accounts = extract.accounts[~of_sakura(extract.accounts)]
    (failure,) = extract_failures(replace(extract, accounts=accounts))
    assert (failure.tenant_id, failure.code) == ("sakura", FailureCode.UNKNOWN_ACCOUNT)


def test_a_company_that_has_nothing_at_all() -> None:
    extract = extract_of(MAY, [replace(SAKURA, accounts=[], entries=[], claims=[])])
    assert extract_failures(extract) == []


@pytest.mark.parametrize(
    ("column", "kind", "month"),
    [
        ("debit", "normal", Month(2025, 12)),
        ("opening_debit", "opening", Month(2025, 4)),
        ("closing_debit", "closing", Month(2026, 3)),
    ],
)
def test_debits_and_credits_that_differ(
    extract: LedgerExtract, column: str, kind: str, month: Month
) -> None:
    of_month = of_sakura(extract.movements, month=month.ordinal)
    debits = int(extract.movements.loc[of_month, column].sum())
    movements = one_too_many(extract.movements, column, month)
    assert extract_failures(replace(extract, movements=movements)) == [
        TenantFailure(
            "sakura",
            FailureCode.LEDGER_IMBALANCE,
            {
                "month": str(month),
                "kind": kind,
                "debit": debits + 1,
                "credit": debits,
                "difference": 1,
            },
        )
    ]


def test_the_first_unbalanced_month_is_reported(extract: LedgerExtract) -> None:
    movements = extract.movements
    for month in (Month(2026, 5), Month(2026, 4)):
        movements = one_too_many(movements, "debit", month)
    (failure,) = extract_failures(replace(extract, movements=movements))
    assert failure.details["month"] == "2026-04"


GENERAL_RESERVE = "3220"


def closing(day: str, amounts: dict[str, int]) -> LedgerExtract:
    """May of a company with one entry, which is marked as closing."""
    return extract_of(MAY, [posting(entry(day, amounts, EntryKind.CLOSING))])


@pytest.mark.parametrize(
    "amounts",
    [
        {SALES: 500, RENT: -200, BROUGHT_FORWARD: -300},
        {SALES: 500, RENT: -200, GENERAL_RESERVE: -300},
        {GENERAL_RESERVE: 300, BROUGHT_FORWARD: -300},
        {SALES: 500, BROUGHT_FORWARD: -500, CAPITAL: 0},
    ],
)
def test_closing_entries_carry_profit_to_retained_earnings(amounts: dict[str, int]) -> None:
    assert extract_failures(closing("2026-03-31", amounts)) == []


@pytest.mark.parametrize(
    ("amounts", "account_code", "amount"),
    [
        ({DEPRECIATION: 500, ACCUMULATED_DEPRECIATION: -500}, ACCUMULATED_DEPRECIATION, -500),
        ({BROUGHT_FORWARD: 300, CAPITAL: -300}, CAPITAL, -300),
        ({EQUIPMENT: 70, SALES: -70}, EQUIPMENT, 70),
        ({SALES: 9, EQUIPMENT: -8, ACCUMULATED_DEPRECIATION: -1}, EQUIPMENT, -8),
    ],
)
def test_what_closing_entries_would_take_from_the_balance_sheet(
    amounts: dict[str, int], account_code: str, amount: int
) -> None:
    """決算整理 marked as closing would vanish from the statements."""
    assert extract_failures(closing("2026-03-31", amounts)) == [
        TenantFailure(
            "sakura",
            FailureCode.CLOSING_ENTRY_ON_BALANCE_SHEET,
            {"month": "2026-03", "account_code": account_code, "amount": amount},
        )
    ]


def test_closing_entries_that_cancel_each_other_within_a_month_take_nothing() -> None:
    there = {DEPRECIATION: 500, ACCUMULATED_DEPRECIATION: -500}
    back = {code: -amount for code, amount in there.items()}
    in_march = [entry("2026-03-31", amounts, EntryKind.CLOSING) for amounts in (there, back)]
    assert extract_failures(extract_of(MAY, [posting(*in_march)])) == []
    later = entry("2026-04-01", back, EntryKind.CLOSING)
    (failure,) = extract_failures(extract_of(MAY, [posting(in_march[0], later)]))
    assert failure.details["month"] == "2026-03"


@pytest.mark.parametrize(
    ("character", "code_point"),
    [
        ("\x00", "U+0000"),
        ("\x1b", "U+001B"),
        ("\x7f", "U+007F"),
        ("\x85", "U+0085"),
        ("\u200f", "U+200F"),
        ("\u202e", "U+202E"),
        ("\u2066", "U+2066"),
        ("\ud842", "U+D842"),
    ],
)
@pytest.mark.parametrize(
    ("table", "field", "row"),
    [
        ("companies", "name", "sakura"),
        ("accounts", "name", "1110"),
        ("claims", "employee", "c1"),
        ("claims", "category", "c1"),
        ("claims", "payee", "c1"),
        ("claims", "description", "c1"),
    ],
)
def test_text_that_must_not_be_printed(
    extract: LedgerExtract, table: str, field: str, row: str, character: str, code_point: str
) -> None:
    assert extract_failures(with_text(extract, table, field, f"田中{character}商店")) == [
        TenantFailure(
            "sakura",
            FailureCode.BAD_TEXT,
            {"table": table, "row": row, "field": field, "code_point": code_point},
        )
    ]


def test_the_id_of_a_row_with_bad_text_is_readable(extract: LedgerExtract) -> None:
    (failure,) = extract_failures(with_text(extract, "claims", "claim_id", "c\u202e1"))
    assert failure.details["row"] == "cU+202E1"


@pytest.mark.parametrize("text", ["二行\r\nの\tメモ", "𠮷野家", "髙橋", "👨‍👩‍👧", "P&L <b>"])
def test_text_that_may_be_printed(extract: LedgerExtract, text: str) -> None:
    assert extract_failures(with_text(extract, "claims", "description", text)) == []


def test_rows_of_a_tenant_that_is_no_company(extract: LedgerExtract) -> None:
    companies = extract.companies[~of_sakura(extract.companies)]
    extract = replace(extract, companies=companies.reset_index(drop=True))
    assert extract_failures(extract) == [
        TenantFailure("sakura", FailureCode.UNKNOWN_TENANT, {"table": "fiscal_years"})
    ]
    assert set(build_statements(extract)["tenant_id"]) == {"ume"}


def test_one_failure_a_tenant_and_bad_text_comes_first(extract: LedgerExtract) -> None:
    extract = with_text(extract, "companies", "name", "\x00")
    movements = extract.movements.assign(debit=extract.movements["debit"] + 1)
    failures = extract_failures(replace(extract, movements=movements))
    assert [(failure.tenant_id, failure.code) for failure in failures] == [
        ("sakura", FailureCode.BAD_TEXT),
        ("ume", FailureCode.LEDGER_IMBALANCE),
    ]
