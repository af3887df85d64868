"""The head and the foot of a page: which report of whom this is, and which page of it."""

from __future__ import annotations

from reports_pipeline.documents.branding import Template
from reports_pipeline.documents.catalogs import Catalog
from reports_pipeline.documents.pdf.logo import LogoImage
from reports_pipeline.documents.pdf.pages import Align, Page, Sheet, text_width, wrap
from reports_pipeline.documents.pdf.themes import INK, MUTED, NEGATIVE, WHITE
from reports_pipeline.documents.tables import Report

# Points.
_HEAD_HEIGHT = 98.0
_FOOT_HEIGHT = 52.0
_TITLE_SIZE = 18.0
_PERIOD_SIZE = 11.0
_NAME_SIZE = 11.0
_FACT_SIZE = 8.0
_MARK_SIZE = 8.5
_GAP = 14.0


def body_top(sheet: Sheet) -> float:
    """Where the head ends."""
    return sheet.height - _HEAD_HEIGHT


def body_height(sheet: Sheet) -> float:
    """What head and foot leave of the page."""
    return sheet.height - _HEAD_HEIGHT - _FOOT_HEIGHT


def draw_head(page: Page, report: Report, texts: Catalog, logo: LogoImage | None) -> None:
    mark = "" if report.company.closed else texts.text("provisional")
    if page.theme.template is Template.CLASSIC:
        _draw_centred_head(page, report, mark, logo)
    else:
        _draw_head(page, report, mark, logo)


def _draw_head(page: Page, report: Report, mark: str, logo: LogoImage | None) -> None:
    """The title at the left; at the right the logo, or else the period, and the facts."""
    sheet, accent = page.sheet, page.theme.accent
    left, right, top = sheet.left, sheet.right, sheet.height
    is_bold = page.theme.template is Template.BOLD
    if is_bold:
        page.box(0, top - 90, sheet.width, 90, accent)
        title_colour, ink, muted = WHITE, WHITE, accent.mixed(WHITE, 0.9)
    else:
        page.box(0, top - 6, sheet.width, 6, accent)
        page.rule(left, right, top - 88, width=0.8, colour=accent)
        title_colour, ink, muted = accent, INK, MUTED
    if mark:
        _draw_mark(page, left, top - 26, mark, inverted=is_bold)
    right_width = text_width(report.period, _PERIOD_SIZE, bold=True)
    period_y, facts_y = top - 45, top - 62
    if logo is not None:
        _draw_logo(page, right - logo.width, top - 12 - logo.height, logo)
        right_width = max(right_width, logo.width)
        period_y, facts_y = top - 56, top - 69
    size = _fitting_size(report.title, _TITLE_SIZE, sheet.inner_width - right_width - _GAP)
    page.text(left, top - 46, report.title, size=size, bold=True, colour=title_colour)
    page.text(
        right,
        period_y,
        report.period,
        size=_PERIOD_SIZE,
        bold=True,
        colour=ink,
        align=Align.RIGHT,
    )
    facts = _facts(report)
    for number, line in enumerate(facts):
        page.text(
            right,
            facts_y - 12 * number,
            line,
            size=_FACT_SIZE,
            colour=muted,
            align=Align.RIGHT,
        )
    facts_width = _widest(facts)
    if logo is not None:
        facts_width = max(facts_width, right_width)  # the period is as low as the name
    for number, line in enumerate(_company_name(report, sheet, facts_width)):
        page.text(left, top - 66 - 13 * number, line, size=_NAME_SIZE, bold=True, colour=ink)


def _draw_centred_head(page: Page, report: Report, mark: str, logo: LogoImage | None) -> None:
    """The title in the middle over a double rule, as printed statements have it."""
    sheet = page.sheet
    left, right, top = sheet.left, sheet.right, sheet.height
    middle = sheet.width / 2
    side = 0.0
    if mark:
        side = text_width(mark, _MARK_SIZE, bold=True) + 12
        _draw_mark(page, right - side, top - 40, mark, inverted=False)
    if logo is not None:
        _draw_logo(page, left, top - 22 - logo.height, logo)
        side = max(side, logo.width)
    room = sheet.inner_width - 2 * (side + _GAP)
    size = _fitting_size(report.title, _TITLE_SIZE - 1, room)
    half = min(room, text_width(report.title, size, bold=True) + 36) / 2
    page.text(
        middle,
        top - 40,
        report.title,
        size=size,
        bold=True,
        colour=page.theme.accent,
        align=Align.CENTRE,
    )
    page.rule(middle - half, middle + half, top - 47.5, width=1.1, colour=page.theme.accent)
    page.rule(middle - half, middle + half, top - 50, width=0.4, colour=page.theme.accent)
    page.text(middle, top - 62, report.period, size=10, align=Align.CENTRE)
    facts = _facts(report)
    name = _company_name(report, sheet, _widest(facts))
    for number, line in enumerate(reversed(facts)):
        page.text(right, top - 91 + 11 * number, line, size=_FACT_SIZE, align=Align.RIGHT)
    for number, line in enumerate(reversed(name)):
        page.text(left, top - 91 + 12 * number, line, size=_NAME_SIZE, bold=True)


def _facts(report: Report) -> list[str]:
    return [line for line in ("　".join(report.facts[:2]), "　".join(report.facts[2:])) if line]


def _widest(lines: list[str]) -> float:
    return max((text_width(line, _FACT_SIZE) for line in lines), default=0.0)


def _company_name(report: Report, sheet: Sheet, taken: float) -> list[str]:
    """The name in the lines that it takes; so much of their width is `taken`."""
    room = sheet.inner_width - 20 - taken
    return wrap(report.company.name, room, _NAME_SIZE, bold=True, lines=2)


def _fitting_size(text: str, size: float, room: float) -> float:
    width = text_width(text, size, bold=True)
    return size if width <= room else size * room / width


def _draw_mark(page: Page, x: float, y: float, mark: str, *, inverted: bool) -> None:
    """A mark in a frame: one that no reader or printer can take for decoration."""
    width = text_width(mark, _MARK_SIZE, bold=True) + 12
    if inverted:
        page.box(x, y, width, 14, WHITE, radius=3)
    page.frame(x, y, width, 14, NEGATIVE, stroke=1, radius=3)
    page.text(x + 6, y + 4, mark, size=_MARK_SIZE, bold=True, colour=NEGATIVE)


def _draw_logo(page: Page, x: float, y: float, logo: LogoImage) -> None:
    """The logo on its ground, where the page has another colour there."""
    around = WHITE if page.theme.template is not Template.BOLD else page.theme.accent
    if logo.ground != around:
        page.box(x - 4, y - 3, logo.width + 8, logo.height + 6, logo.ground, radius=2)
    page.logo(x, y, logo.width, logo.height, logo)


def draw_foot(page: Page, report: Report, reference: str, number: str, texts: Catalog) -> None:
    """`number`: which page this is."""
    sheet = page.sheet
    page.rule(sheet.left, sheet.right, 40)
    marks = ["FinanceFlow", texts.text("reference", reference=reference), report.edition]
    page.text(sheet.left, 28, "　".join(marks), size=7, colour=MUTED)
    page.text(sheet.right, 28, number, size=7, colour=MUTED, align=Align.RIGHT)
