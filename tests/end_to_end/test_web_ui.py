"""An operator backfills one month for three chosen tenants from Dagster's web UI."""

from __future__ import annotations

import email
import email.policy
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.end_to_end.browser import browser_page
from tests.end_to_end.system import MONTH, System, new_system

CHOSEN = ["t0002", "t0005", "t0006"]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with new_system(tmp_path_factory.mktemp("web-ui")) as system:
        system.reports(
            "ledger", "sample", "--companies", "8", "--months", "3", "--lines-per-month", "1600",
            "--seed", "3", "--last-month", MONTH,
        )  # fmt: skip
        with system.serving():
            system.wait_for_partitions(8)
            yield system


def test_backfill_of_chosen_tenants(system: System, tmp_path: Path) -> None:
    with browser_page() as page:
        page.goto(f"{system.address}/asset-groups/monthly_reports/lineage")
        _launch_backfill(page, tmp_path)
        runs = system.wait_for_runs()

        # the daemon made one run of each contiguous range: t0002 and t0005…t0006
        assert Counter(run["status"] for run in runs) == {"SUCCESS": 2}
        mailed = {mail.name.split("_")[0] for mail in system.mails()}
        assert mailed == set(CHOSEN)

        # the asset's page shows the tenant as materialized and links its documents
        page.goto(f"{system.address}/assets/report_pdfs?view=partitions&partition={MONTH}%7Ct0005")
        link = page.get_by_role("link", name="income_statement.pdf").first
        expect(link).to_be_visible()
        address = link.get_attribute("href")
        assert address is not None
        response = page.request.get(address)
        assert response.ok
        stored = system.home / "documents" / "reports" / "t0005" / MONTH / "r1"
        assert response.body() == (stored / "income_statement.pdf").read_bytes()


def test_the_chosen_tenants_got_their_mails(system: System) -> None:
    for path in system.mails():
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        assert len(list(mail.iter_attachments())) == 7
        assert "2025年10月" in mail["Subject"] or "October 2025" in mail["Subject"]


def _launch_backfill(page: Page, pictures: Path) -> None:
    page.get_by_text("Materialize all").first.click()
    month = page.get_by_placeholder("ex: ")
    month.fill(MONTH)
    month.press("Enter")
    page.get_by_text("Select a partition or create one").click()
    for tenant_id in CHOSEN:
        page.locator(".dagster-popover").get_by_text(tenant_id, exact=True).first.click()
    page.get_by_text("Partition selection").first.click()  # closes the list of tenants
    expect(page.get_by_text("3 partitions")).to_be_visible()
    page.screenshot(path=pictures / "backfill.png")
    page.get_by_role("button", name="Launch backfill").click()
    expect(page.get_by_role("button", name="Launch backfill")).to_be_hidden()
