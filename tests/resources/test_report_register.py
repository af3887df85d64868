"""What a tenant's documents show decides their revision."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import replace

import psycopg
import pytest

from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import LineChange
from reports_pipeline.delivery.states import MAYBE_SENT, SENT, DeliveryState
from resources.report_register import Correction, ReportRegister, Revision, StoredDocument

OCTOBER, NOVEMBER = Month(2026, 10), Month(2026, 11)
A, B, C, D, E = (letter * 64 for letter in "abcde")
SALES = LineChange("income_statement", "account:4110", "売上高", "current", 1_000, 1_200)
PRIOR = LineChange("income_statement", "gross_profit", "", "prior", None, -(10**15))


@pytest.fixture
def register(database_url: str) -> ReportRegister:
    return ReportRegister(database_url)


def assigned(
    register: ReportRegister,
    numbers_hashes: Mapping[str, str],
    *,
    month: Month = OCTOBER,
    closed: Collection[str] = (),
    statements_key: str = "statements.arrow",
) -> dict[str, Revision]:
    return register.assign_revisions(
        month, numbers_hashes, closed=closed, statements_key=statements_key, run_id="run"
    )


def numbers(revisions: Mapping[str, Revision]) -> dict[str, int]:
    return {tenant_id: revision.number for tenant_id, revision in revisions.items()}


def enter_mail(url: str, revision: int, state: DeliveryState = DeliveryState.ACCEPTED) -> None:
    """A mail of a revision of t0001, in a state."""
    with psycopg.connect(url) as connection:
        connection.execute(
            """
            with entered as (
                insert into reporting.deliveries
                    (tenant_id, month, revision, delivery_id, numbers_hash, letter, documents)
                values ('t0001', '2026-10-01', %(revision)s, lpad(%(revision)s::text, 64, 'd'),
                        repeat('a', 64), '{}', '[]')
                returning delivery_id
            )
            insert into reporting.delivery_messages
                (delivery_id, recipient_no, name, email, state, lease_until, provider_id,
                 blocked_code)
            select delivery_id, 1, '佐藤', 'sato@aoba.example', %(state)s,
                   case when %(state)s in ('CLAIMED', 'POSTING') then now() end,
                   case when %(state)s = any(%(sent)s) then 'ses-1' end,
                   case %(state)s when 'BLOCKED' then 'NO_RECIPIENT' end
            from entered
            """,
            {"revision": revision, "state": state, "sent": list(SENT)},
        )


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
        branding_version=3,
    )


def test_the_same_numbers_are_the_same_revision(register: ReportRegister) -> None:
    for _ in range(2):
        revisions = assigned(register, {"t0001": A, "t0002": B})
        assert numbers(revisions) == {"t0001": 1, "t0002": 1}


def test_other_numbers_are_the_next_revision_of_that_tenant_alone(
    register: ReportRegister,
) -> None:
    assigned(register, {"t0001": A, "t0002": A})
    revisions = assigned(register, {"t0001": B, "t0002": A})
    assert numbers(revisions) == {"t0001": 2, "t0002": 1}


def test_numbers_that_return_before_a_mail_are_the_revision_they_were(
    register: ReportRegister,
) -> None:
    for numbers_hash, revision in ((A, 1), (B, 2), (A, 1), (C, 3), (B, 2)):
        found = assigned(register, {"t0001": numbers_hash})
        assert numbers(found) == {"t0001": revision}


def test_numbers_that_return_after_a_later_revision_was_to_be_sent_are_a_new_one(
    register: ReportRegister, database_url: str
) -> None:
    for numbers_hash in (A, B):
        assigned(register, {"t0001": numbers_hash, "t0002": numbers_hash})
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
    returned = {"t0001": A, "t0002": A}
    assert numbers(assigned(register, returned)) == {"t0001": 3, "t0002": 1}
    # and who asks for these figures finds what they are now
    assert numbers(register.revisions(OCTOBER, returned)) == {"t0001": 3, "t0002": 1}


def test_every_month_counts_for_itself(register: ReportRegister) -> None:
    assigned(register, {"t0001": A}, closed=["t0001"])
    assert assigned(register, {"t0001": B}, month=NOVEMBER) == {"t0001": Revision(1)}


def test_no_tenants_are_no_revisions(register: ReportRegister) -> None:
    assert assigned(register, {}) == {}


@pytest.mark.parametrize("shown", [[B, B], [B, C]], ids=["same", "different"])
def test_runs_at_the_same_time_agree(
    register: ReportRegister, database_url: str, shown: list[str]
) -> None:
    assigned(register, {"t0001": A, "t0002": A})
    found: list[tuple[str, dict[str, int]]] = []

    def run(numbers_hash: str) -> None:
        hashes = {"t0001": numbers_hash, "t0002": numbers_hash}
        revisions = assigned(ReportRegister(database_url), hashes)
        found.append((numbers_hash, numbers(revisions)))

    with psycopg.connect(database_url) as hindrance:
        # whoever wants to enter revision 2 of t0002 waits for this row's fate
        hindrance.execute(
            "insert into reporting.report_revisions (tenant_id, month, revision, numbers_hash,"
            " closed, statements_key, run_id)"
            " values ('t0002', '2026-10-01', 2, %s, false, 'other.arrow', 'run')",
            [A],
        )
        threads = [threading.Thread(target=run, args=[numbers_hash]) for numbers_hash in shown]
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
    assert len(rows) == 2 * (1 + len(set(shown)))
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


def test_a_revision_corrects_the_newest_one_of_a_closed_month(register: ReportRegister) -> None:
    for numbers_hash, closed, corrects in (
        (A, False, None),  # provisional
        (B, True, None),  # after provisional ones, nothing is corrected
        (C, False, 2),  # reopened
        (D, True, 2),
        (E, True, 4),
    ):
        closed_tenants = ["t0001", "t0002"] if closed else []
        [revision] = assigned(register, {"t0001": numbers_hash}, closed=closed_tenants).values()
        assert revision.corrects == corrects
        assert revision.changes is None
    assert [c.revision.number for c in register.corrections(OCTOBER)] == [3, 4, 5]


@pytest.mark.parametrize("state", DeliveryState)
def test_a_revision_corrects_a_provisional_one_whose_mail_may_have_gone_out(
    register: ReportRegister, database_url: str, state: DeliveryState
) -> None:
    assigned(register, {"t0001": A, "t0002": A})
    enter_mail(database_url, revision=1, state=state)
    corrects = 1 if state in MAYBE_SENT else None
    assert assigned(register, {"t0001": B, "t0002": B}, closed=["t0001"]) == {
        "t0001": Revision(2, corrects=corrects),
        "t0002": Revision(2),
    }


def test_the_newest_of_closed_and_mailed_revisions_is_corrected(
    register: ReportRegister, database_url: str
) -> None:
    assigned(register, {"t0001": A})
    enter_mail(database_url, revision=1)
    assert assigned(register, {"t0001": B})["t0001"].corrects == 1
    # the second one was neither closed nor mailed
    assert assigned(register, {"t0001": C}, closed=["t0001"])["t0001"].corrects == 1
    assert assigned(register, {"t0001": D})["t0001"].corrects == 3


def test_figures_that_correct_what_was_mailed_after_them_get_a_new_number(
    register: ReportRegister, database_url: str
) -> None:
    for numbers_hash in (A, B):
        assigned(register, {"t0001": numbers_hash})
    enter_mail(database_url, revision=1)
    for _ in range(2):
        assert assigned(register, {"t0001": B}) == {"t0001": Revision(3, corrects=1)}
    # and figures of that mail are what they were
    assert assigned(register, {"t0001": A}) == {"t0001": Revision(1)}


def test_figures_that_return_to_those_of_the_closed_month_correct_nothing(
    register: ReportRegister,
) -> None:
    for numbers_hash in (A, B, A):
        revision = assigned(register, {"t0001": numbers_hash}, closed=["t0001"])["t0001"]
    assert revision == Revision(1)


def test_what_a_correction_changes_is_remembered_once(register: ReportRegister) -> None:
    for numbers_hash in (A, B):
        revisions = assigned(
            register, {"t0001": numbers_hash, "t0002": A}, closed=["t0001", "t0002"]
        )
    compared = replace(revisions["t0001"], changes=(SALES, PRIOR))
    assert compared == Revision(2, corrects=1, changes=(SALES, PRIOR))
    register.record_changes(OCTOBER, {"t0001": compared})
    register.record_changes(OCTOBER, {"t0001": replace(compared, changes=())})

    assert register.revisions(OCTOBER, {"t0001": B, "t0002": A}) == {
        "t0001": compared,
        "t0002": Revision(1),
    }
    assert assigned(register, {"t0001": B}) == {"t0001": compared}
    [correction] = register.corrections(OCTOBER)
    assert correction == Correction("t0001", compared, correction.created_at, "run")
    assert register.corrections(OCTOBER, ["t0002"]) == []
    assert register.corrections(NOVEMBER) == []


def test_the_file_of_a_revision_is_the_first_that_showed_it(register: ReportRegister) -> None:
    for numbers_hash, key in ((A, "a.arrow"), (A, "again.arrow"), (B, "b.arrow")):
        assigned(register, {"t0001": numbers_hash, "t0002": C}, statements_key=key)
    assert register.statements_keys(OCTOBER, {"t0001": 1, "t0002": 1}) == {
        "t0001": "a.arrow",
        "t0002": "a.arrow",
    }
    assert register.statements_keys(OCTOBER, {"t0001": 2, "t0002": 2}) == {"t0001": "b.arrow"}


def test_documents_come_back_by_tenant_and_revision(register: ReportRegister) -> None:
    assigned(register, {"t0001": A})
    assigned(register, {"t0001": B})
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
    assigned(register, {"t0001": A})
    register.record([document()], "first")
    register.record([replace(document(), sha256=B, bytes=5)], "second")
    assert register.documents(OCTOBER, ["t0001"]) == {("t0001", 1): [document()]}


def test_a_document_needs_its_revision(register: ReportRegister) -> None:
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        register.record([document()], "run")
