"""A mail travels as Python's email package writes it, to the byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP, Policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports_pipeline.delivery.mime import MAIL_POLICY, Mail, SharedAttachment, written


@dataclass(frozen=True)
class File:
    file_name: str
    media_type: str
    content: bytes


MEDIA_TYPES = ["application/pdf", "application/vnd.ms-excel", "application/octet-stream"]
NAMES = st.lists(
    st.sampled_from(
        ["損益計算書", "_2026年10月", "a", "Income statement", " ", "'", '"', ";", "%", "*"]
    ),
    max_size=12,
).map(lambda parts: "".join(parts) + ".pdf")
FILES = st.builds(File, NAMES, st.sampled_from(MEDIA_TYPES), st.binary(max_size=200))


def message(policy: Policy, subject: str, text: str) -> EmailMessage:
    message = EmailMessage(policy=policy)
    message["From"] = "FinanceFlow <reports@financeflow.example>"
    message["To"] = "sato@yamada.example"
    message["Subject"] = subject
    message.set_content(text)
    message.make_alternative(boundary="0-text")
    message.add_alternative(f"<p>{text}", subtype="html")
    message.make_mixed(boundary="0-mail")
    return message


def by_python(subject: str, text: str, files: Sequence[File]) -> bytes:
    whole = message(SMTP.clone(cte_type="7bit"), subject, text)
    for file in files:
        maintype, subtype = file.media_type.split("/")
        whole.add_attachment(
            file.content, maintype=maintype, subtype=subtype, filename=file.file_name
        )
    return whole.as_bytes()


def ours(subject: str, text: str, files: Sequence[File]) -> Mail:
    return written(message(MAIL_POLICY, subject, text), [SharedAttachment(file) for file in files])


@given(
    subject=st.sampled_from(
        ["月次レポートのお知らせ" * 4, "Monthly reports " * 8, "", "【訂正版】é"]
    ),
    text=st.sampled_from(["本文\n", "text", "\n.\n\n", "長い行" * 400, "x" * 2_000]),
    files=st.lists(FILES, max_size=3),
)
def test_a_mail_is_the_bytes_that_python_writes(subject: str, text: str, files: list[File]) -> None:
    assert ours(subject, text, files).as_bytes() == by_python(subject, text, files)


@pytest.mark.parametrize("size", [0, 1, 56, 57, 58, 113, 114, 115, 5_000])
def test_a_mail_of_any_size_is_measured_as_it_travels(size: int) -> None:
    file = File("a.pdf", "application/pdf", bytes(range(256)) * 20)
    file = File(file.file_name, file.media_type, file.content[:size])
    mail = ours("", "text", [file, file])
    assert mail.as_bytes() == by_python("", "text", [file, file])
    assert mail.size == len(mail.as_bytes())


def test_the_provider_is_told_addresses_without_names() -> None:
    mail = ours("", "", [])
    assert (mail.sender, mail.recipient) == ("reports@financeflow.example", "sato@yamada.example")


def test_mails_of_a_delivery_share_its_documents() -> None:
    attachment = SharedAttachment(File("a.pdf", "application/pdf", bytes(1_000)))
    one, other = (written(message(MAIL_POLICY, name, ""), [attachment]) for name in "ab")
    assert one.as_bytes() != other.as_bytes()
    for mail in (one, other):
        assert any(part is attachment.part for part in mail.parts)
