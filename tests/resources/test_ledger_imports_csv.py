"""Our own CSV format: good folders come in whole, bad ones not at all, and every fault is named."""

from __future__ import annotations

import datetime
from pathlib import Path

import psycopg
import pytest

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.charts import default_chart
from reports_pipeline.accounting.journal import EntryKind, EntryStatus, JournalEntry, JournalLine
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import Claim
from resources.ledger_imports.chart_files import ImportedAccount
from resources.ledger_imports.csv_import import read_csv_ledger
from resources.ledger_imports.ledger_files import LedgerFileError
from resources.ledger_imports.tenant_ledgers import (
    ImportedContact,
    TenantLedger,
    TenantSettings,
    import_ledger,
    stored_settings,
)
from resources.ledger_loading import TenantExistsError
from resources.tenants import Tenants
from tests.resources.stored_ledgers import stored_accounts, stored_balances, stored_entries

JOURNAL = """\
posted_on,entry_id,line_no,account_code,debit,credit,memo,kind,status
2025-04-01,1,1,1120,"1,000,000",,開始残高,opening,
2025-04-01,1,2,3110,,1000000,,opening,
2025-04-20,2,1,1120,55000,,売上 髙﨑商店,,
2025-04-20,2,2,4110,,50000,,,
2025-04-20,2,3,2360,,5000,,,
2025-05-07,3,2,1120,,3300,タクシー代,normal,cancelled
2025-05-07,3,1,6260,3300,,,normal,cancelled
"""
CLAIMS = """\
claim_id,incurred_on,employee,category,payee,description,amount,consumption_tax,status
EX1,2025-05-07,佐藤 健,旅費交通費,日の出タクシー,終電後,3300,300,paid
"""
CONTACTS = "name,email\n経理部 髙橋,keiri@example.jp\n"
WHOLE = {"journal.csv": JOURNAL, "claims.csv": CLAIMS, "contacts.csv": CONTACTS}
CHART_HEADER = "account_code,name,account_class\n"


def test_a_folder_is_read(tmp_path: Path) -> None:
    ledger = read(tmp_path, WHOLE)
    assert ledger.accounts == tuple(map(ImportedAccount.of, default_chart("ja")))
    assert ledger.entries == (
        JournalEntry(
            datetime.date(2025, 4, 1),
            1,
            "開始残高",
            (JournalLine("1120", 1_000_000), JournalLine("3110", -1_000_000)),
            EntryKind.OPENING,
        ),
        JournalEntry(
            datetime.date(2025, 4, 20),
            2,
            "売上 髙﨑商店",
            (
                JournalLine("1120", 55_000),
                JournalLine("4110", -50_000),
                JournalLine("2360", -5_000),
            ),
        ),
        JournalEntry(
            datetime.date(2025, 5, 7),
            3,
            "タクシー代",
            (JournalLine("6260", 3_300), JournalLine("1120", -3_300)),
            status=EntryStatus.CANCELLED,
        ),
    )
    assert ledger.claims == (
        Claim(
            "EX1",
            "2025-05-07",
            "佐藤 健",
            "旅費交通費",
            "日の出タクシー",
            "終電後",
            3300,
            300,
            "paid",
        ),
    )
    assert ledger.contacts == (ImportedContact("経理部 髙橋", "keiri@example.jp"),)


def test_a_chart_of_ones_own_replaces_the_default_one(tmp_path: Path) -> None:
    chart = CHART_HEADER + "A,Bank,cash_and_deposits\nB,Fees,net_sales\n"
    journal = (
        "posted_on,entry_id,line_no,account_code,debit,credit\n"
        "2025-04-01,1,1,A,12.50,\n2025-04-01,1,2,B,,12.5\n"
    )
    ledger = read(tmp_path, {"accounts.csv": chart, "journal.csv": journal}, currency="USD")
    assert ledger.accounts == (
        ImportedAccount("A", "Bank", AccountClass.CASH_AND_DEPOSITS),
        ImportedAccount("B", "Fees", AccountClass.NET_SALES),
    )
    assert [line.amount for line in ledger.entries[0].lines] == [1250, -1250]


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "journal.csv").write_text(JOURNAL, encoding="utf-8-sig")
    assert len(read_csv_ledger(tmp_path, currency="JPY", language="ja").entries) == 3


@pytest.mark.parametrize(
    ("encoding", "line", "reason"),
    [("shift_jis", 2, "not UTF-8: byte 0x8a; save the file"), ("utf-16", 1, "UTF-16; save")],
)
def test_another_encoding_is_named(tmp_path: Path, encoding: str, line: int, reason: str) -> None:
    text = JOURNAL.replace("髙﨑", "高崎")
    (tmp_path / "journal.csv").write_text(text, encoding=encoding)
    with pytest.raises(LedgerFileError, match=f"^journal.csv:{line}: {reason}"):
        read_csv_ledger(tmp_path, currency="JPY", language="ja")


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("4110,,50000", "4110,,50001", 4, "entry 2 does not balance: debits - credits = -1"),
        ("3,2360", "3,4999", 6, "unknown account '4999'"),
        ("2025-05-07,3,1", "2025-02-29,3,1", 8, "no such day: 2025-02-29"),
        ("2025-05-07,3,1", "2025/05/07,3,1", 8, "not a date"),
        ("2025-05-07,3,1", "20250507,3,1", 8, "not a date"),
        ("2025-05-07,3,1", "0205-05-07,3,1", 8, "is not between 1970-01-01 and 2099-12-31"),
        ("6260,3300", "6260,三千", 8, "not an amount"),
        ("6260,3300", "6260,3300.00", 8, "3300.00 has more decimals than JPY"),
        ("6260,3300", "6260,3.300", 8, "3.300 has more decimals than JPY"),
        ("6260,3300", '6260,"33,00"', 8, "not an amount"),
        ("6260,3300", "6260,1e3", 8, "not an amount"),
        ("6260,3300", "6260,9999999999999999", 8, "too large"),
        ("6260,3300,", "6260,-3300,", 8, "negative"),
        ("6260,3300,", "6260,3300,3300", 8, "both a debit and a credit"),
        ("6260,3300,", "6260,0,", 8, "neither a debit nor a credit"),
        ("2025-05-07,3,1", "2025-05-07,3,2", 8, "second line 2 of entry 3"),
        ("2025-05-07,3,1", "2025-05-07,3,0", 8, "line_no is not a number"),
        ("2025-05-07,3,1", "2025-05-07,x,1", 8, "entry_id is not a number"),
        ("タクシー代", "タクシー\u202e代", 7, "memo: control character U+202E"),
        ("タクシー代", "タクシー\x07代", 7, "memo: control character U+0007"),
        ("タクシー代", '"タクシー\n代"', 7, "memo: control character U+000A"),
        ("代,normal,", "代,reversal,", 7, "'reversal' is not a valid EntryKind"),
        ("代,normal,cancelled", "代,normal,posted", 8, "entry 3 has another kind or status above"),
        ("代,normal,cancelled", "代,normal", 7, "8 fields, but 9 columns"),
        ("credit,memo", "credit,momo", 1, "there is no column 'momo'"),
        ("line_no,account_code", "line_no,account", 1, "the column account_code is missing"),
    ],
)  # fmt: skip
def test_a_fault_in_the_journal_is_named(
    tmp_path: Path, old: str, new: str, line: int, reason: str
) -> None:
    assert JOURNAL.count(old) == 1
    problems = faults(tmp_path, {"journal.csv": JOURNAL.replace(old, new)})
    place = f"journal.csv:{line}: "
    assert any(place in problem and reason in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("file", "content", "problem"),
    [
        ("accounts.csv", CHART_HEADER + "1,現金,cash\n", "2: unknown class 'cash'"),
        ("accounts.csv", CHART_HEADER + "1,,net_sales\n", "2: an account needs"),
        ("contacts.csv", "name,email\nX,a@example.jp\nY,not an address\n", "3: "),
        ("contacts.csv", "name,email\nX,\"a@example.jp,b@example.jp\"\n", "2: "),
        (
            "contacts.csv",
            "name,email,purpose\nX,a@example.jp,spare\n",
            "2: unknown purpose 'spare': it is reports or alternative",
        ),
        ("claims.csv", CLAIMS + CLAIMS.splitlines()[1], "3: second claim EX1"),
        ("claims.csv", CLAIMS.replace("paid", "lost"), "2: unknown status 'lost'"),
        ("claims.csv", CLAIMS.replace("3300,300", "3300,4000"), "2: more consumption tax"),
        ("claims.csv", CLAIMS.replace("3300,300", "-1,0"), "2: amount is negative"),
        ("claims.csv", CLAIMS.replace("佐藤 健", ""), "2: employee is empty"),
        ("claims.csv", CLAIMS.replace("EX1", '"EX1'), "2: not CSV: unexpected end of data"),
    ],
)  # fmt: skip
def test_a_fault_in_another_file_is_named(
    tmp_path: Path, file: str, content: str, problem: str
) -> None:
    problems = faults(tmp_path, {"journal.csv": JOURNAL, file: content})
    assert any(found.startswith(f"{file}:{problem}") for found in problems), problems


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    journal = JOURNAL.replace("4110", "4999").replace("6260,3300", "6260,x")
    problems = faults(tmp_path, {"journal.csv": journal, "contacts.csv": "name,email\nX,@\n"})
    assert [problem.split(": ")[0] for problem in problems] == [
        "contacts.csv:2",
        "journal.csv:5",
        "journal.csv:8",
    ]


def test_of_many_faults_the_first_are_shown(tmp_path: Path) -> None:
    rows = [f"2025-04-01,{number},1,9999,1,\n" for number in range(1, 31)]
    journal = "posted_on,entry_id,line_no,account_code,debit,credit\n" + "".join(rows)
    problems = faults(tmp_path, {"journal.csv": journal})
    assert len(problems) == 21
    assert problems[-1] == "… and 10 more"


def test_a_missing_journal_is_named(tmp_path: Path) -> None:
    assert faults(tmp_path, {}) == ["journal.csv:0: No such file or directory"]


def test_an_imported_ledger_is_stored(tmp_path: Path, database_url: str) -> None:
    ledger = read(tmp_path, WHOLE)
    settings = TenantSettings("aoba", "株式会社青葉", fiscal_year_start_month=10)
    loaded = import_ledger(database_url, settings, ledger, closed_through=Month(2025, 4))
    assert (loaded.entries, loaded.lines, loaded.claims) == (3, 7, 1)
    assert stored_settings(database_url, "aoba") == settings
    stored = stored_accounts(database_url, "aoba")
    assert tuple(map(ImportedAccount.of, stored)) == ledger.accounts
    assert stored_entries(database_url, "aoba") == list(ledger.entries)
    # The cancelled entry is in the journal, but in no balance.
    assert stored_balances(database_url, "aoba", datetime.date(2025, 6, 1)) == {
        "1120": 1_055_000,
        "2360": -5_000,
        "3110": -1_000_000,
        "4110": -50_000,
    }


def test_a_replacement_keeps_what_it_does_not_name(tmp_path: Path, database_url: str) -> None:
    settings = TenantSettings("aoba", "株式会社青葉")
    whole = read(tmp_path, WHOLE)
    import_ledger(database_url, settings, whole, closed_through=Month(2025, 5))
    journal_only = TenantLedger(whole.accounts, whole.entries[:1])
    with pytest.raises(TenantExistsError, match="aoba"):
        import_ledger(database_url, settings, journal_only)
    import_ledger(database_url, settings, journal_only, replace=True)
    assert stored_entries(database_url, "aoba") == list(whole.entries[:1])
    assert stored_balances(database_url, "aoba", datetime.date(2025, 6, 1)) == {
        "1120": 1_000_000,
        "3110": -1_000_000,
    }
    assert stored_counts(database_url) == {"contacts": 1, "expense_claims": 1, "month_closings": 2}
    contacts = (ImportedContact("A", "a@example.jp"), ImportedContact("B", "b@example.jp"))
    reopened = TenantLedger(whole.accounts, whole.entries, contacts=contacts)
    import_ledger(database_url, settings, reopened, closed_through=Month(2025, 4), replace=True)
    assert stored_counts(database_url) == {"contacts": 2, "expense_claims": 1, "month_closings": 1}


def test_a_contact_may_be_for_when_mails_come_back(tmp_path: Path, database_url: str) -> None:
    contacts = (
        "name,email,purpose\n佐藤,sato@example.jp,\n鈴木,suzuki@example.jp,reports\n"
        "顧問税理士,zeirishi@example.jp,alternative\n"
    )
    ledger = read(tmp_path, {"journal.csv": JOURNAL, "contacts.csv": contacts})
    import_ledger(database_url, TenantSettings("aoba", "株式会社青葉"), ledger)
    stored = Tenants(database_url).contacts(["aoba"])["aoba"]
    assert [(c.contact_no, c.name, c.purpose.value) for c in stored] == [
        (1, "佐藤", "reports"),
        (2, "鈴木", "reports"),
        (3, "顧問税理士", "alternative"),
    ]


def test_an_account_without_a_class_gets_the_one_of_its_name(tmp_path: Path) -> None:
    chart = CHART_HEADER + "1,普通預金,\n2,Net sales,\n3,売上げ,\n"
    journal = (
        "posted_on,entry_id,line_no,account_code,debit,credit\n"
        "2025-04-01,1,1,1,10,\n2025-04-01,1,2,3,,10\n"
    )
    ledger = read(tmp_path, {"accounts.csv": chart, "journal.csv": journal})
    assert [account.account_class for account in ledger.accounts] == [
        AccountClass.CASH_AND_DEPOSITS,
        AccountClass.NET_SALES,
        None,  # of 売上高 somebody else must say that it is meant
    ]


@pytest.mark.parametrize(
    ("fiscal_years_from", "closed"),
    [({}, [4]), ({Month(2025, 4): 31}, [4]), ({Month(2025, 3): 31}, [3, 4])],
)
def test_what_is_posted_after_the_closing_day_is_the_next_months(
    tmp_path: Path,
    database_url: str,
    fiscal_years_from: dict[Month, int | None],
    closed: list[int],
) -> None:
    journal = JOURNAL.replace("2025-04-01,1", "2025-03-21,1")
    settings = TenantSettings("aoba", "株式会社青葉", closing_day=20)
    ledger = read(tmp_path, {"journal.csv": journal})
    import_ledger(
        database_url,
        settings,
        ledger,
        fiscal_years_from=fiscal_years_from,
        closed_through=Month(2025, 4),
    )
    with psycopg.connect(database_url) as connection:
        [[first]] = connection.execute(
            "select ledger.month_of('aoba', min(posted_on)) from ledger.journal_lines"
        )
        months = connection.execute("select month from ledger.month_closings order by 1").fetchall()
    assert months == [(datetime.date(2025, month, 1),) for month in closed]
    assert first == months[0][0]


def read(folder: Path, files: dict[str, str], currency: str = "JPY") -> TenantLedger:
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8", newline="")
    return read_csv_ledger(folder, currency=currency, language="ja")


def stored_counts(url: str) -> dict[str, int]:
    with psycopg.connect(url) as connection:
        return {
            table: len(connection.execute(f"select from ledger.{table} {standing}").fetchall())
            for table, standing in {
                "contacts": "",
                "expense_claims": "",
                "month_closings": "where reopened_at is null",
            }.items()
        }


def faults(folder: Path, files: dict[str, str]) -> list[str]:
    with pytest.raises(LedgerFileError) as caught:
        read(folder, files)
    return str(caught.value).split("\n")
