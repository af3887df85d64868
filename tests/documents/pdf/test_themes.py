"""The looks of a document: what each template fills, rules and colours."""

from __future__ import annotations

import io
import re
from itertools import pairwise

import pytest
from pypdf import PdfReader

from reports_pipeline.documents.branding import Branding, Template
from reports_pipeline.documents.content.contents import pdf_reports
from reports_pipeline.documents.pdf.render import render_pdfs
from reports_pipeline.documents.pdf.themes import INK, NEGATIVE, WHITE, Colour, Theme, theme_of
from tests.documents.samples import losing, reports

ACCENTS = ["1F4E79", "8B1E3F", "00695C", "5B2A86", "A34700", "000000", "767676"]


def theme(template: Template, accent: str) -> Theme:
    return theme_of(Branding(1, template, accent, None))


def balance_sheet(template: Template, accent: str = "00695C") -> str:
    """The operators of its page."""
    _, parts, *_ = pdf_reports(reports())
    [pdf] = render_pdfs([parts[:1]], "x", Branding(1, template, accent, None))
    content = PdfReader(io.BytesIO(pdf)).pages[0].get_contents()
    assert content is not None
    return content.get_data().decode()


@pytest.mark.parametrize("template", Template)
@pytest.mark.parametrize("accent", ACCENTS)
def test_neighbours_in_a_chart_differ_without_colours(template: Template, accent: str) -> None:
    colours = theme(template, accent)

    for steps in (colours.steps, colours.steps_below_lines):
        for darker, lighter in pairwise(steps):
            assert lighter.grey - darker.grey > 0.07


@pytest.mark.parametrize("template", Template)
@pytest.mark.parametrize("accent", ACCENTS)
def test_lines_stand_out_from_the_columns_they_cross(template: Template, accent: str) -> None:
    colours = theme(template, accent)

    assert min(step.grey for step in colours.steps_below_lines) - colours.line.grey > 0.2


def test_classic_fills_nothing() -> None:
    operators = balance_sheet(Template.CLASSIC)

    assert not re.search(r"(re|h) f$", operators, re.MULTILINE)
    assert re.search(r" re S$", operators, re.MULTILINE)


def test_classic_has_its_accent_in_the_title_and_its_rule_alone() -> None:
    operators = balance_sheet(Template.CLASSIC)
    accent = theme(Template.CLASSIC, "00695C").accent.operands

    assert operators.count(f"{accent} rg") == 1
    assert operators.count(f"{accent} RG") <= 2


def test_bold_begins_with_a_ground_of_the_accent_under_white_text() -> None:
    operators = balance_sheet(Template.BOLD)
    accent = theme(Template.BOLD, "00695C").accent.operands

    assert f"{accent} rg\n0.00 751.89 595.28 90.00 re f\n" in operators[:200]
    first_text_colour = operators.partition("BT\n")[2].partition(" rg")[0]
    assert first_text_colour.endswith(WHITE.operands)


def test_modern_has_a_band_above_the_page_and_over_the_table() -> None:
    operators = balance_sheet(Template.MODERN)

    assert "0.00 835.89 595.28 6.00 re f" in operators
    assert re.search(r"^40.00 [\d.]+ 515.28 17.00 re f$", operators, re.MULTILINE)


@pytest.mark.parametrize("template", Template)
def test_negative_figures_are_red_in_every_template(template: Template) -> None:
    [[statement, *_], *_] = pdf_reports(losing())
    [pdf] = render_pdfs([[statement]], "x", Branding(1, template, "00695C", None))
    content = PdfReader(io.BytesIO(pdf)).pages[0].get_contents()
    assert content is not None

    assert content.get_data().decode().count(f"{NEGATIVE.operands} rg") > 10


def test_same_look_is_the_same_theme() -> None:
    assert theme(Template.BOLD, "00695C") is theme(Template.BOLD, "00695C")
    assert theme(Template.BOLD, "00695C") != theme(Template.MODERN, "00695C")


def test_mixed_colours_lie_between() -> None:
    half = Colour.of("000000").mixed(WHITE, 0.5)

    assert half == Colour(0.5, 0.5, 0.5)
    assert INK.mixed(WHITE, 1) == WHITE
