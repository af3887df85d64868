"""The two embedded fonts: which characters they print, and how PDFs carry them.

A PDF embeds subsets of its fonts, and building one takes longer than drawing a page. The PDFs of
one tenant therefore share an alphabet: they are drawn first, then one subset per weight is built
of all their characters and embedded in each.
"""

from __future__ import annotations

import functools
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby
from typing import Any
from weakref import WeakKeyDictionary

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.pdfdoc import (
    PDFArray,
    PDFDictionary,
    PDFName,
    PDFStream,
)
from reportlab.pdfbase.ttfonts import FF_NONSYMBOLIC, FF_SYMBOLIC, SUBSETN, TTFont, TTFontFace

REGULAR = "NotoSansJP-Regular"
BOLD = "NotoSansJP-Bold"

_TO_UNICODE = """\
/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def
/CMapName /Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<00> <FF>
endcodespacerange
{blocks}
endcmap
CMapName currentdict /CMap defineresource pop
end
end"""
_CHARACTERS_PER_BLOCK = 100  # the most a beginbfchar may announce (PDF 32000-1, 9.10.3)


@dataclass(frozen=True)
class _EmbeddedSubset:
    """One subset of at most 256 characters as it stands in the file; streams are deflated."""

    base_name: str
    font_file: bytes
    font_file_length: int  # bytes before deflating
    to_unicode: bytes
    widths: bytes
    last_code: int


class Alphabet:
    """The characters that documents drawn together use of one font, and their codes in it.

    It grows while they are drawn. A code is the number of a subset times 256 plus a byte; byte 0
    of each subset is the missing glyph.
    """

    def __init__(self, face: TTFontFace) -> None:
        self._face = face
        self._codes: dict[str, int] = {}
        self._subsets: list[list[int]] = []

    def encode(self, text: str) -> list[tuple[int, bytes]]:
        """The text as runs of bytes, each within one subset."""
        codes = self._codes
        try:
            encoded = [codes[character] for character in text]
        except KeyError:
            encoded = [codes.get(character) or self._add(character) for character in text]
        if max(encoded, default=0) < 256:
            return [(0, bytes(encoded))]
        return [
            (subset, bytes(code % 256 for code in run))
            for subset, run in groupby(encoded, key=lambda code: code // 256)
        ]

    def _add(self, character: str) -> int:
        if not self._subsets or len(self._subsets[-1]) == 256:
            self._subsets.append([0])
        subset = self._subsets[-1]
        subset.append(ord(character))
        code = (len(self._subsets) - 1) * 256 + len(subset) - 1
        self._codes[character] = code
        return code

    def subset_name(self, subset: int) -> str:
        """The subset's name in the resources of a page."""
        return f"{self._face.name.decode()}+{subset}"

    @functools.cached_property
    def embedded_subsets(self) -> list[_EmbeddedSubset]:
        """The subsets as they stand in every file; asked for when all text is drawn."""
        face = self._face
        embedded = []
        for number, codes in enumerate(self._subsets):
            font_file = face.makeSubset(codes)
            embedded.append(
                _EmbeddedSubset(
                    base_name=f"{SUBSETN(number).decode()}+{face.name.decode()}",
                    font_file=zlib.compress(font_file),
                    font_file_length=len(font_file),
                    to_unicode=zlib.compress(_to_unicode(codes).encode()),
                    widths=" ".join(
                        f"{face.charWidths.get(code, face.defaultWidth):g}" for code in codes
                    ).encode(),
                    last_code=len(codes) - 1,
                )
            )
        return embedded


class ReportFont(TTFont):
    """A TrueType font that embeds in each document the alphabet given for it.

    reportlab's own makes subsets per document, and by a slower way. A document here is reportlab's
    `PDFDocument`, which is untyped.
    """

    def __init__(self, name: str, source: bytes) -> None:
        super().__init__(name, io.BytesIO(source), shapable=False)
        # reportlab copies the 5 MB of outlines for each subset it builds
        self.face.get_table = functools.cache(self.face.get_table)  # type: ignore[method-assign]
        self._alphabets: WeakKeyDictionary[Any, Alphabet] = WeakKeyDictionary()

    def begin(self, document: Any, alphabet: Alphabet) -> None:
        """Choose a document's alphabet."""
        self._alphabets[document] = alphabet
        document.delayedFonts.append(self)

    def addObjects(self, doc: Any) -> None:  # noqa: N802 - reportlab's name
        """Write the alphabet's subsets; reportlab calls it once, when the document is saved."""
        alphabet = self._alphabets[doc]
        for number, subset in enumerate(alphabet.embedded_subsets):
            name = alphabet.subset_name(number)
            font = self._font_object(doc, name, subset)
            doc.idToObject["BasicFonts"].dict[name] = doc.Reference(font, name)

    def _font_object(self, doc: Any, name: str, subset: _EmbeddedSubset) -> PDFDictionary:
        face = self.face
        file = _deflated(subset.font_file, Length1=subset.font_file_length)
        to_unicode = _deflated(subset.to_unicode)
        descriptor = PDFDictionary(
            {
                "Type": PDFName("FontDescriptor"),
                "FontName": PDFName(subset.base_name),
                "Flags": (face.flags & ~FF_NONSYMBOLIC) | FF_SYMBOLIC,
                "FontBBox": PDFArray(face.bbox),
                "Ascent": face.ascent,
                "Descent": face.descent,
                "CapHeight": face.capHeight,
                "ItalicAngle": face.italicAngle,
                "StemV": face.stemV,
                "MissingWidth": face.defaultWidth,
                "FontFile2": doc.Reference(file, f"file:{subset.base_name}"),
            }
        )
        return PDFDictionary(
            {
                "Type": PDFName("Font"),
                "Subtype": PDFName("TrueType"),
                "Name": PDFName(name),
                "BaseFont": PDFName(subset.base_name),
                "FirstChar": 0,
                "LastChar": subset.last_code,
                "Widths": b"[" + subset.widths + b"]",
                "ToUnicode": doc.Reference(to_unicode, f"toUnicode:{subset.base_name}"),
                "FontDescriptor": doc.Reference(descriptor, f"descriptor:{subset.base_name}"),
            }
        )


def _deflated(content: bytes, **entries: int) -> PDFStream:
    return PDFStream(PDFDictionary({"Filter": PDFName("FlateDecode"), **entries}), content)


def _to_unicode(codes: Sequence[int]) -> str:
    """The map from a subset's codes to text; UTF-16, where reportlab writes bare code points
    and loses characters beyond U+FFFF (𠮷)."""
    pairs = [
        f"<{index:02X}> <{chr(code).encode('utf-16-be').hex().upper()}>"
        for index, code in enumerate(codes)
        if code
    ]
    blocks = (
        pairs[start : start + _CHARACTERS_PER_BLOCK]
        for start in range(0, len(pairs), _CHARACTERS_PER_BLOCK)
    )
    return _TO_UNICODE.format(
        blocks="\n".join(
            "\n".join([f"{len(block)} beginbfchar", *block, "endbfchar"]) for block in blocks
        )
    )


@functools.cache
def report_fonts() -> tuple[ReportFont, ReportFont]:
    """The regular and the bold font, parsed and registered with reportlab once per process.

    Building a subset moves the font's read position: render in processes, not in threads.
    """
    folder = files(__package__).joinpath("fonts")
    regular, bold = (
        ReportFont(name, folder.joinpath(f"{name}.ttf").read_bytes()) for name in (REGULAR, BOLD)
    )
    pdfmetrics.registerFont(regular)
    pdfmetrics.registerFont(bold)
    return regular, bold


@functools.cache
def printable_characters() -> frozenset[str]:
    """The characters that both fonts have a glyph for."""
    regular, bold = report_fonts()
    return frozenset(map(chr, regular.face.charToGlyph.keys() & bold.face.charToGlyph.keys()))
