"""The statements of a batch: the same as the obvious computation, for any balanced books."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings

from reports_pipeline.accounting.assembly import tenant_reports
from reports_pipeline.accounting.controls import check_identities, identity_failures
from reports_pipeline.accounting.extract_failures import extract_failures
from reports_pipeline.accounting.failures import FailureCode
from reports_pipeline.accounting.ledger import LedgerExtract
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import Statement
from reports_pipeline.accounting.statements import STATEMENT_COLUMNS, build_statements
from tests.accounting.extracts import Bookkeeping, company, extract_of
from tests.accounting.journals import batches
from tests.accounting.reference import Reference
from tests.accounting.sakura import CASH, MAY, SAKURA, SALES, entry


def statements_of(
    extract: LedgerExtract, statements: pd.DataFrame
) -> dict[str, tuple[Statement, ...]]:
    reports = tenant_reports(extract.month, extract.companies, extract.claims, statements)
    return {report.company.tenant_id: report.statements for report in reports}


@given(batches())
@settings(max_examples=60, deadline=None)
def test_statements_of_any_books_are_the_obvious_ones(
    batch: tuple[Month, list[Bookkeeping]],
) -> None:
    month, books = batch
    extract = extract_of(month, books)
    built = statements_of(extract, build_statements(extract))
    assert built == {book.company.tenant_id: Reference(book, month).statements() for book in books}


@given(batches())
@settings(max_examples=25, deadline=None)
def test_what_is_older_than_two_years_may_stand_in_one_month(
    batch: tuple[Month, list[Bookkeeping]],
) -> None:
    """The year of the month a year ago begins 23 months before the reported one at the latest."""
    month, books = batch
    extract = extract_of(month, books)
    movements = extract.movements
    summed = movements.assign(month=movements["month"].clip(lower=month.plus(-24).ordinal))
    summed = summed.groupby(["tenant_id", "account_code", "month"], as_index=False).sum()
    pd.testing.assert_frame_equal(
        build_statements(replace(extract, movements=summed)), build_statements(extract)
    )


@given(batches())
@settings(max_examples=60, deadline=None)
def test_any_books_obey_every_identity(batch: tuple[Month, list[Bookkeeping]]) -> None:
    extract = extract_of(*batch)
    # The closing entries among them are on any account.
    found = {failure.code for failure in extract_failures(extract)}
    assert found <= {FailureCode.CLOSING_ENTRY_ON_BALANCE_SHEET}
    assert identity_failures(check_identities(extract, build_statements(extract))) == []


def through_arrow(table: pd.DataFrame) -> pd.DataFrame:
    sink = pa.BufferOutputStream()
    written = pa.Table.from_pandas(table, preserve_index=False)
    with pa.ipc.new_stream(sink, written.schema) as writer:
        writer.write_table(written)
    with pa.ipc.open_stream(sink.getvalue()) as reader:
        read: pd.DataFrame = reader.read_all().to_pandas()
    return read


def test_statements_survive_arrow() -> None:
    extract = extract_of(MAY, [SAKURA])
    built = build_statements(extract)
    assert built.dtypes.astype(str).to_dict() == dict(STATEMENT_COLUMNS)
    read = through_arrow(built)
    assert read.dtypes.astype(str).to_dict() == dict(STATEMENT_COLUMNS)
    assert statements_of(extract, read) == statements_of(extract, built)
    pd.testing.assert_frame_equal(check_identities(extract, read), check_identities(extract, built))


def test_statements_are_in_the_order_of_companies_whatever_that_of_the_tables() -> None:
    books = [replace(SAKURA, company=company(tenant_id)) for tenant_id in ("c", "a", "b")]
    extract = extract_of(MAY, books)
    shuffled = replace(
        extract,
        fiscal_years=extract.fiscal_years.sample(frac=1, random_state=4),
        accounts=extract.accounts.sample(frac=1, random_state=1),
        movements=extract.movements.sample(frac=1, random_state=2),
        cash_flows=extract.cash_flows.sample(frac=1, random_state=3),
    )
    built = build_statements(shuffled)
    assert built["tenant_id"].drop_duplicates().tolist() == ["c", "a", "b"]
    pd.testing.assert_frame_equal(built, build_statements(extract))
    assert identity_failures(check_identities(shuffled, built)) == []


def test_no_companies_no_statements() -> None:
    extract = extract_of(MAY, [])
    built = build_statements(extract)
    assert built.dtypes.astype(str).to_dict() == dict(STATEMENT_COLUMNS)
    assert built.empty
    assert check_identities(extract, built).empty
    assert extract_failures(extract) == []


def test_later_movements_are_refused() -> None:
    extract = extract_of(MAY, [SAKURA])
    with pytest.raises(ValueError, match="later movements"):
        build_statements(replace(extract, month=Month(2026, 4)))


@pytest.mark.parametrize("currency", ["JPY", "USD", "KWD"])
def test_amounts_are_minor_units_whatever_their_decimals(currency: str) -> None:
    books = replace(SAKURA, company=replace(SAKURA.company, currency=currency))
    pd.testing.assert_frame_equal(
        build_statements(extract_of(MAY, [books])), build_statements(extract_of(MAY, [SAKURA]))
    )


def test_amounts_beyond_the_precision_of_floats_are_exact() -> None:
    amount = 2**60 + 1
    books = replace(SAKURA, entries=[entry("2026-05-01", {CASH: amount, SALES: -amount})])
    built = build_statements(extract_of(MAY, [books]))
    assert built.loc[built["key"] == "net_profit", "year_to_date"].tolist() == [amount]
