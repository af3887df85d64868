"""One company of very many lines and claims, and one of none, among usual ones in one run."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import dagster as dg
import openpyxl
import psycopg
import pytest

from reports_pipeline.accounting.accounts import INCOME_STATEMENT
from reports_pipeline.accounting.reports import TenantReports
from reports_pipeline.delivery.states import delivery_id, reference
from reports_pipeline.documents.bundle import render_pdfs, render_workbooks
from reports_pipeline.fresh_reports import fresh_reports
from resources.database import create_database
from resources.ledger import PostgresLedger
from resources.ledger_loading import load_ledger
from tests.assets.monthly_runs import run_month
from tests.assets.skewed_ledger import EMPTY, HEAVY, SKEWED, skewed_ledger
from tests.sample_ledgers import APRIL

# The real size, 600,000, was run by hand: docs/decisions/0016-bad-neighbours.md.
_HEAVY_LINES = 160_000


@dataclass(frozen=True)
class SkewedMonth:
    """What a run left in `home` of the ledger at `url`."""

    url: str
    home: Path
    succeeded: bool

    def documents(self, tenant_id: str) -> dict[str, bytes]:
        folder = self.home / "documents/reports" / tenant_id / str(APRIL) / "r1"
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    def fresh(self, tenant_id: str) -> TenantReports:
        """The reports computed without the run and without the others."""
        _, made = fresh_reports(PostgresLedger(self.url), APRIL, [tenant_id])
        reports = made[tenant_id]
        assert isinstance(reports, TenantReports)
        return reports


@pytest.fixture(scope="module")
def skewed(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SkewedMonth]:
    url = create_database(postgres_server, "skewed", template="template_reports")
    load_ledger(url, skewed_ledger(APRIL, _HEAVY_LINES), replace=False)
    home = tmp_path_factory.mktemp("skewed")
    with dg.DagsterInstance.local_temp(
        str(tmp_path_factory.mktemp("dagster")), overrides={"telemetry": {"enabled": False}}
    ) as instance:
        result = run_month(instance, url, home, APRIL, SKEWED)
    yield SkewedMonth(url, home, result.success)
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("drop database skewed with (force)")


@pytest.mark.parametrize("tenant_id", SKEWED)
def test_everybody_has_the_documents_that_they_would_have_alone(
    skewed: SkewedMonth, tenant_id: str
) -> None:
    assert skewed.succeeded
    reports = skewed.fresh(tenant_id)
    number = reference(delivery_id(tenant_id, APRIL, 1))
    expected = [*render_pdfs(reports, number), *render_workbooks(reports, number)]
    assert skewed.documents(tenant_id) == {d.name: d.content for d in expected}
    assert list((skewed.home / "outbox").rglob(f"{tenant_id}_*.eml"))


def test_the_heavy_companys_figures_are_those_of_its_lines(skewed: SkewedMonth) -> None:
    with psycopg.connect(skewed.url) as connection:
        [(lines, profit)] = connection.execute(
            """
            select count(*), sum(credit - debit) filter (where account_class = any(%(profit)s))
            from ledger.journal_lines
            join ledger.accounts_in(array[%(tenant)s::text], %(month)s)
                using (tenant_id, account_code)
            where tenant_id = %(tenant)s and status = 'posted'
            """,
            {"tenant": HEAVY, "month": APRIL.start, "profit": list(INCOME_STATEMENT)},
        ).fetchall()
        [(claims, amount)] = connection.execute(
            "select count(*), sum(amount) from ledger.expense_claims where tenant_id = %s",
            [HEAVY],
        ).fetchall()
    assert lines > 120_000
    assert claims > 7_500
    [net_profit] = {
        line.current
        for statement in skewed.fresh(HEAVY).statements
        for line in statement.lines
        if line.key == "net_profit"
    }
    assert net_profit == profit
    content = io.BytesIO(skewed.documents(HEAVY)["expense_claims.xlsx"])
    sheet, *_ = openpyxl.load_workbook(content, read_only=True, data_only=True)
    rows = [row for row in sheet.iter_rows(values_only=True) if isinstance(row[0], datetime)]
    amounts = [row[6] for row in rows if isinstance(row[6], int)]
    assert len(amounts) == claims
    assert sum(amounts) == amount  # in yen, which have no decimals


def test_a_company_of_nothing_has_zeros(skewed: SkewedMonth) -> None:
    reports = skewed.fresh(EMPTY)
    assert reports.claims == ()
    assert not any(line.current for statement in reports.statements for line in statement.lines)
