"""Settings say what is wrong with them, and adapters wait until they are asked for."""

from __future__ import annotations

import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from reports_pipeline.accounting.periods import Month
from reports_pipeline.environments import LocalEnvironment, SettingError, Settings
from resources.document_store import LocalDocumentStore
from resources.mailer import Mailer, OutboxMailer
from resources.ses_mailer import SesMailer
from resources.smtp_mailer import SmtpMailer


def settings(**variables: str) -> Settings:
    return Settings.from_environment(variables)


def test_everything_has_a_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    this_month = Month.of(datetime.datetime.now(ZoneInfo("Asia/Tokyo")).date())
    assert settings() == Settings(
        home=tmp_path / "var",
        database_url=None,
        ledger_url=None,
        dagster_url=None,
        first_month=this_month.plus(-18),
        tenants_per_run=100,
        verified_tenants_per_run=1,
        document_links="http://127.0.0.1:3001",
        mail_from="FinanceFlow <reports@financeflow.example>",
        mailer="outbox",
        feedback_queue=None,
        mails_per_second=0,
    )


def test_an_empty_variable_is_as_good_as_none() -> None:
    names = [
        "ENVIRONMENT", "HOME", "DATABASE_URL", "LEDGER_URL", "DAGSTER_URL", "FIRST_MONTH",
        "TENANTS_PER_RUN", "VERIFIED_TENANTS_PER_RUN", "DOCUMENT_LINKS", "MAIL_FROM",
        "MAILER", "FEEDBACK_QUEUE", "MAILS_PER_SECOND",
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
        REPORTS_VERIFIED_TENANTS_PER_RUN="0",
        REPORTS_DOCUMENT_LINKS="https://documents.financeflow.example/files",
        REPORTS_MAIL_FROM="月次レポート <reports@financeflow.example>",
        REPORTS_MAILER="ses:reports",
        REPORTS_FEEDBACK_QUEUE="https://sqs.example/reports",
        REPORTS_MAILS_PER_SECOND="14",
    ) == Settings(
        home=tmp_path,
        database_url="postgresql://register/reports",
        ledger_url="postgresql://replica/ledger",
        dagster_url="postgresql+psycopg2://register/dagster",
        first_month=Month(2024, 12),
        tenants_per_run=250,
        verified_tenants_per_run=0,
        document_links="https://documents.financeflow.example/files",
        mail_from="月次レポート <reports@financeflow.example>",
        mailer="ses:reports",
        feedback_queue="https://sqs.example/reports",
        mails_per_second=14,
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
        ("REPORTS_VERIFIED_TENANTS_PER_RUN", "-1"),
        ("REPORTS_VERIFIED_TENANTS_PER_RUN", "all"),
        ("REPORTS_DATABASE_URL", "mysql://localhost/reports"),
        ("REPORTS_LEDGER_URL", "/var/lib/postgresql"),
        ("REPORTS_DAGSTER_URL", "sqlite:///dagster.db"),
        ("REPORTS_DOCUMENT_LINKS", "documents"),
        ("REPORTS_DOCUMENT_LINKS", "http://127.0.0.1:port"),
        ("REPORTS_DOCUMENT_LINKS", "javascript://127.0.0.1"),
        ("REPORTS_MAIL_FROM", "FinanceFlow"),
        ("REPORTS_MAIL_FROM", "a@financeflow.example, b@financeflow.example"),
        ("REPORTS_MAIL_FROM", "FinanceFlow <reports@>"),
        ("REPORTS_MAIL_FROM", "FinanceFlow <reports@financeflow.example>\nBcc: x@y.example"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name(variable: str, value: str) -> None:
    with pytest.raises(SettingError, match=f"^{variable}: "):
        settings(**{variable: value})


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
            )
        ).mailer()

    assert isinstance(mailer("smtp://user:secret@relay.example"), SmtpMailer)
    assert isinstance(mailer("ses:reports"), SesMailer)


@pytest.mark.parametrize("mailer", ["ses:", "pigeon", "smtp://", "smtp+plain://me:secret@relay"])
def test_a_mailer_that_cannot_be_is_refused_without_its_password(mailer: str) -> None:
    with pytest.raises(SettingError, match="REPORTS_MAILER") as raised:
        settings(REPORTS_MAILER=mailer)
    assert "secret" not in str(raised.value)
    assert "secret" not in repr(settings(REPORTS_MAILER="smtp://me:secret@relay"))
