"""`reports deliveries test-send`: an operator gets the mail as the company does, and nothing else
changes."""

from __future__ import annotations

import itertools
import shutil
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from unittest import mock

import psycopg
import pytest
from click.testing import CliRunner, Result

from reports_pipeline.deliveries_cli import delivery_commands
from reports_pipeline.delivery.preferences import Attachments, DeliveryPreferences
from reports_pipeline.environments import LocalEnvironment, Settings
from resources.database import create_database
from resources.delivery_preferences import DeliveryPreferencesStore
from tests.assets.monthly_stages import UP_TO_DOCUMENTS, MonthlyStages
from tests.sample_ledgers import APRIL, sample_database

TENANT = "t0001"
OPERATOR = "operator@financeflow.example"
ASKED = ["test-send", "--month", str(APRIL), "--tenant", TENANT, "--to", OPERATOR, "--yes"]

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def rendered(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> MonthlyStages:
    """A tenant whose documents are stored and may be sent; never touched."""
    stages = MonthlyStages(sample_database(postgres_server), tmp_path_factory.mktemp("rendered"))
    stages.run_all(UP_TO_DOCUMENTS, [TENANT])
    return stages


@pytest.fixture
def stages(rendered: MonthlyStages, postgres_server: str, tmp_path: Path) -> MonthlyStages:
    """A copy of it."""
    template = rendered.url.rpartition("/")[2].partition("?")[0]
    url = create_database(postgres_server, f"{template}_{next(_numbers)}", template=template)
    shutil.copytree(rendered.outbox.parent, tmp_path, dirs_exist_ok=True)
    return MonthlyStages(url, tmp_path)


def deliveries(
    stages: MonthlyStages, *arguments: str, answer: str = "", **variables: str
) -> Result:
    variables |= {"REPORTS_DATABASE_URL": stages.url, "REPORTS_HOME": str(stages.outbox.parent)}
    environment = LocalEnvironment(Settings.from_environment(variables))
    with mock.patch("getpass.getuser", return_value="sato"):
        return CliRunner().invoke(delivery_commands, arguments, obj=environment, input=answer)


def said(result: Result, exit_code: int = 0) -> str:
    assert result.exit_code == exit_code, result.output
    return result.output


def read(path: Path) -> EmailMessage:
    message = BytesParser(EmailMessage, policy=policy.default).parsebytes(path.read_bytes())
    assert isinstance(message, EmailMessage)
    return message


def body(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert isinstance(part, EmailMessage)
    return str(part.get_content())


def to_the_operator(stages: MonthlyStages) -> list[EmailMessage]:
    return [read(path) for path in stages.mails() if "_test-" in path.name]


def register(stages: MonthlyStages) -> list[tuple[object, ...]]:
    """All that the register holds of mails."""
    with psycopg.connect(stages.url) as connection:
        return [
            *connection.execute("select * from reporting.deliveries order by 1, 2, 3"),
            *connection.execute("select * from reporting.delivery_messages order by 1, 2"),
            *connection.execute("select * from reporting.delivery_moves order by 1, 2, 3"),
        ]


def rename(stages: MonthlyStages) -> None:
    with psycopg.connect(stages.url) as connection:
        connection.execute(
            "update ledger.companies set name = name || '新社' where tenant_id = %s", [TENANT]
        )


def test_an_operator_gets_the_mail_as_the_company_did_and_again(stages: MonthlyStages) -> None:
    stages.run_all(["report_deliveries"], [TENANT])
    sent = read(stages.mails()[0])
    before = register(stages)
    for _ in range(2):
        assert f"{TENANT} {APRIL}: revision 1 as a test: {APRIL}/{TENANT}_r1_1_test-" in said(
            deliveries(stages, *ASKED)
        )
    assert register(stages) == before
    for test in to_the_operator(stages):
        assert [address.addr_spec for address in test["To"].addresses] == [OPERATOR]
        assert test["Subject"] == sent["Subject"].replace(
            "【FinanceFlow】", "【FinanceFlow】【テスト送信】"
        )
        assert body(test) == body(sent)
        assert [part.get_content() for part in test.iter_attachments()] == [
            part.get_content() for part in sent.iter_attachments()
        ]
    ids = {test["X-Report-Delivery-Id"] for test in to_the_operator(stages)}
    assert len(ids) == 2
    assert sent["X-Report-Delivery-Id"] not in ids


def test_who_had_it_sent_to_whom_is_in_the_history(stages: MonthlyStages) -> None:
    stages.run_all(["report_deliveries"], [TENANT])
    said(deliveries(stages, *ASKED, "--reason", "新しい書式の確認"))
    shown = said(deliveries(stages, "show", "--month", str(APRIL), "--tenant", TENANT))
    assert shown.splitlines()[-1].endswith(f"r1 test_send to {OPERATOR}  sato: 新しい書式の確認")


def test_a_correction_is_seen_before_it_is_approved(stages: MonthlyStages) -> None:
    stages.run_all(["report_deliveries"], [TENANT])
    rename(stages)
    stages.run_all(UP_TO_DOCUMENTS, [TENANT], run_id="run-2")
    [failure] = stages.run("report_deliveries", [TENANT], run_id="run-2").failures
    assert failure.code == "CORRECTION_PENDING"
    before = register(stages)
    assert "revision 2 as a test" in said(deliveries(stages, *ASKED))
    assert register(stages) == before
    [test] = to_the_operator(stages)
    assert "【テスト送信】【訂正版 第2版】" in test["Subject"]
    assert "新社 御中" in body(test)


def test_a_mail_that_is_held_is_seen_all_the_same(stages: MonthlyStages) -> None:
    said(deliveries(stages, "hold", "--tenant", TENANT, "--reason", "勘定の誤り"))
    assert stages.run("report_deliveries", [TENANT]).failures
    said(deliveries(stages, *ASKED))
    assert len(stages.mails()) == len(to_the_operator(stages)) == 1


def test_what_a_company_says_now_is_seen_as_long_as_nothing_went_out(stages: MonthlyStages) -> None:
    wishes = DeliveryPreferencesStore(stages.url)
    said(deliveries(stages, "hold", "--tenant", TENANT, "--reason", "勘定の誤り"))
    stages.run("report_deliveries", [TENANT])
    wishes.set(TENANT, DeliveryPreferences(note="担当は鈴木です"), set_by="sato")
    said(deliveries(stages, *ASKED))
    said(deliveries(stages, "release", "--tenant", TENANT, "--reason", "訂正済み"))
    stages.run_all(["report_deliveries"], [TENANT])
    wishes.set(TENANT, DeliveryPreferences(note="担当は高橋です"), set_by="sato")
    said(deliveries(stages, *ASKED))
    assert all("担当は鈴木です" in body(test) for test in to_the_operator(stages))


def test_a_company_without_contacts_has_a_mail_that_greets_nobody(stages: MonthlyStages) -> None:
    with psycopg.connect(stages.url) as connection:
        connection.execute("delete from ledger.contacts where tenant_id = %s", [TENANT])
    said(deliveries(stages, *ASKED))
    [test] = to_the_operator(stages)
    assert "様" not in body(test)


def test_a_test_comes_as_the_company_wishes_its_mails_now(stages: MonthlyStages) -> None:
    DeliveryPreferencesStore(stages.url).set(
        TENANT,
        DeliveryPreferences(attachments=Attachments.LINKED, note="担当は鈴木です"),
        set_by="sato",
    )
    said(deliveries(stages, *ASKED))
    [test] = to_the_operator(stages)
    assert list(test.iter_attachments()) == []
    assert "担当は鈴木です" in body(test)
    assert f"http://127.0.0.1:3002/reports/{TENANT}/{APRIL}/r1/" in body(test)


@pytest.mark.parametrize(("answer", "exit_code", "mails"), [("n", 1, 0), ("", 1, 0), ("y", 0, 1)])
def test_a_person_is_asked_whether_the_address_is_right(
    stages: MonthlyStages, answer: str, exit_code: int, mails: int
) -> None:
    text = said(deliveries(stages, *ASKED[:-1], answer=answer), exit_code)
    assert f"Send the figures of {TENANT} 佐々木ソフト株式会社, {APRIL}, to {OPERATOR}?" in text
    assert len(to_the_operator(stages)) == mails


def test_an_address_that_is_suppressed_gets_no_test_either(stages: MonthlyStages) -> None:
    stages.run_all(["report_deliveries"], [TENANT])
    with psycopg.connect(stages.url) as connection:
        connection.execute(
            "insert into reporting.suppressed_addresses (address, reason, delivery_id,"
            " recipient_no) select %s, 'bounced', delivery_id, recipient_no"
            " from reporting.delivery_messages limit 1",
            [OPERATOR],
        )
    asked = [word.upper() if word == OPERATOR else word for word in ASKED]
    text = said(deliveries(stages, *asked), 1)
    assert f"reports deliveries unsuppress {OPERATOR.upper()}" in text
    assert to_the_operator(stages) == []


def test_a_stage_that_failed_is_named_with_its_code(stages: MonthlyStages) -> None:
    with psycopg.connect(stages.url) as connection:
        connection.execute(
            "update reporting.stage_outcomes set artefact = null, failure_code = 'MISSING_GLYPH',"
            " failure_details = '{\"code_point\": \"U+1F600\"}' where stage = 'report_pdfs'"
        )
        connection.execute("delete from reporting.documents where name like '%.pdf'")
    text = said(deliveries(stages, *ASKED), 1)
    assert f"{TENANT} {APRIL}: report_pdfs failed: MISSING_GLYPH: " in text
    assert "U+1F600" in text
    assert f"make them: reports backfill --month {APRIL} --tenant {TENANT}" in text


def test_a_secret_that_could_be_guessed_is_said_in_a_line(
    stages: MonthlyStages, tmp_path: Path
) -> None:
    DeliveryPreferencesStore(stages.url).set(
        TENANT, DeliveryPreferences(attachments=Attachments.LINKED), set_by="sato"
    )
    (tmp_path / "link-secret").write_bytes(b"")
    assert "link-secret: a secret has 32 bytes or more" in said(deliveries(stages, *ASKED), 1)
    assert stages.mails() == []


def test_a_broken_template_is_found_by_it(stages: MonthlyStages, tmp_path: Path) -> None:
    variant = tmp_path / "templates" / "tenants" / TENANT / "monthly_reports.txt"
    variant.parent.mkdir(parents=True)
    variant.write_text("{{ nobody }}")
    text = said(deliveries(stages, *ASKED, REPORTS_MAIL_TEMPLATES=str(tmp_path / "templates")), 1)
    assert f"template tenants/{TENANT}/monthly_reports.txt, line 1" in text
    assert stages.mails() == []


@pytest.mark.parametrize(
    ("changed", "text", "exit_code"),
    [
        ({OPERATOR: "a@b.example, evil@y.example"}, "not one mail address", 2),
        ({OPERATOR: "=?utf-8?q?x?=@a.example"}, "not one mail address", 2),
        ({TENANT: "nobody"}, "no such tenants: nobody", 1),
        ({TENANT: "t0002"}, "t0002 2025-04: there are no reports; make them: reports backfill", 1),
    ],
)
def test_what_cannot_be_is_said_in_a_line(
    stages: MonthlyStages, changed: dict[str, str], text: str, exit_code: int
) -> None:
    asked = [changed.get(word, word) for word in ASKED]
    assert text in said(deliveries(stages, *asked), exit_code)
    assert stages.mails() == []


def test_a_mailer_that_takes_nothing_is_an_error(stages: MonthlyStages) -> None:
    stages.outbox.touch()
    assert "not sent: the outbox cannot be written" in said(deliveries(stages, *ASKED), 1)
