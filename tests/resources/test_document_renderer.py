"""A worker makes the documents that would be made here."""

from __future__ import annotations

import operator
import pickle
from collections.abc import Iterator
from dataclasses import replace

import pytest

from reports_pipeline.documents.branding import HOUSE_BRANDING
from reports_pipeline.documents.bundle import render_pdfs, render_workbooks
from resources.budgets import Budget
from resources.document_renderer import RENDERING, DocumentRenderer
from resources.worker import Worker
from tests.documents.samples import large

REFERENCE = "0123456789abcdef"


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker(Budget(), modules=RENDERING)
    yield worker
    worker.close()


def test_a_workers_documents_are_those_made_here(worker: Worker) -> None:
    there = DocumentRenderer(worker.call)
    reports = large()
    assert there.pdfs(reports, REFERENCE, HOUSE_BRANDING) == render_pdfs(reports, REFERENCE)
    workbooks = there.workbooks(reports, REFERENCE, HOUSE_BRANDING)
    assert workbooks == render_workbooks(reports, REFERENCE)


@pytest.mark.parametrize("plan", ["standard", "premium"])
def test_no_pdf_shows_claims(plan: str) -> None:
    # They are left out of what a worker gets for PDFs.
    reports = large()
    assert reports.claims
    reports = replace(reports, company=replace(reports.company, plan=plan, copy_language="en"))
    here = DocumentRenderer(operator.call)
    assert here.pdfs(reports, REFERENCE, HOUSE_BRANDING) == render_pdfs(reports, REFERENCE)


def test_reports_arrive_as_they_were() -> None:
    reports = large()
    arrived = pickle.loads(pickle.dumps(reports))  # noqa: S301
    assert arrived == reports
    lines = [line for statement in reports.statements for line in statement.lines]
    there = [line for statement in arrived.statements for line in statement.lines]
    # which does not count when lines are compared
    assert [line.is_contra for line in there] == [line.is_contra for line in lines]
