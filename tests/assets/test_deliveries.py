"""Each contact gets one mail with what is stored, and nobody is skipped in silence."""

from __future__ import annotations

import datetime
import operator
import re
from collections import Counter
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import NoReturn
from zoneinfo import ZoneInfo

import psycopg
import pytest

import assets.statements
from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.delivery.preferences import Attachments, DeliveryPreferences
from reports_pipeline.delivery.states import delivery_id
from reports_pipeline.documents.document import PDF_NAMES, WORKBOOK_NAMES
from resources.brandings import BrandingChange
from resources.delivery_months import DeliveryMonths
from resources.delivery_preferences import DeliveryPreferencesStore
from resources.delivery_register import PostgresDeliveryRegister
from resources.document_renderer import DocumentRenderer
from resources.month_records import MonthRecords
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
    contacts = [
        c
        for c in sample_tables()["contacts"].to_pylist()
        if c["tenant_id"] in TWO and c["purpose"] == "reports"
    ]
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


def test_each_stage_says_of_which_revision_it_spoke(rendered: MonthlyStages) -> None:
    change(rendered, "delete from ledger.contacts where tenant_id = 't0003'")
    assert rendered.run("report_deliveries", TWO).failures != []
    for record in MonthRecords(rendered.url).read(APRIL, TWO).values():
        assert record.revision == 1
        assert {stage: found.revision for stage, found in record.stages.items()} == {
            "ledger_extracts": None,
            "statements": 1,
            "report_pdfs": 1,
            "report_workbooks": 1,
            "report_deliveries": 1,
        }


def test_a_company_is_written_to_as_it_wishes(rendered: MonthlyStages) -> None:
    change(rendered, "update ledger.companies set plan = 'premium' where tenant_id = 't0003'")
    rendered.run_all(UP_TO_DOCUMENTS, ["t0003"], run_id="run-2")
    rendered.preferences.set(
        "t0003",
        DeliveryPreferences(
            attachments=Attachments.LINKED,
            note="担当は鈴木です",
            support_address="fa@yamada.example",
        ),
        set_by="sato",
    )
    rendered.run("report_deliveries", ["t0003"])
    [path] = rendered.mails()
    assert list(read(path).iter_attachments()) == []
    body = read(path).get_body(("plain",))
    assert body is not None
    text = body.get_content()
    for words in ("プレミアムプラン", "担当は鈴木です", "fa@yamada.example", "（日本標準時）"):
        assert words in text
    linked = re.findall(r"http://127.0.0.1:3002/(\S+)\?", text)
    names = (*PDF_NAMES, *WORKBOOK_NAMES)
    assert linked == [f"reports/t0003/{APRIL}/r1/{name}" for name in names]


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


def test_a_company_that_wants_its_mails_later_is_done_and_waits(rendered: MonthlyStages) -> None:
    # Where the company is it is before noon.
    hour = datetime.datetime.now(datetime.UTC).hour
    zone = f"Etc/GMT+{hour}" if hour <= 12 else f"Etc/GMT-{24 - hour}"
    change(rendered, f"update ledger.companies set time_zone = '{zone}' where tenant_id = 't0003'")
    late = DeliveryPreferences(not_before=datetime.time(23))
    preferences = DeliveryPreferencesStore(rendered.url)
    preferences.set("t0003", late, set_by="sato")
    result = rendered.run("report_deliveries", TWO)
    assert result.failures == []
    waits = result.artefacts["t0003"].metadata
    assert waits["recipients"].value == {"1": "READY"}
    until = waits["waits_until"].value
    assert isinstance(until, float)
    local = datetime.datetime.fromtimestamp(until, ZoneInfo(zone))
    assert (local.hour, local.minute) == (23, 0)
    assert "waits_until" not in result.artefacts["t0001"].metadata
    assert {path.name.split("_")[0] for path in rendered.mails()} == {"t0001"}

    preferences.set("t0003", DeliveryPreferences(), set_by="sato")
    again = rendered.run("report_deliveries", TWO, run_id="run-2").artefacts["t0003"]
    assert again.key == result.artefacts["t0003"].key
    assert "waits_until" not in again.metadata
    assert {path.name.split("_")[0] for path in rendered.mails()} == set(TWO)


def test_the_others_wait_for_the_canaries(rendered: MonthlyStages) -> None:
    DeliveryMonths(rendered.url).open(APRIL, TWO, canaries=["t0001"], opened_by="sato")
    result = rendered.run("report_deliveries", TWO)
    assert result.failures == []
    assert result.artefacts["t0003"].metadata["waits_for"].value == "canaries"
    assert "waits_for" not in result.artefacts["t0001"].metadata
    assert {path.name.split("_")[0] for path in rendered.mails()} == {"t0001"}
    change(
        rendered,
        "update reporting.delivery_messages set updated_at = updated_at - interval '15 minutes'",
    )
    rendered.run("report_deliveries", TWO, run_id="run-2")
    assert {path.name.split("_")[0] for path in rendered.mails()} == set(TWO)


def test_a_wish_that_cannot_be_kept_is_told_and_costs_nobody_a_mail(
    rendered: MonthlyStages,
) -> None:
    change(
        rendered,
        "insert into reporting.delivery_preferences"
        " (tenant_id, version, holidays, not_before, set_by)"
        " values ('t0003', 1, 'Japan', '00:00', 'psql')",
    )
    change(rendered, "update ledger.companies set time_zone = 'Mars' where tenant_id = 't0003'")
    result = rendered.run("report_deliveries", TWO)
    assert result.failures == []
    fault = result.artefacts["t0003"].metadata["preferences_fault"].value
    assert fault == "holidays 'Japan', time_zone 'Mars'"
    assert "preferences_fault" not in result.artefacts["t0001"].metadata
    assert {path.name.split("_")[0] for path in rendered.mails()} == set(TWO)
    [notice] = rendered.notices.glob("preferences-unusable_2025-04_run-1_*.txt")
    text = notice.read_text()
    assert "月次帳票 2025-04：1社の配信設定に使えないものがある" in text
    assert "t0003: holidays 'Japan', time_zone 'Mars'" in text


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

    def rebuild(*_: object) -> NoReturn:
        pytest.fail("a rebuild")

    rendered.renderer = DocumentRenderer(operator.call, pdfs=rebuild, workbooks=rebuild)
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
