"""Who is served, who reads the reports, and how much work each tenant is."""

from __future__ import annotations

import psycopg
import pytest

from resources.tenants import Contact, ContactPurpose, Tenants
from tests.sample_ledgers import APRIL, TENANTS, sample_database, sample_tables


@pytest.fixture(scope="module")
def tenants(postgres_server: str) -> Tenants:
    """The sample, in which t0002 is suspended, t0004 has left, and t0005 has no contact."""
    url = sample_database(postgres_server)
    with psycopg.connect(url) as connection:
        connection.execute(
            "update ledger.companies set status = 'suspended' where tenant_id = 't0002'"
        )
        connection.execute("update ledger.companies set status = 'left' where tenant_id = 't0004'")
        connection.execute("delete from ledger.contacts where tenant_id in ('t0001', 't0005')")
        connection.execute(
            "insert into ledger.contacts values"
            " ('t0001', 10, '佐藤', 'sato@example.jp', 'alternative'),"
            " ('t0001', 2, '鈴木', 'suzuki@example.jp', default)"
        )
    return Tenants(url)


def test_all_are_those_that_left_too(tenants: Tenants) -> None:
    assert tenants.all_ids() == TENANTS


def test_who_is_suspended_or_left_is_not_active(tenants: Tenants) -> None:
    assert tenants.active_ids() == ["t0001", "t0003", "t0005"]


def test_of_a_selection_the_active_ones_that_exist_remain(tenants: Tenants) -> None:
    assert tenants.active_ids(["t0005", "t0002", "nobody", "t0001"]) == ["t0001", "t0005"]
    assert tenants.active_ids([]) == []


def test_names_are_the_companies(tenants: Tenants) -> None:
    companies = sample_tables()["companies"].to_pylist()
    names = {company["tenant_id"]: company["name"] for company in companies}
    assert tenants.names(["t0004", "t0001", "nobody"]) == {
        "t0001": names["t0001"],
        "t0004": names["t0004"],
    }


def test_currencies_are_the_companies(tenants: Tenants) -> None:
    companies = sample_tables()["companies"].to_pylist()
    currencies = {company["tenant_id"]: company["currency"] for company in companies}
    assert tenants.currencies([*TENANTS, "nobody"]) == currencies


def test_contacts_come_in_the_order_of_their_numbers(tenants: Tenants) -> None:
    contacts = tenants.contacts(["t0001", "t0003", "t0005"])
    assert contacts["t0001"] == [
        Contact(2, "鈴木", "suzuki@example.jp"),
        Contact(10, "佐藤", "sato@example.jp", ContactPurpose.ALTERNATIVE),
    ]
    assert set(contacts) == {"t0001", "t0003"}


def test_lines_are_counted_in_the_month_only(tenants: Tenants) -> None:
    counts = dict.fromkeys(["t0003", "t0001"], 0)
    for line in sample_tables()["journal_lines"].to_pylist():
        if line["tenant_id"] in counts and line["posted_on"] >= APRIL.start:
            counts[line["tenant_id"]] += 1
    assert min(counts.values()) > 0
    assert tenants.line_counts(APRIL, ["t0003", "t0001", "nobody"]) == {**counts, "nobody": 0}


def test_of_very_many_lines_a_part_tells_about_how_many_they_are(
    postgres_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = sample_database(postgres_server)
    with psycopg.connect(url) as connection:
        connection.execute("alter table ledger.journal_lines disable trigger user")
        connection.execute(
            """
            insert into ledger.journal_lines
                (tenant_id, posted_on, entry_id, line_no, account_code, debit)
            select 't0003', '2025-04-15', 1000000 + number, 1, '1110', 1
            from generate_series(1, 50000) as number
            """
        )
    tenants = Tenants(url)
    exact = tenants.line_counts(APRIL, TENANTS)
    monkeypatch.setattr("resources.tenants._COUNTED_BYTES", 2**20)  # about a fifth
    estimate = tenants.line_counts(APRIL, TENANTS)
    assert list(estimate) == TENANTS
    assert estimate["t0003"] == pytest.approx(exact["t0003"], rel=0.3)
    assert estimate["t0003"] not in (exact["t0003"], 0)
    assert tenants.line_counts(APRIL, TENANTS) == estimate


def test_a_month_without_lines_is_no_work(tenants: Tenants) -> None:
    assert tenants.line_counts(APRIL.plus(1), ["t0001"]) == {"t0001": 0}
