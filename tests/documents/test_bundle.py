"""The documents of a tenant's month."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from reports_pipeline.documents.branding import HOUSE_BRANDING
from reports_pipeline.documents.bundle import render_pdfs, render_workbooks
from reports_pipeline.documents.document import PDF_NAMES, WORKBOOK_NAMES
from tests.documents.samples import COMPANY, english, reports


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


def test_a_copy_follows_with_its_language_in_its_names() -> None:
    """The seven are what they are without a copy, but for PDFs' fonts, which all PDFs share."""
    alone = reports(company=replace(COMPANY, plan="premium"))
    copied = reports(company=replace(COMPANY, plan="premium", copy_language="en"))

    pdfs, workbooks = render_pdfs(copied, "r"), render_workbooks(copied, "r")

    assert tuple(document.name for document in pdfs[:4]) == PDF_NAMES
    assert workbooks[:3] == render_workbooks(alone, "r")
    assert [(document.name, document.file_name) for document in pdfs[4:]] == [
        ("income_statement_en.pdf", "Income_Statement_2026-10.pdf"),
        ("balance_sheet_en.pdf", "Balance_Sheet_2026-10.pdf"),
        ("expense_analysis_en.pdf", "Expense_Analysis_2026-10.pdf"),
        ("cash_flow_en.pdf", "Cash_Flow_Summary_2026-10.pdf"),
    ]
    assert [(document.name, document.file_name) for document in workbooks[3:]] == [
        ("income_statement_en.xlsx", "Income_Statement_2026-10.xlsx"),
        ("balance_sheet_en.xlsx", "Balance_Sheet_2026-10.xlsx"),
        ("expense_claims_en.xlsx", "Expense_Claims_2026-10.xlsx"),
    ]


def test_a_copy_of_english_documents_is_japanese() -> None:
    copied = english()
    copied = replace(copied, company=replace(copied.company, plan="premium", copy_language="ja"))

    documents = render_workbooks(copied, "r")

    assert [document.name for document in documents[3:]] == [
        "income_statement_ja.xlsx", "balance_sheet_ja.xlsx", "expense_claims_ja.xlsx",
    ]  # fmt: skip
    assert documents[3].file_name == "月次損益計算書_2026年10月.xlsx"


def test_branding_is_that_of_all_documents() -> None:
    own = replace(HOUSE_BRANDING, version=1, accent="2E7D32")
    copied = reports(company=replace(COMPANY, plan="premium", copy_language="en"))

    for render in (render_pdfs, render_workbooks):
        pairs = zip(render(copied, "r"), render(copied, "r", own), strict=True)
        assert all(house.content != branded.content for house, branded in pairs)


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
