"""The asset checks of statements: the identities, and what another accounting program says.

A check has one result a batch, which counts and names the tenants of which it is not true; each of
these has a result on its own partition too.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import dagster as dg
import pandas as pd

from assets.tenant_batch import CheckOutcome, StageWork, Violation
from reports_pipeline.accounting.controls import CONTROLS
from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.accounting.reports import TenantReports
from reports_pipeline.accounting.verification import Verification
from resources.accounting_engines import JournalRefusedError
from resources.verification import StatementVerifier

_AGREES_WITH_BEANCOUNT = "agrees_with_beancount"
STATEMENT_CHECKS: Mapping[str, str] = {
    **{name: (control.__doc__ or "").strip() for name, control in CONTROLS.items()},
    _AGREES_WITH_BEANCOUNT: (
        "Beancount makes the same figures of the journals of some of the tenants, or of all where "
        "that is asked for."
    ),
}

# An operator needs examples; the step's failure names every tenant.
_MOST_SHOWN = 20


def identity_outcomes(identities: pd.DataFrame) -> list[CheckOutcome]:
    """One outcome an identity, of a table as `check_identities` returns it."""
    outcomes = []
    for control in CONTROLS:
        of_control = identities[identities["control"] == control]
        differs = (of_control["expected"] != of_control["actual"]).fillna(True).astype(bool)
        violated = of_control[differs]
        shown = violated.head(_MOST_SHOWN)[["tenant_id", "expected", "actual"]]
        outcomes.append(
            CheckOutcome(
                control,
                {
                    "tenants": dg.MetadataValue.int(len(of_control)),
                    "violations": dg.MetadataValue.int(len(violated)),
                    "violating_tenants": dg.MetadataValue.json(
                        shown.astype(object).where(shown.notna(), None).to_dict("records")
                    ),
                },
                [
                    _violated_identity(
                        tenant_id, int(expected), None if pd.isna(actual) else int(actual)
                    )
                    for tenant_id, expected, actual in violated[
                        ["tenant_id", "expected", "actual"]
                    ].itertuples(index=False)
                ],
            )
        )
    return outcomes


def _violated_identity(tenant_id: str, expected: int, actual: int | None) -> Violation:
    metadata = {"expected": dg.MetadataValue.int(expected)}
    if actual is None:
        return Violation(tenant_id, f"{expected:,} expected, the line is missing", metadata)
    metadata |= {
        "actual": dg.MetadataValue.int(actual),
        "difference": dg.MetadataValue.int(actual - expected),
    }
    return Violation(tenant_id, f"{expected:,} expected, {actual:,} found", metadata)


@dataclass(frozen=True)
class Verdict:
    """What the other program says of a tenant's statements: a comparison, or why there is none."""

    tenant_id: str
    engine: str
    outcome: Verification | str

    @property
    def failure(self) -> TenantFailure | None:
        """VERIFICATION_FAILED if a figure differs. What could not be compared is no failure: it
        says something of the program and nothing of the statements."""
        if isinstance(self.outcome, str) or not self.outcome.differences:
            return None
        first, *_ = self.outcome.differences
        return TenantFailure(
            self.tenant_id,
            FailureCode.VERIFICATION_FAILED,
            {
                "engine": self.engine,
                "what": first.what,
                "line": first.line,
                "ours": first.ours,
                "theirs": first.theirs,
                "differences": len(self.outcome.differences),
            },
        )


def verdicts(
    work: StageWork, reports: Iterable[TenantReports], verifier: StatementVerifier
) -> Iterator[Verdict]:
    """The verdict on each of these reports."""
    for of_tenant in reports:
        tenant_id = of_tenant.company.tenant_id
        outcome: Verification | str
        try:
            outcome = verifier.verify(of_tenant)
        except JournalRefusedError as error:
            outcome = f"the journal is refused: {error}"
        except Exception as error:  # of a program that is not ours
            work.log.warning(f"{tenant_id}: cannot be verified\n{traceback.format_exc()}")
            outcome = f"{type(error).__name__}: {error}"
        yield Verdict(tenant_id, verifier.engine_name, outcome)


def verification_outcome(found: Sequence[Verdict]) -> CheckOutcome:
    """The outcome of `agrees_with_beancount`."""
    violations = [
        violation for verdict in found if (violation := _disagreement(verdict)) is not None
    ]
    compared = [v.outcome.compared for v in found if isinstance(v.outcome, Verification)]
    return CheckOutcome(
        _AGREES_WITH_BEANCOUNT,
        {
            "tenants": dg.MetadataValue.int(len(found)),
            "figures_compared": dg.MetadataValue.int(sum(compared)),
            "violations": dg.MetadataValue.int(len(violations)),
            "verified_tenants": dg.MetadataValue.json(
                [verdict.tenant_id for verdict in found[:_MOST_SHOWN]]
            ),
            "violating_tenants": dg.MetadataValue.json(
                [violation.tenant_id for violation in violations[:_MOST_SHOWN]]
            ),
        },
        violations,
    )


def _disagreement(verdict: Verdict) -> Violation | None:
    if isinstance(verdict.outcome, str):
        return Violation(verdict.tenant_id, verdict.outcome, severity=dg.AssetCheckSeverity.WARN)
    differences = verdict.outcome.differences
    if not differences:
        return None
    first = differences[0]
    return Violation(
        verdict.tenant_id,
        f"{len(differences)} figures differ; {first.what} {first.line}: {first.ours:,} here, "
        f"{first.theirs:,} from {verdict.engine}",
        {
            "differences": dg.MetadataValue.json(
                [
                    asdict(difference) | {"difference": difference.difference}
                    for difference in differences[:_MOST_SHOWN]
                ]
            )
        },
    )
