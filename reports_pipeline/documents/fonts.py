"""The two embedded fonts, as PDFs carry them.

A PDF embeds subsets of its fonts, and building one takes longer than drawing a page. Each document
therefore has one subset per weight of the characters that documents of its kind usually need: its
vocabulary, built once per process. What a tenant needs beyond it, in names mostly, stands in small
further subsets, which the tenant's documents share: they are drawn first, then those are built.
"""

from __future__ import annotations

import functools
import io
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import FF_NONSYMBOLIC, FF_SYMBOLIC, SUBSETN, TTFont, TTFontFace

from reports_pipeline.documents.glyphs import BOLD, REGULAR
from reports_pipeline.documents.pdf.archive import WrittenObject, deflated, reference

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
_FONT = """\
<< /Type /Font /Subtype /TrueType /Name /{name} /BaseFont /{base_name}
/FirstChar 0 /LastChar {last_code} /Widths [{widths}]
/ToUnicode {to_unicode} /FontDescriptor {descriptor} >>
"""
_DESCRIPTOR = """\
<< /Type /FontDescriptor /FontName /{name} /Flags {flags} /FontBBox [{box}]
/Ascent {ascent:g} /Descent {descent:g} /CapHeight {cap_height:g} /ItalicAngle {angle:g}
/StemV {stem:g} /MissingWidth {width:g} /FontFile2 {file} >>
"""
# Of a font's tables, those of no use in a PDF (PDF 32000-1, 9.9), half as long as a name's glyphs.
_TABLES_FOR_SYSTEMS = frozenset({"name", "OS/2"})
_MOST_CHARACTERS = 255  # of a subset: codes are bytes, and 0 is the missing glyph
_CHARACTERS_PER_BLOCK = 100  # the most a beginbfchar may announce (PDF 32000-1, 9.10.3)


@dataclass(frozen=True)
class _EmbeddedSubset:
    """One subset of at most 256 characters as it stands in the file; streams are deflated."""

    base_name: str
    font_file: bytes
    font_file_length: int  # bytes before deflating
    to_unicode: bytes
    widths: str
    last_code: int

    @classmethod
    def of(cls, face: TTFontFace, number: int, characters: Sequence[str]) -> _EmbeddedSubset:
        """The characters have the codes from 1; code 0 is the missing glyph."""
        code_points = [0, *map(ord, characters)]
        font_file = face.makeSubset(code_points)
        return cls(
            base_name=f"{SUBSETN(number).decode()}+{face.name.decode()}",
            font_file=zlib.compress(font_file),
            font_file_length=len(font_file),
            to_unicode=zlib.compress(_to_unicode(characters).encode()),
            widths=" ".join(
                f"{face.charWidths.get(code, face.defaultWidth):g}" for code in code_points
            ),
            last_code=len(characters),
        )


@dataclass(frozen=True)
class _Vocabulary:
    codes: dict[str, int]
    subset: _EmbeddedSubset

    @functools.cached_property
    def digits(self) -> dict[str, str]:
        """The codes as two hexadecimal digits."""
        return {character: f"{code:02x}" for character, code in self.codes.items()}


class _FurtherCharacters:
    """The characters of one font that the documents of one tenant need beyond vocabularies.

    They grow while the documents are drawn. A code is the number of a subset, from 1, times 256
    plus a byte from 1.
    """

    def __init__(self, face: TTFontFace) -> None:
        self._face = face
        self._codes: dict[str, int] = {}
        self._subsets: list[list[str]] = []

    def code(self, character: str) -> int:
        try:
            return self._codes[character]
        except KeyError:
            if not self._subsets or len(self._subsets[-1]) == _MOST_CHARACTERS:
                self._subsets.append([])
            self._subsets[-1].append(character)
            code = len(self._subsets) * 256 + len(self._subsets[-1])
            self._codes[character] = code
            return code

    @functools.cached_property
    def embedded(self) -> list[_EmbeddedSubset]:
        """Asked for when all documents are drawn."""
        return [
            _EmbeddedSubset.of(self._face, number, characters)
            for number, characters in enumerate(self._subsets, start=1)
        ]


class Alphabet:
    """The characters of one font that a document uses, and their codes in its subsets.

    Subset 0 is the vocabulary.
    """

    def __init__(
        self, font: ReportFont, further: _FurtherCharacters, vocabulary: _Vocabulary
    ) -> None:
        self.font = font
        self._further = further
        self._vocabulary = vocabulary
        self._subsets_used = {0} if vocabulary.codes else set()

    def encode(self, text: str) -> list[tuple[int, str]]:
        """The text as runs of hexadecimal digits, each within one subset."""
        if not text:
            return []
        digits = self._vocabulary.digits
        try:
            return [(0, "".join([digits[character] for character in text]))]
        except KeyError:
            codes = [
                self._vocabulary.codes.get(character) or self._further.code(character)
                for character in text
            ]
        runs = [
            (subset, "".join([f"{code % 256:02x}" for code in run]))
            for subset, run in groupby(codes, key=lambda code: code // 256)
        ]
        self._subsets_used.update(subset for subset, _ in runs)
        return runs

    def subset_name(self, subset: int) -> str:
        """The subset's name in the resources of a page."""
        return f"{self.font.face.name.decode()}+{subset}"

    def embedded_subsets(self) -> list[tuple[str, _EmbeddedSubset]]:
        """The subsets the document uses, each with its name; asked for when all text is drawn."""
        subsets = [self._vocabulary.subset, *self._further.embedded]
        return [
            (self.subset_name(number), subsets[number]) for number in sorted(self._subsets_used)
        ]


class ReportFont(TTFont):
    """A TrueType font that embeds in each document the alphabet given for it.

    reportlab's own makes subsets per document, and by a slower way. A document here is reportlab's
    `PDFDocument`, which is untyped.
    """

    def __init__(self, name: str, source: bytes) -> None:
        super().__init__(name, io.BytesIO(source), shapable=False)
        # reportlab copies the 5 MB of outlines for each subset it builds
        self._tables = functools.cache(self.face.get_table)
        self.face.get_table = self._table  # type: ignore[method-assign]
        self._alphabets: WeakKeyDictionary[Any, Alphabet] = WeakKeyDictionary()

    def _table(self, tag: str) -> bytes:
        if tag in _TABLES_FOR_SYSTEMS:
            raise KeyError(tag)
        table: bytes = self._tables(tag)
        return table

    def begin(self, document: Any, alphabet: Alphabet) -> None:
        """Choose a document's alphabet."""
        self._alphabets[document] = alphabet
        document.delayedFonts.append(self)

    def addObjects(self, doc: Any) -> None:  # noqa: N802 - reportlab's name
        """Write the alphabet's subsets; reportlab calls it once, when the document is saved."""
        for name, subset in self._alphabets[doc].embedded_subsets():
            font = self._font_object(doc, name, subset)
            doc.idToObject["BasicFonts"].dict[name] = doc.Reference(font, name)

    def _font_object(self, doc: Any, name: str, subset: _EmbeddedSubset) -> WrittenObject:
        face = self.face
        file = deflated(subset.font_file, f"/Length1 {subset.font_file_length}")
        descriptor = WrittenObject(
            _DESCRIPTOR.format(
                name=subset.base_name,
                flags=(face.flags & ~FF_NONSYMBOLIC) | FF_SYMBOLIC,
                box=" ".join(f"{edge:g}" for edge in face.bbox),
                ascent=face.ascent,
                descent=face.descent,
                cap_height=face.capHeight,
                angle=face.italicAngle,
                stem=face.stemV,
                width=face.defaultWidth,
                file=reference(doc, file),
            ).encode("ascii")
        )
        return WrittenObject(
            _FONT.format(
                name=name,
                base_name=subset.base_name,
                last_code=subset.last_code,
                widths=subset.widths,
                to_unicode=reference(doc, deflated(subset.to_unicode)),
                descriptor=reference(doc, descriptor),
            ).encode("ascii")
        )


def _to_unicode(characters: Sequence[str]) -> str:
    """The map from a subset's codes to text; UTF-16, where reportlab writes bare code points
    and loses characters beyond U+FFFF (𠮷)."""
    pairs = [
        f"<{code:02X}> <{character.encode('utf-16-be').hex().upper()}>"
        for code, character in enumerate(characters, start=1)
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


class DocumentKind(NamedTuple):
    """What decides the characters a document usually needs."""

    name: str
    language: str


def tenant_alphabets(kinds: Sequence[DocumentKind]) -> list[list[Alphabet]]:
    """For each of the documents of one tenant, the alphabets of the regular and the bold font."""
    fonts = report_fonts()
    further = [_FurtherCharacters(font.face) for font in fonts]
    return [list(map(Alphabet, fonts, further, _vocabularies(kind))) for kind in kinds]


@functools.cache
def _vocabularies(kind: DocumentKind) -> list[_Vocabulary]:
    """The vocabularies of the regular and the bold font; empty for a document that has none."""
    return [
        _Vocabulary(
            {character: code for code, character in enumerate(characters, start=1)},
            _EmbeddedSubset.of(font.face, 0, characters),
        )
        for font, characters in zip(
            report_fonts(), _usual_characters().get("_".join(kind), ("", "")), strict=True
        )
    ]


@functools.cache
def _usual_characters() -> dict[str, list[str]]:
    """By name and language of a document; `python -m benchmarks.vocabularies` counts them."""
    source = files(__package__).joinpath("fonts/vocabularies.json").read_text("utf-8")
    content: dict[str, list[str]] = json.loads(source)
    return content
