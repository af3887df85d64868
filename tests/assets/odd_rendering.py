"""A renderer that ends its process for one of the sample's companies."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

from reports_pipeline.accounting.reports import TenantReports
from reports_pipeline.documents.branding import Branding
from reports_pipeline.documents.bundle import render_pdfs
from reports_pipeline.documents.document import Document

DEADLY = "t0004"


def odd_pdfs(reports: TenantReports, reference: str, branding: Branding) -> Sequence[Document]:
    """As usual, but for DEADLY, who is the end of the process."""
    if reports.company.tenant_id == DEADLY:
        os.kill(os.getpid(), signal.SIGKILL)
    return render_pdfs(reports, reference, branding)
