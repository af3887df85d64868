"""What a document of a tenant's month is, for those who name, store or send one and draw none."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from reports_pipeline.documents.content.contents import PDFS, WORKBOOKS

PDF_TYPE = "application/pdf"
WORKBOOK_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

# The documents that every company gets; a copy's names have its language besides.
PDF_NAMES = tuple(f"{name}.pdf" for name in PDFS)
WORKBOOK_NAMES = tuple(f"{name}.xlsx" for name in WORKBOOKS)


@dataclass(frozen=True)
class Document:
    """A file for a tenant."""

    name: str  # whatever the company's language: income_statement.pdf; of a copy: …_en.pdf
    file_name: str  # of the attachment: 月次損益計算書_2026年10月.pdf
    media_type: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()
