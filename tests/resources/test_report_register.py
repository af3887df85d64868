"""What a tenant's documents show decides their revision."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import psycopg
import pytest

from reports_pipeline.accounting.periods import Month
from resources.report_register import ReportRegister, StoredDocument

OCTOBER, NOVEMBER = Month(2026, 10), Month(2026, 11)
A, B, C = "a" * 64, "b" * 64, "c" * 64


@pytest.fixture
def register(database_url: str) -> ReportRegister:
    return ReportRegister(database_url)


def document(name: str = "income_statement.pdf", revision: int = 1) -> StoredDocument:
    return StoredDocument(
        tenant_id="t0001",
        month=OCTOBER,
        revision=revision,
        name=name,
        file_name="月次損益計算書_2026年10月.pdf",
        object_key=f"reports/t0001/2026-10/r{revision}/{name}",
        media_type="application/pdf",
        sha256=A,
        bytes=4,
    )


def test_the_same_numbers_are_the_same_revision(register: ReportRegister) -> None:
    assert register.revisions(OCTOBER, {"t0001": A, "t0002": B}, "first") == {
        "t0001": 1,
        "t0002": 1,
    }
    assert register.revisions(OCTOBER, {"t0001": A, "t0002": B}, "second") == {
        "t0001": 1,
        "t0002": 1,
    }


def test_other_numbers_are_the_next_revision_of_that_tenant_alone(
    register: ReportRegister,
) -> None:
    register.revisions(OCTOBER, {"t0001": A, "t0002": A}, "first")
    assert register.revisions(OCTOBER, {"t0001": B, "t0002": A}, "second") == {
        "t0001": 2,
        "t0002": 1,
    }


def test_numbers_that_return_before_a_mail_are_the_revision_they_were(
    register: ReportRegister,
) -> None:
    for numbers_hash, revision in ((A, 1), (B, 2), (A, 1), (C, 3), (B, 2)):
        found = register.revisions(OCTOBER, {"t0001": numbers_hash}, "run")
        assert found == {"t0001": revision}


def test_numbers_that_return_after_a_later_revision_was_to_be_sent_are_a_new_one(
    register: ReportRegister, database_url: str
) -> None:
    for numbers_hash in (A, B):
        register.revisions(OCTOBER, {"t0001": numbers_hash, "t0002": numbers_hash}, "run")
    with psycopg.connect(database_url) as connection:
        connection.execute(
            """
            insert into reporting.deliveries
                (tenant_id, month, revision, delivery_id, numbers_hash, letter, documents)
            values ('t0001', '2026-10-01', 2, repeat('d', 64), %s, '{}', '[]')
            """,
            [B],
        )
    # whoever read the second version must not take the first one for the newest
    assert register.revisions(OCTOBER, {"t0001": A, "t0002": A}, "run") == {
        "t0001": 3,
        "t0002": 1,
    }


def test_every_month_counts_for_itself(register: ReportRegister) -> None:
    register.revisions(OCTOBER, {"t0001": A}, "run")
    assert register.revisions(NOVEMBER, {"t0001": B}, "run") == {"t0001": 1}


def test_no_tenants_are_no_revisions(register: ReportRegister) -> None:
    assert register.revisions(OCTOBER, {}, "run") == {}


@pytest.mark.parametrize("numbers", [[B, B], [B, C]], ids=["same", "different"])
def test_runs_at_the_same_time_agree(
    register: ReportRegister, database_url: str, numbers: list[str]
) -> None:
    register.revisions(OCTOBER, {"t0001": A, "t0002": A}, "run")
    found: list[tuple[str, dict[str, int]]] = []

    def run(numbers_hash: str) -> None:
        hashes = {"t0001": numbers_hash, "t0002": numbers_hash}
        revisions = ReportRegister(database_url).revisions(OCTOBER, hashes, "run")
        found.append((numbers_hash, revisions))

    with psycopg.connect(database_url) as hindrance:
        # whoever wants to enter revision 2 of t0002 waits for this row's fate
        hindrance.execute(
            "insert into reporting.report_revisions values ('t0002', '2026-10-01', 2, %s, 'run')",
            [A],
        )
        threads = [threading.Thread(target=run, args=[numbers_hash]) for numbers_hash in numbers]
        for thread in threads:
            thread.start()
        wait_until_blocked(database_url, len(threads))
        hindrance.rollback()
    for thread in threads:
        thread.join()

    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "select tenant_id, revision, numbers_hash from reporting.report_revisions"
        ).fetchall()
    assert len(rows) == 2 * (1 + len(set(numbers)))
    assert len(found) == 2
    for numbers_hash, revisions in found:
        for tenant_id in ("t0001", "t0002"):
            assert (tenant_id, revisions[tenant_id], numbers_hash) in rows


def wait_until_blocked(url: str, sessions: int) -> None:
    """Return when so many sessions wait for another one."""
    deadline = time.monotonic() + 10
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < deadline:
            row = connection.execute(
                "select count(*) from pg_stat_activity"
                " where datname = current_database() and wait_event_type = 'Lock'"
            ).fetchone()
            if row == (sessions,):
                return
            time.sleep(0.01)
    raise TimeoutError(f"no {sessions} sessions that wait")


def test_documents_come_back_by_tenant_and_revision(register: ReportRegister) -> None:
    register.revisions(OCTOBER, {"t0001": A}, "run")
    register.revisions(OCTOBER, {"t0001": B}, "run")
    pdf, workbook = document(), document("balance_sheet.xlsx")
    corrected = document(revision=2)
    register.record([pdf, workbook, corrected], "run")
    assert register.documents(OCTOBER, ["t0001", "t0002"]) == {
        ("t0001", 1): [workbook, pdf],
        ("t0001", 2): [corrected],
    }
    assert register.documents(OCTOBER, ["t0002"]) == {}
    assert register.documents(NOVEMBER, ["t0001"]) == {}


def test_a_document_is_recorded_once(register: ReportRegister) -> None:
    register.revisions(OCTOBER, {"t0001": A}, "run")
    register.record([document()], "first")
    register.record([replace(document(), sha256=B, bytes=5)], "second")
    assert register.documents(OCTOBER, ["t0001"]) == {("t0001", 1): [document()]}


def test_a_document_needs_its_revision(register: ReportRegister) -> None:
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        register.record([document()], "run")
