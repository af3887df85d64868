"""The documents of a tenant's month."""

from __future__ import annotations

import hashlib

from reports_pipeline.documents.bundle import (
    PDF_NAMES,
    WORKBOOK_NAMES,
    render_pdfs,
    render_workbooks,
)
from tests.documents.samples import english, reports


def test_seven_documents_in_the_order_in_which_they_are_sent() -> None:
    pdfs, workbooks = render_pdfs(reports(), "r"), render_workbooks(reports(), "r")

    assert [document.name for document in pdfs] == [
        "income_statement.pdf",
        "balance_sheet.pdf",
        "expense_analysis.pdf",
        "cash_flow.pdf",
    ]
    assert [document.name for document in workbooks] == [
        "income_statement.xlsx",
        "balance_sheet.xlsx",
        "expense_claims.xlsx",
    ]
    assert tuple(document.name for document in pdfs) == PDF_NAMES
    assert tuple(document.name for document in workbooks) == WORKBOOK_NAMES


def test_attachments_are_named_in_the_reader_s_language() -> None:
    assert [document.file_name for document in render_pdfs(reports(), "r")] == [
        "月次損益計算書_2026年10月.pdf",
        "月次貸借対照表_2026年10月.pdf",
        "経費分析レポート_2026年10月.pdf",
        "キャッシュフロー概要_2026年10月.pdf",
    ]
    assert [document.file_name for document in render_workbooks(english(), "r")] == [
        "Income_Statement_2026-10.xlsx",
        "Balance_Sheet_2026-10.xlsx",
        "Expense_Claims_2026-10.xlsx",
    ]


def test_contents_are_what_the_media_types_say() -> None:
    for document in render_pdfs(reports(), "r"):
        assert document.media_type == "application/pdf"
        assert document.content.startswith(b"%PDF-")
    for document in render_workbooks(reports(), "r"):
        assert document.media_type.endswith("spreadsheetml.sheet")
        assert document.content.startswith(b"PK")


def test_hash_is_of_the_content() -> None:
    [document, *_] = render_pdfs(reports(), "r")

    assert document.sha256 == hashlib.sha256(document.content).hexdigest()


def test_reference_changes_the_documents() -> None:
    """It is printed, so a document of another delivery has other bytes."""
    assert render_workbooks(reports(), "a")[0].sha256 != render_workbooks(reports(), "b")[0].sha256
    assert render_pdfs(reports(), "a")[0].sha256 != render_pdfs(reports(), "b")[0].sha256
