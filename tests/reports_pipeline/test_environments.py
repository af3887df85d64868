"""Settings say what is wrong with them, and adapters wait until they are asked for."""

from __future__ import annotations

import datetime
from pathlib import Path

import psycopg
import pytest

from reports_pipeline.accounting.periods import Month
from reports_pipeline.environments import (
    AwsEnvironment,
    AwsSettings,
    LocalEnvironment,
    SettingError,
    Settings,
    current_environment,
)
from resources.budgets import Budget
from resources.database import OutdatedSchemaError, create_database, upgrade_schema
from resources.document_store import LocalDocumentStore
from resources.feedback_queue import SqsFeedbackQueue
from resources.mailer import Mailer, OutboxMailer
from resources.s3_document_store import S3DocumentStore
from resources.ses_mailer import SesMailer
from resources.smtp_mailer import SmtpMailer
from resources.sns_notifier import SnsNotifier
from tests.reports_pipeline.aws_variables import ON_AWS, SENDING


def settings(**variables: str) -> Settings:
    return Settings.from_environment(variables)


def test_everything_has_a_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings() == Settings(
        aws=None,
        home=tmp_path / "var",
        database_url=None,
        ledger_url=None,
        dagster_url=None,
        first_month=None,
        tenants_per_run=500,
        concurrent_runs=2,
        tenant_budget=Budget(seconds=120, megabytes=1000),
        verified_tenants_per_run=5,
        document_links="http://127.0.0.1:3001",
        document_port=3001,
        shared_links="http://127.0.0.1:3002",
        shared_port=3002,
        listen="127.0.0.1",
        link_secret=None,
        mail_from="FinanceFlow <reports@financeflow.example>",
        support_address="support@financeflow.example",
        preferences_url="https://app.financeflow.example/settings/reports",
        mail_templates=None,
        mailer="outbox",
        feedback_queue=None,
        mails_per_second=0,
        canary_tenants=(),
        canary_minutes=15,
        sweep_attempts=5,
        event_months=13,
    )


def test_an_empty_variable_is_as_good_as_none() -> None:
    names = [
        "ENVIRONMENT", "HOME", "DATABASE_URL", "LEDGER_URL", "DAGSTER_URL", "FIRST_MONTH",
        "TENANTS_PER_RUN", "CONCURRENT_RUNS",
        "TENANT_SECONDS", "TENANT_MEGABYTES", "VERIFIED_TENANTS_PER_RUN",
        "DOCUMENT_LINKS", "DOCUMENT_PORT", "SHARED_LINKS", "SHARED_PORT", "LISTEN", "LINK_SECRET",
        "MAIL_FROM", "SUPPORT_ADDRESS", "PREFERENCES_URL", "MAIL_TEMPLATES",
        "MAILER", "FEEDBACK_QUEUE", "MAILS_PER_SECOND", "CANARY_TENANTS", "CANARY_MINUTES",
        "SWEEP_ATTEMPTS", "EVENT_MONTHS",
    ]  # fmt: skip
    assert settings(**{f"REPORTS_{name}": "" for name in names}) == settings()


def test_every_setting_is_read_from_its_variable(tmp_path: Path) -> None:
    assert settings(
        REPORTS_ENVIRONMENT="local",
        REPORTS_HOME=str(tmp_path),
        REPORTS_DATABASE_URL="postgresql://register/reports",
        REPORTS_LEDGER_URL="postgresql://replica/ledger",
        REPORTS_DAGSTER_URL="postgresql+psycopg2://register/dagster",
        REPORTS_FIRST_MONTH="2024-12",
        REPORTS_TENANTS_PER_RUN="250",
        REPORTS_CONCURRENT_RUNS="8",
        REPORTS_TENANT_SECONDS="30",
        REPORTS_TENANT_MEGABYTES="400",
        REPORTS_VERIFIED_TENANTS_PER_RUN="0",
        REPORTS_DOCUMENT_LINKS="https://documents.financeflow.example/files",
        REPORTS_SHARED_LINKS="https://reports.financeflow.example/files",
        REPORTS_DOCUMENT_PORT="8101",
        REPORTS_SHARED_PORT="8102",
        REPORTS_LISTEN="0.0.0.0",  # noqa: S104
        REPORTS_LINK_SECRET="s" * 32,
        REPORTS_MAIL_FROM="月次レポート <reports@financeflow.example>",
        REPORTS_SUPPORT_ADDRESS="help@financeflow.example",
        REPORTS_PREFERENCES_URL="https://financeflow.example/mails?stop=reports",
        REPORTS_MAIL_TEMPLATES=str(tmp_path),
        REPORTS_MAILER="ses:reports",
        REPORTS_FEEDBACK_QUEUE="https://sqs.example/reports",
        REPORTS_MAILS_PER_SECOND="14",
        REPORTS_CANARY_TENANTS="t0002, t0001,,t0002",
        REPORTS_CANARY_MINUTES="0",
        REPORTS_SWEEP_ATTEMPTS="8",
        REPORTS_EVENT_MONTHS="24",
    ) == Settings(
        aws=None,
        home=tmp_path,
        database_url="postgresql://register/reports",
        ledger_url="postgresql://replica/ledger",
        dagster_url="postgresql+psycopg2://register/dagster",
        first_month=Month(2024, 12),
        tenants_per_run=250,
        concurrent_runs=8,
        tenant_budget=Budget(seconds=30, megabytes=400),
        verified_tenants_per_run=0,
        document_links="https://documents.financeflow.example/files",
        document_port=8101,
        shared_links="https://reports.financeflow.example/files",
        shared_port=8102,
        listen="0.0.0.0",  # noqa: S104
        link_secret="s" * 32,
        mail_from="月次レポート <reports@financeflow.example>",
        support_address="help@financeflow.example",
        preferences_url="https://financeflow.example/mails?stop=reports",
        mail_templates=tmp_path,
        mailer="ses:reports",
        feedback_queue="https://sqs.example/reports",
        mails_per_second=14,
        canary_tenants=("t0002", "t0001"),
        canary_minutes=0,
        sweep_attempts=8,
        event_months=24,
    )


def test_the_process_environment_is_read_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPORTS_FIRST_MONTH", "2024-12")
    assert Settings.from_environment().first_month == Month(2024, 12)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("REPORTS_ENVIRONMENT", "moon"),
        ("REPORTS_FIRST_MONTH", "2026-13"),
        ("REPORTS_FIRST_MONTH", "October"),
        ("REPORTS_TENANTS_PER_RUN", "0"),
        ("REPORTS_TENANTS_PER_RUN", "-5"),
        ("REPORTS_TENANTS_PER_RUN", "1.5"),
        ("REPORTS_TENANTS_PER_RUN", "many"),
        ("REPORTS_CONCURRENT_RUNS", "0"),
        ("REPORTS_TENANT_SECONDS", "0"),
        ("REPORTS_TENANT_MEGABYTES", "100"),
        ("REPORTS_VERIFIED_TENANTS_PER_RUN", "-1"),
        ("REPORTS_VERIFIED_TENANTS_PER_RUN", "all"),
        ("REPORTS_CANARY_MINUTES", "-1"),
        ("REPORTS_SWEEP_ATTEMPTS", "0"),
        ("REPORTS_EVENT_MONTHS", "0"),
        ("REPORTS_DATABASE_URL", "mysql://localhost/reports"),
        ("REPORTS_LEDGER_URL", "/var/lib/postgresql"),
        ("REPORTS_DAGSTER_URL", "sqlite:///dagster.db"),
        ("REPORTS_DOCUMENT_LINKS", "documents"),
        ("REPORTS_DOCUMENT_LINKS", "http://127.0.0.1:port"),
        ("REPORTS_DOCUMENT_LINKS", "javascript://127.0.0.1"),
        ("REPORTS_DOCUMENT_LINKS", "http://127.0.0.1:3001/files"),
        ("REPORTS_SHARED_LINKS", "reports"),
        ("REPORTS_SHARED_LINKS", "http://localhost:3002/files"),
        ("REPORTS_SHARED_LINKS", "https://127.0.0.1:3002"),
        ("REPORTS_SHARED_LINKS", "https://reports.example?a=b"),
        ("REPORTS_SHARED_LINKS", "https://reports.example/#a"),
        ("REPORTS_SHARED_LINKS", "https://reports.example/a b"),
        ("REPORTS_SHARED_PORT", "0"),
        ("REPORTS_SHARED_PORT", "3001"),
        ("REPORTS_DOCUMENT_PORT", "0"),
        ("REPORTS_LISTEN", "everywhere"),
        ("REPORTS_SUPPORT_ADDRESS", "support"),
        ("REPORTS_SUPPORT_ADDRESS", "FinanceFlow <support@financeflow.example>"),
        ("REPORTS_PREFERENCES_URL", "settings"),
        ("REPORTS_LINK_SECRET", "s" * 31),
        ("REPORTS_MAIL_TEMPLATES", "no such folder"),
        ("REPORTS_MAIL_FROM", "FinanceFlow"),
        ("REPORTS_MAIL_FROM", "a@financeflow.example, b@financeflow.example"),
        ("REPORTS_MAIL_FROM", "FinanceFlow <reports@>"),
        ("REPORTS_MAIL_FROM", "FinanceFlow <reports@financeflow.example>\nBcc: x@y.example"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name(variable: str, value: str) -> None:
    with pytest.raises(SettingError, match=f"^{variable}: "):
        settings(**{variable: value})


@pytest.mark.parametrize("name", ["DOCUMENT_LINKS", "SHARED_LINKS", "PREFERENCES_URL"])
def test_a_password_in_a_web_address_is_not_repeated(name: str) -> None:
    with pytest.raises(SettingError, match="neither user nor password") as raised:
        settings(**{f"REPORTS_{name}": "https://me:open-sesame@reports.example"})
    assert "sesame" not in str(raised.value)


def test_companies_are_not_told_to_turn_to_an_example() -> None:
    for name in SENDING:
        others = {other: value for other, value in SENDING.items() if other != name}
        with pytest.raises(SettingError, match=f"^{name}: must be set"):
            settings(REPORTS_MAILER="ses:reports", **others)
    environment = LocalEnvironment(settings(REPORTS_MAILER="ses:reports", **SENDING))
    assert environment.mail_settings().support_address == "help@financeflow.example"
    assert environment.mail_settings().preferences_url == "https://financeflow.example/mails"


@pytest.mark.parametrize(
    ("shared_links", "mailer", "is_shared"),
    [
        ("http://127.0.0.1:3002", "outbox", True),
        ("http://127.0.0.1:3002", "ses:reports", False),
        ("http://localhost:3002", "smtp+plain://relay", False),
        ("https://reports.financeflow.example", "ses:reports", True),
    ],
)
def test_no_company_is_sent_a_link_to_its_own_machine(
    shared_links: str, mailer: str, is_shared: bool
) -> None:
    environment = LocalEnvironment(
        settings(**SENDING | {"REPORTS_SHARED_LINKS": shared_links, "REPORTS_MAILER": mailer})
    )
    assert (environment.document_store().share is not None) == is_shared


def test_a_refused_database_address_is_not_shown() -> None:
    with pytest.raises(SettingError) as raised:
        settings(REPORTS_DATABASE_URL="mysql://reports:open-sesame@db/reports")
    assert "open-sesame" not in str(raised.value)


def test_nothing_is_started_or_made_before_it_is_needed(tmp_path: Path) -> None:
    environment = LocalEnvironment(settings(REPORTS_HOME=str(tmp_path / "home")))
    environment.document_store()
    environment.mailer()
    environment.notifier()
    environment.mail_settings()
    assert list(tmp_path.iterdir()) == []


def test_the_register_is_migrated_and_shared(database_url: str, tmp_path: Path) -> None:
    environment = LocalEnvironment(
        settings(REPORTS_HOME=str(tmp_path / "home"), REPORTS_DATABASE_URL=database_url)
    )
    assert environment.launches().unlaunched() == []
    assert environment.tenants().all_ids() == []
    with environment.delivery_register("run-1") as register:
        assert register.read(Month(2026, 10), ["t0001"]) == {}
    assert list(tmp_path.iterdir()) == []


def test_the_ledger_may_be_elsewhere(database_url: str, sample_url: str, tmp_path: Path) -> None:
    environment = LocalEnvironment(
        settings(
            REPORTS_HOME=str(tmp_path),
            REPORTS_DATABASE_URL=database_url,
            REPORTS_LEDGER_URL=sample_url,
        )
    )
    assert environment.tenants().all_ids() != []
    assert environment.launches().unlaunched() == []
    extract, _ = environment.ledger().extract(Month(2025, 4), ["t0001"])
    assert extract.companies["tenant_id"].tolist() == ["t0001"]


def test_files_lie_in_the_home_folder(tmp_path: Path) -> None:
    environment = LocalEnvironment(settings(REPORTS_HOME=str(tmp_path)))
    store = environment.document_store()
    assert isinstance(store, LocalDocumentStore)
    store.put("reports/x.pdf", b"%PDF")
    assert (tmp_path / "documents" / "reports" / "x.pdf").read_bytes() == b"%PDF"
    assert store.link("reports/x.pdf") == "http://127.0.0.1:3001/reports/x.pdf"
    assert isinstance(environment.mailer(), OutboxMailer)
    assert environment.feedback_queue().receive() == []
    assert environment.outbox_folder == tmp_path / "outbox"


def test_mails_go_where_the_mailer_says(
    database_url: str, tmp_path: Path, aws_credentials: None
) -> None:
    def mailer(name: str) -> Mailer:
        return LocalEnvironment(
            settings(
                REPORTS_HOME=str(tmp_path),
                REPORTS_DATABASE_URL=database_url,
                REPORTS_MAILER=name,
                REPORTS_MAILS_PER_SECOND="5",
                **SENDING,
            )
        ).mailer()

    assert isinstance(mailer("smtp://user:secret@relay.example"), SmtpMailer)
    assert isinstance(mailer("ses:reports"), SesMailer)


@pytest.mark.parametrize("mailer", ["ses:", "pigeon", "smtp://", "smtp+plain://me:secret@relay"])
def test_a_mailer_that_cannot_be_is_refused_without_its_password(mailer: str) -> None:
    with pytest.raises(SettingError, match="REPORTS_MAILER") as raised:
        settings(REPORTS_MAILER=mailer)
    assert "secret" not in str(raised.value)
    assert "secret" not in repr(settings(REPORTS_MAILER="smtp://me:secret@relay", **SENDING))


def test_the_environment_is_the_one_that_is_named() -> None:
    assert isinstance(current_environment({}), LocalEnvironment)
    environment = current_environment(ON_AWS | {"REPORTS_DOCUMENTS_KEY": "alias/documents"})
    assert isinstance(environment, AwsEnvironment)
    assert environment.settings.aws == AwsSettings(
        documents_bucket="financeflow-documents",
        documents_key="alias/documents",
        notice_topic="arn:aws:sns:ap-northeast-1:123456789012:notices",
    )


def test_all_that_is_missing_on_aws_is_named_at_once() -> None:
    with pytest.raises(SettingError) as raised:
        settings(REPORTS_ENVIRONMENT="aws")
    assert str(raised.value) == (
        ", ".join(sorted(ON_AWS.keys() - {"REPORTS_ENVIRONMENT"}, key=str(raised.value).index))
        + ": must be set, since REPORTS_ENVIRONMENT is aws"
    )
    for name in ON_AWS.keys() - {"REPORTS_ENVIRONMENT"}:
        with pytest.raises(SettingError, match=f"^{name}: must be set"):
            settings(**ON_AWS | {name: ""})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("REPORTS_MAILER", "outbox"),
        ("REPORTS_MAILER", "ses:"),
        ("REPORTS_MAILER", "smtps://relay.example"),
        ("REPORTS_NOTICE_TOPIC", "notices"),
        ("REPORTS_NOTICE_TOPIC", "arn:aws:sqs:ap-northeast-1:123456789012:notices"),
        ("REPORTS_LARGE_TASK", "2 vCPU"),
        ("REPORTS_LINK_SECRET", "short"),
    ],
)
def test_what_cannot_be_used_on_aws_is_refused_by_name(variable: str, value: str) -> None:
    with pytest.raises(SettingError, match=f"^{variable}: "):
        settings(**ON_AWS | {variable: value})


def test_on_aws_every_role_is_played_by_a_service(database_url: str, aws_credentials: None) -> None:
    environment = current_environment(ON_AWS | {"REPORTS_DATABASE_URL": database_url})
    assert isinstance(environment.document_store(), S3DocumentStore)
    assert isinstance(environment.notifier(), SnsNotifier)
    assert isinstance(environment.mailer(), SesMailer)
    assert isinstance(environment.feedback_queue(), SqsFeedbackQueue)
    share = environment.document_store().share
    assert share is not None
    until = datetime.datetime(2026, 11, 8, tzinfo=datetime.UTC)
    link = share("reports/t0001/2026-10/r1/x.pdf", file_name="x.pdf", until=until)
    assert link.startswith("https://reports.financeflow.example/reports/t0001/2026-10/r1/x.pdf?")
    assert environment.ledger_url == "postgresql://replica/ledger"


def test_on_aws_a_schema_is_asked_for_and_never_made(postgres_server: str) -> None:
    """Fifty tasks that start at once leave that to one command."""
    url = create_database(postgres_server, "unmigrated")
    environment = current_environment(ON_AWS | {"REPORTS_DATABASE_URL": url})
    with pytest.raises(OutdatedSchemaError, match=r"'unmigrated' is none.*database upgrade"):
        environment.launches()
    upgrade_schema(url)
    assert environment.launches().unlaunched() == []
    with psycopg.connect(url) as connection:
        connection.execute("update reports_schema_version set version_num = '0001'")
    with pytest.raises(OutdatedSchemaError, match="is 0001, and this release needs 0"):
        current_environment(ON_AWS | {"REPORTS_DATABASE_URL": url}).launches()
