"""Documents travel in the mail as long as it is no larger than its reader takes; else as links."""

from __future__ import annotations

import datetime
import random
from dataclasses import dataclass

import pytest

from reports_pipeline.accounting.failures import FailureCode, TenantFailureError
from reports_pipeline.delivery.deliveries import Recipient
from reports_pipeline.delivery.enclosures import (
    MAX_MESSAGE_BYTES,
    DocumentLink,
    DocumentLinks,
    Enclosed,
    build_within,
)
from reports_pipeline.delivery.messages import Envelope, MailSettings, build_message
from reports_pipeline.delivery.mime import Mail, SharedAttachment
from tests.delivery.examples import LETTER, OCTOBER, SATO

SENT_AT = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
A_WEEK_LATER = datetime.datetime(2026, 11, 8, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class File:
    file_name: str
    object_key: str
    media_type: str
    content: bytes


def file(size: int) -> File:
    content = random.Random(size).randbytes(size)  # noqa: S311 - nothing is kept secret by it
    return File("損益計算書_2026年10月.pdf", "reports/t0001/a.pdf", "application/pdf", content)


def build(enclosed: Enclosed, *recipients: Recipient) -> list[Mail]:
    return [
        build_message(
            LETTER,
            enclosed,
            envelope=Envelope("t0001", OCTOBER, 1, recipient_no=1),
            recipient=recipient,
            settings=MailSettings(),
            sent_at=SENT_AT,
        )
        for recipient in recipients or (SATO,)
    ]


def enclosed(limit: int, *files: File, readers: tuple[Recipient, ...] = (SATO,)) -> Enclosed:
    """What the mails are built with in the end."""
    tried: list[Enclosed] = []

    def remember(enclosed: Enclosed) -> list[Mail]:
        tried.append(enclosed)
        return build(enclosed, *readers)

    def share(key: str, /, *, file_name: str, until: datetime.datetime) -> str:
        return f"https://documents.example/{key}?{until:%Y%m%d}"

    build_within(limit, files, remember, share=share, sent_at=SENT_AT)
    return tried[-1]


def test_a_mail_that_just_fits_carries_its_documents() -> None:
    files = (file(5_000), file(7_000))
    attached = [SharedAttachment(file) for file in files]
    [mail] = build(attached)
    travelling = len(mail.as_bytes())
    assert enclosed(travelling, *files) == attached
    assert enclosed(travelling - 1, *files) == DocumentLinks(
        tuple(
            DocumentLink(
                each.file_name, size, "https://documents.example/reports/t0001/a.pdf?20261108"
            )
            for each, size in zip(files, (5_000, 7_000), strict=True)
        ),
        until=A_WEEK_LATER,
    )


def test_all_readers_of_a_delivery_get_the_same_kind_of_mail() -> None:
    [mail] = build([SharedAttachment(file(5_000))])
    longer = Recipient("経理部長" * 20, SATO.email)
    limit = len(mail.as_bytes())
    assert isinstance(enclosed(limit, file(5_000), readers=(SATO, longer)), DocumentLinks)


def test_with_a_limit_of_zero_there_are_always_links() -> None:
    assert isinstance(enclosed(0, file(0)), DocumentLinks)


def test_where_nobody_could_open_links_documents_are_attached() -> None:
    tried: list[Enclosed] = []

    def remember(enclosed: Enclosed) -> list[Mail]:
        tried.append(enclosed)
        return build(enclosed)

    files = (file(5_000),)
    build_within(0, files, remember, share=None, sent_at=SENT_AT)
    assert tried == [[SharedAttachment(each) for each in files]]
    with pytest.raises(TenantFailureError) as raised:
        build_within(0, (file(MAX_MESSAGE_BYTES // 4 * 3),), build, share=None, sent_at=SENT_AT)
    assert raised.value.failure.code is FailureCode.TOO_LARGE


def test_no_wish_makes_a_mail_larger_than_the_provider_takes() -> None:
    large = file(MAX_MESSAGE_BYTES // 4 * 3)
    assert isinstance(enclosed(10 * MAX_MESSAGE_BYTES, large), DocumentLinks)


@pytest.mark.parametrize(
    ("size", "text"),
    [(1, "1 KB"), (84_211, "85 KB"), (999_999, "1000 KB"), (1_340_000, "1.3 MB")],
)
def test_a_size_is_written_as_file_managers_do(size: int, text: str) -> None:
    assert DocumentLink("a.pdf", size, "").size_text == text
