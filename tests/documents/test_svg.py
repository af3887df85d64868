"""What an SVG may hold, and that drawing one harms nobody."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from PIL import Image

from reports_pipeline.documents import svg
from reports_pipeline.documents.branding import BrandingCode, BrandingError
from reports_pipeline.documents.catalogs import LANGUAGES
from reports_pipeline.documents.svg import draw_svg, require_safe_svg

XLINK = 'xmlns:xlink="http://www.w3.org/1999/xlink"'
INKSCAPE = 'xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape"'


def picture(content: str, attributes: str = "") -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {XLINK} width="300" height="50" {attributes}>'
        f"{content}</svg>"
    )


def refusal(text: str | bytes) -> BrandingError:
    content = text.encode() if isinstance(text, str) else text
    with pytest.raises(BrandingError) as refused:
        require_safe_svg(content)
    return refused.value


def drawn(text: str) -> Image.Image:
    image = Image.open(io.BytesIO(draw_svg(require_safe_svg(text.encode()), 600, 200)))
    image.load()
    return image


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("<script>fetch('http://evil.example')</script>", "<script>"),
        ('<x:script xmlns:x="http://www.w3.org/1999/xhtml">1</x:script>', "<script>"),
        ('<rect width="9" height="9" onload="alert(1)"/>', "onload="),
        ('<g ONCLICK="alert(1)"/>', "ONCLICK="),
        ('<foreignObject><p xmlns="http://www.w3.org/1999/xhtml"/></foreignObject>',
         "<foreignObject>"),
        ('<iframe xmlns="http://www.w3.org/1999/xhtml" src="http://evil.example"/>', "<iframe>"),
        ('<image href="file:///etc/passwd" width="9" height="9"/>', "<image>"),
        ('<image xlink:href="data:image/png;base64,AAAA"/>', "<image>"),
        ('<filter id="f"><feImage href="http://evil.example/x.png"/></filter>', "<feImage>"),
        ('<use href="http://evil.example/x.svg#a"/>', "href="),
        ('<use xlink:href="other.svg#a"/>', "href="),
        ('<use xlink:href=" data:image/svg+xml;base64,AAAA"/>', "href="),
        ('<a href="javascript:alert(1)"><rect width="9" height="9"/></a>', "href="),
        ('<linearGradient id="g" xlink:href="//evil.example/g#a"/>', "href="),
        ('<g xml:base="http://evil.example/"><use href="#a"/></g>', "base="),
        ('<use href="#a"><animate attributeName="href" to="http://evil.example"/></use>',
         "<animate>"),
        ('<set attributeName="href" to="javascript:alert(1)"/>', "<set>"),
        ('<style>@import "http://evil.example/x.css";</style>', "<style> @import"),
        ("<style>@IMPORT url(x.css);</style>", "<style> @import"),
        ("<style>@im\\70ort 'x.css';</style>", "<style> \\\\"),
        ("<style><![CDATA[ .a { fill: url(http://evil.example/#a) } ]]></style>", "<style> url()"),
        ("<style>.a { fill: url( 'x.svg#a' ) }</style>", "<style> url()"),
        ("<style>@font-face { src: url(data:font/ttf;base64,AAAA) }</style>", "<style> url()"),
        ("<style>.a { fill: u/**/rl(x.svg) }</style>", "<style> url()"),
        ('<rect style="fill:URL(&quot;x.svg#a&quot;)"/>', "style= url()"),
        ('<rect fill="url(http://evil.example/#a)"/>', "fill= url()"),
        ('<rect mask="url(&#x20;x.svg#a)"/>', "mask= url()"),
        ("<unheard-of/>", "<unheard-of>"),
    ],
)  # fmt: skip
def test_what_is_more_than_a_drawing_is_named_with_its_line(content: str, what: str) -> None:
    error = refusal(picture(f"<g/>\n{content}"))
    assert error.code is BrandingCode.LOGO_UNSAFE
    assert error.facts == {"what": what, "line": 2}


@pytest.mark.parametrize(
    "document_type",
    [
        '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/svg11.dtd">',
        '<!DOCTYPE svg [<!ENTITY file SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
    ],
)
def test_a_document_type_is_refused_with_what_to_do_about_it(document_type: str) -> None:
    error = refusal(f'<?xml version="1.0"?>\n{document_type}\n{picture("&file;&b;")}')
    assert error.code is BrandingCode.LOGO_DOCTYPE
    assert error.facts == {"line": 2}
    for language in LANGUAGES:
        assert "Illustrator" in error.text(language)
    assert "script" not in error.text("en").lower()


def test_a_style_sheet_of_its_own_file_is_refused() -> None:
    error = refusal(f'<?xml-stylesheet href="http://evil.example/x.css"?>\n{picture("<g/>")}')
    assert error.code is BrandingCode.LOGO_UNSAFE
    assert error.facts == {"what": "<?xml-stylesheet?>", "line": 1}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "SVG: no element found: line 1, column 0"),
        (b"<svg", "SVG: unclosed token: line 1, column 0"),
        (b'<html xmlns="http://www.w3.org/1999/xhtml"/>', "SVG: no <svg>"),
        (b"<svg/>", "SVG: no <svg>"),
        (picture("<g/>").encode("utf-16"), "SVG: not UTF-8"),
        (picture("&unknown;").encode(), "SVG: undefined entity: line 1, column 108"),
    ],
)
def test_what_is_no_svg_is_told_why(content: bytes, reason: str) -> None:
    error = refusal(content)
    assert error.code is BrandingCode.LOGO_UNREADABLE
    assert error.facts == {"reason": reason}


def test_what_drawing_programs_write_is_drawn() -> None:
    text = picture(
        f"""
        <metadata {INKSCAPE} inkscape:path="C:\\logos\\a.svg"><inkscape:note/></metadata>
        <defs>
          <style>.a {{ fill: url(#g); clip-path: url("#c") }} @media print {{ .a {{ }} }}</style>
          <linearGradient id="g"><stop offset="0" stop-color="red"/></linearGradient>
          <linearGradient id="h" xlink:href="#g"/>
          <clipPath id="c"><rect width="300" height="50"/></clipPath>
          <filter id="s"><feGaussianBlur stdDeviation="1"/></filter>
        </defs>
        <g filter="url(#s)"><rect id="r" class="a" width="100" height="50"/></g>
        <use href="#r" x="200"/>
        """
    )
    image = drawn(f'<?xml version="1.0" encoding="Shift_JIS"?>{text}')
    assert image.size == (600, 100)
    assert image.getpixel((100, 50)) == image.getpixel((500, 50)) == (255, 0, 0, 255)
    assert image.getpixel((300, 50)) == (0, 0, 0, 0)


def test_text_is_set_in_the_documents_font_whatever_it_asks_for() -> None:
    def text(attributes: str) -> bytes:
        return drawn(picture(f'<text y="40" font-size="40" {attributes}>青葉</text>')).tobytes()

    assert any(text(""))
    assert text("") == text('font-family="Comic Sans MS"') == text('font-family="monospace"')
    assert text("") != text('font-weight="bold"')


@pytest.mark.parametrize("size", [(1, 100_000), (100_000, 1), (1e9, 1e9)])
def test_a_picture_is_no_larger_than_asked_for_whatever_it_says(
    size: tuple[float, float],
) -> None:
    width, height = size
    image = drawn(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"/>')
    assert 1 <= image.width <= 600
    assert 1 <= image.height <= 200


def test_a_picture_without_a_size_is_unreadable() -> None:
    with pytest.raises(BrandingError) as refused:
        drawn('<svg xmlns="http://www.w3.org/2000/svg" width="0" height="50"/>')
    assert refused.value.code is BrandingCode.LOGO_UNREADABLE


def nested_groups() -> str:
    """So deep that the drawing library overruns its stack."""
    return picture("<g>" * 50_000 + "</g>" * 50_000)


def nested_pictures() -> str:
    return picture('<svg width="9999" height="9999">' * 20_000 + "</svg>" * 20_000)


def nested_masks() -> str:
    """Masks of ten masked areas each, six deep: a million areas in a small file."""

    def area(mask: str = "") -> str:
        return f'<rect width="300" height="50" fill="white" {mask}/>'

    masks = [
        f'<mask id="m{level + 1}">' + area(f'mask="url(#m{level})"') * 10 + "</mask>"
        for level in range(6)
    ]
    return picture(f'<mask id="m0">{area()}</mask>{"".join(masks)}' + area('mask="url(#m6)"'))


@pytest.mark.parametrize("bomb", [nested_groups, nested_pictures, nested_masks])
def test_a_picture_that_nobody_can_draw_harms_nobody(
    bomb: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(svg, "_SECONDS", 5.0)
    with pytest.raises(BrandingError) as refused:
        drawn(bomb())
    assert refused.value.code is BrandingCode.LOGO_TOO_COMPLEX


def test_a_picture_that_copies_itself_exponentially_is_refused() -> None:
    groups = "".join(
        f'<g id="a{level + 1}">' + f'<use href="#a{level}"/>' * 10 + "</g>" for level in range(8)
    )
    with pytest.raises(BrandingError) as refused:
        drawn(picture(f'<rect id="a0" width="3" height="3"/>{groups}'))
    assert refused.value.code in (BrandingCode.LOGO_UNREADABLE, BrandingCode.LOGO_TOO_COMPLEX)
