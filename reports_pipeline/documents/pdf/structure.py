"""What of a PDF's pages is text, and what is a picture that words describe (PDF 32000-1, 14.7).

It is no more than readers of a screen need: the text of a page in the order of drawing, then its
pictures, each with its description. Rules and grounds are left out as decoration.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from reportlab.pdfgen.canvas import Canvas

from reports_pipeline.documents.pdf.archive import WrittenObject, reference

BEGIN_DECORATION = "/Artifact BMC"
END = "EMC"


@dataclass
class PageStructure:
    """The marked sequences of one page: they are numbered, and belong to the text or a picture."""

    _text: list[int] = field(default_factory=list)
    _pictures: list[tuple[str, tuple[int, int]]] = field(default_factory=list)
    _count: int = 0

    def begin_text(self) -> str:
        """The operator that begins text which is no part of a picture."""
        self._text.append(self._count)
        self._count += 1
        return f"/P <</MCID {self._text[-1]}>> BDC"

    def begin_picture(self, description: str) -> tuple[str, str]:
        """The operators that begin a picture's shapes and its text."""
        marks = self._count, self._count + 1
        self._pictures.append((description, marks))
        self._count += 2
        shapes, text = (f"/Figure <</MCID {mark}>> BDC" for mark in marks)
        return shapes, text

    def elements(self, document: Any, parent: str, page: str) -> list[str]:
        """References to the page's elements in the order of reading, added to the document."""
        entries = [f"/S /P /K {_array(self._text)}"] + [
            f"/S /Figure /Alt {_text_string(description)} /K {_array(marks)}"
            for description, marks in self._pictures
        ]
        return [
            reference(
                document,
                WrittenObject(f"<< /Type /StructElem /P {parent} /Pg {page} {entry} >>".encode()),
            )
            for entry in entries
        ]

    def parents(self, elements: Sequence[str]) -> list[str]:
        """For each marked sequence the element it belongs to."""
        text, *pictures = elements
        parents = [text] * self._count
        for element, (_, marks) in zip(pictures, self._pictures, strict=True):
            for mark in marks:
                parents[mark] = element
        return parents


def add_structure(canvas: Canvas) -> None:
    """Add the tree of all pages to the document; each page carries its `structure`."""
    document = canvas._doc  # type: ignore[attr-defined]  # no public way to the catalog
    root, whole = WrittenObject(b""), WrittenObject(b"")
    root_reference, whole_reference = reference(document, root), reference(document, whole)
    kids: list[str] = []
    parents_by_page: list[str] = []
    for number, page in enumerate(document.Pages.pages):
        elements = page.structure.elements(document, whole_reference, reference(document, page))
        kids += elements
        parents_by_page.append(f"{number} {_array(page.structure.parents(elements))}")
        # reportlab writes the entries it knows
        page.__NoDefault__ = [*page.__NoDefault__, "StructParents"]
        page.StructParents = number
    whole.content = (
        f"<< /Type /StructElem /S /Document /P {root_reference} /K {_array(kids)} >>"
    ).encode()
    root.content = (
        f"<< /Type /StructTreeRoot /K {whole_reference}"
        f" /ParentTree << /Nums {_array(parents_by_page)} >> >>"
    ).encode()
    document.Catalog.StructTreeRoot = root
    document.Catalog.MarkInfo = WrittenObject(b"<< /Marked true >>")


def _array(items: Iterable[object]) -> str:
    return f"[{' '.join(map(str, items))}]"


def _text_string(text: str) -> str:
    return f"<feff{text.encode('utf-16-be').hex()}>"
