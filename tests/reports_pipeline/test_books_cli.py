"""`reports books …` as it is typed."""

from __future__ import annotations

import datetime
from unittest import mock

import psycopg
import pytest
from click.testing import CliRunner, Result

from reports_pipeline.accounting.periods import Month
from reports_pipeline.books_cli import books_commands
from reports_pipeline.cli import main
from reports_pipeline.environments import LocalEnvironment, Settings
from tests.reports_pipeline.replicas import made_read_only

THIS_MONTH = Month.of(datetime.datetime.now(datetime.UTC).date())


@pytest.fixture
def url(database_url: str) -> str:
    """Three companies; ume has entries since September, hawaii has left."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            """
            insert into ledger.companies (tenant_id, name, currency, status) values
                ('sakura', 'さくら商店', 'JPY', 'active'), ('ume', '梅', 'USD', 'active'),
                ('hawaii', 'Hawaii', 'USD', 'left')
            """
        )
        connection.execute("select ledger.ensure_month_partitions('2025-09-01', '2025-09-01')")
        connection.execute(
            "insert into ledger.journal_entries (tenant_id, posted_on, entry_id, currency)"
            " values ('ume', '2025-09-10', 1, 'USD')"
        )
    return database_url


def books(url: str, *arguments: str, operator: str = "sato") -> Result:
    environment = LocalEnvironment(Settings.from_environment({"REPORTS_DATABASE_URL": url}))
    with mock.patch("getpass.getuser", return_value=operator):
        return CliRunner().invoke(books_commands, arguments, obj=environment)


def said(result: Result, exit_code: int = 0) -> list[str]:
    assert result.exit_code == exit_code, result.output
    return result.output.splitlines()


def test_the_commands_are_part_of_reports() -> None:
    assert main.commands["books"] is books_commands


def test_a_month_is_closed_for_a_tenant(url: str) -> None:
    assert said(books(url, "close", "--month", "2025-10", "--tenant", "sakura")) == [
        "2025-10: 1 closed now, 0 closed before, 0 left open"
    ]
    [line] = said(books(url, "show", "--month", "2025-10", "--tenant", "sakura"))
    assert line.startswith("sakura: closed 20")
    assert line.endswith(" Tokyo by sato")


def test_a_month_that_is_closed_already_says_by_whom(url: str) -> None:
    books(url, "close", "--month", "2025-10", "--tenant", "sakura")
    close = ("close", "--month", "2025-10", "--tenant", "sakura")
    reason, whose, counts = said(books(url, *close, operator="suzuki"))
    assert reason.startswith("closed already, 20")
    assert reason.endswith(" Tokyo by sato")
    assert whose == "  1: sakura"
    assert counts == "2025-10: 0 closed now, 1 closed before, 0 left open"


def test_all_are_the_active_ones_and_those_closed_before_are_counted(url: str) -> None:
    books(url, "close", "--month", "2025-09", "--all")
    books(url, "close", "--month", "2025-10", "--tenant", "sakura")
    assert said(books(url, "close", "--month", "2025-10", "--all")) == [
        "2025-10: 1 closed now, 1 closed before, 0 left open"
    ]


def test_earlier_open_months_are_named_and_refused_unless_forced(url: str) -> None:
    close = ("close", "--month", "2025-10", "--all")
    assert said(books(url, *close), exit_code=1) == [
        "earlier months are open: 2025-09 (--force closes it all the same)",
        "  1: ume",
        "2025-10: 1 closed now, 0 closed before, 1 left open",
    ]
    assert said(books(url, *close, "--force")) == [
        "2025-10: 1 closed now, 1 closed before, 0 left open"
    ]


def test_a_month_that_is_not_over_is_refused(url: str) -> None:
    last_day = THIS_MONTH.plus(1).end - datetime.timedelta(days=1)
    arguments = ("close", "--month", str(THIS_MONTH.plus(1)), "--tenant", "sakura")
    assert said(books(url, *arguments), exit_code=1)[:2] == [
        f"not over; its last day is {last_day}",
        "  1: sakura",
    ]


def test_tenants_that_stay_open_are_grouped_by_the_reason(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "insert into ledger.companies (tenant_id, name)"
            " select 't' || number, '支店' from generate_series(101, 121) number"
        )
        connection.execute(
            "insert into ledger.journal_entries (tenant_id, posted_on, entry_id, currency)"
            " select tenant_id, '2025-09-01', 1, 'JPY' from ledger.companies where name = '支店'"
        )
    first = ", ".join(f"t{number}" for number in range(101, 121))
    assert said(books(url, "close", "--month", "2025-08", "--all"), exit_code=1) == [
        "before the books, which begin with 2025-09 (--force closes it all the same)",
        f"  22: {first} and 2 more",
        "2025-08: 1 closed now, 0 closed before, 22 left open",
    ]
    names = ["--tenant", "ume,t101", "--tenant", "t102"]
    assert said(books(url, "close", "--month", "2025-10", *names), exit_code=1)[:2] == [
        "earlier months are open: 2025-09 (--force closes it all the same)",
        "  3: t101, t102, ume",
    ]


@pytest.mark.parametrize(
    "arguments",
    [["close", "--tenant", "sakura"], ["reopen", "--tenant", "sakura", "--reason", "漏れ"]],
    ids=lambda arguments: arguments[0],
)
def test_a_ledger_that_is_read_only_is_named(url: str, arguments: list[str]) -> None:
    variables = {"REPORTS_LEDGER_URL": made_read_only(url)}
    environment = LocalEnvironment(Settings.from_environment(variables))
    result = CliRunner().invoke(books_commands, [*arguments, "--month", "2025-10"], obj=environment)
    assert said(result, exit_code=1) == [
        "Error: REPORTS_LEDGER_URL is read-only; name the primary for this command"
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ["close"],
        ["reopen", "--reason", "漏れ"],
        ["show"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_unknown_tenants_are_named(url: str, arguments: list[str]) -> None:
    tenants = ["--tenant", "sakura", "--tenant", "nobody"]
    result = books(url, *arguments, "--month", "2025-10", *tenants)
    assert said(result, exit_code=1) == ["Error: no such tenants: nobody"]
    assert said(books(url, "show", "--month", "2025-10"))[0] == "2025-10: 0 closed, 2 open"


@pytest.mark.parametrize("choice", [[], ["--all", "--tenant", "sakura"]])
def test_closing_needs_tenants_or_all(url: str, choice: list[str]) -> None:
    result = books(url, "close", "--month", "2025-10", *choice)
    assert said(result, exit_code=2)[-1] == "Error: Name tenants with --tenant, or --all."


def test_reopening_keeps_who_and_why(url: str) -> None:
    books(url, "close", "--month", "2025-10", "--tenant", "sakura")
    reopen = ("reopen", "--month", "2025-10", "--tenant", "sakura", "--reason", "請求書の計上漏れ")
    assert said(books(url, *reopen, operator="suzuki")) == ["sakura: 2025-10 is open"]
    lines = said(books(url, "show", "--month", "2025-10"))
    assert lines[:2] == ["2025-10: 0 closed, 2 open", "open: sakura, ume"]
    closed, reopened = lines[2:]
    assert closed.startswith("sakura: closed ")
    assert closed.endswith(" by sato")
    assert reopened.startswith("sakura: reopened ")
    assert reopened.endswith(" by suzuki: 請求書の計上漏れ")


def test_reopening_names_the_closed_months_that_follow(url: str) -> None:
    for name in ("2025-09", "2025-10", "2025-11"):
        books(url, "close", "--month", name, "--all")
    reopen = ("reopen", "--month", "2025-09", "--tenant", "ume", "--reason", "漏れ")
    assert said(books(url, *reopen)) == [
        "ume: 2025-09 is open",
        "ume: still closed: 2025-10, 2025-11; what changes in 2025-09 changes their balances, "
        "so run them again after it",
    ]


def test_what_is_not_closed_cannot_be_reopened(url: str) -> None:
    books(url, "close", "--month", "2025-10", "--tenant", "sakura")
    tenants = ("--tenant", "sakura", "--tenant", "ume")
    result = books(url, "reopen", "--month", "2025-10", *tenants, "--reason", "漏れ")
    assert said(result, exit_code=1) == ["sakura: 2025-10 is open", "ume: 2025-10 is not closed"]
    assert result.stderr == "ume: 2025-10 is not closed\n"


@pytest.mark.parametrize("reason", [[], ["--reason", " "]])
def test_reopening_needs_a_reason(url: str, reason: list[str]) -> None:
    books(url, "close", "--month", "2025-10", "--tenant", "sakura")
    result = books(url, "reopen", "--month", "2025-10", "--tenant", "sakura", *reason)
    assert "--reason" in said(result, exit_code=2)[-1]
    assert said(books(url, "show", "--month", "2025-10"))[0] == "2025-10: 1 closed, 1 open"


def test_a_tenant_that_was_never_closed_is_told(url: str) -> None:
    lines = said(books(url, "show", "--month", "2025-10", "--tenant", "hawaii"))
    assert lines == ["hawaii: never closed"]
