"""The stages of the monthly reports on real adapters, one call each, without Dagster."""

from __future__ import annotations

import logging
import operator
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assets.monthly_reports import STAGES
from assets.tenant_batch import StageResult, StageWork, TenantSelection
from reports_pipeline.delivery.messages import MailSettings
from resources.accounting_engines import AccountingEngine, BeancountEngine
from resources.brandings import Brandings
from resources.canaries import Canaries
from resources.delivery_months import DeliveryMonths
from resources.delivery_preferences import DeliveryPreferencesStore
from resources.delivery_register import PostgresDeliveryRegister
from resources.departures import Departures
from resources.document_renderer import DocumentRenderer
from resources.document_store import LocalDocumentStore
from resources.journal import Journals
from resources.ledger import PostgresLedger
from resources.link_signer import LinkSigner, SharedLinks
from resources.mailer import OutboxMailer
from resources.notifier import FolderNotifier
from resources.report_register import ReportRegister
from resources.stage_outcomes import StageOutcomes
from resources.tenants import Tenants
from resources.verification import StatementVerifier
from tests.sample_ledgers import APRIL, TENANTS

_BY_NAME = {stage.name: stage for stage in STAGES}
UP_TO_DOCUMENTS = ("ledger_extracts", "statements", "report_pdfs", "report_workbooks")


class MonthlyStages:
    """April of the tenants in the database at `url`; files lie in `home`."""

    def __init__(self, url: str, home: Path) -> None:
        self.url = url
        self.outbox = home / "outbox"
        self._documents = home / "documents"
        links = SharedLinks("http://127.0.0.1:3002", LinkSigner(lambda: b"s" * 32))
        self.store = LocalDocumentStore(self._documents, "http://127.0.0.1:3001", links)
        self.register = ReportRegister(url)
        self.brandings = Brandings(url)
        self.preferences = DeliveryPreferencesStore(url)
        self.notices = home / "notices"
        # in this process, where tests can see it at work
        self.renderer = DocumentRenderer(operator.call)
        self._outcomes = StageOutcomes(url)
        self.engine: AccountingEngine = BeancountEngine()
        self.verified_tenants_per_run = 0
        self.verify_all = False

    def run(
        self, name: str, tenants: Sequence[str] = TENANTS, run_id: str = "run-1"
    ) -> StageResult:
        """Take the tenants through one stage, as far as they came through those before it."""
        stage = _BY_NAME[name]
        inputs = {}
        for upstream in stage.upstream:
            found = self._outcomes.read(upstream, APRIL, tenants)
            inputs[upstream] = {t: o.artefact for t, o in found.items() if o.artefact is not None}
            tenants = [tenant_id for tenant_id in tenants if tenant_id in inputs[upstream]]
        work = StageWork(APRIL, tenants, run_id, inputs, logging.getLogger(__name__))
        with PostgresDeliveryRegister(self.url, actor=run_id) as delivery_register:
            resources: dict[str, Any] = {
                "ledger": PostgresLedger(self.url),
                "document_store": self.store,
                "report_register": self.register,
                "brandings": self.brandings,
                "document_renderer": self.renderer,
                "notifier": FolderNotifier(self.notices),
                "statement_verifier": StatementVerifier(
                    self.engine,
                    Journals(self.url),
                    PostgresLedger(self.url),
                    tenants_per_run=self.verified_tenants_per_run,
                ),
                "tenant_selection": TenantSelection(verify_all=self.verify_all),
                "delivery_register": delivery_register,
                "tenants": Tenants(self.url),
                "delivery_preferences": self.preferences,
                "departures": Departures(
                    self.preferences,
                    Tenants(self.url),
                    DeliveryMonths(self.url),
                    Canaries(self.url),
                ),
                "mailer": OutboxMailer(self.outbox),
                "mail_settings": MailSettings(),
            }
            result = stage.function(work, **{key: resources[key] for key in stage.resource_keys})
        artefacts = {tenant_id: artefact.key for tenant_id, artefact in result.artefacts.items()}
        self._outcomes.record(name, APRIL, run_id, artefacts, result.failures, result.revisions)
        return result

    def run_all(
        self, names: Sequence[str], tenants: Sequence[str] = TENANTS, run_id: str = "run-1"
    ) -> None:
        """Take the tenants through these stages; none of them may fail."""
        for name in names:
            result = self.run(name, tenants, run_id)
            assert result.failures == []
            assert list(result.artefacts) == list(tenants)

    def documents(self, tenant_id: str) -> dict[str, bytes]:
        """What the store holds of a tenant: `r1/income_statement.pdf` and its bytes."""
        folder = self._documents / "reports" / tenant_id / str(APRIL)
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    def mails(self) -> list[Path]:
        return sorted(self.outbox.rglob("*.eml"))
