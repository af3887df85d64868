from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.errors import AlreadyPostedError, ThrottledError
from reports_pipeline.delivery.messages import Envelope
from reports_pipeline.delivery.mime import Mail
from resources.mailer import OutboxMailer

ENVELOPE = Envelope("t0001", Month(2026, 10), 1, recipient_no=2)


def mail(text: str) -> Mail:
    message = EmailMessage(policy=policy.SMTP)
    message["Subject"] = "月次レポート"
    message.set_content(text)
    return Mail("reports@financeflow.example", "sato@sakura.example", (message.as_bytes(),))


def files(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


def test_a_mail_becomes_one_file_with_a_readable_name(tmp_path: Path) -> None:
    provider_id = OutboxMailer(tmp_path).post(mail("本文\n"), envelope=ENVELOPE)
    assert provider_id == "2026-10/t0001_r1_2.eml"
    assert files(tmp_path) == [provider_id]
    content = (tmp_path / provider_id).read_bytes()
    parsed = message_from_bytes(content, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    assert parsed["Subject"] == "月次レポート"
    assert parsed.get_content().splitlines() == ["本文"]


def test_a_second_post_of_the_same_mail_is_refused(tmp_path: Path) -> None:
    mailer = OutboxMailer(tmp_path)
    path = tmp_path / mailer.post(mail("first\n"), envelope=ENVELOPE)
    with pytest.raises(AlreadyPostedError, match="t0001_r1_2"):
        mailer.post(mail("second\n"), envelope=ENVELOPE)
    assert b"first" in path.read_bytes()
    assert len(files(tmp_path)) == 1


def test_tests_of_a_mail_are_files_beside_it(tmp_path: Path) -> None:
    mailer = OutboxMailer(tmp_path)
    mailer.post(mail("text\n"), envelope=ENVELOPE)
    tests = [
        mailer.post(mail("text\n"), envelope=replace(ENVELOPE, test_id=test_id))
        for test_id in ("0a", "0b")
    ]
    assert tests == ["2026-10/t0001_r1_2_test-0a.eml", "2026-10/t0001_r1_2_test-0b.eml"]
    assert len(files(tmp_path)) == 3


def test_an_outbox_that_cannot_be_written_has_certainly_sent_nothing(tmp_path: Path) -> None:
    obstacle = tmp_path / "file"
    obstacle.touch()
    with pytest.raises(ThrottledError, match="outbox"):
        OutboxMailer(obstacle / "outbox").post(mail("text\n"), envelope=ENVELOPE)
