"""Names that look like markup, formulas or messages, or need rare characters, print as they are."""

from __future__ import annotations

import io
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from html import unescape
from pathlib import Path

import psycopg
import pytest
from openpyxl import load_workbook
from openpyxl.cell import Cell
from pypdf import PdfReader

from tests.bad_input.april import OTHERS, SPOILT, AprilRun, run_april

NAMES = [
    "<b>太字</b>",
    "P&L商会",
    "=1+1",
    "=cmd|'/C calc'!A0",
    "<img src='file:///etc/passwd'/>",
    "髙﨑𠮷商店",
    "ｻｸﾗｼｮｳﾃﾝ",
    "{company} %s {0}",
    "'; drop table ledger.companies; --",
]
RENAME = """
    update ledger.companies set name = %(name)s where tenant_id = 't0004';
    update ledger.accounts set name = %(name)s
        where tenant_id = 't0004' and account_code = '4110';
    update ledger.contacts set name = %(name)s where tenant_id = 't0004';
    update ledger.expense_claims
        set employee = %(name)s, payee = %(name)s, description = %(name)s
        where tenant_id = 't0004' and incurred_on >= '2025-04-01';
"""


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_printed_as_it_is(name: str, sound: AprilRun, url: str, tmp_path: Path) -> None:
    with psycopg.connect(url, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(RENAME, {"name": name})
    april = run_april(url, tmp_path)
    assert april.failures == {}
    left = april.left[SPOILT]

    for document, pdf in left.documents.items():
        if document.endswith(".pdf"):
            assert name in text_of(pdf)
    # in the head and of an account, on the page of the statement and on that of the trend
    assert text_of(left.documents["r1/income_statement.pdf"]).count(name) == 4

    for document, cells in {
        "income_statement": ["company", "account"],
        "balance_sheet": ["company"],
        "expense_claims": ["company", "employee", "payee", "description"],
    }.items():
        found = cells_with(name, left.documents[f"r1/{document}.xlsx"])
        assert len(found) == len(cells)
        # A text, whatever it begins with.
        assert {cell.data_type for cell in found} == {"s"}

    [first, _] = left.mails
    mail = BytesParser(EmailMessage, policy=policy.default).parsebytes(first)
    assert isinstance(mail, EmailMessage)
    assert name in mail["Subject"]
    [recipient] = mail["To"].addresses
    assert recipient.display_name == name
    assert recipient.addr_spec == "t0004.1@example.com"
    assert body_of(mail, "plain").count(name) == 2
    html = body_of(mail, "html")
    assert unescape(html).count(name) == 2
    assert "<img" not in html
    assert "<b>" not in html

    for tenant_id in OTHERS:
        assert april.left[tenant_id] == sound.left[tenant_id]


def text_of(pdf: bytes) -> str:
    pages = PdfReader(io.BytesIO(pdf), strict=True).pages
    return "\n".join(page.extract_text() for page in pages)


def cells_with(text: str, workbook: bytes) -> list[Cell]:
    sheet = load_workbook(io.BytesIO(workbook)).worksheets[0]
    return [cell for row in sheet.iter_rows() for cell in row if cell.value == text]


def body_of(mail: EmailMessage, subtype: str) -> str:
    body = mail.get_body((subtype,))
    assert body is not None
    content = body.get_content()
    assert isinstance(content, str)
    return content
