"""`make demo` as a newcomer sees it: every file is opened by a program that we did not write."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from email.utils import parseaddr
from pathlib import Path

import openpyxl
import pytest

from reports_pipeline.accounting.money import from_minor_units
from reports_pipeline.accounting.reports import Company, LineKind, StatementKind, TenantReports
from reports_pipeline.documents.content.contents import pdf_reports
from reports_pipeline.documents.document import PDF_NAMES, WORKBOOK_NAMES
from reports_pipeline.documents.formats import amount_format
from tests.end_to_end.stored import attachments, read_mail, stored_reports
from tests.end_to_end.system import MONTH, System, new_system
from tests.programs import require_program

TENANTS = [f"t{number:04}" for number in range(1, 13)]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with new_system(tmp_path_factory.mktemp("demo")) as system:
        yield system


@pytest.fixture(scope="module")
def printed(system: System) -> str:
    return system.reports("demo", "--month", MONTH)


@pytest.fixture(scope="module")
def reports(system: System, printed: str) -> dict[str, TenantReports]:
    return stored_reports(system.home, MONTH)


def folder(system: System, tenant_id: str) -> Path:
    return system.home / "documents" / "reports" / tenant_id / MONTH / "r1"


def documents_of(company: Company) -> set[str]:
    """The names of the seven documents and, where the company has one, of its copy's."""
    names = {*PDF_NAMES, *WORKBOOK_NAMES}
    if company.plan == "premium" and company.copy_language:
        names |= {name.replace(".", f"_{company.copy_language}.") for name in names}
    return names


def test_it_prints_what_became_of_every_tenant(
    system: System, printed: str, reports: dict[str, TenantReports]
) -> None:
    rows = re.findall(r"^(t\d{4}) +(\d+) +(\d+)  (\w+)", printed, re.MULTILINE)
    assert [row[0] for row in rows] == TENANTS
    assert {row[3] for row in rows} == {"delivered"}
    assert [int(row[1]) for row in rows] == [
        len(documents_of(reports[tenant_id].company)) for tenant_id in TENANTS
    ]
    assert sum(int(row[2]) for row in rows) == len(system.mails())
    assert "12 of 12 tenants delivered" in printed
    assert str(system.home / "outbox" / MONTH) in printed


def test_every_tenant_has_its_documents(system: System, reports: dict[str, TenantReports]) -> None:
    for tenant_id in TENANTS:
        names = {path.name for path in folder(system, tenant_id).iterdir()}
        assert names == documents_of(reports[tenant_id].company)
    assert any(reports[tenant_id].company.copy_language for tenant_id in TENANTS)


def test_every_mail_carries_the_stored_documents_to_one_contact(
    system: System, printed: str
) -> None:
    recipients = set()
    for path in system.mails():
        mail = read_mail(path)
        tenant_id = path.name.split("_")[0]
        stored = {path.read_bytes() for path in folder(system, tenant_id).iterdir()}
        assert set(attachments(mail).values()) == stored
        _, address = parseaddr(mail["To"])
        assert (tenant_id, address) not in recipients
        recipients.add((tenant_id, address))
        body = mail.get_body(("plain",))
        assert body is not None
        assert mail["X-Report-Delivery-Id"][:4].upper() in body.get_content()


def test_the_pdfs_show_the_figures_of_the_statements(
    system: System, reports: dict[str, TenantReports]
) -> None:
    pdftotext = require_program("pdftotext")
    for tenant_id in TENANTS:
        as_printed = amount_format(reports[tenant_id].company)
        for parts in pdf_reports(reports[tenant_id]):
            pdf = folder(system, tenant_id) / f"{parts[0].name}.pdf"
            text = subprocess.run(
                [pdftotext, "-layout", str(pdf), "-"], capture_output=True, text=True, check=True
            ).stdout
            for row in [row for report in parts for row in report.rows]:
                for cell in row.cells:
                    if isinstance(cell, int):
                        figure = as_printed(abs(cell))
                        assert figure in text, f"{pdf}: {row.key} {figure}"


def test_libreoffice_recalculates_the_workbooks_to_the_figures_of_the_statements(
    system: System, reports: dict[str, TenantReports], tmp_path: Path
) -> None:
    soffice = require_program("soffice")
    for tenant_id in TENANTS:
        for name in ("income_statement", "balance_sheet", "expense_claims"):
            original = folder(system, tenant_id) / f"{name}.xlsx"
            (tmp_path / f"{tenant_id}.{name}.xlsx").symlink_to(original)
    recalculated = tmp_path / "recalculated"
    subprocess.run(
        [
            soffice, "--headless", f"-env:UserInstallation=file://{tmp_path}/profile",
            "--convert-to", "xlsx:Calc MS Excel 2007 XML", "--outdir", str(recalculated),
            *sorted(map(str, tmp_path.glob("*.xlsx"))),
        ],
        check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    for tenant_id in TENANTS:
        report = reports[tenant_id]
        currency = report.company.currency
        for kind in (StatementKind.INCOME_STATEMENT, StatementKind.BALANCE_SHEET):
            found = amounts(recalculated / f"{tenant_id}.{kind.value}.xlsx")
            for line in report.statement(kind).lines:
                if line.kind is not LineKind.HEADING and line.current is not None:
                    assert float(abs(from_minor_units(line.current, currency))) in found, line
        claims = amounts(recalculated / f"{tenant_id}.expense_claims.xlsx")
        total = sum(claim.amount for claim in report.claims)
        assert float(from_minor_units(total, currency)) in claims


def amounts(path: Path) -> set[float]:
    """The absolute values of all numbers in a workbook."""
    book = openpyxl.load_workbook(path, data_only=True)
    return {
        abs(round(float(cell.value), 2))
        for sheet in book
        for row in sheet.iter_rows()
        for cell in row
        if isinstance(cell.value, int | float)
    }
