"""A delivery as the tests send it."""

from __future__ import annotations

import hashlib

from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.deliveries import (
    Delivery,
    DocumentReference,
    KeyFigure,
    Letter,
    Recipient,
)

OCTOBER = Month(2026, 10)
SATO = Recipient("佐藤 花子", "sato@yamada.example")
SUZUKI = Recipient("鈴木 一郎", "suzuki@yamada.example")
LETTER = Letter(
    company_name="株式会社山田製作所",
    language="ja",
    provisional=False,
    figures=(KeyFigure("売上高", "12,345,678円"), KeyFigure("当期純利益", "△98,765円")),
)
CONTENTS = {
    "income_statement.pdf": b"%PDF-1.4 profit and loss",
    "income_statement.xlsx": bytes(range(256)) * 4,
}
FILE_NAMES = {
    "income_statement.pdf": "損益計算書_2026年10月.pdf",
    "income_statement.xlsx": "損益計算書_2026年10月.xlsx",
}
MEDIA_TYPES = {
    "income_statement.pdf": "application/pdf",
    "income_statement.xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def object_key(name: str, *, tenant_id: str = "t0001", revision: int = 1) -> str:
    return f"reports/{tenant_id}/{OCTOBER}/r{revision}/{name}"


def delivery(
    *recipients: Recipient,
    tenant_id: str = "t0001",
    revision: int = 1,
    numbers_hash: str = "a" * 64,
    letter: Letter = LETTER,
) -> Delivery:
    documents = tuple(
        DocumentReference(
            name=name,
            file_name=FILE_NAMES[name],
            object_key=object_key(name, tenant_id=tenant_id, revision=revision),
            sha256=hashlib.sha256(content).hexdigest(),
            media_type=MEDIA_TYPES[name],
        )
        for name, content in CONTENTS.items()
    )
    return Delivery(tenant_id, OCTOBER, revision, numbers_hash, letter, documents, recipients)


def stored_documents(*, tenant_id: str = "t0001", revision: int = 1) -> dict[str, bytes]:
    """What the document store holds, by object key."""
    return {
        object_key(name, tenant_id=tenant_id, revision=revision): content
        for name, content in CONTENTS.items()
    }
