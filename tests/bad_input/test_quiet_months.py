"""Nothing to report is a report too; what is not of the month, or does not count, is not in it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from openpyxl import load_workbook
from pypdf import PdfReader

from reports_pipeline.accounting.reports import StatementKind, StatementLine
from resources.ledger_repairs import refresh_snapshots
from tests.bad_input.april import OTHERS, SPOILT, AprilRun, Left, change_ledger, run_april
from tests.sample_ledgers import sample_database

NO_ENTRIES_IN_APRIL = (
    "delete from ledger.journal_lines where tenant_id = 't0004' and posted_on >= '2025-04-01'",
    "delete from ledger.journal_entries where tenant_id = 't0004' and posted_on >= '2025-04-01'",
    "delete from ledger.expense_claims where tenant_id = 't0004' and incurred_on >= '2025-04-01'",
    "call ledger.refresh_snapshots(array['t0004'], '2025-04-01')",
)
NO_ENTRIES_AT_ALL = tuple(
    f"delete from ledger.{table} where tenant_id = 't0004'"
    for table in ("journal_lines", "journal_entries", "balance_snapshots", "expense_claims")
)
CLOSES_ON_THE_20TH = "update ledger.companies set closing_day = 20 where tenant_id = 't0004'"
NO_ACCOUNTS_EITHER = "delete from ledger.accounts where tenant_id = 't0004'"


@pytest.fixture(scope="module")
def closing_on_the_20th(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> AprilRun:
    """April where t0004 closes its books on the 20th."""
    url = sample_database(postgres_server)
    change_ledger(url, CLOSES_ON_THE_20TH)
    refresh_snapshots(url, ["t0004"])
    april = run_april(url, tmp_path_factory.mktemp("closing_on_the_20th"))
    assert april.failures == {}
    return april


def line_of(left: Left, kind: StatementKind, key: str) -> StatementLine:
    assert left.reports is not None
    [line] = [line for line in left.reports.statement(kind).lines if line.key == key]
    return line


def lines_of(left: Left, kind: StatementKind) -> tuple[StatementLine, ...]:
    assert left.reports is not None
    return left.reports.statement(kind).lines


def others_are_unchanged(april: AprilRun, sound: AprilRun) -> bool:
    return all(april.left[tenant_id] == sound.left[tenant_id] for tenant_id in OTHERS)


def test_a_month_without_entries_has_zeros_and_the_balances_before(
    sound: AprilRun, url: str, tmp_path: Path
) -> None:
    change_ledger(url, *NO_ENTRIES_IN_APRIL)
    april = run_april(url, tmp_path)

    assert april.failures == {}
    assert others_are_unchanged(april, sound)
    left = april.left[SPOILT]
    assert len(left.mails) == len(sound.left[SPOILT].mails)
    for kind in (StatementKind.INCOME_STATEMENT, StatementKind.EXPENSE_ANALYSIS):
        assert {line.current for line in lines_of(left, kind)} == {None, 0}
    before = line_of(sound.left[SPOILT], StatementKind.INCOME_STATEMENT, "net_profit")
    net_profit = line_of(left, StatementKind.INCOME_STATEMENT, "net_profit")
    assert (net_profit.current, net_profit.prior) == (0, before.prior)
    assert net_profit.year_to_date == (before.year_to_date or 0) - (before.current or 0)
    for line in lines_of(left, StatementKind.BALANCE_SHEET):
        assert line.current == line.prior
    assert line_of(left, StatementKind.BALANCE_SHEET, "total_assets").current != 0
    cash = [
        line_of(left, StatementKind.CASH_FLOW, key).current
        for key in ("opening_cash", "net_cash_change", "closing_cash")
    ]
    assert cash == [cash[0], 0, cash[0]]
    assert cash[0] != 0

    assert left.documents.keys() == sound.left[SPOILT].documents.keys()
    assert "この月の取引はありません。" in text_of(left.documents["r1/income_statement.pdf"])
    assert "この月の経費精算はありません。" in cells_of(left.documents["r1/expense_claims.xlsx"])


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param(NO_ENTRIES_AT_ALL, id="no entries"),
        pytest.param((*NO_ENTRIES_AT_ALL, NO_ACCOUNTS_EITHER), id="no entries and no chart"),
    ],
)
def test_a_company_that_never_posted_has_a_report_of_zeros(
    statements: tuple[str, ...], sound: AprilRun, url: str, tmp_path: Path
) -> None:
    change_ledger(url, *statements)
    april = run_april(url, tmp_path)

    assert april.failures == {}
    assert others_are_unchanged(april, sound)
    left = april.left[SPOILT]
    for kind in StatementKind:
        for line in lines_of(left, kind):
            amounts = {line.current, line.prior, line.year_to_date, line.opening, *line.trend}
            assert amounts <= {None, 0}
            # Nobody knows what was before: that is no zero.
            assert line.prior is None
    assert left.documents.keys() == sound.left[SPOILT].documents.keys()
    assert len(left.mails) == len(sound.left[SPOILT].mails)


@pytest.mark.parametrize(
    ("day", "amount_in_april"),
    [("2025-03-31", 0), ("2025-04-01", 5_000), ("2025-04-30", 5_000), ("2025-05-01", 0)],
)
def test_an_entry_is_in_the_month_of_its_day(
    day: str, amount_in_april: int, sound: AprilRun, url: str, tmp_path: Path
) -> None:
    change_ledger(
        url,
        f"select ledger.ensure_month_partitions('{day}', '{day}')",
        f"insert into ledger.journal_entries values ('t0004', '{day}', 900001, '', 'JPY')",
        "insert into ledger.journal_lines values"
        f" ('t0004', '{day}', 900001, 1, '1120', 5000, 0),"
        f" ('t0004', '{day}', 900001, 2, '4110', 0, 5000)",
        f"call ledger.refresh_snapshots(array['t0004'], '{day[:7]}-01')",
    )
    april = run_april(url, tmp_path)

    assert april.failures == {}
    assert others_are_unchanged(april, sound)
    for kind, key in {
        StatementKind.INCOME_STATEMENT: "account:4110",
        StatementKind.CASH_FLOW: "net_cash_change",
    }.items():
        before = line_of(sound.left[SPOILT], kind, key).current
        after = line_of(april.left[SPOILT], kind, key).current
        assert after == (before or 0) + amount_in_april


@pytest.mark.parametrize(
    ("day", "amount_in_april"),
    [("2025-03-20", 0), ("2025-03-21", 5_000), ("2025-04-20", 5_000), ("2025-04-21", 0)],
)
def test_books_that_close_on_the_20th_have_an_entry_in_the_month_of_its_day(
    day: str,
    amount_in_april: int,
    sound: AprilRun,
    closing_on_the_20th: AprilRun,
    url: str,
    tmp_path: Path,
) -> None:
    change_ledger(
        url,
        CLOSES_ON_THE_20TH,
        f"insert into ledger.journal_entries values ('t0004', '{day}', 900001, '', 'JPY')",
        "insert into ledger.journal_lines values"
        f" ('t0004', '{day}', 900001, 1, '1120', 5000, 0),"
        f" ('t0004', '{day}', 900001, 2, '4110', 0, 5000)",
    )
    refresh_snapshots(url, ["t0004"])
    april = run_april(url, tmp_path)

    assert april.failures == {}
    assert others_are_unchanged(april, sound)
    for kind, key in {
        StatementKind.INCOME_STATEMENT: "account:4110",
        StatementKind.CASH_FLOW: "net_cash_change",
        StatementKind.INDIRECT_CASH_FLOW: "net_cash_change",
    }.items():
        without = line_of(closing_on_the_20th.left[SPOILT], kind, key).current
        assert without is not None
        assert line_of(april.left[SPOILT], kind, key).current == without + amount_in_april
    pdf = text_of(april.left[SPOILT].documents["r1/income_statement.pdf"])
    assert "2025年3月21日" in pdf
    assert "2025年4月20日" in pdf


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param(
            (
                "select ledger.ensure_month_partitions('2025-05-01', '2025-05-01')",
                "insert into ledger.journal_entries"
                " values ('t0004', '2025-05-01', 900001, '', 'JPY')",
                "insert into ledger.journal_lines values"
                " ('t0004', '2025-05-01', 900001, 1, '1120', 5000, 0),"
                " ('t0004', '2025-05-01', 900001, 2, '4110', 0, 5000)",
            ),
            id="an entry of the next month",
        ),
        pytest.param(
            (
                "select ledger.ensure_month_partitions('2025-05-01', '2025-05-01')",
                "insert into ledger.journal_entries"
                " values ('t0004', '2025-05-01', 900001, '', 'USD')",
                "insert into ledger.journal_lines values"
                " ('t0004', '2025-05-01', 900001, 1, '9999', 5000, 0)",
            ),
            id="a faulty entry of the next month",
        ),
        pytest.param(
            (
                "insert into ledger.journal_entries"
                " values ('t0004', '2025-04-15', 900001, '', 'JPY', 'normal', 'cancelled')",
                "insert into ledger.journal_lines values"
                " ('t0004', '2025-04-15', 900001, 1, '1120', 5000, 0, 'normal', 'cancelled'),"
                " ('t0004', '2025-04-15', 900001, 2, '4110', 0, 5000, 'normal', 'cancelled')",
                "call ledger.refresh_snapshots(array['t0004'], '2025-04-01')",
            ),
            id="a cancelled entry",
        ),
        pytest.param(
            (
                "insert into ledger.expense_claims values"
                " ('t0004', 'early', '2025-03-31', '佐藤', '旅費', '', '', 1, 0, 'paid'),"
                " ('t0004', 'late', '2025-05-01', '佐藤', '旅費', '', '', 1, 0, 'paid')",
            ),
            id="claims of the months before and after",
        ),
        pytest.param(
            (
                "insert into ledger.accounts"
                " values ('t0004', '0000', 'まだ使わない科目', 'no such class')",
            ),
            id="an account that nobody uses",
        ),
    ],
)
def test_what_does_not_count_changes_no_byte(
    statements: tuple[str, ...], sound: AprilRun, url: str, tmp_path: Path
) -> None:
    change_ledger(url, *statements)
    assert run_april(url, tmp_path) == sound


def test_the_other_contacts_are_mailed_where_one_address_is_refused(
    sound: AprilRun, url: str, tmp_path: Path
) -> None:
    change_ledger(
        url,
        "update ledger.contacts set email = 'a@b, evil@y'"
        " where tenant_id = 't0004' and contact_no = 1",
    )
    april = run_april(url, tmp_path)

    assert april.failures == {}
    assert others_are_unchanged(april, sound)
    _, second = sound.left[SPOILT].mails
    assert april.left[SPOILT].mails == [second]


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


def cells_of(workbook: bytes) -> set[object]:
    sheet = load_workbook(io.BytesIO(workbook)).worksheets[0]
    return {cell for row in sheet.values for cell in row}
