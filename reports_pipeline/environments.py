"""The only module that reads the environment: it maps variables to settings and adapters.

| variable | meaning | default |
|---|---|---|
| REPORTS_ENVIRONMENT | which adapters: `local` (one machine) or `aws` | local |
| REPORTS_HOME | folder of documents, outbox, notices and the embedded server | ./var |
| REPORTS_DATABASE_URL | PostgreSQL with the register, and the ledger unless named | embedded |
| REPORTS_LEDGER_URL | PostgreSQL with the ledger; a read-only replica will do | as above |
| REPORTS_DAGSTER_URL | PostgreSQL with Dagster's own tables | with the register |
| REPORTS_FIRST_MONTH | first month of the partitions, YYYY-MM | as `reports window set` says |
| REPORTS_TENANTS_PER_RUN | tenants in one run; one of very many lines counts as several | 500 |
| REPORTS_CONCURRENT_RUNS | runs beside each other on this machine; each keeps a core busy | 2 |
| REPORTS_TENANT_SECONDS | of one tenant in a stage, before it is stopped and blocked | 120 |
| REPORTS_TENANT_MEGABYTES | of one tenant, likewise | 1000 |
| REPORTS_VERIFIED_TENANTS_PER_RUN | of a run, whose figures Beancount computes too | 1 of 100 |
| REPORTS_DOCUMENT_LINKS | address where operators open documents | http://127.0.0.1:3001 |
| REPORTS_SHARED_LINKS | address of the links in mails, for readers | http://127.0.0.1:3002 |
| REPORTS_DOCUMENT_PORT | port of this machine behind the one | its own if here, else 3001 |
| REPORTS_SHARED_PORT | port of this machine behind the other | its own if here, else 3002 |
| REPORTS_LISTEN | address on which both ports are served; 0.0.0.0 in a container | 127.0.0.1 |
| REPORTS_LINK_SECRET | signs links in mails; 32 characters or more | kept in REPORTS_HOME |
| REPORTS_MAIL_FROM | sender of the mails | FinanceFlow <reports@financeflow.example> |
| REPORTS_SUPPORT_ADDRESS | whom readers ask (*) | support@financeflow.example |
| REPORTS_PREFERENCES_URL | page where readers stop mails (*) | one of financeflow.example |
| REPORTS_MAIL_TEMPLATES | folder with variants of the mails' templates | none |
| REPORTS_MAILER | `outbox`, the URL of a relay, or `ses:` and a configuration set | outbox |
| REPORTS_MAILS_PER_SECOND | of all runs together; 0: what SES allows, 10 to a relay | 0 |
| REPORTS_FEEDBACK_QUEUE | URL of the SQS queue with SES's events of our mails | none |
| REPORTS_CANARY_TENANTS | tenants whose mails go first, with commas between them | none |
| REPORTS_SWEEP_ATTEMPTS | how often the sweeper runs a tenant again before it is parked | 5 |
| REPORTS_EVENT_MONTHS | months after which the steps of a run are pruned | 13 |
| REPORTS_CANARY_MINUTES | after which a canary's mail counts as arrived unless it came back | 15 |

(*) needed wherever REPORTS_MAILER is not `outbox`. There links in mails need an address in
REPORTS_SHARED_LINKS that leads here from elsewhere, too; without one, documents are attached.

With REPORTS_ENVIRONMENT=aws, a run has 100 tenants by default, and these are read, too:

| variable | meaning | default |
|---|---|---|
| REPORTS_DOCUMENTS_BUCKET | S3 bucket of documents and intermediates | must be set |
| REPORTS_DOCUMENTS_KEY | KMS key (id or ARN) with which they are encrypted | the bucket's |
| REPORTS_NOTICE_TOPIC | ARN of the SNS topic of notices | must be set |
| REPORTS_LARGE_TASK | `CPU:MiB` of a run with a company of 500,000 lines or more | every run's |
| REPORTS_BACKFILL_CAPACITY | capacity provider of `reports backfill`: FARGATE_SPOT | FARGATE |

There REPORTS_HOME means nothing, and these must be set, too: the URLs of the three databases,
REPORTS_LINK_SECRET, REPORTS_DOCUMENT_LINKS, REPORTS_SHARED_LINKS, REPORTS_FEEDBACK_QUEUE,
REPORTS_MAILER (`ses:…`) and AWS_DEFAULT_REGION. boto3 finds credentials and AWS_ENDPOINT_URL by
itself.

A relay is `smtps://user:password@host` (TLS), `smtp://…` (STARTTLS) or `smtp+plain://…`.

Reports need to read the ledger only. Commands that change it (`reports ledger`, `accounts map`,
`books close` and `reopen`) need REPORTS_LEDGER_URL to name its primary.
"""

from __future__ import annotations

import atexit
import contextlib
import datetime
import functools
import ipaddress
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.errors import MessageError
from email.policy import EmailPolicy
from pathlib import Path
from urllib.parse import urlsplit

from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.deliveries import Recipient
from reports_pipeline.delivery.errors import BadAddressError
from reports_pipeline.delivery.messages import (
    MailSettings,
    is_mail_address,
    recipient_address,
    text_fault,
)
from reports_pipeline.tokyo import this_month
from resources.accounting_engines import BeancountEngine
from resources.brandings import Brandings
from resources.budgets import Budget
from resources.canaries import Canaries
from resources.database import (
    EmbeddedPostgres,
    create_database,
    require_schema,
    upgrade_schema,
)
from resources.delivery_months import DeliveryMonths
from resources.delivery_preferences import DeliveryPreferencesStore
from resources.delivery_register import DeliveryRegister, PostgresDeliveryRegister
from resources.departures import Departures
from resources.document_renderer import RENDERING, DocumentRenderer
from resources.document_store import DocumentStore, LocalDocumentStore
from resources.feedback_queue import FeedbackQueue, NoFeedback, SqsFeedbackQueue, sqs_client
from resources.hot_window import HotWindow
from resources.journal import Journals
from resources.launches import Launches
from resources.ledger import Ledger, PostgresLedger
from resources.link_signer import LinkSigner, SharedLinks, kept_secret
from resources.mailer import Mailer, OutboxMailer
from resources.month_records import MonthRecords
from resources.notifier import FolderNotifier, Notifier
from resources.report_register import ReportRegister
from resources.s3_document_store import S3Client, S3DocumentStore, s3_client
from resources.send_rate import PostgresSendRate
from resources.ses_mailer import SesMailer, send_rate_of_account, ses_client
from resources.smtp_mailer import Relay, SmtpMailer
from resources.sns_notifier import SnsNotifier, sns_client
from resources.stage_outcomes import StageOutcomes
from resources.tenants import Tenants
from resources.unknown_mails import UnknownMails
from resources.verification import StatementVerifier
from resources.worker import Worker

# 5,000 tenants times 18 months stay below the 100,000 partitions that Dagster advises at most.
_MONTHS_IN_WINDOW = 18
# docs/decisions/0002-tenant-batches.md
_TENANTS_PER_RUN = 500
_TENANTS_PER_TASK = 100
_SES = "ses:"
_OUTBOX = "outbox"
_HOUSE = MailSettings()
_DOCUMENT_PORT = 3001
_SHARED_PORT = 3002
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_SHORTEST_SECRET = 32
# A worker has some 60 before its first tenant.
_LEAST_MEGABYTES = 200
_MAILS_PER_SECOND_TO_A_RELAY = 10
_URL_SCHEMES = {
    "REPORTS_DATABASE_URL": ("postgresql://",),
    "REPORTS_LEDGER_URL": ("postgresql://",),
    # Dagster's programs are handed a URL that names the driver.
    "REPORTS_DAGSTER_URL": ("postgresql://", "postgresql+psycopg2://"),
}
_NEEDED_ON_AWS = (
    "AWS_DEFAULT_REGION",
    "REPORTS_DATABASE_URL",
    "REPORTS_LEDGER_URL",
    "REPORTS_DAGSTER_URL",
    "REPORTS_DOCUMENTS_BUCKET",
    "REPORTS_NOTICE_TOPIC",
    "REPORTS_MAILER",
    "REPORTS_FEEDBACK_QUEUE",
    "REPORTS_LINK_SECRET",
    "REPORTS_DOCUMENT_LINKS",
    "REPORTS_SHARED_LINKS",
    "REPORTS_SUPPORT_ADDRESS",
    "REPORTS_PREFERENCES_URL",
)
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]+")


class SettingError(ValueError):
    """A variable has a value that cannot be used; the message names it."""


@dataclass(frozen=True)
class AwsSettings:
    """What only `aws` knows."""

    documents_bucket: str
    documents_key: str | None  # None: the bucket's own
    notice_topic: str
    large_task: tuple[int, int] | None = None  # CPU units and MiB; None: as every run's
    backfill_capacity: str | None = None  # capacity provider; None: as every run's

    @classmethod
    def from_environment(cls, read: Mapping[str, str]) -> AwsSettings:
        """
        Raises:
            SettingError: variables are missing, all of which are named, or cannot be used.
        """
        if missing := [name for name in _NEEDED_ON_AWS if not read.get(name)]:
            raise SettingError(
                f"{', '.join(missing)}: must be set, since REPORTS_ENVIRONMENT is aws"
            )
        if not read["REPORTS_MAILER"].startswith(_SES):
            raise SettingError(
                "REPORTS_MAILER: must be ses: and a configuration set, since REPORTS_ENVIRONMENT "
                "is aws"
            )
        topic = read["REPORTS_NOTICE_TOPIC"]
        if _TOPIC.fullmatch(topic) is None:
            raise SettingError(f"REPORTS_NOTICE_TOPIC: not the ARN of an SNS topic: {topic!r}")
        return cls(
            documents_bucket=read["REPORTS_DOCUMENTS_BUCKET"],
            documents_key=read.get("REPORTS_DOCUMENTS_KEY") or None,
            notice_topic=topic,
            large_task=_task_size(read, "REPORTS_LARGE_TASK"),
            backfill_capacity=read.get("REPORTS_BACKFILL_CAPACITY") or None,
        )


@dataclass(frozen=True)
class Settings:
    """Everything that differs between environments."""

    aws: AwsSettings | None  # None: one machine
    home: Path
    database_url: str | None  # None: the embedded server
    ledger_url: str | None  # None: the same as database_url
    dagster_url: str | None  # None: a database of its own beside the embedded register
    first_month: Month | None  # None: as an operator has set it
    tenants_per_run: int
    concurrent_runs: int
    tenant_budget: Budget
    verified_tenants_per_run: int
    document_links: str
    document_port: int
    shared_links: str
    shared_port: int
    listen: str
    link_secret: str | None = field(repr=False)  # None: one of our own, kept in a file
    mail_from: str
    support_address: str
    preferences_url: str
    mail_templates: Path | None
    mailer: str = field(repr=False)  # perhaps with a password
    feedback_queue: str | None  # URL
    mails_per_second: int  # 0: what the account may, or what is usual with a relay
    canary_tenants: tuple[str, ...]
    canary_minutes: int
    sweep_attempts: int
    event_months: int

    @classmethod
    def from_environment(cls, variables: Mapping[str, str] | None = None) -> Settings:
        """Read the variables listed above.

        Raises:
            SettingError: a value cannot be used.
        """
        read = os.environ if variables is None else variables
        environment = read.get("REPORTS_ENVIRONMENT") or "local"
        if environment not in ("local", "aws"):
            raise SettingError(f"REPORTS_ENVIRONMENT: no such environment: {environment!r}")
        aws = AwsSettings.from_environment(read) if environment == "aws" else None
        for name, schemes in _URL_SCHEMES.items():
            url = read.get(name)
            if url and not url.startswith(schemes):
                # The value is not shown: it may hold a password.
                raise SettingError(f"{name}: must begin with {schemes[0]}")
        given_month = read.get("REPORTS_FIRST_MONTH")
        try:
            first_month = Month.parse(given_month) if given_month else None
        except ValueError as error:
            raise SettingError(f"REPORTS_FIRST_MONTH: {error}") from None
        tenants_per_run = _whole_number(
            read,
            "REPORTS_TENANTS_PER_RUN",
            # What a task on AWS may lose to an interruption; a process here starts in no time.
            default=_TENANTS_PER_RUN if aws is None else _TENANTS_PER_TASK,
            least=1,
        )
        concurrent_runs = _whole_number(read, "REPORTS_CONCURRENT_RUNS", default=2, least=1)
        tenant_budget = Budget(
            seconds=_whole_number(read, "REPORTS_TENANT_SECONDS", default=120, least=1),
            megabytes=_whole_number(
                read, "REPORTS_TENANT_MEGABYTES", default=1000, least=_LEAST_MEGABYTES
            ),
        )
        verified_tenants_per_run = _whole_number(
            read,
            "REPORTS_VERIFIED_TENANTS_PER_RUN",
            default=max(1, tenants_per_run // 100),
            least=0,
        )
        document_links = _base_address(
            read, "REPORTS_DOCUMENT_LINKS", f"http://127.0.0.1:{_DOCUMENT_PORT}"
        )
        document_port = _port_behind(document_links, read, "REPORTS_DOCUMENT_PORT", _DOCUMENT_PORT)
        shared_links = _base_address(
            read, "REPORTS_SHARED_LINKS", f"http://127.0.0.1:{_SHARED_PORT}"
        )
        shared_port = _port_behind(shared_links, read, "REPORTS_SHARED_PORT", _SHARED_PORT)
        if shared_port == document_port:
            raise SettingError(
                f"REPORTS_SHARED_PORT: {shared_port} is that of REPORTS_DOCUMENT_PORT, where "
                "operators see all documents"
            )
        listen = read.get("REPORTS_LISTEN") or "127.0.0.1"
        try:
            ipaddress.IPv4Address(listen)
        except ValueError:
            raise SettingError(f"REPORTS_LISTEN: not an IPv4 address: {listen!r}") from None
        link_secret = read.get("REPORTS_LINK_SECRET") or None
        if link_secret is not None and len(link_secret) < _SHORTEST_SECRET:
            raise SettingError(
                f"REPORTS_LINK_SECRET: must have {_SHORTEST_SECRET} characters or more"
            )
        mail_templates = read.get("REPORTS_MAIL_TEMPLATES") or None
        if mail_templates is not None and not Path(mail_templates).is_dir():
            raise SettingError(f"REPORTS_MAIL_TEMPLATES: not a folder: {mail_templates!r}")
        mail_from = read.get("REPORTS_MAIL_FROM") or _HOUSE.mail_from
        if not _is_named_address(mail_from):
            raise SettingError(f"REPORTS_MAIL_FROM: not one mail address: {mail_from!r}")
        mailer = read.get("REPORTS_MAILER") or _OUTBOX
        if mailer != _OUTBOX and not mailer.removeprefix(_SES):
            raise SettingError("REPORTS_MAILER: ses: must be followed by a configuration set")
        if mailer != _OUTBOX and not mailer.startswith(_SES):
            try:
                Relay.of_url(mailer)
            except ValueError as error:
                raise SettingError(
                    f"REPORTS_MAILER: outbox, ses:…, or a URL that {error}"
                ) from None
        support_address = _told_to_readers(
            read, "REPORTS_SUPPORT_ADDRESS", _HOUSE.support_address, mailer
        )
        if not is_mail_address(support_address):
            raise SettingError(
                f"REPORTS_SUPPORT_ADDRESS: not one mail address: {support_address!r}"
            )
        preferences_url = _told_to_readers(
            read, "REPORTS_PREFERENCES_URL", _HOUSE.preferences_url, mailer
        )
        _require_web_address("REPORTS_PREFERENCES_URL", preferences_url)
        return cls(
            aws=aws,
            home=Path(read.get("REPORTS_HOME") or "var").resolve(),
            database_url=read.get("REPORTS_DATABASE_URL") or None,
            ledger_url=read.get("REPORTS_LEDGER_URL") or None,
            dagster_url=read.get("REPORTS_DAGSTER_URL") or None,
            first_month=first_month,
            tenants_per_run=tenants_per_run,
            concurrent_runs=concurrent_runs,
            tenant_budget=tenant_budget,
            verified_tenants_per_run=verified_tenants_per_run,
            document_links=document_links,
            document_port=document_port,
            shared_links=shared_links,
            shared_port=shared_port,
            listen=listen,
            link_secret=link_secret,
            mail_from=mail_from,
            support_address=support_address,
            preferences_url=preferences_url,
            mail_templates=None if mail_templates is None else Path(mail_templates).resolve(),
            mailer=mailer,
            feedback_queue=read.get("REPORTS_FEEDBACK_QUEUE") or None,
            mails_per_second=_whole_number(read, "REPORTS_MAILS_PER_SECOND", default=0, least=0),
            canary_tenants=tuple(
                dict.fromkeys(
                    filter(None, map(str.strip, read.get("REPORTS_CANARY_TENANTS", "").split(",")))
                )
            ),
            canary_minutes=_whole_number(read, "REPORTS_CANARY_MINUTES", default=15, least=0),
            sweep_attempts=_whole_number(read, "REPORTS_SWEEP_ATTEMPTS", default=5, least=1),
            event_months=_whole_number(read, "REPORTS_EVENT_MONTHS", default=13, least=1),
        )


def _task_size(read: Mapping[str, str], name: str) -> tuple[int, int] | None:
    given = read.get(name)
    if not given:
        return None
    size = re.fullmatch(r"([1-9][0-9]{2,4}):([1-9][0-9]{2,5})", given)
    if size is None:
        raise SettingError(
            f"{name}: must be CPU units, a colon and MiB, such as 2048:8192; not {given!r}"
        )
    return int(size[1]), int(size[2])


def _whole_number(read: Mapping[str, str], name: str, *, default: int, least: int) -> int:
    try:
        number = int(read.get(name) or default)
    except ValueError:
        number = least - 1
    if number < least:
        raise SettingError(f"{name}: must be a whole number from {least}")
    return number


def _told_to_readers(read: Mapping[str, str], name: str, default: str, mailer: str) -> str:
    given = read.get(name)
    if not given and mailer != _OUTBOX:
        raise SettingError(f"{name}: must be set, since REPORTS_MAILER sends mails to companies")
    return given or default


def _base_address(read: Mapping[str, str], name: str, default: str) -> str:
    """Below which paths are put."""
    given = read.get(name) or default
    _require_web_address(name, given)
    parts = urlsplit(given)
    if "?" in given or "#" in given:
        raise SettingError(f"{name}: must have neither query nor fragment: {given!r}")
    if is_here(given) and (parts.scheme != "http" or parts.path.strip("/")):
        raise SettingError(
            f"{name}: on this machine, must be http:// without a path, since its server knows no "
            f"other: {given!r}"
        )
    return given


def _port_behind(address: str, read: Mapping[str, str], name: str, usual: int) -> int:
    """Of this machine, where the web address leads: its own if that is here."""
    own = (urlsplit(address).port or 80) if is_here(address) else usual
    return _whole_number(read, name, default=own, least=1)


def is_here(address: str) -> bool:
    """Whether a web address leads to the machine that it is opened on."""
    try:
        return urlsplit(address).hostname in _LOOPBACK
    except ValueError:  # of an IPv6 address
        return False


def _require_web_address(name: str, text: str) -> None:
    """One that may be shown to anybody."""
    if "@" in text.partition("?")[0]:
        raise SettingError(f"{name}: must have neither user nor password")
    try:
        address = urlsplit(text)
        is_one = (
            address.scheme in ("http", "https")
            and bool(address.hostname)
            and address.port != 0
            and not re.search(r"\s", text)
            and text_fault(text) is None
        )
    except ValueError:  # of the port, or of an IPv6 address
        is_one = False
    if not is_one:
        raise SettingError(f"{name}: not a web address: {text!r}")


def _is_named_address(text: str) -> bool:
    """One address, with a name or without, as the header From takes it."""
    try:
        addresses = EmailPolicy().header_factory("From", text).addresses
        if len(addresses) != 1 or not text.isprintable():
            return False
        recipient_address(Recipient(addresses[0].display_name, addresses[0].addr_spec))
    except (BadAddressError, MessageError, ValueError):
        return False
    return True


def rolling_first_month() -> Month:
    """With which the window begins while nobody says otherwise."""
    return this_month().plus(-_MONTHS_IN_WINDOW)


class Environment(ABC):
    """Adapters by their role. Nothing is opened or started before it is asked for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @functools.cached_property
    @abstractmethod
    def database_url(self) -> str:
        """The register's database, whose schema is at least as new as this code."""

    @abstractmethod
    def document_store(self) -> DocumentStore: ...

    @abstractmethod
    def link_signer(self) -> LinkSigner: ...

    @abstractmethod
    def notifier(self) -> Notifier: ...

    @property
    def ledger_url(self) -> str:
        return self.settings.ledger_url or self.database_url

    def hot_window(self) -> HotWindow:
        return HotWindow(self.database_url)

    def first_month(self) -> Month:
        """With which the partitions begin: as the settings fix it, else as an operator has set it,
        else as many months back as Dagster bears."""
        return self.settings.first_month or self.hot_window().first_month() or rolling_first_month()

    def ledger(self) -> Ledger:
        return PostgresLedger(self.ledger_url, budget=self.settings.tenant_budget)

    def tenants(self) -> Tenants:
        return Tenants(self.ledger_url)

    def launches(self) -> Launches:
        return Launches(self.database_url)

    def stage_outcomes(self) -> StageOutcomes:
        return StageOutcomes(self.database_url)

    def brandings(self) -> Brandings:
        return Brandings(self.database_url)

    def delivery_months(self) -> DeliveryMonths:
        return DeliveryMonths(self.database_url)

    def unknown_mails(self) -> UnknownMails:
        return UnknownMails(self.database_url)

    def month_records(self) -> MonthRecords:
        return MonthRecords(self.database_url)

    def delivery_preferences(self) -> DeliveryPreferencesStore:
        return DeliveryPreferencesStore(self.database_url)

    def departures(self) -> Departures:
        patience = datetime.timedelta(minutes=self.settings.canary_minutes)
        return Departures(
            self.delivery_preferences(),
            self.tenants(),
            self.delivery_months(),
            Canaries(self.database_url, patience=patience),
        )

    def report_register(self) -> ReportRegister:
        return ReportRegister(self.database_url)

    def statement_verifier(self) -> StatementVerifier:
        return StatementVerifier(
            BeancountEngine(),
            Journals(self.ledger_url),
            self.ledger(),
            tenants_per_run=self.settings.verified_tenants_per_run,
        )

    def document_renderer(self) -> DocumentRenderer:
        """All of one environment share a worker, which is started when it is first needed."""
        return DocumentRenderer(self._rendering_worker.call)

    @functools.cached_property
    def _rendering_worker(self) -> Worker:
        return Worker(self.settings.tenant_budget, modules=RENDERING)

    @contextlib.contextmanager
    def delivery_register(self, actor: str) -> Iterator[DeliveryRegister]:
        """The register on one connection; `actor` is written into its history."""
        with PostgresDeliveryRegister(self.database_url, actor=actor) as register:
            yield register

    def _shared_links(self) -> SharedLinks | None:
        settings = self.settings
        # What leads to this machine opens nothing on a company's.
        if settings.mailer != _OUTBOX and is_here(settings.shared_links):
            return None
        return SharedLinks(settings.shared_links, self.link_signer())

    def mail_settings(self) -> MailSettings:
        return MailSettings(
            mail_from=self.settings.mail_from,
            support_address=self.settings.support_address,
            preferences_url=self.settings.preferences_url,
            templates=self.settings.mail_templates,
        )

    def mailer(self) -> Mailer:
        mailer = self.settings.mailer
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


class LocalEnvironment(Environment):
    """One machine: folders, and a database server that is started unless one is named."""

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

    def document_store(self) -> DocumentStore:
        return LocalDocumentStore(
            self.documents_folder, self.settings.document_links, self._shared_links()
        )

    def link_signer(self) -> LinkSigner:
        given = self.settings.link_secret
        if given is not None:
            return LinkSigner(given.encode)
        return LinkSigner(functools.partial(kept_secret, self.settings.home / "link-secret"))

    @property
    def documents_folder(self) -> Path:
        return self.settings.home / "documents"

    @property
    def outbox_folder(self) -> Path:
        return self.settings.home / "outbox"

    def mailer(self) -> Mailer:
        if self.settings.mailer == _OUTBOX:
            return OutboxMailer(self.outbox_folder)
        return super().mailer()

    def notifier(self) -> Notifier:
        return FolderNotifier(self.settings.home / "notices")


class AwsEnvironment(Environment):
    """S3, SES, SQS and SNS, and databases that are named."""

    def __init__(self, settings: Settings, aws: AwsSettings) -> None:
        super().__init__(settings)
        self._aws = aws

    @functools.cached_property
    def database_url(self) -> str:
        """As everywhere; the schema is not upgraded here, where fifty tasks may start at once.

        Raises:
            OutdatedSchemaError: it is older than this code.
        """
        url = self.settings.database_url
        assert url is not None  # noqa: S101 - needed on AWS
        require_schema(url)
        return url

    def document_store(self) -> DocumentStore:
        return S3DocumentStore(
            self._s3,
            self._aws.documents_bucket,
            self.settings.document_links,
            self._shared_links(),
            kms_key=self._aws.documents_key,
        )

    @functools.cached_property
    def _s3(self) -> S3Client:
        return s3_client()

    def link_signer(self) -> LinkSigner:
        secret = self.settings.link_secret
        assert secret is not None  # noqa: S101 - needed on AWS
        return LinkSigner(secret.encode)

    def notifier(self) -> Notifier:
        return SnsNotifier(sns_client(), self._aws.notice_topic, self.database_url)


def current_environment(variables: Mapping[str, str] | None = None) -> Environment:
    """The one that the variables describe: by default, those of this process.

    Raises:
        SettingError: a value cannot be used.
    """
    settings = Settings.from_environment(variables)
    if settings.aws is not None:
        return AwsEnvironment(settings, settings.aws)
    return LocalEnvironment(settings)
