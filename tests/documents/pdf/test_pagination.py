"""Where things stand on the pages: nothing covers anything else, and pages break where they may."""

from __future__ import annotations

import html
import io
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import pytest
from PIL import Image
from pypdf import PdfReader

from reports_pipeline.accounting.reports import LineKind, TenantReports
from reports_pipeline.documents.branding import HOUSE_BRANDING, Branding, Logo, Template
from reports_pipeline.documents.content.contents import pdf_reports
from reports_pipeline.documents.pdf.render import render_pdfs
from reports_pipeline.documents.tables import (
    Column,
    ColumnKind,
    Comment,
    Report,
    Row,
)
from tests.documents.samples import (
    BALANCES,
    COMPANY,
    ENGLISH,
    PAYMENTS,
    RECEIPTS,
    SALES,
    Account,
    closing_on_the_20th,
    empty,
    english,
    in_thousands,
    large,
    losing,
    reports,
)
from tests.programs import require_program

REFERENCE = "8f14e45fceea167a"
A4 = (595.28, 841.89)


def drawn_logo(width: int = 600, height: int = 150, *, transparent: bool = False) -> Logo:
    picture = Image.new("RGBA", (width, height), (180, 30, 60, 90 if transparent else 255))
    output = io.BytesIO()
    picture.save(output, "PNG")
    return Logo(output.getvalue(), width, height)


def branding(template: Template, logo: Logo | None = None) -> Branding:
    return Branding(1, template, "8B1E3F", logo)


@dataclass(frozen=True)
class Box:
    """A rectangle on a page, in points from its top left."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box) -> bool:
        return (
            min(self.right, other.right) - max(self.left, other.left) > 0.3
            and min(self.bottom, other.bottom) - max(self.top, other.top) > 0.3
        )


_PAGE = re.compile(r"<page width=.*?</page>", re.DOTALL)
_WORD = re.compile(
    r'<word xMin="([-\d.]+)" yMin="([-\d.]+)" xMax="([-\d.]+)" yMax="([-\d.]+)">(.*?)</word>'
)


def words_by_page(pdf: bytes) -> list[list[Box]]:
    """The words as high as their letters; pdftotext gives the height of the font's lines."""
    completed = subprocess.run(
        [require_program("pdftotext"), "-bbox", "-", "-"],
        input=pdf,
        capture_output=True,
        check=True,
    )
    assert completed.stderr == b""
    pages = []
    # pdftotext writes a broken 𠮷 in the title, not in the text
    for page in _PAGE.findall(completed.stdout.decode(errors="replace")):
        words = []
        for left, top, right, bottom, text in _WORD.findall(page):
            height = float(bottom) - float(top)
            words.append(
                Box(
                    html.unescape(text),
                    float(left),
                    float(top) + 0.25 * height,
                    float(right),
                    float(bottom) - 0.2 * height,
                )
            )
        pages.append(words)
    return pages


def logos_by_page(pdf: bytes) -> list[list[Box]]:
    pages = []
    for page in PdfReader(io.BytesIO(pdf)).pages:
        operators = page.get_contents()
        assert operators is not None
        logos = []
        for found in re.finditer(
            rb"q ([\d.]+) 0 0 ([\d.]+) ([\d.]+) ([\d.]+) cm /Logo Do Q", operators.get_data()
        ):
            width, height, x, y = map(float, found.groups())
            top = float(page.mediabox.height) - y
            logos.append(Box("logo", x, top - height, x + width, top))
        pages.append(logos)
    return pages


def collisions(pdf: bytes) -> Iterator[tuple[str, str]]:
    for words, logos in zip(words_by_page(pdf), logos_by_page(pdf), strict=True):
        for one, other in combinations([*words, *logos], 2):
            if one.overlaps(other):
                yield one.text, other.text


def with_factor(book: Mapping[str, list[Account]], factor: int) -> dict[str, list[Account]]:
    return {
        section: [
            replace(
                account,
                current=account.current * factor,
                prior=account.prior * factor,
                third=account.third * factor,
            )
            for account in accounts
        ]
        for section, accounts in book.items()
    }


def huge() -> TenantReports:
    """Amounts of 15 digits."""
    factor = 6_000_000
    return reports(
        sales=with_factor(SALES, factor),
        balances=with_factor(BALANCES, factor),
        receipts=with_factor({"": RECEIPTS}, factor)[""],
        payments=with_factor({"": PAYMENTS}, factor)[""],
        opening_cash=[factor * cash for cash in (45_201_320, 39_541_320, 37_118_000, 40_280_455)],
    )


def first_month() -> TenantReports:
    """Books that begin with the month."""
    usual = reports()
    return replace(
        usual,
        statements=tuple(
            replace(
                statement,
                lines=tuple(
                    replace(line, trend=(0,) * 11 + line.trend[-1:] if line.trend else ())
                    for line in statement.lines
                ),
            )
            for statement in usual.statements
        ),
    )


def in_dinars() -> TenantReports:
    """A currency of three decimals."""
    return reports(company=replace(ENGLISH, currency="KWD"))


def longest_english() -> TenantReports:
    name = "Marunouchi International Trading and Consulting Holdings (Asia Pacific) Co., Ltd. " * 4
    usual = english()
    return replace(
        usual,
        company=replace(
            usual.company,
            name=name.strip(),
            closed=False,
            month_start="2026-09-21",
            month_end="2026-10-21",
        ),
    )


def longest_japanese() -> TenantReports:
    usual = closing_on_the_20th()
    return replace(
        usual,
        company=replace(usual.company, name="株式会社" + "とても長い名前の" * 37, closed=False),
    )


MONTHS = {
    "usual": reports,
    "losing": losing,
    "thousands": in_thousands,
    "english": english,
    "empty": empty,
    "large": large,
    "huge": huge,
    "first_month": first_month,
    "dinars": in_dinars,
    "longest_english": longest_english,
    "longest_japanese": longest_japanese,
}


@pytest.mark.parametrize("template", Template)
@pytest.mark.parametrize("month", MONTHS)
def test_nothing_covers_anything_else(template: Template, month: str) -> None:
    sample = MONTHS[month]()
    premium = replace(sample, company=replace(sample.company, plan="premium"))

    for logo in (None, drawn_logo()):
        for pdf in render_pdfs(pdf_reports(premium), REFERENCE, branding(template, logo)):
            assert list(collisions(pdf)) == []


@pytest.mark.parametrize("template", Template)
def test_everything_stands_within_the_margins(template: Template) -> None:
    sample = longest_english()
    premium = replace(sample, company=replace(sample.company, plan="premium"))

    for pdf in render_pdfs(pdf_reports(premium), REFERENCE, branding(template, drawn_logo())):
        reader = PdfReader(io.BytesIO(pdf))
        for words, page in zip(words_by_page(pdf), reader.pages, strict=True):
            assert min(word.left for word in words) >= 39.5
            assert max(word.right for word in words) <= float(page.mediabox.width) - 39.5


def test_a_name_of_300_characters_takes_two_lines_and_ends_in_dots() -> None:
    [pdf, *_] = render_pdfs([pdf_reports(longest_japanese())[0][:1]], REFERENCE)

    [words] = words_by_page(pdf)
    lines = [word for word in words if "とても長い" in word.text]

    assert len(lines) == 2
    assert lines[0].text.startswith("株式会社")
    assert lines[1].text.endswith("…")


@pytest.mark.parametrize("template", Template)
@pytest.mark.parametrize(("width", "height"), [(600, 150), (200, 200), (600, 40), (60, 200)])
def test_logo_keeps_its_proportions_and_stands_in_the_head(
    template: Template, width: int, height: int
) -> None:
    pdfs = render_pdfs(
        pdf_reports(reports()), REFERENCE, branding(template, drawn_logo(width, height))
    )

    for pdf in pdfs:
        for logos in logos_by_page(pdf):
            [logo] = logos
            drawn_width, drawn_height = logo.right - logo.left, logo.bottom - logo.top
            assert drawn_width <= 110.01
            assert drawn_height <= 28.01
            assert drawn_width / drawn_height == pytest.approx(width / height, rel=0.01)
            assert logo.bottom < 98


@pytest.mark.parametrize("transparent", [False, True])
def test_logo_is_embedded_once_and_without_transparency(transparent: bool, tmp_path) -> None:  # type: ignore[no-untyped-def]
    [pdf, *_] = render_pdfs(
        pdf_reports(large()),
        REFERENCE,
        branding(Template.BOLD, drawn_logo(transparent=transparent)),
    )
    path = tmp_path / "report.pdf"
    path.write_bytes(pdf)

    listed = subprocess.run(
        [require_program("pdfimages"), "-list", str(path)],
        capture_output=True,
        check=True,
        text=True,
    ).stdout.splitlines()[2:]

    assert len(listed) > 2  # a line for each page that shows it
    assert {line.split()[2] for line in listed} == {"image"}  # no mask
    assert len({line.split()[10] for line in listed}) == 1  # one object


def trend(figures: int) -> Report:
    """A table of 12 months and their total."""
    [statement, *_] = pdf_reports(reports())[0]
    months = [Column(f"2026/{month:02}", ColumnKind.AMOUNT, 14) for month in range(1, 13)]
    return replace(
        statement,
        columns=(
            Column("科目", ColumnKind.TEXT, 34),
            *months,
            Column("合計", ColumnKind.SUM, 15),
        ),
        rows=tuple(
            Row(
                f"account:{number}",
                LineKind.ACCOUNT,
                1,
                ("法人税、住民税及び事業税", *(-figures,) * 12, -figures * 12),
            )
            for number in range(60)
        ),
        base_row=None,
        highlights=(),
        charts=(),
        is_landscape=True,
    )


def test_landscape_and_portrait_pages_stand_in_one_document() -> None:
    [statement, *_] = pdf_reports(reports())[0]

    [pdf] = render_pdfs([[statement, trend(1_234_567)]], REFERENCE)

    sizes = [
        (float(page.mediabox.width), float(page.mediabox.height))
        for page in PdfReader(io.BytesIO(pdf)).pages
    ]
    assert sizes[0] == pytest.approx(A4, abs=0.01)
    assert len(sizes) > 2
    assert all(size == pytest.approx(A4[::-1], abs=0.01) for size in sizes[1:])
    for words in words_by_page(pdf)[1:]:
        assert max(word.right for word in words) > 790
        assert any(word.text == "2026/12" for word in words)


def test_thirteen_columns_of_full_yen_are_readable() -> None:
    """△9,876,543,210 a month, in at least 6 points."""
    [pdf] = render_pdfs([[trend(9_876_543_210)]], REFERENCE)

    for page in PdfReader(io.BytesIO(pdf)).pages:
        operators = page.get_contents()
        assert operators is not None
        sizes = re.findall(rb"/NotoSansJP\S+ ([\d.]+) Tf", operators.get_data())
        assert min(map(float, sizes)) >= 6
    assert list(collisions(pdf)) == []


def comment_page(count: int, length: int) -> Report:
    [statement, *_] = pdf_reports(reports())[0]
    return replace(
        statement,
        name="comments",
        columns=(),
        rows=(),
        base_row=None,
        highlights=(),
        charts=(),
        notes=(),
        comments=tuple(
            Comment(
                f"第{number}の所見",
                f"所見{number}の本文。" + "売上高は前月より増えました、" * length + f"終{number}。",
                is_warning=number % 3 == 0,
            )
            for number in range(count)
        ),
    )


@pytest.mark.parametrize("template", Template)
def test_comments_flow_over_pages_with_every_word(template: Template) -> None:
    report = comment_page(40, 12)

    [pdf] = render_pdfs([[report]], REFERENCE, branding(template))

    pages = words_by_page(pdf)
    text = "".join(word.text for words in pages for word in words)
    assert len(pages) > 2
    assert text.count("要確認") == sum(comment.is_warning for comment in report.comments)
    for comment in report.comments:
        assert comment.title in text
        assert f"終{report.comments.index(comment)}。" in text
    assert text.count("売上高は前月より増えました、") > 400  # others go over a page's end
    assert list(collisions(pdf)) == []


def test_no_line_of_a_comment_begins_with_a_comma() -> None:
    [pdf] = render_pdfs([[comment_page(6, 30)]], REFERENCE)

    for words in words_by_page(pdf):
        assert not any(word.text[0] in "、。" for word in words)


def test_a_comment_that_is_longer_than_a_page_flows_on() -> None:
    [pdf] = render_pdfs([[comment_page(1, 400)]], REFERENCE)

    pages = words_by_page(pdf)

    assert len(pages) == 3
    assert any("終0。" in word.text for word in pages[-1])


def month_with(accounts: int) -> TenantReports:
    expenses = [
        Account(f"6{number:03}", f"経費科目その{number}", 1_000_000, 900_000, 9_000_000)
        for number in range(accounts)
    ]
    return reports(sales={**SALES, "selling_general_administrative": expenses})


@pytest.mark.parametrize("accounts", [*range(8, 40, 2), *range(60, 76, 3), 300])
def test_chart_shares_its_page_with_rows(accounts: int) -> None:
    [[statement, *_], *_] = pdf_reports(month_with(accounts))

    [pdf] = render_pdfs([[statement]], REFERENCE)

    *before, last = words_by_page(pdf)
    assert any(word.text.startswith("売上高と営業利益") for word in last)
    ends = [word.text for word in last if word.text.endswith("%")]
    assert len(ends) >= 4
    for words in before:
        assert any(word.text == "売上比" for word in words)
        assert max(word.bottom for word in words if word.text.endswith("%")) > 500


@pytest.mark.parametrize("accounts", [4, 8, 12, 14])
def test_income_statement_of_a_small_company_takes_one_page(accounts: int) -> None:
    [[statement, *_], *_] = pdf_reports(month_with(accounts))

    [pdf] = render_pdfs([[statement]], REFERENCE)

    assert len(words_by_page(pdf)) == 1


def test_cash_flow_with_many_counterparts_takes_one_page() -> None:
    payments = [
        Account(f"6{number:03}", f"相手科目{number}", 1_000_000, 900_000, 9_000_000)
        for number in range(24)
    ]
    *_, [cash_flow, _] = pdf_reports(reports(payments=payments))

    [pdf] = render_pdfs([[cash_flow]], REFERENCE)

    assert len(words_by_page(pdf)) == 1


@pytest.mark.parametrize("accounts", [30, 61, 67, 300])
def test_no_page_ends_in_a_heading_or_begins_with_a_subtotal(accounts: int) -> None:
    [[statement, *_], *_] = pdf_reports(month_with(accounts))
    headings = {str(row.cells[0]) for row in statement.rows if row.kind is LineKind.HEADING}
    subtotals = {str(row.cells[0]) for row in statement.rows if row.kind is LineKind.SUBTOTAL}

    [pdf] = render_pdfs([[statement]], REFERENCE)

    seen = []
    for words in words_by_page(pdf):
        from_top = sorted(words, key=lambda word: word.top)
        labels = [word.text for word in from_top if word.left < 60 and 110 < word.top < 790]
        assert labels[-1] not in headings
        assert labels[1] not in subtotals  # below the head of the table
        seen += [label for label in labels if label in headings]
    assert len(seen) == len(set(seen)) == len(headings)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_month_without_transactions_says_so_once_and_above_the_table(language: str) -> None:
    usual = empty()
    sample = replace(usual, company=replace(usual.company, language=language))
    notice = {
        "ja": "この月の取引はありません。",
        "en": "There were no transactions in this month.",
    }[language]

    for parts, pdf in zip(
        pdf_reports(sample), render_pdfs(pdf_reports(sample), REFERENCE), strict=True
    ):
        texts = [" ".join(word.text for word in words) for words in words_by_page(pdf)]
        statements = [n for n, part in enumerate(parts) if not part.is_landscape]
        for number in statements:
            assert texts[number].count(notice) == 1
        head = {"ja": "科目", "en": "Account"}[language]
        assert texts[0].index(notice) < texts[0].index(head)


def test_house_branding_is_what_is_drawn_without_one() -> None:
    documents = pdf_reports(reports(company=COMPANY))

    assert render_pdfs(documents, REFERENCE) == render_pdfs(documents, REFERENCE, HOUSE_BRANDING)
