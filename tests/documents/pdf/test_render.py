"""The PDFs, read back from outside."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from pypdf import PdfReader

from reports_pipeline.accounting.failures import FailureCode, TenantFailureError
from reports_pipeline.accounting.reports import TenantReports
from reports_pipeline.documents.content.contents import pdf_reports
from reports_pipeline.documents.content.layouts import INCOME_STATEMENT, statement_report
from reports_pipeline.documents.glyphs import printable_characters
from reports_pipeline.documents.pdf.render import render_pdfs
from reports_pipeline.documents.tables import Report
from tests.documents.printed_pages import written
from tests.documents.samples import (
    COMPANY,
    SALES,
    SAMPLES,
    Account,
    in_thousands,
    large,
    losing,
    renamed,
    reports,
)
from tests.programs import require_program

REFERENCE = "8f14e45fceea167a"


def models(sample: TenantReports) -> list[list[Report]]:
    """The reports of each document."""
    return pdf_reports(replace(sample, company=replace(sample.company, plan="light")))


def text_of(pdf: bytes) -> str:
    """The text as pdftotext lays it out, pages separated by form feeds."""
    completed = subprocess.run(
        [require_program("pdftotext"), "-layout", "-enc", "UTF-8", "-", "-"],
        input=pdf,
        capture_output=True,
        check=True,
    )
    assert completed.stderr == b""
    return completed.stdout.decode()


def only_line_with(words: Sequence[str], lines: list[list[str]]) -> bool:
    return any(line[-len(words) :] == list(words) for line in lines)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_line_is_printed_with_all_its_figures(name: str) -> None:
    sample = SAMPLES[name]()
    documents = models(sample)

    for parts, pdf in zip(documents, render_pdfs(documents, REFERENCE), strict=True):
        lines = [line.split() for line in text_of(pdf).splitlines()]
        for row in [row for report in parts for row in report.rows]:
            label, *figures = row.cells
            words = [written(cell, sample.company) for cell in figures]
            if len(str(label)) <= 20:  # longer ones wrap
                words = [*str(label).split(), *words]
            assert only_line_with(words, lines), (parts[0].name, words)


@pytest.mark.parametrize("name", SAMPLES)
def test_all_fonts_are_embedded_subsets_with_their_text(name: str, tmp_path: Path) -> None:
    pdffonts = require_program("pdffonts")
    for number, pdf in enumerate(render_pdfs(models(SAMPLES[name]()), REFERENCE)):
        path = tmp_path / f"{number}.pdf"
        path.write_bytes(pdf)
        listed = subprocess.run([pdffonts, str(path)], capture_output=True, check=True, text=True)
        assert listed.stderr == ""
        fonts = [re.split(r"\s{2,}", line) for line in listed.stdout.splitlines()[2:]]
        assert {font[0].partition("+")[2] for font in fonts} == {
            "NotoSansJP-Regular",
            "NotoSansJP-Bold",
        }
        assert all("yes yes yes" in " ".join(font) for font in fonts), listed.stdout


def test_rare_and_half_width_characters_and_markup_are_printed_as_they_are() -> None:
    company = replace(COMPANY, name="髙﨑𠮷商店 <b>P&L</b> ｱｲｳ①㈱")

    pdfs = render_pdfs(models(reports(company=company)), REFERENCE)

    for pdf in pdfs:
        assert "髙﨑𠮷商店 <b>P&L</b> ｱｲｳ①㈱" in text_of(pdf)


@pytest.mark.parametrize(
    ("text", "code_point"),
    [("カフェ☕️", "U+2615"), ("笑顔😀", "U+1F600"), ("\ue000", "U+E000"), ("a\tb", "U+0009")],
)
def test_character_without_glyph_fails_the_tenant(text: str, code_point: str) -> None:
    sample = reports(sales=renamed(SALES, {"6110": text}))

    with pytest.raises(TenantFailureError) as raised:
        render_pdfs(models(sample), REFERENCE)

    assert raised.value.failure.code is FailureCode.MISSING_GLYPH
    assert raised.value.failure.tenant_id == "t0001"
    assert raised.value.failure.details == {
        "report": "income_statement",
        "field": "account:6110",
        "text": text,
        "code_point": code_point,
    }


def test_company_name_without_glyph_fails_the_tenant() -> None:
    sample = reports(company=replace(COMPANY, name="株式会社🌸"))

    with pytest.raises(TenantFailureError) as raised:
        render_pdfs(models(sample), REFERENCE)

    assert raised.value.failure.details["field"] == "company_name"


def test_open_month_is_marked_on_every_page() -> None:
    sample = replace(large(), company=replace(large().company, closed=False))

    for pdf in render_pdfs(models(sample), REFERENCE):
        pages = text_of(pdf).split("\f")[:-1]
        assert pages
        assert all("未締め・暫定" in page for page in pages)


def test_closed_month_is_not_marked() -> None:
    for pdf in render_pdfs(models(reports()), REFERENCE):
        assert "暫定" not in text_of(pdf)


def test_every_page_has_the_head_of_the_table_and_its_number() -> None:
    [pdf, *_] = render_pdfs(models(large()), REFERENCE)

    pages = text_of(pdf).split("\f")[:-1]

    assert len(pages) > 2
    for number, page in enumerate(pages, start=1):
        assert f"{number} / {len(pages)} ページ" in page
        assert f"管理番号 {REFERENCE}" in page
        assert "売上比" in page


def test_corrected_revision_is_named() -> None:
    [pdf, *_] = render_pdfs(models(losing()), REFERENCE)

    assert "第2版（訂正版）" in text_of(pdf)


def words_of(pdf: bytes, folder: Path) -> list[tuple[float, float, str]]:
    """Where each word begins and ends, in points from the left."""
    path = folder / "report.pdf"
    path.write_bytes(pdf)
    boxes = subprocess.run(
        [require_program("pdftotext"), "-bbox", str(path), "-"],
        capture_output=True,
        check=True,
    ).stdout.decode(errors="replace")  # pdftotext writes a broken 𠮷 in the title, not the text
    return [
        (float(left), float(right), word)
        for left, right, word in re.findall(
            r'<word xMin="([\d.]+)" yMin="[\d.]+" xMax="([\d.]+)" yMax="[\d.]+">(.*)</word>', boxes
        )
    ]


def test_labels_end_left_of_the_figures(tmp_path: Path) -> None:
    """No word of a wrapped label reaches into the columns of figures."""
    [pdf, *_] = render_pdfs(models(large()), REFERENCE)
    words = words_of(pdf, tmp_path)

    label_right = max(right for _, right, word in words if word.startswith("長長"))
    figure_left = min(left for left, _, word in words if word == "123,456,789,012")

    assert label_right < figure_left
    assert max(right for _, right, _ in words) <= 595.28 - 39


@pytest.mark.parametrize(
    "beginning",
    [
        "海外子会社との業務委託契約に基づくシステム開発及び運用保守に関する費用のうち翌期以降の契約更新に備えて支払うもの",
        "Fees for development and maintenance under agreements with subsidiaries in part ",
    ],
)
def test_accounts_with_a_long_common_beginning_are_told_apart(
    beginning: str, tmp_path: Path
) -> None:
    names = {"6330": f"{beginning}壱", "6390": f"{beginning}弐"}
    income_statement, _, expense_analysis, _ = render_pdfs(
        models(reports(sales=renamed(SALES, names))), REFERENCE
    )

    for pdf in (income_statement, expense_analysis):
        printed = "".join(word for _, _, word in words_of(pdf, tmp_path))
        assert printed.count("壱") == printed.count("弐") == 1


def test_properties_name_report_tenant_and_month() -> None:
    for [report, *_], pdf in zip(
        models(reports()), render_pdfs(models(reports()), REFERENCE), strict=True
    ):
        reader = PdfReader(io.BytesIO(pdf), strict=True)
        properties = reader.metadata
        assert properties is not None
        assert properties.title == f"{report.title} {report.period}"
        assert properties.author == "FinanceFlow"
        assert properties.subject == f"株式会社さくら製作所 {report.title}"
        assert properties.keywords == "t0001, 2026-10"
        assert str(reader.root_object["/Lang"]) == "ja"


def test_same_input_gives_the_same_bytes_in_any_process() -> None:
    program = (
        "import hashlib; from tests.documents.samples import large;"
        "from tests.documents.pdf.test_render import models, REFERENCE;"
        "from reports_pipeline.documents.pdf.render import render_pdfs;"
        "print(*(hashlib.sha256(p).hexdigest() for p in render_pdfs(models(large()), REFERENCE)))"
    )

    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            check=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": "."},
        ).stdout
        for seed in ("1", "2")
    }

    assert len(digests) == 1
    assert len(digests.pop().split()) == 4


def test_documents_do_not_depend_on_what_was_rendered_before() -> None:
    first = render_pdfs(models(reports()), REFERENCE)
    render_pdfs(models(large()), REFERENCE)

    assert render_pdfs(models(reports()), REFERENCE) == first


@pytest.mark.parametrize("name", sorted(SAMPLES.keys() - {"large"}))
def test_usual_month_fits_one_page_a_statement(name: str) -> None:
    documents = models(SAMPLES[name]())

    for parts, pdf in zip(documents, render_pdfs(documents, REFERENCE), strict=True):
        assert len(PdfReader(io.BytesIO(pdf)).pages) == len(parts)


def test_each_statement_of_a_document_begins_a_page() -> None:
    *_, cash_flow = render_pdfs(models(reports()), REFERENCE)

    direct, indirect, _ = text_of(cash_flow).split("\f")

    assert "キャッシュフロー概要" in direct
    assert "1 / 2 ページ" in direct
    assert "キャッシュ・フロー計算書（間接法）" in indirect
    assert "2 / 2 ページ" in indirect


def test_thousands_are_truncated_toward_zero() -> None:
    sales = {
        "net_sales": [
            Account("4110", "製品売上高", 1_999_999, 1_000, 5_000_000),
            Account("4190", "売上値引", -1_999, 0, -999),
        ]
    }
    sample = replace(in_thousands(), statements=reports(sales=sales).statements)

    [pdf, *_] = render_pdfs(models(sample), REFERENCE)

    lines = [line.split() for line in text_of(pdf).splitlines()]
    # the change is 1,998,999, a year ago were 900: neither is computed from what is printed
    assert ["製品売上高", "1,999", "1", "1,998", "0", "100.1%", "5,000"] in lines
    assert ["売上値引", "△1", "0", "△1", "0", "△0.1%", "0"] in lines
    assert ["売上高合計", "1,998", "1", "1,997", "0", "100.0%", "4,999"] in lines


def test_more_characters_than_a_subset_holds() -> None:
    kanji = "".join(sorted(c for c in printable_characters() if "一" <= c <= "龠"))[:600]
    names = {
        account.code: kanji[number * 18 : number * 18 + 18]
        for number, account in enumerate(a for group in SALES.values() for a in group)
    }
    report = statement_report(INCOME_STATEMENT, reports(sales=renamed(SALES, names)))

    [pdf] = render_pdfs([[report]], REFERENCE)

    text = re.sub(r"\s", "", text_of(pdf))
    assert all(name[:9] in text for name in names.values())
