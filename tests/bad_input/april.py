"""April of the sample's companies through every stage, and what it leaves behind for each."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from assets.documents import reports_by_tenant
from assets.monthly_reports import STAGES
from assets.tenant_batch import StageWork
from reports_pipeline.accounting.failures import TenantFailure
from reports_pipeline.accounting.reports import TenantReports
from tests.assets.monthly_stages import MonthlyStages
from tests.sample_ledgers import APRIL, TENANTS

SPOILT = "t0004"
OTHERS = [tenant_id for tenant_id in TENANTS if tenant_id != SPOILT]


@dataclass(frozen=True)
class Left:
    """What one tenant's month left behind."""

    reports: TenantReports | None  # None: no statements
    documents: dict[str, bytes]  # `r1/income_statement.pdf` and its bytes
    mails: list[bytes]  # without the date of their sending


@dataclass(frozen=True)
class AprilRun:
    failures: dict[str, tuple[str, TenantFailure]]  # by tenant: the stage, and why
    left: dict[str, Left]  # by tenant


def change_ledger(url: str, *statements: str) -> None:
    """Execute SQL; each statement must find something to change."""
    with psycopg.connect(url) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount != 0, statement


def run_april(url: str, home: Path) -> AprilRun:
    """Take all tenants of the database at `url` through all stages; files lie in `home`."""
    stages = MonthlyStages(url, home)
    failures: dict[str, tuple[str, TenantFailure]] = {}
    reports: dict[str, TenantReports] = {}
    ready: Sequence[str] = TENANTS
    for stage in STAGES:
        result = stages.run(stage.name, ready)
        failed = {failure.tenant_id: (stage.name, failure) for failure in result.failures}
        assert sorted([*failed, *result.artefacts]) == ready
        failures |= failed
        ready = list(result.artefacts)
        if stage.name == "statements":
            keys = {tenant_id: artefact.key for tenant_id, artefact in result.artefacts.items()}
            log = logging.getLogger(__name__)
            work = StageWork(APRIL, ready, "run-1", {"statements": keys}, log)
            found = reports_by_tenant(work, stages.store, stages.register)
            reports = {tenant_id: of_tenant for tenant_id, (of_tenant, _) in found.items()}
    mails: dict[str, list[bytes]] = {tenant_id: [] for tenant_id in TENANTS}
    for path in stages.mails():
        mails[path.name.split("_")[0]].append(
            re.sub(rb"^Date: .*\r\n", b"", path.read_bytes(), count=1, flags=re.MULTILINE)
        )
    return AprilRun(
        failures,
        {t: Left(reports.get(t), stages.documents(t), mails[t]) for t in TENANTS},
    )
