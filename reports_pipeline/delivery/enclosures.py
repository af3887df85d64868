"""How a mail brings its documents: attached, or as links that work for a week."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from reports_pipeline.delivery.mime import Attachment, Mail, SharedAttachment

# Of the whole message as it travels, attachments in base64: the limit of Amazon SES.
MAX_MESSAGE_BYTES = 40 * 1024 * 1024
# The house's own limit: many companies' servers, and Gmail at 25 MB, refuse what is much larger.
LARGEST_MAIL_BYTES = 20 * 1024 * 1024
# The longest that a presigned link of Amazon S3 can work.
LINKS_WORK_FOR = datetime.timedelta(days=7)


class StoredAttachment(Attachment, Protocol):
    """A document that a mail may carry, or link to."""

    @property
    def object_key(self) -> str: ...


class ShareDocument(Protocol):
    """Makes an address from which whoever has it downloads the document of a key, as `file_name`,
    until a moment at most LINKS_WORK_FOR away."""

    def __call__(self, key: str, /, *, file_name: str, until: datetime.datetime) -> str: ...


@dataclass(frozen=True, slots=True)
class DocumentLink:
    """A document that a reader downloads, and its size in bytes."""

    file_name: str
    size: int
    url: str

    @property
    def size_text(self) -> str:
        """As file managers write it: `84 KB`, `1.3 MB`."""
        if self.size < 1_000_000:
            return f"{-(-self.size // 1000)} KB"
        return f"{self.size / 1_000_000:.1f} MB"


@dataclass(frozen=True, slots=True)
class DocumentLinks:
    """All documents of a mail as links, which work until a moment that has a time zone."""

    links: tuple[DocumentLink, ...]
    until: datetime.datetime


Enclosed = Sequence[SharedAttachment] | DocumentLinks


def build_within(
    limit: int,
    documents: Sequence[StoredAttachment],
    build: Callable[[Enclosed], list[Mail]],
    *,
    share: ShareDocument | None,
    sent_at: datetime.datetime,
) -> list[Mail]:
    """The mails that `build` makes with the documents attached; if one of them would have more than
    `limit` bytes as it travels, or more than any mail may have, those with links to them. Without
    `share` there are no links, and they are attached."""
    attached = [SharedAttachment(document) for document in documents]
    if share is None:
        return build(attached)
    limit = min(limit, MAX_MESSAGE_BYTES)
    # Spares encoding what has no room in any case.
    if sum(_encoded_bytes(len(document.content)) for document in documents) <= limit:
        mails = build(attached)
        if all(mail.size <= limit for mail in mails):
            return mails
    until = sent_at + LINKS_WORK_FOR
    links = tuple(
        DocumentLink(
            document.file_name,
            len(document.content),
            share(document.object_key, file_name=document.file_name, until=until),
        )
        for document in documents
    )
    return build(DocumentLinks(links, until))


def _encoded_bytes(size: int) -> int:
    """In base64: lines of 76 characters, each with its line end."""
    characters = -(-size // 3) * 4
    return characters + 2 * -(-characters // 76)
