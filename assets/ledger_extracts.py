"""The first stage: what the ledger says of a month, frozen in one file a batch."""

from __future__ import annotations

import dagster as dg

from assets.tenant_batch import Artefact, StageResult, StageWork
from reports_pipeline.accounting.extract_failures import extract_failures
from reports_pipeline.accounting.failures import TenantFailure
from reports_pipeline.accounting.ledger import EXTRACT_TABLES
from reports_pipeline.documents.printability import glyph_failures
from resources.batch_files import of_tenants, write_batch
from resources.document_store import DocumentStore
from resources.ledger import Ledger


def ledger_extracts(
    work: StageWork, *, ledger: Ledger, document_store: DocumentStore
) -> StageResult:
    """One per month and tenant: the company, its chart, its balances and cash movements of every
    month up to this one, and the month's expense claims, as of one instant.

    A ledger that cannot be reported on (unbalanced, unknown account, foreign currency, text that
    cannot be printed) fails its tenant here.
    """
    extract, found = ledger.extract(work.month, work.tenant_ids)
    failures: dict[str, TenantFailure] = {}
    for failure in [*found, *extract_failures(extract), *glyph_failures(extract)]:
        failures.setdefault(failure.tenant_id, failure)
    sound = [tenant_id for tenant_id in work.tenant_ids if tenant_id not in failures]
    result = StageResult(failures=list(failures.values()))
    if sound:
        tables = {name: of_tenants(getattr(extract, name), sound) for name in EXTRACT_TABLES}
        key = write_batch(document_store, "ledger_extracts", work.month, work.run_id, tables)
        accounts = tables["movements"].groupby("tenant_id")["account_code"].nunique()
        claims = tables["claims"].groupby("tenant_id").size()
        for tenant_id in sound:
            result.artefacts[tenant_id] = Artefact(
                key,
                {
                    "accounts": dg.MetadataValue.int(int(accounts.get(tenant_id, 0))),
                    "expense_claims": dg.MetadataValue.int(int(claims.get(tenant_id, 0))),
                },
            )
    return result
