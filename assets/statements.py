"""The second stage: the ledger's figures as statements, and the identities they must obey."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import dagster as dg
import pandas as pd

from assets.checks import drawn_sample, identity_outcomes, verdicts, verification_outcome
from assets.tenant_batch import Artefact, Metadata, StageResult, StageWork, TenantSelection
from reports_pipeline.accounting.assembly import numbers_hash, tenant_reports
from reports_pipeline.accounting.controls import check_identities, identity_failures
from reports_pipeline.accounting.corrections import EXPENSE_CLAIMS, line_changes
from reports_pipeline.accounting.ledger import LedgerExtract
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import Company, LineChange, TenantReports
from reports_pipeline.accounting.statements import build_statements
from reports_pipeline.documents.changes import change_text
from resources.batch_files import of_tenants, read_batches, write_batch
from resources.document_store import DocumentStore
from resources.report_register import ReportRegister, Revision
from resources.verification import StatementVerifier

# An operator needs examples; the step's failure names every tenant.
_MOST_SHOWN = 20
# Of claims, texts that may name people, which the register keeps.
_PERSONAL_TEXTS = ("employee", "payee", "description")
_MARKDOWN = re.compile(r"[\\`*_{}\[\]()#+!|<>~&-]")


def statements(
    work: StageWork,
    *,
    document_store: DocumentStore,
    report_register: ReportRegister,
    statement_verifier: StatementVerifier,
    tenant_selection: TenantSelection,
) -> StageResult:
    """One per month and tenant: income statement, balance sheet, expense analysis, direct and
    indirect cash flow, with prior month, year earlier, year to date and 12-month trend.

    A tenant whose statements violate an identity fails here, and so does one of the few that are
    verified, or of all where that is asked for, if another program computes other figures of its
    journal and the ledger is still as it was extracted. The others get their revision: a new one
    if what their documents show has changed since the last, and a correction if the month was
    closed then.
    """
    result = StageResult()
    to_verify = set(work.tenant_ids)
    warnings: Sequence[str] = ()
    if not tenant_selection.verify_all:
        to_verify, warnings = drawn_sample(work, statement_verifier)
    checked, verified = [], []
    for tenant_ids, tables in read_batches(document_store, work.inputs["ledger_extracts"]):
        extract = LedgerExtract(month=work.month, **tables)
        built = build_statements(extract)
        identities = check_identities(extract, built)
        checked.append(identities.merge(extract.companies[["tenant_id", "currency"]]))
        failures = identity_failures(identities)
        violating = {failure.tenant_id for failure in failures}
        chosen = [t for t in tenant_ids if t in to_verify and t not in violating]
        found = list(
            verdicts(
                work,
                tenant_reports(
                    work.month,
                    of_tenants(extract.companies, chosen),
                    of_tenants(extract.claims, chosen),
                    of_tenants(built, chosen),
                ),
                extract,
                statement_verifier,
            )
        )
        verified += found
        failures += [verdict.failure for verdict in found if verdict.failure is not None]
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
        artefacts, revisions = _stored(work, outputs, document_store, report_register)
        result.artefacts |= artefacts
        result.revisions |= revisions
    if checked:
        result.checks = [
            *identity_outcomes(pd.concat(checked)),
            verification_outcome(verified, warnings),
        ]
    return result


def _stored(
    work: StageWork,
    outputs: dict[str, pd.DataFrame],
    document_store: DocumentStore,
    report_register: ReportRegister,
) -> tuple[dict[str, Artefact], dict[str, int]]:
    """Store a batch, and give each of its tenants its revision; returns both by tenant."""
    reports = {
        report.company.tenant_id: report
        for report in tenant_reports(
            work.month, outputs["companies"], outputs["claims"], outputs["statements"]
        )
    }
    hashes = {tenant_id: numbers_hash(report) for tenant_id, report in reports.items()}
    outputs["numbers"] = pd.DataFrame(hashes.items(), columns=["tenant_id", "numbers_hash"])
    key = write_batch(document_store, "statements", work.month, work.run_id, outputs)
    revisions = report_register.assign_revisions(
        work.month,
        hashes,
        closed=[tenant_id for tenant_id in reports if reports[tenant_id].company.closed],
        statements_key=key,
        run_id=work.run_id,
    )
    revisions |= _compared(work.month, revisions, reports, document_store, report_register)
    artefacts = {
        tenant_id: Artefact(key, _revision_metadata(revisions[tenant_id], report.company))
        for tenant_id, report in reports.items()
    }
    return artefacts, {tenant_id: revision.number for tenant_id, revision in revisions.items()}


def stored_statements(
    document_store: DocumentStore, month: Month, keys: Mapping[str, str]
) -> Iterator[tuple[TenantReports, str]]:
    """What the files of this stage hold of each tenant, with the hash of its numbers; `keys` names
    the file of each tenant."""
    for _, tables in read_batches(document_store, keys):
        numbers = tables["numbers"]
        hashes = dict(zip(numbers["tenant_id"], numbers["numbers_hash"], strict=True))
        for reports in tenant_reports(
            month, tables["companies"], tables["claims"], tables["statements"]
        ):
            yield reports, hashes[reports.company.tenant_id]


def _compared(
    month: Month,
    revisions: Mapping[str, Revision],
    reports: Mapping[str, TenantReports],
    document_store: DocumentStore,
    report_register: ReportRegister,
) -> dict[str, Revision]:
    """The corrections among the revisions that nobody has compared yet, with what they change."""
    corrected = {
        tenant_id: revision.corrects
        for tenant_id, revision in revisions.items()
        if revision.corrects is not None and revision.changes is None
    }
    if not corrected:
        return {}
    keys = report_register.statements_keys(month, corrected)
    compared = {}
    for before, _ in stored_statements(document_store, month, keys):
        tenant_id = before.company.tenant_id
        changes = line_changes(before, reports[tenant_id])
        compared[tenant_id] = replace(revisions[tenant_id], changes=changes)
    report_register.record_changes(month, compared)
    return compared


def _revision_metadata(revision: Revision, company: Company) -> Metadata:
    """What Dagster's pages show of a revision; of a correction, what it changes."""
    metadata: dict[str, dg.MetadataValue] = {"revision": dg.MetadataValue.int(revision.number)}
    if revision.corrects is not None and revision.changes is not None:
        metadata["corrects_revision"] = dg.MetadataValue.int(revision.corrects)
        metadata["changes"] = dg.MetadataValue.int(len(revision.changes))
        metadata["changed_lines"] = dg.MetadataValue.md(_table(revision.changes, company))
    return metadata


def _table(changes: Sequence[LineChange], company: Company) -> str:
    """The first changes as a table in Markdown."""
    rows = [["report", "line", "column", "before", "after"], ["---"] * 3 + ["---:"] * 2]
    for change in changes[:_MOST_SHOWN]:
        text = change_text(change, language=company.language, currency=company.currency)
        values = [text.before, text.after]
        if change.statement == EXPENSE_CLAIMS and change.column in _PERSONAL_TEXTS:
            values = ["…", "…"]
        rows.append([_escaped(t) for t in (text.report, text.label, text.column, *values)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _escaped(text: str) -> str:
    """Text of tenants as it reads in Markdown, where it is no markup."""
    return _MARKDOWN.sub(r"\\\g<0>", " ".join(text.split()))
