"""The rules of PDF/A-2b that apply to documents like ours, checked on a finished file.

The clauses are those of ISO 19005-2; which of them a program can decide follows the validation
profile that veraPDF publishes. A rule on something we never write (forms, signatures, JPEG 2000,
CMYK, Type 0 fonts, optional content) is a rule that it is not there. The reader is pypdf, and
fontTools for the font programs: nothing here uses the code under test.
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from fontTools.ttLib import TTFont
from PIL import ImageCms
from pypdf import PdfReader
from pypdf.generic import (
    ArrayObject,
    ByteStringObject,
    ContentStream,
    DictionaryObject,
    NameObject,
    StreamObject,
    TextStringObject,
)

_STREAM = re.compile(rb"/Length (\d+)[^>]*>>\r?\nstream\r?\n")
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "pdf": "http://ns.adobe.com/pdf/1.3/",
    "pdfaid": "http://www.aiim.org/pdfa/ns/id/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
}
# Each Info entry and the XMP property that says the same (6.6.2.3, PDF/A-1's 6.7.3).
_INFO_IN_XMP = {
    "/Title": "dc:title",
    "/Author": "dc:creator",
    "/Subject": "dc:description",
    "/Keywords": "pdf:Keywords",
    "/Creator": "xmp:CreatorTool",
    "/Producer": "pdf:Producer",
}
_OPERATORS = re.compile(
    r"[bB]\*?|[BE]DC|B[IMX]C?|BT|c|cm|CS|cs|d[01]?|Do|DP|E[IMTX]C?|[fW]\*?|F|[Gg]s?|h|i|ID|[jJKklmM]"
    r"|MP|[nqQ]|re|RG|rg|ri|[sS]|SCN?|scn?|sh|T[*cdDfjJLmrswz]|[vwy'\"]"
)
_FILTERS = {"/FlateDecode", "/ASCII85Decode", "/ASCIIHexDecode", "/DCTDecode", "/RunLengthDecode"}
_ABSENT_FROM_CATALOG = {
    "/AA": "6.5.2",
    "/AcroForm": "6.4",
    "/AF": "6.8",
    "/Collection": "6.8",
    "/NeedsRendering": "6.4.2",
    "/OCProperties": "6.9",
    "/OpenAction": "6.5",
    "/Perms": "6.1.12",
    "/Requirements": "6.11",
}


def violations(pdf: bytes) -> list[str]:
    """What breaks a rule, each beginning with its clause."""
    reader = PdfReader(io.BytesIO(pdf), strict=True)
    return [
        *_of_file(pdf, reader),
        *_of_objects(reader),
        *_of_catalog(reader),
        *_of_metadata(reader),
        *_of_colours(reader),
        *_of_pages(reader),
        *_of_fonts(reader),
    ]


def _of_file(pdf: bytes, reader: PdfReader) -> Iterator[str]:
    if not re.match(rb"%PDF-1\.[0-7]\n%[\x80-\xff]{4}", pdf):
        yield "6.1.2 header, and a comment of four bytes above 127"
    identifiers = reader.trailer.get("/ID")
    if identifiers is None or not all(identifiers):
        yield "6.1.3 file identifier"
    if reader.is_encrypted:
        yield "6.1.3 encrypted"
    if not pdf.endswith(b"%%EOF\n"):
        yield "6.1.3 data after the end of file"
    if not re.search(rb"\nxref\n0 \d+\n(\d{10} \d{5} [fn] \n)+trailer\n", pdf):
        yield "6.1.4 cross-reference table"
    for found in _STREAM.finditer(pdf):
        end = found.end() + int(found[1])
        if not pdf[end:].startswith((b"\nendstream\n", b"\r\nendstream\n")):
            yield f"6.1.7.1 the stream at {found.start()} does not end in a line and endstream"
    if len(_STREAM.findall(pdf)) != pdf.count(b"endstream"):
        yield "6.1.7.1 a stream without its length"
    if len(re.findall(rb"(?m)^\d+ 0 obj\n", pdf)) != len(re.findall(rb"(?m)^endobj\n", pdf)):
        yield "6.1.9 spacing of an object"


def _of_objects(reader: PdfReader) -> Iterator[str]:
    for number in reader.xref[0]:
        for item in _parts_of(reader.get_object(number)):
            if isinstance(item, NameObject) and len(item.encode()) > 127 + len("/"):
                yield f"6.1.13 name {item}"
            if isinstance(item, TextStringObject | ByteStringObject) and len(item) > 32_767:
                yield "6.1.13 a string's length"
            if isinstance(item, StreamObject):
                if {"/F", "/FFilter", "/FDecodeParms"} & item.keys():
                    yield "6.1.7.1 content outside the file"
                filters = item.get("/Filter", ArrayObject())
                if not set(filters if isinstance(filters, ArrayObject) else [filters]) <= _FILTERS:
                    yield f"6.1.7.2 filter {filters}"
                if item.get("/Subtype") == "/Image":
                    yield from _of_image(item)
            if isinstance(item, DictionaryObject):
                if {"/TR", "/HTP", "/TR2"} & item.keys():
                    yield "6.2.5 transfer function or halftone"
                if {"/AA", "/A", "/JS"} & item.keys():
                    yield "6.5 action"
                if "/EF" in item:
                    yield "6.8 embedded file"


def _parts_of(item: Any) -> Iterator[Any]:
    """A direct object and all direct objects in it."""
    yield item
    if isinstance(item, dict):
        for key, value in item.items():
            yield key
            yield from _parts_of(value)
    elif isinstance(item, list):
        for value in item:
            yield from _parts_of(value)


def _of_image(image: StreamObject) -> Iterator[str]:
    if image.get("/Interpolate", False):
        yield "6.2.8 Interpolate"
    if {"/Alternates", "/OPI"} & image.keys():
        yield "6.2.8 Alternates or OPI"
    if image.get("/ColorSpace") not in ("/DeviceRGB", "/DeviceGray"):
        yield f"6.2.4.3 image in {image.get('/ColorSpace')}"
    if image.get("/BitsPerComponent") not in (1, 2, 4, 8, 16):
        yield "6.2.8 BitsPerComponent"


def _of_catalog(reader: PdfReader) -> Iterator[str]:
    catalog = reader.root_object
    for key, clause in _ABSENT_FROM_CATALOG.items():
        if key in catalog:
            yield f"{clause} {key}"
    names = catalog.get("/Names", DictionaryObject()).get_object()
    if {"/AlternatePresentations", "/EmbeddedFiles", "/JavaScript"} & names.keys():
        yield "6.10 names"


def _of_metadata(reader: PdfReader) -> Iterator[str]:
    stream = reader.root_object.get("/Metadata")
    if stream is None:
        yield "6.6.2.1 no metadata"
        return
    stream = stream.get_object()
    content = stream.get_data()
    packet = re.fullmatch(
        r'<\?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"\?>\n(.*)\n'
        r'<\?xpacket end="[rw]"\?>',
        content.decode("utf-8"),
        re.DOTALL,
    )
    if packet is None:
        yield "6.6.2.1 packet"
        return
    if (stream.get("/Type"), stream.get("/Subtype")) != ("/Metadata", "/XML"):
        yield "6.6.2.1 type of the metadata"
    properties = _xmp_properties(packet[1])
    if properties.get("pdfaid:part") != ["2"] or properties.get("pdfaid:conformance") != ["B"]:
        yield "6.6.4 identification"
    info: Any = reader.trailer["/Info"].get_object()
    for key, name in _INFO_IN_XMP.items():
        if key in info and properties.get(name) != [info[key]]:
            yield f"6.6.2.3 {key} is {info[key]!r}, {name} is {properties.get(name)}"
    for key, name in (("/CreationDate", "xmp:CreateDate"), ("/ModDate", "xmp:ModifyDate")):
        written = re.fullmatch(r"D:(....)(..)(..)(..)(..)(..)Z", info[key])
        if written is None or properties.get(name) != [
            "{}-{}-{}T{}:{}:{}Z".format(*written.groups())
        ]:
            yield f"6.6.2.3 {key} is {info[key]}, {name} is {properties.get(name)}"


def _xmp_properties(packet: str) -> dict[str, list[str]]:
    """Values by prefixed name; a language alternative, bag or sequence has its items."""
    prefixes = {uri: prefix for prefix, uri in _NAMESPACES.items()}
    properties: defaultdict[str, list[str]] = defaultdict(list)
    for description in ElementTree.fromstring(packet).iter(f"{_RDF}Description"):  # noqa: S314
        for node in description:
            uri, _, name = node.tag[1:].partition("}")
            items = [item.text or "" for item in node.iter(f"{_RDF}li")] or [node.text or ""]
            properties[f"{prefixes[uri]}:{name}"] += items
    return properties


def _of_colours(reader: PdfReader) -> Iterator[str]:
    intents = [intent.get_object() for intent in reader.root_object.get("/OutputIntents", [])]
    if [intent["/S"] for intent in intents] != ["/GTS_PDFA1"]:
        yield "6.2.3 output intent"
        return
    profile = intents[0]["/DestOutputProfile"].get_object()
    content = profile.get_data()
    header = ImageCms.ImageCmsProfile(io.BytesIO(content)).profile
    if int.from_bytes(content[:4], "big") != len(content):
        yield "6.2.3 length of the profile"
    if header.device_class not in ("mntr", "prtr") or header.xcolor_space != "RGB ":
        yield "6.2.3 class or colour space of the profile"
    if header.version >= 5 or profile["/N"] != 3:
        yield "6.2.3 version or components of the profile"


def _of_pages(reader: PdfReader) -> Iterator[str]:
    page: Any
    for page in reader.pages:
        if page.get("/Annots"):
            yield "6.3 annotations"
        if {"/AA", "/PresSteps"} & page.keys():
            yield "6.5.2 or 6.10 actions or steps of a page"
        if not all(3 <= side <= 14_400 for side in (page.mediabox.width, page.mediabox.height)):
            yield "6.1.13 size of a page"
        if "/Resources" not in page:
            yield "6.2.2 resources of a page"
        depth = 0
        for operands, operator in _operations(page, reader):
            if not _OPERATORS.fullmatch(operator):
                yield f"6.2.2 operator {operator}"
            if operator in ("k", "K", "cs", "CS", "sc", "SC", "scn", "SCN", "sh"):
                yield f"6.2.4 colour by {operator}"
            if operator == "Do" and operands[0] not in page["/Resources"]["/XObject"]:
                yield f"6.2.2 {operands[0]} is no resource of the page"
            depth += {"q": 1, "Q": -1}.get(operator, 0)
            if not 0 <= depth <= 28:
                yield "6.1.13 nesting of q"


def _operations(page: Any, reader: PdfReader) -> Iterator[tuple[Any, str]]:
    for operands, operator in ContentStream(page["/Contents"], reader).operations:
        yield operands, operator.decode()


def _of_fonts(reader: PdfReader) -> Iterator[str]:
    used: defaultdict[str, set[int]] = defaultdict(set)
    fonts: dict[str, Any] = {}
    page: Any
    for page in reader.pages:
        resources = page["/Resources"].get("/Font", DictionaryObject()).get_object()
        current = ""
        for operands, operator in _operations(page, reader):
            if operator == "Tf":
                current = operands[0]
                fonts[current] = resources[current].get_object()
            elif operator == "Tj":
                text = operands[0]
                used[current] |= set(
                    text.original_bytes if isinstance(text, TextStringObject) else text
                )
            elif operator in ("TJ", "'", '"'):
                yield f"not looked into: text by {operator}"
        # a font of the resources need not be used to be looked at
        fonts |= {name: font.get_object() for name, font in resources.items()}
    for name, font in fonts.items():
        yield from (f"{fault} ({name})" for fault in _of_font(font, used[name]))


def _of_font(font: Any, used: set[int]) -> Iterator[str]:
    if (font.get("/Type"), font.get("/Subtype")) != ("/Font", "/TrueType"):
        yield "6.2.11.2 type of the font"
    descriptor = font.get("/FontDescriptor", DictionaryObject()).get_object()
    if "/FontFile2" not in descriptor:
        yield "6.2.11.4.1 not embedded"
        return
    if not re.match(r"/[A-Z]{6}\+", font["/BaseFont"]):
        yield "6.2.11.4.2 name of a subset"
    if font["/BaseFont"] != descriptor["/FontName"]:
        yield "6.2.11.2 two names"
    first, widths = font["/FirstChar"], font["/Widths"]
    if len(widths) != font["/LastChar"] - first + 1:
        yield "6.2.11.2 number of widths"
    file = descriptor["/FontFile2"].get_object()
    if file.get("/Length1") != len(file.get_data()):
        yield "6.2.11.2 Length1"
    program = TTFont(io.BytesIO(file.get_data()), checkChecksums=2)
    tables = program["cmap"].tables
    if not descriptor["/Flags"] & 4 or descriptor["/Flags"] & 32 or "/Encoding" in font:
        yield "6.2.11.6 neither symbolic, nor without an encoding"
    if len(tables) != 1:
        yield f"6.2.11.6 {len(tables)} tables in cmap"
    glyphs = tables[0].cmap
    units = program["head"].unitsPerEm
    characters = _unicode_of(font)
    for code in used:
        if program.getGlyphID(glyphs.get(code, ".notdef")) == 0:
            yield f"6.2.11.8 .notdef for {code}"
            continue
        advance = program["hmtx"][glyphs[code]][0] * 1000 / units
        if not first <= code <= font["/LastChar"] or abs(widths[code - first] - advance) > 1:
            yield f"6.2.11.5 width of {code}"
        if code not in characters:
            yield f"6.2.11.7.2 no Unicode for {code}"


def _unicode_of(font: Any) -> dict[int, str]:
    """The characters that the codes of a font stand for."""
    if "/ToUnicode" not in font:
        return {}
    source = font["/ToUnicode"].get_object().get_data().decode("ascii")
    return {
        int(code, 16): bytes.fromhex(text).decode("utf-16-be")
        for block in re.findall(r"beginbfchar\n(.*?)endbfchar", source, re.DOTALL)
        for code, text in re.findall(r"<(\w+)> <(\w+)>", block)
    }
