"""`reports ledger …` as it is typed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from reports_pipeline.ledger_cli import ledger

JOURNAL = """\
posted_on,entry_id,line_no,account_code,debit,credit
2025-04-20,1,1,1120,55000,
2025-04-20,1,2,4110,,55000
"""


@dataclass(frozen=True)
class Database:
    ledger_url: str


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "journal.csv").write_text(JOURNAL, encoding="utf-8")
    return tmp_path


def test_a_sample_is_made(database_url: str) -> None:
    options = ["--tenants", "3", "--months", "2", "--lines-per-month", "200"]
    result = run(database_url, "sample", *options, "--last-month", "2025-12")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("3 tenants, ")
    assert "2025-11 to 2025-12" in result.output
    assert companies(database_url) == ["t0001", "t0002", "t0003"]


def test_a_sample_replaces_tenants_only_when_told(database_url: str) -> None:
    options = ["sample", "--tenants", "1", "--months", "1", "--last-month", "2025-12"]
    assert run(database_url, *options).exit_code == 0
    refused = run(database_url, *options)
    assert refused.exit_code == 1
    assert "already in the ledger: t0001; --replace replaces" in refused.output
    assert run(database_url, *options, "--replace").exit_code == 0


def test_a_sample_ends_with_the_month_before_this(database_url: str) -> None:
    assert run(database_url, "sample", "--tenants", "1", "--months", "1").exit_code == 0
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            """
            select distinct month = date_trunc('month', now() at time zone 'Asia/Tokyo')
                                    - interval '1 month'
            from ledger.balance_snapshots
            """
        ).fetchone()
    assert row == (True,)


def test_a_folder_of_csv_files_is_imported(database_url: str, folder: Path) -> None:
    result = run(
        database_url, "import", "csv", str(folder), "--tenant", "aoba", "--name", "株式会社青葉",
        "--fiscal-year-start-month", "10", "--contact", "経理部 髙橋 <keiri@example.jp>",
        "--contact", "<owner@example.jp>", "--close-through", "2025-05",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert result.output == "aoba: 1 entries, 2 lines, 0 claims, 2025-04 to 2025-04\n"
    with psycopg.connect(database_url) as connection:
        company = connection.execute(
            "select name, currency, fiscal_year_start_month from ledger.companies"
        ).fetchone()
        contacts = connection.execute("select name, email from ledger.contacts order by contact_no")
        assert company == ("株式会社青葉", "JPY", 10)
        assert contacts.fetchall() == [
            ("経理部 髙橋", "keiri@example.jp"),
            ("", "owner@example.jp"),
        ]
        closed = connection.execute("select count(*) from ledger.month_closings").fetchone()
        assert closed == (2,)


def test_a_second_import_keeps_the_settings_it_does_not_name(
    database_url: str, folder: Path
) -> None:
    command = ["import", "csv", str(folder), "--tenant", "aoba"]
    assert run(database_url, *command, "--name", "株式会社青葉", "--plan", "light").exit_code == 0
    assert run(database_url, *command).exit_code == 1
    assert run(database_url, *command, "--replace", "--language", "en").exit_code == 0
    with psycopg.connect(database_url) as connection:
        company = connection.execute("select name, plan, language from ledger.companies").fetchone()
    assert company == ("株式会社青葉", "light", "en")


def test_a_faulty_folder_changes_nothing(database_url: str, folder: Path) -> None:
    (folder / "journal.csv").write_text(JOURNAL.replace(",,55000", ",,1"), encoding="utf-8")
    result = run(database_url, "import", "csv", str(folder), "--tenant", "aoba")
    assert result.exit_code == 1
    assert result.output == (
        "Error: nothing was imported:\n"
        "journal.csv:2: entry 1 does not balance: debits - credits = 54999\n"
    )
    assert companies(database_url) == []


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--tenant", "Aoba", "1 to 32 of a-z and 0-9"),
        ("--name", "a\u202eb", "a name without control characters"),
        ("--currency", "yen", "three capital letters"),
        ("--time-zone", "Tokyo", "not a time zone"),
        ("--contact", "keiri@example.jp", "is not 'NAME <ADDRESS>'"),
        ("--contact", "X <a@b, evil@example.com>", "evil"),
        ("--contact", "X\r\nBcc: y <a@example.jp>", "Bcc"),
        ("--close-through", "2025-13", "2025-13"),
    ],
)
def test_a_bad_option_is_explained(
    database_url: str, folder: Path, option: str, value: str, reason: str
) -> None:
    command = ["import", "csv", str(folder), "--tenant", "aoba", option, value]
    result = run(database_url, *command)
    assert result.exit_code == 2
    assert reason in result.output
    assert companies(database_url) == []


def test_a_beancount_file_names_its_currency_and_title(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "books.beancount"
    file.write_text(
        'option "title" "Aoba"\n'
        'option "operating_currency" "USD"\n'
        "2024-01-01 open Assets:Giro\n"
        "2024-01-01 open Income:Sales\n"
        '2024-01-02 * "Sale"\n  Assets:Giro  7 USD\n  Income:Sales\n'
        '2024-01-02 * "Overtime"\n  Assets:Giro  0 USD\n  Income:Sales\n',
        encoding="utf-8",
    )
    command = ["import", "beancount", str(file), "--tenant", "aoba"]
    result = run(database_url, *command)
    assert result.exit_code == 0, result.output
    assert "no account is cash_and_deposits" in result.output
    result = run(database_url, *command, "--cash-account", "Assets:Giro", "--replace")
    assert result.output == "aoba: 1 entries, 2 lines, 0 claims, 2024-01 to 2024-01\n"
    with psycopg.connect(database_url) as connection:
        company = connection.execute("select name, currency from ledger.companies").fetchone()
    assert company == ("Aoba", "USD")


def test_an_hledger_export_is_imported(database_url: str, tmp_path: Path) -> None:
    printed, chart = tmp_path / "printed.csv", tmp_path / "chart.csv"
    printed.write_text(
        "txnidx,date,description,comment,account,amount,commodity\n"
        "1,2025-04-01,Sale,,bank,1,¥\n"
        "1,2025-04-01,Sale,,sales,-1,¥\n",
        encoding="utf-8",
    )
    chart.write_text(
        "account,account_code,name,account_class\n"
        "bank,1120,普通預金,cash_and_deposits\nsales,4110,売上高,net_sales\n",
        encoding="utf-8",
    )
    result = run(
        database_url, "import", "hledger", str(printed), "--chart", str(chart), "--symbol", "¥",
        "--tenant", "aoba",
    )  # fmt: skip
    assert result.output == "aoba: 1 entries, 2 lines, 0 claims, 2025-04 to 2025-04\n"


def run(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(ledger, arguments, obj=Database(url))


def companies(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("select tenant_id from ledger.companies order by 1")
        return [tenant_id for (tenant_id,) in rows]
