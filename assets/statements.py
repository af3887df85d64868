"""The second stage: the ledger's figures as statements, and the identities they must obey."""

from __future__ import annotations

import dagster as dg
import pandas as pd

from assets.tenant_batch import Artefact, CheckOutcome, StageResult, StageWork
from reports_pipeline.accounting.assembly import numbers_hash, tenant_reports
from reports_pipeline.accounting.controls import CONTROLS, check_identities, identity_failures
from reports_pipeline.accounting.ledger import LedgerExtract
from reports_pipeline.accounting.statements import build_statements
from resources.batch_files import of_tenants, read_batches, write_batch
from resources.document_store import DocumentStore
from resources.report_register import ReportRegister

# An operator needs examples; the step's failure names every tenant.
_MOST_SHOWN = 20


def statements(
    work: StageWork, *, document_store: DocumentStore, report_register: ReportRegister
) -> StageResult:
    """One per month and tenant: income statement, balance sheet, expense analysis and cash flow,
    with prior month, year to date and 12-month trend.

    A tenant whose statements violate an identity fails here. The others get their revision: a new
    one if what their documents show has changed since the last.
    """
    result = StageResult()
    checked = []
    for tenant_ids, tables in read_batches(document_store, work.inputs["ledger_extracts"]):
        extract = LedgerExtract(month=work.month, **tables)
        built = build_statements(extract)
        identities = check_identities(extract, built)
        checked.append(identities)
        failures = identity_failures(identities)
        result.failures += failures
        failed = {failure.tenant_id for failure in failures}
        sound = [tenant_id for tenant_id in tenant_ids if tenant_id not in failed]
        if not sound:
            continue
        outputs = {
            "statements": of_tenants(built, sound),
            "companies": of_tenants(extract.companies, sound),
            "claims": of_tenants(extract.claims, sound),
        }
        outputs["revisions"] = _revisions(work, outputs, report_register)
        key = write_batch(document_store, "statements", work.month, work.run_id, outputs)
        for tenant_id, revision in outputs["revisions"][["tenant_id", "revision"]].itertuples(
            index=False
        ):
            result.artefacts[tenant_id] = Artefact(
                key, {"revision": dg.MetadataValue.int(int(revision))}
            )
    if checked:
        result.checks = _check_outcomes(pd.concat(checked))
    return result


def _revisions(
    work: StageWork, outputs: dict[str, pd.DataFrame], report_register: ReportRegister
) -> pd.DataFrame:
    """tenant_id, revision, numbers_hash."""
    hashes = {
        reports.company.tenant_id: numbers_hash(reports)
        for reports in tenant_reports(
            work.month, outputs["companies"], outputs["claims"], outputs["statements"]
        )
    }
    revisions = report_register.revisions(work.month, hashes, work.run_id)
    return pd.DataFrame(
        {
            "tenant_id": list(hashes),
            "revision": [revisions[tenant_id] for tenant_id in hashes],
            "numbers_hash": list(hashes.values()),
        }
    )


def _check_outcomes(identities: pd.DataFrame) -> list[CheckOutcome]:
    """One outcome an identity, for the whole batch, with the tenants that violate it."""
    outcomes = []
    for control in CONTROLS:
        of_control = identities[identities["control"] == control]
        differs = (of_control["expected"] != of_control["actual"]).fillna(True).astype(bool)
        violations = of_control[differs]
        shown = violations.head(_MOST_SHOWN)[["tenant_id", "expected", "actual"]]
        outcomes.append(
            CheckOutcome(
                control,
                violations.empty,
                {
                    "tenants": dg.MetadataValue.int(len(of_control)),
                    "violations": dg.MetadataValue.int(len(violations)),
                    "violating_tenants": dg.MetadataValue.json(
                        shown.astype(object).where(shown.notna(), None).to_dict("records")
                    ),
                },
            )
        )
    return outcomes
