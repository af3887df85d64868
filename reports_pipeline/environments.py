"""The only module that reads the environment: it maps variables to settings and adapters.

| variable | meaning | default |
|---|---|---|
| REPORTS_ENVIRONMENT | which adapters: `local` | local |
| REPORTS_HOME | folder of documents, outbox, notices and the embedded server | ./var |
| REPORTS_DATABASE_URL | PostgreSQL with the register, and the ledger unless named | embedded |
| REPORTS_LEDGER_URL | PostgreSQL with the ledger; a read-only replica will do | as above |
| REPORTS_DAGSTER_URL | PostgreSQL with Dagster's own tables | with the register |
| REPORTS_FIRST_MONTH | first month of the partitions, YYYY-MM | 18 months before this one |
| REPORTS_TENANTS_PER_RUN | tenants in one run | 100 |
| REPORTS_VERIFIED_TENANTS_PER_RUN | tenants of a run whose figures Beancount computes too | 1 |
| REPORTS_DOCUMENT_LINKS | address under which documents open in a browser | http://127.0.0.1:3001 |
| REPORTS_MAIL_FROM | sender of the mails | FinanceFlow <reports@financeflow.example> |
| REPORTS_MAILER | `outbox`, the URL of a relay, or `ses:` and a configuration set | outbox |
| REPORTS_MAILS_PER_SECOND | of all runs together; 0: what SES allows, 10 to a relay | 0 |
| REPORTS_FEEDBACK_QUEUE | URL of the SQS queue with SES's events of our mails | none |

A relay is `smtps://user:password@host` (TLS), `smtp://…` (STARTTLS) or `smtp+plain://…`.

Reports need to read the ledger only. Commands that change it (`reports ledger`, `accounts map`,
`month close` and `reopen`) need REPORTS_LEDGER_URL to name its primary.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.policy import EmailPolicy
from pathlib import Path
from urllib.parse import urlsplit

from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.deliveries import Recipient
from reports_pipeline.delivery.errors import BadAddressError
from reports_pipeline.delivery.messages import MailSettings, recipient_address
from reports_pipeline.tokyo import this_month
from resources.accounting_engines import BeancountEngine
from resources.brandings import Brandings
from resources.database import EmbeddedPostgres, create_database, upgrade_schema
from resources.delivery_register import DeliveryRegister, PostgresDeliveryRegister
from resources.document_store import DocumentStore, LocalDocumentStore
from resources.feedback_queue import FeedbackQueue, NoFeedback, SqsFeedbackQueue, sqs_client
from resources.journal import Journals
from resources.launches import Launches
from resources.ledger import Ledger, PostgresLedger
from resources.mailer import Mailer, OutboxMailer
from resources.notifier import FolderNotifier, Notifier
from resources.report_register import ReportRegister
from resources.send_rate import PostgresSendRate
from resources.ses_mailer import SesMailer, send_rate_of_account, ses_client
from resources.smtp_mailer import Relay, SmtpMailer
from resources.stage_outcomes import StageOutcomes
from resources.tenants import Tenants
from resources.verification import StatementVerifier

# 5,000 tenants times 18 months stay below the 100,000 partitions that Dagster advises at most.
_MONTHS_IN_WINDOW = 18
_SES = "ses:"
_MAILS_PER_SECOND_TO_A_RELAY = 10
_URL_SCHEMES = {
    "REPORTS_DATABASE_URL": ("postgresql://",),
    "REPORTS_LEDGER_URL": ("postgresql://",),
    # Dagster's programs are handed a URL that names the driver.
    "REPORTS_DAGSTER_URL": ("postgresql://", "postgresql+psycopg2://"),
}


class SettingError(ValueError):
    """A variable has a value that cannot be used; the message names it."""


@dataclass(frozen=True)
class Settings:
    """Everything that differs between environments."""

    home: Path
    database_url: str | None  # None: the embedded server
    ledger_url: str | None  # None: the same as database_url
    dagster_url: str | None  # None: a database of its own beside the embedded register
    first_month: Month
    tenants_per_run: int
    verified_tenants_per_run: int
    document_links: str
    mail_from: str
    mailer: str = field(repr=False)  # perhaps with a password
    feedback_queue: str | None  # URL
    mails_per_second: int  # 0: what the account may, or what is usual with a relay

    @classmethod
    def from_environment(cls, variables: Mapping[str, str] | None = None) -> Settings:
        """Read the variables listed above.

        Raises:
            SettingError: a value cannot be used.
        """
        read = os.environ if variables is None else variables
        environment = read.get("REPORTS_ENVIRONMENT") or "local"
        if environment != "local":
            raise SettingError(f"REPORTS_ENVIRONMENT: no such environment: {environment!r}")
        for name, schemes in _URL_SCHEMES.items():
            url = read.get(name)
            if url and not url.startswith(schemes):
                # The value is not shown: it may hold a password.
                raise SettingError(f"{name}: must begin with {schemes[0]}")
        try:
            first_month = Month.parse(
                read.get("REPORTS_FIRST_MONTH") or str(this_month().plus(-_MONTHS_IN_WINDOW))
            )
        except ValueError as error:
            raise SettingError(f"REPORTS_FIRST_MONTH: {error}") from None
        tenants_per_run = _whole_number(read, "REPORTS_TENANTS_PER_RUN", default=100, least=1)
        verified_tenants_per_run = _whole_number(
            read, "REPORTS_VERIFIED_TENANTS_PER_RUN", default=1, least=0
        )
        document_links = read.get("REPORTS_DOCUMENT_LINKS") or "http://127.0.0.1:3001"
        if not _is_web_address(document_links):
            raise SettingError(f"REPORTS_DOCUMENT_LINKS: not a web address: {document_links!r}")
        mail_from = read.get("REPORTS_MAIL_FROM") or "FinanceFlow <reports@financeflow.example>"
        if not _is_mail_address(mail_from):
            raise SettingError(f"REPORTS_MAIL_FROM: not one mail address: {mail_from!r}")
        mailer = read.get("REPORTS_MAILER") or "outbox"
        if mailer != "outbox" and not mailer.removeprefix(_SES):
            raise SettingError("REPORTS_MAILER: ses: must be followed by a configuration set")
        if mailer != "outbox" and not mailer.startswith(_SES):
            try:
                Relay.of_url(mailer)
            except ValueError as error:
                raise SettingError(
                    f"REPORTS_MAILER: outbox, ses:…, or a URL that {error}"
                ) from None
        return cls(
            home=Path(read.get("REPORTS_HOME") or "var").resolve(),
            database_url=read.get("REPORTS_DATABASE_URL") or None,
            ledger_url=read.get("REPORTS_LEDGER_URL") or None,
            dagster_url=read.get("REPORTS_DAGSTER_URL") or None,
            first_month=first_month,
            tenants_per_run=tenants_per_run,
            verified_tenants_per_run=verified_tenants_per_run,
            document_links=document_links,
            mail_from=mail_from,
            mailer=mailer,
            feedback_queue=read.get("REPORTS_FEEDBACK_QUEUE") or None,
            mails_per_second=_whole_number(read, "REPORTS_MAILS_PER_SECOND", default=0, least=0),
        )


def _whole_number(read: Mapping[str, str], name: str, *, default: int, least: int) -> int:
    try:
        number = int(read.get(name) or default)
    except ValueError:
        number = least - 1
    if number < least:
        raise SettingError(f"{name}: must be a whole number from {least}")
    return number


def _is_web_address(text: str) -> bool:
    try:
        address = urlsplit(text)
        return address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:  # of the port, or of an IPv6 address
        return False


def _is_mail_address(text: str) -> bool:
    """One address, with a name or without, as the header From takes it."""
    addresses = EmailPolicy().header_factory("From", text).addresses
    if len(addresses) != 1 or not text.isprintable():
        return False
    try:
        recipient_address(Recipient(addresses[0].display_name, addresses[0].addr_spec))
    except BadAddressError:
        return False
    return True


class LocalEnvironment:
    """Adapters for one machine. Nothing is opened or started before it is asked for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @functools.cached_property
    def database_url(self) -> str:
        """The register's database with the newest schema; starts the embedded server, for as
        long as this process lives, unless a server is named."""
        url = self.settings.database_url
        if url is None:
            url = create_database(self.server_url, "reports")
        upgrade_schema(url)
        return url

    @functools.cached_property
    def server_url(self) -> str:
        """The embedded server, running until this process ends."""
        server = EmbeddedPostgres(self.settings.home / "postgres")
        url = server.__enter__()
        atexit.register(server.__exit__)
        return url

    @property
    def ledger_url(self) -> str:
        return self.settings.ledger_url or self.database_url

    def ledger(self) -> Ledger:
        return PostgresLedger(self.ledger_url)

    def tenants(self) -> Tenants:
        return Tenants(self.ledger_url)

    def launches(self) -> Launches:
        return Launches(self.database_url)

    def stage_outcomes(self) -> StageOutcomes:
        return StageOutcomes(self.database_url)

    def brandings(self) -> Brandings:
        return Brandings(self.database_url)

    def report_register(self) -> ReportRegister:
        return ReportRegister(self.database_url)

    def statement_verifier(self) -> StatementVerifier:
        return StatementVerifier(
            BeancountEngine(),
            Journals(self.ledger_url),
            self.ledger(),
            tenants_per_run=self.settings.verified_tenants_per_run,
        )

    @contextlib.contextmanager
    def delivery_register(self, actor: str) -> Iterator[DeliveryRegister]:
        """The register on one connection; `actor` is written into its history."""
        with PostgresDeliveryRegister(self.database_url, actor=actor) as register:
            yield register

    def document_store(self) -> DocumentStore:
        return LocalDocumentStore(self.documents_folder, self.settings.document_links)

    @property
    def documents_folder(self) -> Path:
        return self.settings.home / "documents"

    @property
    def outbox_folder(self) -> Path:
        return self.settings.home / "outbox"

    def mail_settings(self) -> MailSettings:
        return MailSettings(mail_from=self.settings.mail_from)

    def mailer(self) -> Mailer:
        mailer = self.settings.mailer
        if mailer == "outbox":
            return OutboxMailer(self.outbox_folder)
        given = self.settings.mails_per_second
        if mailer.startswith(_SES):
            client = ses_client()
            rate = PostgresSendRate(
                self.database_url, "ses", lambda: given or send_rate_of_account(client)
            )
            return SesMailer(client, rate, configuration_set=mailer.removeprefix(_SES))
        relay = Relay.of_url(mailer)
        rate = PostgresSendRate(
            self.database_url, relay.host, lambda: given or _MAILS_PER_SECOND_TO_A_RELAY
        )
        return SmtpMailer(relay, rate)

    def feedback_queue(self) -> FeedbackQueue:
        if self.settings.feedback_queue is None:
            return NoFeedback()
        return SqsFeedbackQueue(sqs_client(), self.settings.feedback_queue)

    def notifier(self) -> Notifier:
        return FolderNotifier(self.settings.home / "notices")
