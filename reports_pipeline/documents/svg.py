"""SVG pictures from strangers: refused if they are more than a drawing, and then drawn.

An SVG can run scripts, fetch addresses, read files and swell to any size. Two walls stand against
that: `require_safe_svg` lets only known elements and references within the file pass, and
`draw_svg` draws in a process of its own, which may crash, and has little memory and time.
"""

from __future__ import annotations

import re
import subprocess
import sys
from typing import NoReturn
from xml.parsers import expat

from reports_pipeline.documents.branding import BrandingCode, BrandingError

_NAMESPACE = "http://www.w3.org/2000/svg"
# Everything that draws or is drawn with; filters (fe…) are known by their prefix.
_ELEMENTS = frozenset({
    "a", "circle", "clipPath", "defs", "desc", "ellipse", "filter", "g", "line", "linearGradient",
    "marker", "mask", "metadata", "path", "pattern", "polygon", "polyline", "radialGradient",
    "rect", "stop", "style", "svg", "switch", "symbol", "text", "textPath", "title", "tspan", "use",
    "view",
})  # fmt: skip
# Scripts are refused in whatever namespace a browser would run them.
_SCRIPT_ELEMENTS = frozenset({"script", "foreignobject", "iframe", "object", "embed", "handler"})
_REFERENCES = frozenset({"href", "src", "base"})
_CSS_COMMENT = re.compile(r"/\*.*?(\*/|$)", re.DOTALL)
_CSS_IMPORT = re.compile(r"@import", re.IGNORECASE)
_CSS_OUTSIDE = re.compile(r"url\(\s*[\"']?\s*(?!#|[\"'\s])", re.IGNORECASE)
_SECONDS = 20.0


def require_safe_svg(content: bytes) -> str:
    """The text of an SVG picture that only draws, and refers to nothing outside of itself.

    Raises:
        BrandingError: LOGO_UNREADABLE: not UTF-8, not XML, or not SVG. LOGO_DOCTYPE, with its
            line: a document type, which may hold entities. LOGO_UNSAFE, with what was found and
            its line: a style sheet of its own file, an element that is unknown or does more than
            draw, an event handler, a reference or CSS url() to anything but a #fragment, @import
            or an escape in CSS.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BrandingError(BrandingCode.LOGO_UNREADABLE, reason="SVG: not UTF-8") from None
    try:
        _Inspection().read(text)
    except expat.ExpatError as error:
        raise BrandingError(BrandingCode.LOGO_UNREADABLE, reason=f"SVG: {error}") from None
    return text


def draw_svg(text: str, width: int, height: int) -> bytes:
    """A PNG of the picture, as large as fits into `width` by `height` pixels.

    Raises:
        BrandingError: LOGO_UNREADABLE: not a picture. LOGO_TOO_COMPLEX: the process that drew it
            crashed, or needed too much time or memory.
    """
    module = "reports_pipeline.documents.svg_drawing"
    try:
        drawn = subprocess.run(
            # -P: no module of the folder that the program happens to run in
            [sys.executable, "-P", "-m", module, str(width), str(height)],
            input=text.encode(),
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BrandingError(BrandingCode.LOGO_TOO_COMPLEX) from None
    if drawn.returncode == 0:
        return drawn.stdout
    if drawn.returncode == 2:
        reason = f"SVG: {ascii(drawn.stderr.decode(errors='replace').strip())[1:-1][:200]}"
        raise BrandingError(BrandingCode.LOGO_UNREADABLE, reason=reason)
    if drawn.returncode == 1:  # not even begun: nothing that the picture could do
        raise RuntimeError(drawn.stderr.decode(errors="replace"))
    raise BrandingError(BrandingCode.LOGO_TOO_COMPLEX)


class _Inspection:
    """One reading of a file, element by element."""

    def __init__(self) -> None:
        # What the file says of its encoding does not matter: the text is drawn, not the bytes.
        self._parser = expat.ParserCreate("UTF-8", namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._document_type
        self._parser.ProcessingInstructionHandler = self._instruction
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._is_root = True
        self._style: list[str] | None = None

    def read(self, text: str) -> None:
        self._parser.Parse(text.encode(), True)

    def _document_type(self, *_: object) -> None:
        raise BrandingError(BrandingCode.LOGO_DOCTYPE, line=self._parser.CurrentLineNumber)

    def _instruction(self, target: str, _: str) -> None:
        if target == "xml-stylesheet":
            self._refuse("<?xml-stylesheet?>")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, element = name.rpartition(" ")
        if self._is_root and (namespace, element) != (_NAMESPACE, "svg"):
            raise BrandingError(BrandingCode.LOGO_UNREADABLE, reason="SVG: no <svg>")
        self._is_root = False
        is_filter = element.startswith("fe") and element != "feImage"
        # Drawing programs leave notes in namespaces of their own, which draw nothing.
        is_known = namespace != _NAMESPACE or element in _ELEMENTS or is_filter
        if not is_known or element.lower() in _SCRIPT_ELEMENTS:
            self._refuse(f"<{element}>")
        for attribute, value in attributes.items():
            self._require_safe_attribute(attribute, value)
        if element == "style":
            self._style = []

    def _require_safe_attribute(self, attribute: str, value: str) -> None:
        namespace, _, name = attribute.rpartition(" ")
        if name.lower().startswith("on"):
            self._refuse(f"{name}=")
        if name.lower() in _REFERENCES and not value.strip().startswith("#"):
            self._refuse(f"{name}=")
        if not namespace:
            self._require_safe_css(value, f"{name}=")

    def _characters(self, text: str) -> None:
        if self._style is not None:
            self._style.append(text)

    def _end(self, name: str) -> None:
        if name.rpartition(" ")[2] == "style" and self._style is not None:
            self._require_safe_css("".join(self._style), "<style>")
            self._style = None

    def _require_safe_css(self, css: str, where: str) -> None:
        css = _CSS_COMMENT.sub("", css)
        if "\\" in css:  # an escape can spell anything
            self._refuse(f"{where} \\")
        if _CSS_IMPORT.search(css):
            self._refuse(f"{where} @import")
        if _CSS_OUTSIDE.search(css):
            self._refuse(f"{where} url()")

    def _refuse(self, what: str) -> NoReturn:
        raise BrandingError(
            BrandingCode.LOGO_UNSAFE,
            what=ascii(what)[1:-1][:100],
            line=self._parser.CurrentLineNumber,
        )
