"""Rows that the ledger's database never holds, so that nothing behind it has to expect them."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors

from tests.sample_ledgers import sample_database

INSERT_LINES = "insert into ledger.journal_lines values"
COMPANY = "insert into ledger.companies (tenant_id, name) values ('{tenant_id}', '梅商店')"


@pytest.fixture(scope="module")
def ledger(postgres_server: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(sample_database(postgres_server), autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        pytest.param(
            # erpnext 27316: a row with both lost one of them.
            f"{INSERT_LINES} ('t0004', '2025-04-15', 9, 1, '1120', 5000, 3000)",
            errors.CheckViolation,
            id="a line with a debit and a credit",
        ),
        pytest.param(
            f"{INSERT_LINES} ('t0004', '2025-04-15', 9, 1, '1120', -5000, 0)",
            errors.CheckViolation,
            id="a negative debit",
        ),
        pytest.param(
            f"{INSERT_LINES} ('t0004', '2025-04-15', 9, 1, '1120', 5000, 0),"
            " ('t0004', '2025-04-15', 9, 1, '1120', 5000, 0)",
            errors.UniqueViolation,
            id="a line twice",
        ),
        pytest.param(
            f"{INSERT_LINES} ('t0004', '2025-04-15', 9, 1, '1120', 9223372036854775808, 0)",
            errors.NumericValueOutOfRange,
            id="an amount of more than 64 bits",
        ),
        pytest.param(
            "insert into ledger.expense_claims values"
            " ('t0004', 'c1', '2025-04-15', '佐藤', '旅費', '', '', -1, 0, 'paid')",
            errors.CheckViolation,
            id="a claim of a negative amount",
        ),
        pytest.param(
            "update ledger.companies set name = '' where tenant_id = 't0004'",
            errors.CheckViolation,
            id="a company without a name",
        ),
        pytest.param(
            "update ledger.companies set fiscal_year_start_month = 13 where tenant_id = 't0004'",
            errors.CheckViolation,
            id="a year that begins in no month",
        ),
        pytest.param(
            "update ledger.companies set language = 'fr' where tenant_id = 't0004'",
            errors.CheckViolation,
            id="a language without a catalog",
        ),
        *(
            pytest.param(
                COMPANY.format(tenant_id=tenant_id),
                errors.CheckViolation,
                id=f"the tenant id {tenant_id!r}",
            )
            for tenant_id in ("", "T9", "a/../b", "a|b", "a,b", "会社", "a" * 33)
        ),
        pytest.param(
            "update ledger.companies set name = E'大和\\uD842' where tenant_id = 't0004'",
            errors.SyntaxError,
            id="half a character",
        ),
        pytest.param(
            "update ledger.companies set name = E'大和\\000' where tenant_id = 't0004'",
            errors.CharacterNotInRepertoire,
            id="a character of zero bits",
        ),
    ],
)
def test_the_ledger_refuses(
    ledger: psycopg.Connection, statement: str, error: type[psycopg.Error]
) -> None:
    with pytest.raises(error):
        ledger.execute(statement)
