"""Each contact gets one mail with what is stored, and nobody is skipped in silence."""

from __future__ import annotations

from collections import Counter
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

import psycopg
import pytest

import assets.documents
import assets.statements
from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.delivery.states import delivery_id
from reports_pipeline.documents.bundle import PDF_NAMES, WORKBOOK_NAMES
from resources.brandings import BrandingChange
from resources.delivery_register import PostgresDeliveryRegister
from tests.assets.monthly_stages import UP_TO_DOCUMENTS, MonthlyStages
from tests.sample_ledgers import APRIL, sample_tables

TWO = ["t0001", "t0003"]


@pytest.fixture
def rendered(stages: MonthlyStages) -> MonthlyStages:
    """Two tenants whose documents are stored and may be sent."""
    stages.run_all(UP_TO_DOCUMENTS, TWO)
    return stages


def change(stages: MonthlyStages, statement: str) -> None:
    with psycopg.connect(stages.url) as connection:
        assert connection.execute(statement).rowcount >= 1


def read(path: Path) -> EmailMessage:
    message = BytesParser(EmailMessage, policy=policy.default).parsebytes(path.read_bytes())
    assert isinstance(message, EmailMessage)
    return message


def address(mail: EmailMessage) -> str:
    [recipient] = mail["To"].addresses
    return str(recipient.addr_spec)


def test_every_contact_gets_one_mail(rendered: MonthlyStages) -> None:
    result = rendered.run("report_deliveries", TWO)
    assert result.failures == []
    contacts = [c for c in sample_tables()["contacts"].to_pylist() if c["tenant_id"] in TWO]
    assert len(contacts) == 3
    sent = [(path.name.split("_")[0], address(read(path))) for path in rendered.mails()]
    assert sorted(sent) == sorted((c["tenant_id"], c["email"]) for c in contacts)
    for tenant_id, count in Counter(tenant_id for tenant_id, _ in sent).items():
        artefact = result.artefacts[tenant_id]
        assert artefact.key == delivery_id(tenant_id, APRIL, 1)
        assert artefact.metadata["mails"].value == count
        # addresses are personal data, so Dagster's pages name contacts by number
        assert artefact.metadata["recipients"].value == {
            str(number): "ACCEPTED" for number in range(1, count + 1)
        }


def test_a_mail_carries_the_stored_documents_in_their_order(rendered: MonthlyStages) -> None:
    rendered.run("report_deliveries", ["t0003"])
    [path] = rendered.mails()
    attached = [part.get_content() for part in read(path).iter_attachments()]
    stored = rendered.documents("t0003")
    assert attached == [stored[f"r1/{name}"] for name in (*PDF_NAMES, *WORKBOOK_NAMES)]


def test_copies_in_a_second_language_follow_the_documents(stages: MonthlyStages) -> None:
    change(
        stages,
        "update ledger.companies set plan = 'premium', language = 'ja', copy_language = 'en'"
        " where tenant_id = 't0003'",
    )
    stages.run_all([*UP_TO_DOCUMENTS, "report_deliveries"], ["t0003"])
    [path] = stages.mails()
    attached = [part.get_content() for part in read(path).iter_attachments()]
    stored = stages.documents("t0003")
    names = (*PDF_NAMES, *WORKBOOK_NAMES)
    copies = sorted(name.replace(".", "_en.") for name in names)
    assert attached == [stored[f"r1/{name}"] for name in (*names, *copies)]


def test_another_branding_after_the_mail_sends_nothing_again(rendered: MonthlyStages) -> None:
    rendered.run("report_deliveries", TWO)
    mails = {path: path.read_bytes() for path in rendered.mails()}
    rendered.brandings.set(
        "t0003", BrandingChange("bold", "#7A1F3D"), effective_from=APRIL, set_by="sato"
    )
    rendered.run_all([*UP_TO_DOCUMENTS, "report_deliveries"], TWO, run_id="run-2")
    assert {path: path.read_bytes() for path in rendered.mails()} == mails
    assert set(rendered.register.documents(APRIL, TWO)) == {("t0001", 1), ("t0003", 1)}


def test_delivering_again_mails_nobody_and_succeeds(rendered: MonthlyStages) -> None:
    first = rendered.run("report_deliveries", TWO)
    mails = {path: path.read_bytes() for path in rendered.mails()}
    again = rendered.run("report_deliveries", TWO, run_id="run-2")
    assert again.failures == []
    assert again.artefacts == first.artefacts
    assert {path: path.read_bytes() for path in rendered.mails()} == mails


def test_a_tenant_without_a_contact_is_resumed_without_a_rebuild(
    rendered: MonthlyStages, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(rendered, "delete from ledger.contacts where tenant_id = 't0001'")
    result = rendered.run("report_deliveries", TWO)
    assert result.failures == [TenantFailure("t0001", FailureCode.NO_RECIPIENT)]
    assert list(result.artefacts) == ["t0003"]
    served = rendered.mails()
    assert {path.name.split("_")[0] for path in served} == {"t0003"}
    assert len(rendered.documents("t0001")) == 7

    change(rendered, "insert into ledger.contacts values ('t0001', 1, '新任', 'new@aoba.example')")

    def rebuild(*_: object) -> None:
        pytest.fail("a rebuild")

    monkeypatch.setattr(assets.documents, "render_pdfs", rebuild)
    monkeypatch.setattr(assets.documents, "render_workbooks", rebuild)
    rendered.run_all([*UP_TO_DOCUMENTS, "report_deliveries"], TWO, run_id="run-2")
    [new] = set(rendered.mails()) - set(served)
    mail = read(new)
    assert address(mail) == "new@aoba.example"
    attached = {part.get_content() for part in mail.iter_attachments()}
    assert attached == set(rendered.documents("t0001").values())


def test_nothing_is_sent_while_a_document_is_missing(rendered: MonthlyStages) -> None:
    change(
        rendered,
        "delete from reporting.documents where tenant_id = 't0001'"
        " and name in ('cash_flow.pdf', 'balance_sheet.xlsx')",
    )
    result = rendered.run("report_deliveries", TWO)
    [failure] = result.failures
    assert (failure.tenant_id, failure.code) == ("t0001", FailureCode.DOCUMENT_MISMATCH)
    assert failure.details == {
        "what": "not stored",
        "document": "balance_sheet.xlsx, cash_flow.pdf",
    }
    assert {path.name.split("_")[0] for path in rendered.mails()} == {"t0003"}


def test_other_bytes_than_those_registered_are_not_sent(rendered: MonthlyStages) -> None:
    change(
        rendered,
        "update reporting.documents set sha256 = repeat('0', 64)"
        " where tenant_id = 't0001' and name = 'cash_flow.pdf'",
    )
    result = rendered.run("report_deliveries", TWO)
    assert [(f.tenant_id, f.code) for f in result.failures] == [
        ("t0001", FailureCode.DOCUMENT_MISMATCH)
    ]
    assert {path.name.split("_")[0] for path in rendered.mails()} == {"t0003"}


def test_an_open_month_is_announced_as_provisional(stages: MonthlyStages) -> None:
    change(
        stages,
        "delete from ledger.month_closings where tenant_id = 't0003' and month = '2025-04-01'",
    )
    stages.run_all([*UP_TO_DOCUMENTS, "report_deliveries"], TWO)
    marked = {
        path.name.split("_")[0]: "【暫定】" in read(path)["Subject"] for path in stages.mails()
    }
    assert marked == {"t0001": False, "t0003": True}


def test_numbers_that_change_after_the_mail_wait_for_a_person(rendered: MonthlyStages) -> None:
    rendered.run("report_deliveries", TWO)
    mails = rendered.mails()
    change(rendered, "update ledger.companies set name = name || '新社' where tenant_id = 't0003'")
    rendered.run_all(UP_TO_DOCUMENTS, TWO, run_id="run-2")
    result = rendered.run("report_deliveries", TWO, run_id="run-2")
    [failure] = result.failures
    assert (failure.tenant_id, failure.code) == ("t0003", FailureCode.CORRECTION_PENDING)
    assert failure.details == {"revision": 2, "earlier_revision": 1}
    assert rendered.mails() == mails


def test_deliveries_are_known_by_the_hash_that_the_statements_stage_stored(
    stages: MonthlyStages, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as if the program that ran the first stages had hashed otherwise
    with monkeypatch.context() as earlier:
        earlier.setattr(assets.statements, "numbers_hash", lambda _: "e" * 64)
        stages.run_all(["ledger_extracts", "statements"], ["t0003"])
    stages.run_all([*UP_TO_DOCUMENTS[2:], "report_deliveries"], ["t0003"])
    with PostgresDeliveryRegister(stages.url, actor="test") as register:
        [delivery] = register.read(APRIL, ["t0003"])["t0003"]
    assert delivery.numbers_hash == "e" * 64


def test_the_letter_shows_the_companys_figures(rendered: MonthlyStages) -> None:
    rendered.run("report_deliveries", ["t0003"])
    [path] = rendered.mails()
    body = read(path).get_body(("plain",))
    assert body is not None
    with psycopg.connect(rendered.url) as connection:
        row = connection.execute(
            "select sum(credit - debit)::bigint from ledger.journal_lines"
            " join ledger.accounts using (tenant_id, account_code)"
            " where tenant_id = 't0003' and account_class = 'net_sales' and status = 'posted'"
            " and posted_on >= '2025-04-01'"
        ).fetchone()
    assert row is not None
    assert row[0] > 0
    assert f"{row[0]:,}円" in body.get_content()
