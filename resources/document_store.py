"""Where files are kept: documents for tenants, and the intermediates between stages.

A file is written once. Writing the same bytes again is fine, other bytes under the same key are
refused: what a tenant received must stay what is stored.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from pathlib import Path
from urllib.parse import quote

from reports_pipeline.delivery.enclosures import ShareDocument
from reports_pipeline.documents.document import PDF_TYPE, WORKBOOK_TYPE
from resources.new_file import write_new_file

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_MEDIA_TYPES = {".pdf": PDF_TYPE, ".xlsx": WORKBOOK_TYPE}


class DocumentConflictError(RuntimeError):
    """Other bytes are stored under this key already."""


class DocumentNotFoundError(LookupError):
    """Nothing is stored under this key."""


class DocumentStore(ABC):
    """Keys are relative paths such as `reports/t0001/2026-10/r1/income_statement.pdf`.

    `link_base` is the address of the server that shows documents to operators; `share` makes links
    for readers, which nobody else can make or change into that of another file, and is None where
    readers could not open them.
    """

    def __init__(self, link_base: str, share: ShareDocument | None = None) -> None:
        self._link_base = link_base.rstrip("/")
        self._share = share

    @abstractmethod
    def put(self, key: str, content: bytes) -> None:
        """Store `content` for ever.

        Raises:
            DocumentConflictError: the key holds other bytes.
            ValueError: the key is not a plain relative path.
        """

    @abstractmethod
    def get(self, key: str) -> bytes:
        """The bytes stored under `key`.

        Raises:
            DocumentNotFoundError: there are none.
            ValueError: the key is not a plain relative path.
        """

    def link(self, key: str) -> str:
        """An address under which an operator's browser opens the file."""
        return f"{self._link_base}/{quote(key)}"

    @property
    def share(self) -> ShareDocument | None:
        return self._share

    def brief_link(self, key: str, *, file_name: str | None) -> str | None:  # noqa: ARG002
        """An address that hands out the file for a minute, to be saved as `file_name` or, without
        one, shown; None if files have no such addresses, and whoever asks is sent the bytes.

        Raises:
            DocumentNotFoundError: nothing is stored under `key`.
            ValueError: the key is not a plain relative path.
        """
        return None


def require_key(key: str) -> None:
    """
    Raises:
        ValueError: the key is not a plain relative path.
    """
    if _KEY.fullmatch(key) is None:
        raise ValueError(f"not a document key: {key!r}")


def media_type(key: str) -> str:
    """What kind of file a key is of."""
    return _MEDIA_TYPES.get(Path(key).suffix, "application/octet-stream")


def content_disposition(file_name: str, key: str) -> str:
    """The header with which a browser downloads a file under a name in any language (RFC 6266);
    programs that know ASCII only take the last part of its key."""
    ascii_name = key.rpartition("/")[2]
    return f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(file_name, safe='')}"


class LocalDocumentStore(DocumentStore):
    """Files in a folder."""

    def __init__(self, folder: Path, link_base: str, share: ShareDocument | None = None) -> None:
        super().__init__(link_base, share)
        self._folder = folder.resolve()

    def put(self, key: str, content: bytes) -> None:
        path = self._path(key)
        try:
            write_new_file(path, content)
        except FileExistsError:
            if path.read_bytes() != content:
                raise DocumentConflictError(f"{key} is stored with other content") from None

    def get(self, key: str) -> bytes:
        try:
            return self._path(key).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise DocumentNotFoundError(key) from None

    def _path(self, key: str) -> Path:
        require_key(key)
        return self._folder / key
