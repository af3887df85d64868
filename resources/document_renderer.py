"""Makes a tenant's documents, in a worker that its budget limits."""

from __future__ import annotations

import copyreg
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from operator import attrgetter
from typing import Protocol, TypeVar

from reports_pipeline.accounting.reports import Claim, StatementLine, TenantReports
from reports_pipeline.documents.branding import Branding
from reports_pipeline.documents.document import Document

_T = TypeVar("_T")

Renderer = Callable[[TenantReports, str, Branding], Sequence[Document]]

# To be imported by a worker before its first tenant.
RENDERING = ("reports_pipeline.documents.bundle", "resources.document_renderer")


class Call(Protocol):
    """Calls a function, here or elsewhere."""

    def __call__(self, function: Callable[..., _T], /, *args: object) -> _T: ...


def _pdfs(reports: TenantReports, reference: str, branding: Branding) -> Sequence[Document]:
    # Where they are drawn: a run, and most commands, need none of what draws.
    from reports_pipeline.documents.bundle import render_pdfs

    return render_pdfs(reports, reference, branding)


def _workbooks(reports: TenantReports, reference: str, branding: Branding) -> Sequence[Document]:
    from reports_pipeline.documents.bundle import render_workbooks

    return render_workbooks(reports, reference, branding)


class DocumentRenderer:
    """The documents of `documents.bundle`; `call` says where they are made."""

    def __init__(
        self, call: Call, *, pdfs: Renderer = _pdfs, workbooks: Renderer = _workbooks
    ) -> None:
        self._call = call
        self._pdfs = pdfs
        self._workbooks = workbooks

    def pdfs(
        self, reports: TenantReports, reference: str, branding: Branding
    ) -> Sequence[Document]:
        """The PDFs of a tenant's month.

        Raises:
            TenantFailureError: MISSING_GLYPH.
            BudgetExceededError: it takes too much time or memory.
        """
        # No PDF shows claims, which are most of what would be handed over.
        return self._call(self._pdfs, replace(reports, claims=()), reference, branding)

    def workbooks(
        self, reports: TenantReports, reference: str, branding: Branding
    ) -> Sequence[Document]:
        """The workbooks of a tenant's month.

        Raises:
            TenantFailureError: TOO_LARGE or BAD_TEXT.
            BudgetExceededError: it takes too much time or memory.
        """
        return self._call(self._workbooks, reports, reference, branding)


def _pickled_by_position(row_type: type) -> None:
    """Hand over rows, of which there are thousands, without the names of their fields, which takes
    a third of the time."""
    values = attrgetter(*(field.name for field in fields(row_type)))
    copyreg.pickle(row_type, lambda row: (row_type, values(row)))


_pickled_by_position(StatementLine)
_pickled_by_position(Claim)
