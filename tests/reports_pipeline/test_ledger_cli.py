"""`reports ledger …` as it is typed."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.periods import Month
from reports_pipeline.environments import LocalEnvironment, Settings
from reports_pipeline.ledger_cli import ledger
from resources.account_mappings import AccountMappings
from tests.accounting.calendars import Anchor, Calendar
from tests.reports_pipeline.replicas import made_read_only
from tests.sample_ledgers import sample_database

JOURNAL = """\
posted_on,entry_id,line_no,account_code,debit,credit
2025-04-20,1,1,1120,55000,
2025-04-20,1,2,4110,,55000
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "journal.csv").write_text(JOURNAL, encoding="utf-8")
    return tmp_path


def test_a_sample_is_made(database_url: str) -> None:
    options = ["--companies", "3", "--months", "2", "--lines-per-month", "200"]
    result = run(database_url, "sample", *options, "--last-month", "2025-12")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("3 tenants, ")
    assert "2025-11 to 2025-12" in result.output
    assert companies(database_url) == ["t0001", "t0002", "t0003"]


def test_a_sample_replaces_tenants_only_when_told(database_url: str) -> None:
    options = ["sample", "--companies", "1", "--months", "1", "--last-month", "2025-12"]
    assert run(database_url, *options).exit_code == 0
    refused = run(database_url, *options)
    assert refused.exit_code == 1
    assert "already in the ledger: t0001; --replace replaces" in refused.output
    assert run(database_url, *options, "--replace").exit_code == 0


def test_a_sample_ends_with_the_month_before_this(database_url: str) -> None:
    assert run(database_url, "sample", "--companies", "1", "--months", "1").exit_code == 0
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


@pytest.mark.usefixtures("aws_credentials")
def test_files_in_s3_are_imported(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.emulators.aws import running_aws  # moto takes seconds to be imported

    with running_aws() as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
        s3 = aws.client("s3")
        s3.create_bucket(
            Bucket="imports", CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"}
        )
        s3.put_object(Bucket="imports", Key="aoba/journal.csv", Body=JOURNAL.encode())
        command = ["import", "csv", "s3://imports/aoba", "--tenant", "aoba"]
        imported = run(database_url, *command)
        missing = run(database_url, *command[:2], "s3://imports/take", "--tenant", "take")
    assert imported.output.startswith("aoba: 1 entries, 2 lines"), imported.output
    assert missing.exit_code == 2
    assert "there is nothing at s3://imports/take" in missing.output


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


def test_a_copy_is_in_another_language(database_url: str, folder: Path) -> None:
    command = ["import", "csv", str(folder), "--tenant", "aoba", "--plan", "premium"]
    refused = run(database_url, *command, "--copy-language", "ja")
    assert refused.exit_code == 2
    assert "the documents are in it already" in refused.output
    assert run(database_url, *command, "--copy-language", "en").exit_code == 0
    assert copy_language(database_url) == "en"
    assert run(database_url, *command, "--replace").exit_code == 0
    assert copy_language(database_url) == "en"
    assert run(database_url, *command, "--replace", "--copy-language", "none").exit_code == 0
    assert copy_language(database_url) is None


def test_calendar_and_unit_are_settings_too(database_url: str, folder: Path) -> None:
    command = ["import", "csv", str(folder), "--tenant", "aoba"]
    result = run(
        database_url, *command, "--closing-day", "20", "--display-unit", "thousand",
        "--fiscal-year-from", "2025-07", "--fiscal-year-from", "2024-10",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert settings(database_url) == (20, "thousand", ["2024-10-01 20", "2025-07-01 20"])
    # A replacement keeps what it does not name.
    assert run(database_url, *command, "--replace").exit_code == 0
    assert settings(database_url) == (20, "thousand", ["2024-10-01 20", "2025-07-01 20"])
    options = ["--fiscal-year-from", "2025-01", "--display-unit", "one"]
    assert run(database_url, *command, "--replace", *options).exit_code == 0
    assert settings(database_url) == (20, "one", ["2025-01-01 20"])


def test_a_year_may_bring_another_closing_day(database_url: str, folder: Path) -> None:
    """The months before it, closed ones too, end as they did."""
    command = ["import", "csv", str(folder), "--tenant", "aoba"]
    years = ["2025-07:31", "2024-10", "2026-04"]
    options = [word for year in years for word in ("--fiscal-year-from", year)]
    result = run(database_url, *command, "--closing-day", "20", *options)
    assert result.exit_code == 0, result.output
    changes = ["2024-10-01 20", "2025-07-01 31", "2026-04-01 31"]
    assert settings(database_url) == (20, "one", changes)


def test_accounts_without_a_class_are_counted(database_url: str, folder: Path) -> None:
    (folder / "accounts.csv").write_text(
        "account_code,name,account_class\n1120,普通預金,\n4110,売上,\n4111,講演料,\n",
        encoding="utf-8",
    )
    command = ["import", "csv", str(folder), "--tenant", "aoba"]
    result = run(database_url, *command)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[0] == (
        "accounts without a class: 2; one that is used stops the reports."
        " See: reports accounts list --tenant aoba --unmapped"
    )


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
        ("--contact", "X <=?utf-8?q?x?=@a.example>", "not one mail address"),
        ("--contact", "=?utf-8?q?x?= <a@example.jp>", "mail programs decode it"),
        ("--contact", "X\r\nBcc: y <a@example.jp>", "Bcc"),
        (
            "--close-through",
            "2025-13",
            "Invalid value for '--close-through': no such month: 2025-13",
        ),
        ("--closing-day", "30", "1 to 28, or 31 for the month's end"),
        ("--closing-day", "0", "'0' is not 1 to 28"),
        ("--fiscal-year-from", "2025-07:30", "'30' is not 1 to 28"),
        ("--display-unit", "million", "'one', 'thousand'"),
        ("--fiscal-year-from", "2025", "not a month"),
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


LATE_POSTING = """
    insert into ledger.journal_entries values ('t0004', '2025-03-15', 900001, '', 'JPY');
    insert into ledger.journal_lines values ('t0004', '2025-03-15', 900001, 1, '1120', 5000, 0),
                                            ('t0004', '2025-03-15', 900001, 2, '4110', 0, 5000);
"""
CLOSING_ENTRY = """
    insert into ledger.journal_entries values
        ('t0004', '2025-03-31', 900001, '損益振替', 'JPY', 'normal', 'posted'),
        ('t0004', '2025-03-31', 900002, '配当', 'JPY', 'normal', 'posted'),
        ('t0004', '2025-03-31', 900003, '', 'JPY', 'normal', 'cancelled'),
        ('t0004', '2025-03-31', 900005, '売上', 'JPY', 'normal', 'posted'),
        ('t0004', '2025-03-31', 900006, '損益から', 'JPY', 'normal', 'posted'),
        ('t0004', '2025-03-31', 900007, '損益振替と売上', 'JPY', 'normal', 'posted');
    insert into ledger.journal_lines values
        ('t0004', '2025-03-31', 900001, 1, '4110', 50000, 0),
        ('t0004', '2025-03-31', 900001, 2, '6310', 0, 20000),
        ('t0004', '2025-03-31', 900001, 3, '3230', 0, 30000),
        ('t0004', '2025-03-31', 900002, 1, '3230', 5000, 0),
        ('t0004', '2025-03-31', 900002, 2, '1120', 0, 5000),
        ('t0004', '2025-03-31', 900005, 1, '1210', 11000, 0),
        ('t0004', '2025-03-31', 900005, 2, '4110', 0, 11000),
        ('t0004', '2025-03-31', 900006, 1, '3220', 30000, 0),
        ('t0004', '2025-03-31', 900006, 2, '3230', 0, 30000),
        ('t0004', '2025-03-31', 900007, 1, '4110', 30000, 0),
        ('t0004', '2025-03-31', 900007, 2, '3230', 0, 41000),
        ('t0004', '2025-03-31', 900007, 3, '1210', 11000, 0);
"""


@pytest.mark.parametrize("options", [["--tenant", "t0004", "--tenant", "t0001"], ["--all"]])
def test_balances_are_refreshed(postgres_server: str, options: list[str]) -> None:
    url = sample_database(postgres_server)
    assert run(url, "refresh", *options).output == "all balances are up to date\n"
    execute(url, LATE_POSTING)
    assert run(url, "refresh", "--tenant", "t0001").output == "all balances are up to date\n"
    assert run(url, "refresh", *options).output == "t0004: 2025-03\n"


def test_whose_balances_are_refreshed_is_said(database_url: str) -> None:
    for options in ([], ["--all", "--tenant", "t0001"]):
        result = run(database_url, "refresh", *options)
        assert result.exit_code == 2
        assert "Name tenants with --tenant, or --all." in result.output
    unknown = run(database_url, "refresh", "--tenant", "y", "--tenant", "x")
    assert "no such tenants: x, y" in unknown.output


def test_a_ledger_that_is_read_only_is_named(postgres_server: str, folder: Path) -> None:
    url = sample_database(postgres_server)
    execute(url, LATE_POSTING)
    made_read_only(url)
    for command in (
        ["refresh", "--all"],
        ["mark-closing", "--tenant", "t0004", "--date", "2025-03-31", "--entry", "900001"],
        ["sample", "--companies", "1", "--months", "1", "--replace"],
        ["import", "csv", str(folder), "--tenant", "aoba"],
    ):
        result = run(url, *command)
        assert result.exit_code == 1
        assert result.output == (
            "Error: REPORTS_LEDGER_URL is read-only; name the primary for this command\n"
        )


def test_an_entry_is_marked_as_closing(postgres_server: str) -> None:
    url = sample_database(postgres_server)
    execute(url, CLOSING_ENTRY)
    command = ["mark-closing", "--tenant", "t0004", "--date", "2025-03-31", "--entry", "900001"]
    result = run(url, *command)
    assert result.exit_code == 0, result.output
    assert result.output == (
        "t0004: entry 900001 of 2025-03-31 is marked as closing: 3 lines, 50,000 JPY, 損益振替\n"
        "balances refreshed: 2025-03\n"
    )
    with psycopg.connect(url) as connection:
        kinds = connection.execute(
            "select distinct e.kind, l.kind from ledger.journal_entries e"
            " join ledger.journal_lines l using (tenant_id, posted_on, entry_id)"
            " where tenant_id = 't0004' and entry_id = 900001"
        ).fetchall()
    assert kinds == [("closing", "closing")]
    again = run(url, *command)
    assert again.exit_code == 1
    assert "the entry is marked as closing already" in again.output


@pytest.mark.parametrize(
    ("tenant_id", "entry_id", "reason"),
    [
        ("t0004", "900002", "the entry is on no account of the income statement"),
        ("t0004", "900003", "the entry is cancelled"),
        ("t0004", "900005", "the entry is on no account of 利益剰余金"),
        ("t0004", "900006", "the entry is on no account of the income statement"),
        ("t0004", "900007", "the entry is on 1210 too"),
        ("t0004", "900004", "t0004 has no entry 900004 of 2025-03-31"),
        ("nobody", "900001", "no such tenants: nobody"),
    ],
)
def test_what_closes_no_year_is_not_marked(
    postgres_server: str, tenant_id: str, entry_id: str, reason: str
) -> None:
    url = sample_database(postgres_server)
    execute(url, CLOSING_ENTRY)
    command = ["mark-closing", "--tenant", tenant_id, "--date", "2025-03-31", "--entry", entry_id]
    result = run(url, *command)
    assert result.exit_code == 1
    assert reason in result.output


def test_a_mark_is_taken_away_again(postgres_server: str) -> None:
    url = sample_database(postgres_server)
    execute(url, CLOSING_ENTRY)
    command = ["mark-closing", "--tenant", "t0004", "--date", "2025-03-31", "--entry", "900001"]
    not_marked = run(url, *command, "--undo")
    assert not_marked.exit_code == 1
    assert "the entry is not marked as closing" in not_marked.output
    execute(url, LATE_POSTING.replace("2025-03", "2025-02"))
    assert run(url, *command).output.endswith("balances refreshed: 2025-02, 2025-03\n")
    result = run(url, *command, "--undo")
    assert result.output == (
        "t0004: entry 900001 of 2025-03-31 is no longer marked as closing:"
        " 3 lines, 50,000 JPY, 損益振替\n"
        "balances refreshed: 2025-03\n"
    )
    with psycopg.connect(url) as connection:
        kinds = connection.execute(
            "select distinct kind from ledger.journal_lines where entry_id = 900001"
            " and posted_on = '2025-03-31'"
        ).fetchall()
    assert kinds == [("normal",)]


def test_a_mapping_that_a_new_chart_makes_void_is_named(database_url: str, folder: Path) -> None:
    command = ["import", "csv", str(folder), "--tenant", "aoba"]
    assert run(database_url, *command).exit_code == 0
    AccountMappings(database_url).write(
        "aoba",
        "1210",
        AccountClass.OTHER_CURRENT_ASSETS,
        first_month=Month(2025, 4),
        mapped_by="sato",
    )
    (folder / "accounts.csv").write_text(
        "account_code,name,account_class\n1120,普通預金,\n4110,売上高,\n"
        "1210,外貨預金,cash_and_deposits\n",
        encoding="utf-8",
    )
    assert run(database_url, *command, "--replace").output.splitlines() == [
        "aoba: 1210 was mapped to other_current_assets from 2025-04 on; dropped,"
        " since the chart says cash_and_deposits, which holds for all months",
        "aoba: 1 entries, 2 lines, 0 claims, 2025-04 to 2025-04",
    ]


def test_a_calendar_is_printed_around_today(database_url: str) -> None:
    today = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=9))).date()
    calendar = Calendar((Anchor(Month(2020, 4), 20), Anchor(Month.of(today).plus(-2), 20)))
    execute(
        database_url,
        "insert into ledger.companies (tenant_id, name, closing_day) values ('aoba', '青葉', 20);"
        "insert into ledger.fiscal_year_changes"
        f" values ('aoba', '{calendar.anchors[1].first_month.start}', 20)",
    )
    result = run(database_url, "calendar", "--tenant", "aoba")
    assert result.exit_code == 0, result.output
    head, *rows = result.output.splitlines()
    assert head == f"aoba, today {today}"
    change = Month.of(today).plus(-2)
    years = [calendar.year_start(change.plus(-1)), change, change.plus(12)]
    assert rows[:3] == [
        fiscal_year(calendar, years[0], change),
        f"{fiscal_year(calendar, years[1], years[2])}, begins out of turn",
        fiscal_year(calendar, years[2], years[2].plus(12)),
    ]
    months = [change.plus(elapsed) for elapsed in range(12)]
    assert [re.split("[ :]+", row)[1] for row in rows[3:]] == [str(month) for month in months]
    [of_today] = [row for row in rows[3:] if row.endswith("  today")]
    this_month = calendar.month_of(today)
    assert of_today == f"month {this_month}: {days(calendar, this_month, this_month)}  today"


def fiscal_year(calendar: Calendar, first: Month, following: Month) -> str:
    months = following.ordinal - first.ordinal
    return f"fiscal year {days(calendar, first, following.plus(-1))}: {months} months"


def days(calendar: Calendar, first: Month, last: Month) -> str:
    last_day = calendar.period(last)[1] - datetime.timedelta(days=1)
    return f"{calendar.period(first)[0]} to {last_day}"


def execute(url: str, statements: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statements)


def copy_language(url: str) -> str | None:
    with psycopg.connect(url) as connection:
        [(language,)] = connection.execute("select copy_language from ledger.companies")
    assert language is None or isinstance(language, str)
    return language


def settings(url: str) -> tuple[int, str, list[str]]:
    """The closing day, the unit, and the fiscal years that began out of turn."""
    with psycopg.connect(url) as connection:
        [(closing_day, unit)] = connection.execute(
            "select closing_day, display_unit from ledger.companies"
        )
        changes = connection.execute(
            "select first_month || ' ' || closing_day from ledger.fiscal_year_changes order by 1"
        )
        return closing_day, unit, [change for (change,) in changes]


def environment(url: str) -> LocalEnvironment:
    return LocalEnvironment(Settings.from_environment({"REPORTS_LEDGER_URL": url}))


def run(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(ledger, arguments, obj=environment(url))


def companies(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("select tenant_id from ledger.companies order by 1")
        return [tenant_id for (tenant_id,) in rows]
