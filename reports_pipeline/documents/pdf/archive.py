"""What makes a PDF an archive file: PDF/A-2b (ISO 19005-2), and the properties readers show.

reportlab writes most of what the standard asks. This module adds the rest to its canvas: the
metadata stream beside the Info dictionary, the colour profile, the outline, an identifier of the
content, and streams that end as they must.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import zlib
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from PIL import ImageCms
from reportlab.pdfbase.pdfdoc import (
    PDFArray,
    PDFDictionary,
    PDFName,
    PDFObject,
    PDFString,
)
from reportlab.pdfgen.canvas import Canvas

PDF_VERSION = (1, 7)
_LEVEL = 4  # of deflating pages: 5 % longer than by the usual 6, in 3/5 of its time

# Properties that ISO 19005-2 (6.6.2.3) knows without a schema of their own. The byte order mark in
# `begin` and the processing instructions are XMP's frame (XMP specification part 1, 7.3).
_XMP = """\
<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:pdf="http://ns.adobe.com/pdf/1.3/" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">
<pdfaid:part>2</pdfaid:part>
<pdfaid:conformance>B</pdfaid:conformance>
<dc:format>application/pdf</dc:format>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
<dc:creator><rdf:Seq><rdf:li>{author}</rdf:li></rdf:Seq></dc:creator>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{subject}</rdf:li></rdf:Alt></dc:description>
<dc:subject><rdf:Bag>{keyword_items}</rdf:Bag></dc:subject>
<dc:language><rdf:Bag><rdf:li>{language}</rdf:li></rdf:Bag></dc:language>
<pdf:Keywords>{keywords}</pdf:Keywords>
<pdf:Producer>{producer}</pdf:Producer>
<xmp:CreatorTool>{creator}</xmp:CreatorTool>
<xmp:CreateDate>{date}T00:00:00Z</xmp:CreateDate>
<xmp:ModifyDate>{date}T00:00:00Z</xmp:ModifyDate>
</rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""


@dataclass(frozen=True, slots=True)
class Properties:
    """What a reader shows of a document beside its pages."""

    title: str
    author: str
    subject: str
    keywords: tuple[str, ...]
    creator: str  # the program; the library that wrote the file is the producer
    language: str
    date: datetime.date  # of creation; no clock, so that the same input gives the same bytes


class WrittenObject(PDFObject):
    """An object in the syntax of the file, for which reportlab's own take much longer."""

    __RefOnly__ = True  # reportlab's mark of what stands in the file by itself

    def __init__(self, content: bytes) -> None:
        self.content = content

    def format(self, document: Any) -> bytes:  # noqa: ARG002 - reportlab gives it
        return self.content


def reference(document: Any, item: PDFObject, name: str | None = None) -> str:
    """How another object of the document names this one, which gets into the document by it."""
    written: bytes = document.Reference(item, name).format(document)
    return written.decode("ascii")


def archive_stream(content: bytes, entries: str) -> WrittenObject:
    """A stream, with the entries of its dictionary but its length.

    `endstream` begins a line (ISO 19005-2, 6.1.7.1); reportlab's need not.
    """
    head = f"<< {entries} /Length {len(content)} >>\nstream\n".encode("ascii")
    return WrittenObject(head + content + b"\nendstream\n")


def deflated(content: bytes, entries: str = "") -> WrittenObject:
    """A stream of bytes that are deflated already."""
    return archive_stream(content, f"/Filter /FlateDecode {entries}")


def describe(canvas: Canvas, properties: Properties) -> None:
    """Give the document its properties, its claim to be PDF/A-2b, and the colours' meaning."""
    document = canvas._doc  # type: ignore[attr-defined]  # no public way to the catalog
    keywords = ", ".join(properties.keywords)
    canvas.setTitle(properties.title)
    canvas.setAuthor(properties.author)
    canvas.setSubject(properties.subject)
    canvas.setKeywords(keywords)
    canvas.setCreator(properties.creator)
    canvas.setDateFormatter(lambda *_: f"D:{properties.date:%Y%m%d}000000Z")
    canvas.setViewerPreference("DisplayDocTitle", "true")
    xmp = _XMP.format(
        title=escape(properties.title),
        author=escape(properties.author),
        subject=escape(properties.subject),
        keyword_items="".join(f"<rdf:li>{escape(word)}</rdf:li>" for word in properties.keywords),
        language=escape(properties.language),
        keywords=escape(keywords),
        producer=escape(document.info.producer),
        creator=escape(properties.creator),
        date=properties.date.isoformat(),
    )
    catalog = document.Catalog
    catalog.Lang = PDFString(properties.language)
    catalog.Metadata = archive_stream(xmp.encode(), "/Type /Metadata /Subtype /XML")
    # reportlab writes the entries it knows
    catalog.__NoDefault__ = [*catalog.__NoDefault__, "OutputIntents"]
    catalog.OutputIntents = PDFArray([_output_intent(document)])


def _output_intent(document: Any) -> PDFDictionary:
    profile, length = _srgb_profile()
    return PDFDictionary(
        {
            "Type": PDFName("OutputIntent"),
            "S": PDFName("GTS_PDFA1"),  # the name in every part of the standard
            "OutputConditionIdentifier": PDFString("sRGB IEC61966-2.1"),
            "Info": PDFString("sRGB IEC61966-2.1"),
            "DestOutputProfile": document.Reference(deflated(profile, f"/N 3 /Length1 {length}")),
        }
    )


@functools.cache
def _srgb_profile() -> tuple[bytes, int]:
    """The ICC profile of sRGB, deflated, and its length before."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # when it was made, as six numbers (ICC.1, 7.2.1): this moment, were it left as it is
    made_at = (2000, 1, 1, 0, 0, 0)
    profile[24:36] = b"".join(number.to_bytes(2, "big") for number in made_at)
    return zlib.compress(profile), len(profile)


def begin_part(canvas: Canvas, title: str) -> None:
    """Enter the part that begins on the current page into the outline."""
    key = f"page{canvas.getPageNumber()}"
    canvas.bookmarkPage(key)
    canvas.addOutlineEntry(title, key)


def save(canvas: Canvas) -> None:
    """Finish the document; all its pages are drawn."""
    document = canvas._doc  # type: ignore[attr-defined]
    content = hashlib.sha256()
    for page in document.Pages.pages:
        operators = page.stream.encode("ascii")
        content.update(operators)
        # reportlab would write them in base 85, a quarter longer
        page.Contents = deflated(zlib.compress(operators, _LEVEL))
    document.updateSignature(content.digest())
    canvas.save()
