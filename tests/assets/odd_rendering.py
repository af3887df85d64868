"""A renderer that does not come to an end for some of the sample's companies."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence

from reports_pipeline.accounting.reports import TenantReports
from reports_pipeline.documents.branding import Branding
from reports_pipeline.documents.bundle import Document, render_pdfs

SLOW, LARGE, DEADLY = "t0002", "t0003", "t0004"


def odd_pdfs(reports: TenantReports, reference: str, branding: Branding) -> Sequence[Document]:
    """As usual, but SLOW takes a minute, LARGE half a gigabyte and DEADLY its process."""
    match reports.company.tenant_id:
        case "t0002":
            time.sleep(60)
        case "t0003":
            held = b"x" * (512 * 2**20)
            time.sleep(60)
            del held
        case "t0004":
            os.kill(os.getpid(), signal.SIGKILL)
    return render_pdfs(reports, reference, branding)
