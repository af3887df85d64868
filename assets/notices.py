"""What a stage tells operators beside its outcomes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from assets.tenant_batch import StageWork
from reports_pipeline.documents.catalogs import LANGUAGES, catalog
from resources.notifier import Notice, Notifier, Severity

# An operator needs examples; the materializations name every tenant.
_MOST_SHOWN = 50


def warn_of_unusable(
    work: StageWork, notifier: Notifier, what: str, faults: Mapping[str, Mapping[str, str]]
) -> None:
    """Say whose branding or preferences (`what`) cannot be used, and why, by tenant and language.
    The texts `notice.<what>_unusable` and `notice.<what>_advice` stand around it. Not telling stops
    no report."""
    if not faults:
        return
    count = len(faults)
    # Stages of a run that find the same tenants need one notice.
    tenants = hashlib.sha256("\n".join(sorted(faults)).encode()).hexdigest()[:16]
    body = {}
    for language in LANGUAGES:
        lines = [f"{tenant_id}: {texts[language]}" for tenant_id, texts in faults.items()]
        shown = lines[:_MOST_SHOWN] + (["…"] if count > _MOST_SHOWN else [])
        advice = catalog(language).text(f"notice.{what}_advice")
        body[language] = "\n".join([*shown, "", advice])
    notice = Notice(
        key=f"{what}-unusable_{work.month}_{work.run_id}_{tenants}",
        severity=Severity.WARNING,
        title={
            language: catalog(language).text(
                f"notice.{what}_unusable", month=work.month, count=count
            )
            for language in LANGUAGES
        },
        body=body,
    )
    try:
        notifier.notify(notice)
    except Exception as error:
        work.log.error(f"notice {notice.key} not written: {error!r}")
