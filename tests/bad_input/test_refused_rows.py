"""Rows that the ledger's database never holds, so that nothing behind it has to expect them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors

from tests.sample_ledgers import sample_database

INSERT_ENTRIES = "insert into ledger.journal_entries values"
INSERT_LINES = "insert into ledger.journal_lines values"
FIRST_ENTRY = """
    (tenant_id, posted_on, entry_id) = (
        select tenant_id, posted_on, entry_id from ledger.journal_entries
        where tenant_id = 't0004' order by posted_on, entry_id limit 1)
"""
COMPANY = "insert into ledger.companies (tenant_id, name) values ('{tenant_id}', '梅商店')"


@pytest.fixture(scope="module")
def ledger(postgres_server: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(sample_database(postgres_server), autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize(
    ("statement", "error", "reason"),
    [
        pytest.param(
            f"{INSERT_ENTRIES} ('t0004', '2031-01-15', 9, '', 'JPY')",
            errors.CheckViolation,
            'no partition of relation "journal_entries" found for row',
            id="OUT_OF_PERIOD: an entry of a month that has not been opened",
        ),
        pytest.param(
            f"{INSERT_LINES} ('t0004', '2031-01-15', 9, 1, '1120', 5000, 0)",
            errors.CheckViolation,
            'no partition of relation "journal_lines" found for row',
            id="OUT_OF_PERIOD: a line of a month that has not been opened",
        ),
        pytest.param(
            "insert into ledger.journal_lines_2025_04 values"
            " ('t0004', '2025-05-01', 9, 1, '1120', 5000, 0)",
            errors.CheckViolation,
            "violates partition constraint",
            id="OUT_OF_PERIOD: a line among those of another month",
        ),
        pytest.param(
            f"insert into ledger.journal_lines"
            f" select * from ledger.journal_lines where {FIRST_ENTRY} limit 1",
            errors.UniqueViolation,
            "Key (tenant_id, posted_on, entry_id, line_no)=(t0004, ",
            id="DUPLICATE_LINE: a line that is there already",
        ),
        pytest.param(
            f"insert into ledger.journal_entries"
            f" select * from ledger.journal_entries where {FIRST_ENTRY}",
            errors.UniqueViolation,
            "Key (tenant_id, posted_on, entry_id)=(t0004, ",
            id="DUPLICATE_LINE: an entry that is there already",
        ),
        pytest.param(
            f"{INSERT_LINES} ('t0004', '2025-04-15', 900009, 1, '1120', 5000, 0)",
            errors.IntegrityConstraintViolation,
            "line 1 of entry 900009 of 2025-04-15 (tenant t0004) has no entry",
            id="a line without an entry",
        ),
        pytest.param(
            f"update ledger.journal_lines set kind = 'closing' where {FIRST_ENTRY}",
            errors.IntegrityConstraintViolation,
            "differs from its entry in kind or status",
            id="a line of another kind than its entry",
        ),
        pytest.param(
            f"update ledger.journal_lines set status = 'cancelled' where {FIRST_ENTRY}",
            errors.IntegrityConstraintViolation,
            "differs from its entry in kind or status",
            id="a cancelled line of an entry that is not",
        ),
        pytest.param(
            f"delete from ledger.journal_entries where {FIRST_ENTRY}",
            errors.IntegrityConstraintViolation,
            "still has lines",
            id="an entry that is deleted under its lines",
        ),
        pytest.param(
            f"update ledger.journal_entries set posted_on = posted_on + 1 where {FIRST_ENTRY}",
            errors.IntegrityConstraintViolation,
            "still has lines",
            id="an entry that is moved away from its lines",
        ),
        pytest.param(
            f"update ledger.journal_entries set posted_on = posted_on + 40 where {FIRST_ENTRY}",
            errors.IntegrityConstraintViolation,
            "still has lines",
            id="an entry that is moved to another month than its lines",
        ),
        pytest.param(
            "update ledger.companies set closing_day = 30 where tenant_id = 't0004'",
            errors.CheckViolation,
            "closing_day",
            id="months that end on a day that February lacks",
        ),
        pytest.param(
            "insert into ledger.fiscal_year_changes values ('t0004', '2025-04-15', 31)",
            errors.CheckViolation,
            "first_month",
            id="a fiscal year that begins within a month",
        ),
        pytest.param(
            "insert into ledger.account_mappings"
            " values ('t0004', '9999', '2025-04-01', 'net_sales', 'sato')",
            errors.ForeignKeyViolation,
            'is not present in table "accounts"',
            id="a class of an account that is not in the chart",
        ),
        pytest.param(
            "insert into ledger.month_closings (tenant_id, month, closed_at)"
            " values ('t0004', '2025-04-01', '2025-05-09')",
            errors.UniqueViolation,
            "month_closings_standing",
            id="a closed month that is closed again",
        ),
        pytest.param(
            # erpnext 27316: a row with both lost one of them.
            f"{INSERT_LINES} ('t0004', '2025-04-15', 9, 1, '1120', 5000, 3000)",
            errors.CheckViolation,
            "journal_lines_check",
            id="a line with a debit and a credit",
        ),
        pytest.param(
            f"{INSERT_LINES} ('t0004', '2025-04-15', 9, 1, '1120', -5000, 0)",
            errors.CheckViolation,
            "journal_lines_debit_check",
            id="a negative debit",
        ),
        pytest.param(
            f"{INSERT_LINES} ('t0004', '2025-04-15', 9, 1, '1120', 5000, 0),"
            " ('t0004', '2025-04-15', 9, 1, '1120', 5000, 0)",
            errors.UniqueViolation,
            "journal_lines_2025_04_pkey",
            id="DUPLICATE_LINE: a line twice",
        ),
        pytest.param(
            f"{INSERT_LINES} ('t0004', '2025-04-15', 9, 1, '1120', 9223372036854775808, 0)",
            errors.NumericValueOutOfRange,
            "bigint out of range",
            id="an amount of more than 64 bits",
        ),
        pytest.param(
            "insert into ledger.expense_claims values"
            " ('t0004', 'c1', '2025-04-15', '佐藤', '旅費', '', '', -1, 0, 'paid')",
            errors.CheckViolation,
            "expense_claims_amount_check",
            id="a claim of a negative amount",
        ),
        pytest.param(
            "update ledger.companies set name = '' where tenant_id = 't0004'",
            errors.CheckViolation,
            "companies_name_check",
            id="a company without a name",
        ),
        pytest.param(
            "update ledger.companies set fiscal_year_start_month = 13 where tenant_id = 't0004'",
            errors.CheckViolation,
            "companies_fiscal_year_start_month_check",
            id="a year that begins in no month",
        ),
        pytest.param(
            "update ledger.companies set language = 'fr' where tenant_id = 't0004'",
            errors.CheckViolation,
            "companies_language_check",
            id="a language without a catalog",
        ),
        *(
            pytest.param(
                COMPANY.format(tenant_id=tenant_id),
                errors.CheckViolation,
                "companies_tenant_id_check",
                id=f"the tenant id {tenant_id!r}",
            )
            for tenant_id in ("", "T9", "a/../b", "a|b", "a,b", "会社", "a" * 33)
        ),
        pytest.param(
            "update ledger.companies set name = E'大和\\uD842' where tenant_id = 't0004'",
            errors.SyntaxError,
            "surrogate pair",
            id="half a character",
        ),
        pytest.param(
            "update ledger.companies set name = E'大和\\000' where tenant_id = 't0004'",
            errors.CharacterNotInRepertoire,
            "0x00",
            id="a character of zero bits",
        ),
    ],
)
def test_the_ledger_refuses(
    ledger: psycopg.Connection, statement: str, error: type[psycopg.Error], reason: str
) -> None:
    with pytest.raises(error, match=re.escape(reason)):
        ledger.execute(statement)
