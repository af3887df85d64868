"""Whole tenants are written, or nothing is."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.periods import Month
from resources.account_mappings import BEGINNING, AccountMappings, DroppedMapping
from resources.ledger import PostgresLedger
from resources.ledger_loading import LedgerTables, TenantExistsError, load_ledger
from resources.sample_ledger import SampleScale, sample_ledger


def test_a_table_may_begin_with_an_empty_piece(database_url: str) -> None:
    one = SampleScale(tenants=1, first_month=Month(2025, 2), months=2, lines_per_month=60)
    [tables] = sample_ledger(one, seed=3)
    pieces = {name: pa.concat_tables([table.slice(0, 0), table]) for name, table in tables.items()}
    assert load_ledger(database_url, [pieces], replace=False).lines == len(tables["journal_lines"])


def test_a_table_may_be_empty(database_url: str) -> None:
    one = SampleScale(tenants=1, first_month=Month(2025, 2), months=2, lines_per_month=60)
    [tables] = sample_ledger(one, seed=3)
    without_claims = {**tables, "expense_claims": tables["expense_claims"].slice(0, 0)}
    assert load_ledger(database_url, [without_claims], replace=False).claims == 0


def test_batches_are_one_transaction(database_url: str) -> None:
    def batches() -> Iterator[LedgerTables]:
        two = SampleScale(tenants=2, first_month=Month(2025, 2), months=2, lines_per_month=120)
        yield from sample_ledger(two, seed=3)
        raise OSError("the source broke off")

    with pytest.raises(OSError, match="broke off"):
        load_ledger(database_url, batches(), replace=False)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select count(*) from ledger.companies").fetchone() == (0,)


def test_tenants_are_replaced_only_when_asked(database_url: str) -> None:
    small = SampleScale(tenants=2, first_month=Month(2025, 2), months=2, lines_per_month=200)
    first = load_ledger(database_url, sample_ledger(small, seed=3), replace=False)
    with pytest.raises(TenantExistsError, match="t0001, t0002"):
        load_ledger(database_url, sample_ledger(small, seed=3), replace=False)
    assert load_ledger(database_url, sample_ledger(small, seed=3), replace=True) == first
    shorter = SampleScale(tenants=2, first_month=Month(2025, 3), months=1, lines_per_month=200)
    load_ledger(database_url, sample_ledger(shorter, seed=3), replace=True)
    with psycopg.connect(database_url) as connection:
        for rows in ("balance_snapshots", "month_closings where reopened_at is null"):
            months = connection.execute(f"select distinct month from ledger.{rows}").fetchall()
            assert months == [(datetime.date(2025, 3, 1),)]


def test_closings_that_are_replaced_stay_on_record(database_url: str) -> None:
    one = SampleScale(tenants=1, first_month=Month(2025, 2), months=1, lines_per_month=60)
    load_ledger(database_url, sample_ledger(one, seed=3), replace=False)
    load_ledger(database_url, sample_ledger(one, seed=3), replace=True)
    with psycopg.connect(database_url) as connection:
        closings = connection.execute(
            "select closed_by, reopened_by, reason from ledger.month_closings order by closed_at"
        ).fetchall()
    assert closings == [("import", "import", "replaced"), ("import", None, None)]


def test_what_operators_said_of_accounts_outlives_a_replacement(database_url: str) -> None:
    one = SampleScale(tenants=1, first_month=Month(2025, 2), months=1, lines_per_month=60)
    [tables] = sample_ledger(one, seed=3)
    load_ledger(database_url, [tables], replace=False)
    mappings = AccountMappings(database_url)
    for code in ("1430", "1450"):
        mappings.write("t0001", code, AccountClass.CASH_AND_DEPOSITS, mapped_by="sato")
    accounts = tables["accounts"]
    without_one = accounts.filter(pc.not_equal(accounts["account_code"], "1430"))
    loaded = load_ledger(database_url, [{**tables, "accounts": without_one}], replace=True)
    kept = [a for a in mappings.accounts("t0001", Month(2025, 2)) if a.mapped_by]
    assert [(a.account_code, a.account_class) for a in kept] == [
        ("1450", AccountClass.CASH_AND_DEPOSITS)
    ]
    assert loaded.dropped_mappings == (
        DroppedMapping("t0001", "1430", BEGINNING, "cash_and_deposits", None),
    )


def test_what_was_said_from_a_month_on_gives_way_to_what_holds_for_all_months(
    database_url: str,
) -> None:
    """A class from April on would leave March without the account's balances or cash flows."""
    one = SampleScale(tenants=2, first_month=Month(2025, 3), months=2, lines_per_month=120)
    [tables] = sample_ledger(one, seed=3)
    load_ledger(database_url, [tables], replace=False)
    mappings, april = AccountMappings(database_url), Month(2025, 4)
    of_class = AccountClass.OTHER_CURRENT_ASSETS
    for code in ("1210", "1450", "1460"):
        mappings.write("t0001", code, of_class, first_month=april, mapped_by="sato")
    mappings.write("t0001", "1450", of_class, mapped_by="sato")
    mappings.write("t0002", "1210", of_class, first_month=april, mapped_by="sato")

    accounts = tables["accounts"]
    in_t0001 = pc.equal(accounts["tenant_id"], "t0001")
    now_cash = pc.is_in(accounts["account_code"], pa.array(["1210", "1450"]))
    classes = pc.if_else(
        pc.and_(in_t0001, now_cash), "cash_and_deposits", accounts["account_class"]
    )
    position = accounts.schema.get_field_index("account_class")
    changed = accounts.set_column(position, "account_class", classes)
    loaded = load_ledger(database_url, [{**tables, "accounts": changed}], replace=True)

    assert loaded.dropped_mappings == (
        DroppedMapping("t0001", "1210", april, str(of_class), "cash_and_deposits"),
    )
    for tenant_id, kept in {"t0001": ["1450", "1460"], "t0002": ["1210"]}.items():
        chart = mappings.accounts(tenant_id, april)
        assert [a.account_code for a in chart if a.mapped_by] == kept
    _, failures = PostgresLedger(database_url).extract(Month(2025, 3), ["t0001", "t0002"])
    assert failures == []


def test_a_failure_leaves_the_ledger_as_it_was(database_url: str) -> None:
    small = SampleScale(tenants=2, first_month=Month(2025, 2), months=2, lines_per_month=200)
    [tables] = sample_ledger(small, seed=3)
    lines = tables["journal_lines"]
    twice = {**tables, "journal_lines": pa.concat_tables([lines, lines.slice(0, 1)])}
    with pytest.raises(psycopg.errors.UniqueViolation):
        load_ledger(database_url, [twice], replace=False)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select count(*) from ledger.companies").fetchone() == (0,)
