"""Mails as they travel (MIME).

Python's email package writes them; but a document is encoded once for all readers of its delivery,
and a header that many mails have is parsed once for all of them.
"""

from __future__ import annotations

import binascii
import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.header import Header
from email.headerregistry import (
    Address,
    BaseHeader,
    HeaderRegistry,
    UniqueSingleAddressHeader,
    UnstructuredHeader,
)
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import formataddr
from typing import Protocol

# RFC 5322, RFC 2047 and RFC 2045.
_LINE_LENGTH = 78
_ENCODED_LINE_LENGTH = 76
_BASE64_LINE_LENGTH = 76


class _OneLineHeader(UnstructuredHeader, BaseHeader):
    """An id that is never folded: folding would leave nothing on its header's first line."""

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


class _OneAddressHeader(UniqueSingleAddressHeader, BaseHeader):  # type: ignore[misc] # typeshed's
    """An address whose name is quoted as a whole, or encoded as a whole. Python folds a long one
    without its quotes, and what it has between commas becomes addresses (cpython 80222)."""

    def fold(self, *, policy: Policy) -> str:
        name, address = self.address.display_name, self.address.addr_spec
        line = f"{self.name}: {formataddr((name, address))}"
        if name and (len(line) > _LINE_LENGTH or not name.isascii()):
            words = Header(name, "utf-8", maxlinelen=_ENCODED_LINE_LENGTH, header_name=self.name)
            line = f"{self.name}: {words.encode(linesep=policy.linesep)}"
            line += f"{policy.linesep} <{address}>"
        return line + policy.linesep


class _Headers(HeaderRegistry):
    """The headers of our mails. Makes the class of a name once, and parses a text once; an address
    is a reader's, and not kept."""

    def __init__(self) -> None:
        super().__init__()
        self.map_to_type("From", _OneAddressHeader)
        self.map_to_type("To", _OneAddressHeader)
        self.map_to_type("X-Report-Delivery-Id", _OneLineHeader)
        self._class = functools.cache(super().__getitem__)
        # More than one mail has, so that those of the mail before are found.
        self._parsed = functools.lru_cache(maxsize=128)(super().__call__)

    def __getitem__(self, name: str) -> type[BaseHeader]:
        return self._class(name)

    def __call__(self, name: str, value: str | Address) -> BaseHeader:
        if isinstance(value, str):
            return self._parsed(name, value)
        return super().__call__(name, value)


# Relays exist that break bytes of 8 bits.
MAIL_POLICY = SMTP.clone(cte_type="7bit", header_factory=_Headers())


class Attachment(Protocol):
    """What a mail needs to know of a document that it carries."""

    @property
    def file_name(self) -> str: ...
    @property
    def media_type(self) -> str: ...
    @property
    def content(self) -> bytes: ...


@dataclass(frozen=True)
class SharedAttachment:
    """A document as a part of mails, encoded when the first of them is written."""

    document: Attachment

    @property
    def file_name(self) -> str:
        return self.document.file_name

    @functools.cached_property
    def part(self) -> bytes:
        """In base64 and under its name (RFC 2231), as it travels."""
        head = _attachment_head(self.document.media_type, self.file_name)
        text = binascii.b2a_base64(self.document.content, newline=False)
        starts = range(0, len(text), _BASE64_LINE_LENGTH)
        lines = [text[start : start + _BASE64_LINE_LENGTH] for start in starts]
        return b"\r\n".join([head, *lines, b""])


# A month's documents have the same names for all companies that read the same language.
@functools.lru_cache(maxsize=128)
def _attachment_head(media_type: str, file_name: str) -> bytes:
    """Its headers, with the empty line after them, but not that line's end."""
    maintype, subtype = media_type.split("/")
    part = EmailMessage(policy=MAIL_POLICY)
    part.set_content(b"", maintype, subtype, filename=file_name)
    return part.as_bytes().removesuffix(b"\r\n")


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as it travels, and the addresses that its provider is told. The mails of a delivery
    share its attachments, so that many readers take hardly more memory than one."""

    sender: str
    recipient: str
    parts: tuple[bytes, ...] = field(repr=False)

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(len(part) for part in self.parts)

    def as_bytes(self) -> bytes:
        return b"".join(self.parts)


def written(message: EmailMessage, attachments: Sequence[SharedAttachment]) -> Mail:
    """A message as if the attachments had been added to it.

    Raises:
        ValueError: it is not of the type multipart/mixed, with a boundary.
    """
    if message.get_content_type() != "multipart/mixed" or message.get_boundary() is None:
        raise ValueError("a mail must be multipart/mixed, with a boundary")
    delimiter = f"\r\n--{message.get_boundary()}".encode("ascii")
    end = delimiter + b"--\r\n"
    parts = [message.as_bytes().removesuffix(end)]
    for attachment in attachments:
        parts += [delimiter + b"\r\n", attachment.part]
    return Mail(
        sender=message["From"].addresses[0].addr_spec,
        recipient=message["To"].addresses[0].addr_spec,
        parts=(*parts, end),
    )
