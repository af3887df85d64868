"""Which templates and colours a company's documents may have."""

from __future__ import annotations

import pytest

from reports_pipeline.documents.branding import (
    HOUSE_BRANDING,
    Branding,
    BrandingCode,
    BrandingError,
    Template,
    contrast_with_white,
    usable_branding,
)
from reports_pipeline.documents.catalogs import LANGUAGES


def refused(template: str = "modern", accent: str = "1F4E79") -> BrandingError:
    with pytest.raises(BrandingError) as refusal:
        usable_branding(1, template, accent, None)
    return refusal.value


@pytest.mark.parametrize(
    ("accent", "contrast"),
    # ratios by the WCAG working group's own examples of greys, and of the primary colours
    [
        ("000000", 21.0), ("FFFFFF", 1.0), ("767676", 4.542), ("777777", 4.478),
        ("FF0000", 3.998), ("00FF00", 1.372), ("0000FF", 8.592),
    ],
)  # fmt: skip
def test_contrast_is_that_of_wcag(accent: str, contrast: float) -> None:
    assert contrast_with_white(accent) == pytest.approx(contrast, abs=0.001)


@pytest.mark.parametrize("accent", ["#7a1F3d", "7A1F3D"])
def test_an_accent_is_taken_with_or_without_its_sign(accent: str) -> None:
    assert usable_branding(3, "bold", accent, None) == Branding(3, Template.BOLD, "7A1F3D", None)


def test_the_darkest_grey_that_is_refused_is_told_its_contrast() -> None:
    assert usable_branding(1, "classic", "#767676", None).accent == "767676"
    error = refused(accent="#777777")
    assert error.code is BrandingCode.ACCENT_UNREADABLE
    assert error.facts == {"accent": "#777777", "contrast": "4.47", "least": "4.5"}


@pytest.mark.parametrize(
    "accent",
    ["", "#", "red", "#12345", "#1234567", "#GGGGGG", "#1F4E79\n", "##1F4E7", "#１２３４５６"],
)
def test_what_is_no_colour_is_refused(accent: str) -> None:
    assert refused(accent=accent).code is BrandingCode.ACCENT_MALFORMED


def test_an_unknown_template_is_told_which_there_are() -> None:
    error = refused(template="MODERN")
    assert error.code is BrandingCode.TEMPLATE_UNKNOWN
    assert "modern, classic, bold" in error.text("en")


def test_the_house_keeps_its_own_rules() -> None:
    house = HOUSE_BRANDING
    assert usable_branding(house.version, house.template, house.accent, house.logo) == house


FACTS: dict[str, str | int] = {
    "template": "'x'", "templates": "modern", "accent": "#FFFFFF", "contrast": "1.00",
    "least": "4.5", "most_megabytes": 2, "most_megapixels": 25, "reason": "cut off",
    "what": "<script>", "line": 7,
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", BrandingCode)
def test_every_fault_has_a_text_in_one_line(code: BrandingCode, language: str) -> None:
    text = BrandingError(code, **FACTS).text(language)
    assert len(text) > 20
    assert text.splitlines() == [text]
    assert "{" not in text
