"""The asset checks of statements: the identities, and what another accounting program says.

A check has one result a run, which counts and names the tenants of which it is not true; each of
these has a result on its own partition too. Texts show amounts as they print; amounts in metadata
are in minor units of the tenant's currency, and their names say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import dagster as dg
import pandas as pd

from assets.tenant_batch import CheckOutcome, StageWork, Violation
from reports_pipeline.accounting.controls import CONTROLS
from reports_pipeline.accounting.ledger import LedgerExtract
from reports_pipeline.accounting.money import minor_unit_exponent
from reports_pipeline.accounting.reports import TenantReports
from reports_pipeline.accounting.verification import Verification
from reports_pipeline.documents.formats import format_amount
from resources.transient_errors import TRANSIENT_ERRORS
from resources.verification import StatementVerifier, Verdict

_AGREES_WITH_BEANCOUNT = "agrees_with_beancount"
STATEMENT_CHECKS: Mapping[str, str] = {
    **{name: (control.__doc__ or "").strip() for name, control in CONTROLS.items()},
    _AGREES_WITH_BEANCOUNT: (
        "Beancount makes the same figures of the journals of some of the tenants, or of all where "
        "that is asked for."
    ),
}

# An operator needs examples; `reports verify` shows every figure.
_MOST_SHOWN = 20


def identity_outcomes(identities: pd.DataFrame) -> list[CheckOutcome]:
    """One outcome an identity, of a table as `check_identities` returns it, with a column
    `currency`."""
    outcomes = []
    for control in CONTROLS:
        of_control = identities[identities["control"] == control]
        differs = (of_control["expected"] != of_control["actual"]).fillna(True).astype(bool)
        violated = of_control[differs][["tenant_id", "currency", "expected", "actual"]]
        outcomes.append(
            CheckOutcome(
                control,
                [
                    _violated_identity(
                        tenant_id, currency, int(expected), None if pd.isna(actual) else int(actual)
                    )
                    for tenant_id, currency, expected, actual in violated.itertuples(index=False)
                ],
                counts={"tenants": len(of_control)},
            )
        )
    return outcomes


def _violated_identity(
    tenant_id: str, currency: str, expected: int, actual: int | None
) -> Violation:
    exponent = minor_unit_exponent(currency)
    said = f"{format_amount(expected, exponent)} expected"
    metadata = {"expected_minor_units": dg.MetadataValue.int(expected)}
    if actual is None:
        return Violation(tenant_id, f"{said}, the line is missing", metadata)
    metadata |= {
        "actual_minor_units": dg.MetadataValue.int(actual),
        "difference_minor_units": dg.MetadataValue.int(actual - expected),
    }
    return Violation(tenant_id, f"{said}, {format_amount(actual, exponent)} found", metadata)


def drawn_sample(work: StageWork, verifier: StatementVerifier) -> tuple[set[str], Sequence[str]]:
    """The tenants of the run that are verified unasked. If they cannot be drawn, none; then why.

    Raises:
        TRANSIENT_ERRORS: a later try may draw them.
    """
    try:
        return set(verifier.sample(work.month, work.run_tenant_ids or work.tenant_ids)), []
    except TRANSIENT_ERRORS:
        raise
    except Exception as error:
        work.log.warning("No tenant could be drawn to be verified.", exc_info=True)
        return set(), [f"no tenant could be drawn to be verified: {type(error).__name__}: {error}"]


def verdicts(
    work: StageWork,
    reports: Iterable[TenantReports],
    extract: LedgerExtract,
    verifier: StatementVerifier,
) -> Iterator[Verdict]:
    """The verdict on each of these reports, which were made of the extract.

    Raises:
        TRANSIENT_ERRORS: a later try may come to a verdict.
    """
    for of_tenant in reports:
        verdict = verifier.verdict(of_tenant, extract)
        if verdict.traceback:
            work.log.warning(f"{verdict.tenant_id}: cannot be verified\n{verdict.traceback}")
        yield verdict


def verification_outcome(found: Sequence[Verdict], warnings: Sequence[str]) -> CheckOutcome:
    """The outcome of `agrees_with_beancount`."""
    compared = {
        verdict.tenant_id: verdict.outcome.compared
        for verdict in found
        if isinstance(verdict.outcome, Verification)
    }
    return CheckOutcome(
        _AGREES_WITH_BEANCOUNT,
        [violation for verdict in found if (violation := _disagreement(verdict)) is not None],
        counts={"tenants": len(found), "figures_compared": sum(compared.values())},
        names={"verified_tenants": list(compared)},
        warnings=warnings,
    )


def _disagreement(verdict: Verdict) -> Violation | None:
    if isinstance(verdict.outcome, str):
        return Violation(verdict.tenant_id, verdict.outcome, severity=dg.AssetCheckSeverity.WARN)
    if not verdict.differences:
        return None
    first, *_ = verdict.differences
    return Violation(
        verdict.tenant_id,
        f"{len(verdict.differences)} figures differ; {first.what} {first.line}: "
        f"{verdict.amount(first.ours)} here, {verdict.amount(first.theirs)} from {verdict.engine}",
        {
            "differences": dg.MetadataValue.json(
                [
                    {
                        "what": difference.what,
                        "line": difference.line,
                        "ours_minor_units": difference.ours,
                        "theirs_minor_units": difference.theirs,
                        "difference_minor_units": difference.difference,
                    }
                    for difference in verdict.differences[:_MOST_SHOWN]
                ]
            )
        },
    )
