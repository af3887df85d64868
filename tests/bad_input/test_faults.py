"""What cannot be reported on stops its own tenant, by name, and changes nothing for the others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from reports_pipeline.accounting.failures import FailureCode
from reports_pipeline.accounts_cli import accounts
from reports_pipeline.documents.catalogs import failure_text
from reports_pipeline.documents.document import PDF_NAMES, WORKBOOK_NAMES
from reports_pipeline.environments import LocalEnvironment, Settings
from reports_pipeline.ledger_cli import ledger
from tests.bad_input.april import OTHERS, SPOILT, AprilRun, change_ledger, run_april

# What a tenant has in the store by the stage that stopped it.
DOCUMENTS = {
    "ledger_extracts": (),
    "statements": (),
    "report_pdfs": (),
    "report_workbooks": PDF_NAMES,
    "report_deliveries": (*PDF_NAMES, *WORKBOOK_NAMES),
}

ONE_DEBIT_OF_APRIL = """
    (tenant_id, posted_on, entry_id, line_no) = (
        select tenant_id, posted_on, entry_id, line_no from ledger.journal_lines
        where tenant_id = 't0004' and posted_on >= '2025-04-01' and debit > 0
          and status = 'posted'
        order by posted_on, entry_id, line_no limit 1)
"""
REFRESH = "call ledger.refresh_snapshots(array['t0004'], '2025-04-01')"
REFRESH_MARCH = "call ledger.refresh_snapshots(array['t0004'], '2025-03-01')"
NO_CLASS = (
    "update ledger.accounts set account_class = null"
    " where tenant_id = 't0004' and account_code = '4110'"
)


def closing_entry(day: str, *, account_code: str = "3230") -> tuple[str, str]:
    """損益振替 that nobody has marked as such."""
    return (
        f"insert into ledger.journal_entries values ('t0004', '{day}', 900001, '損益振替', 'JPY')",
        "insert into ledger.journal_lines values"
        f" ('t0004', '{day}', 900001, 1, '4110', 50000, 0),"
        f" ('t0004', '{day}', 900001, 2, '6310', 0, 20000),"
        f" ('t0004', '{day}', 900001, 3, '{account_code}', 0, 30000)",
    )


def depreciation_marked_as_closing(day: str) -> tuple[str, str]:
    """決算整理, which statements must show, with the mark of 損益振替."""
    return (
        "insert into ledger.journal_entries"
        f" values ('t0004', '{day}', 900001, '減価償却費', 'JPY', 'closing')",
        "insert into ledger.journal_lines"
        " (tenant_id, posted_on, entry_id, line_no, account_code, debit, credit, kind) values"
        f" ('t0004', '{day}', 900001, 1, '6430', 500000, 0, 'closing'),"
        f" ('t0004', '{day}', 900001, 2, '1590', 0, 500000, 'closing')",
    )


@dataclass(frozen=True)
class Fault:
    """How a ledger is spoilt, and what is said of it."""

    name: str
    statements: tuple[str, ...]
    code: FailureCode
    facts: Mapping[str, str | int | None] = field(default_factory=dict)
    stage: str = "ledger_extracts"


FAULTS = [
    Fault(
        "an entry whose debits exceed its credits",
        (f"update ledger.journal_lines set debit = debit + 30 where {ONE_DEBIT_OF_APRIL}",),
        FailureCode.LEDGER_IMBALANCE,
        {"difference": 30, "entries": 1},
    ),
    Fault(
        "an earlier month whose credits exceed its debits",
        (
            """
            update ledger.journal_lines set credit = credit + 7
            where (tenant_id, posted_on, entry_id, line_no) = (
                select tenant_id, posted_on, entry_id, line_no from ledger.journal_lines
                where tenant_id = 't0004' and account_code = '4110' and status = 'posted'
                  and posted_on between '2025-03-01' and '2025-03-31' and credit > 0 limit 1
            )
            """,
            REFRESH_MARCH,
        ),
        FailureCode.LEDGER_IMBALANCE,
        {"month": "2025-03", "kind": "normal", "difference": -7},
    ),
    Fault(
        "an amount on an account that is not in the chart",
        (
            f"update ledger.journal_lines set account_code = '9999' where {ONE_DEBIT_OF_APRIL}",
            REFRESH,
        ),
        FailureCode.UNKNOWN_ACCOUNT,
        {"account_code": "9999"},
    ),
    Fault(
        "an amount on an account of a class that no statement has",
        (
            "update ledger.accounts set account_class = 'suspense'"
            " where tenant_id = 't0004' and account_code = '4110'",
        ),
        FailureCode.UNKNOWN_ACCOUNT,
        {"account_code": "4110", "account_class": "suspense"},
    ),
    Fault(
        "an amount on an account of which nobody has said what it is",
        (NO_CLASS,),
        FailureCode.UNKNOWN_ACCOUNT,
        {"account_code": "4110", "account_class": ""},
    ),
    Fault(
        "an entry that closes the year and is not marked as closing",
        (*closing_entry("2025-04-30"), REFRESH),
        FailureCode.UNFLAGGED_CLOSING_ENTRY,
        {"entry_id": 900_001, "posted_on": "2025-04-30", "account_code": "4110", "debit": 50_000},
    ),
    Fault(
        "an entry of an earlier month that closes the year and is not marked as closing",
        (*closing_entry("2025-03-31"), REFRESH_MARCH),
        FailureCode.UNFLAGGED_CLOSING_ENTRY,
        {"entry_id": 900_001, "posted_on": "2025-03-31"},
    ),
    Fault(
        # 損益 gathers the year's accounts before 繰越利益剰余金 takes them over.
        "the first of two entries that close the year",
        (
            "insert into ledger.accounts"
            " values ('t0004', '9990', '損益', 'retained_earnings_brought_forward')",
            *closing_entry("2025-04-30", account_code="9990"),
            "insert into ledger.journal_entries values ('t0004', '2025-04-30', 900002, '', 'JPY')",
            "insert into ledger.journal_lines values"
            " ('t0004', '2025-04-30', 900002, 1, '9990', 30000, 0),"
            " ('t0004', '2025-04-30', 900002, 2, '3230', 0, 30000)",
            *(
                f"call ledger.refresh_snapshots(array['t0004'], '2025-{month}-01')"
                for month in ("02", "03", "04")
            ),
        ),
        FailureCode.UNFLAGGED_CLOSING_ENTRY,
        {"entry_id": 900_001, "posted_on": "2025-04-30"},
    ),
    Fault(
        "an entry that is marked as closing and depreciates a machine",
        (*depreciation_marked_as_closing("2025-03-31"), REFRESH_MARCH),
        FailureCode.CLOSING_ENTRY_ON_BALANCE_SHEET,
        {"month": "2025-03", "account_code": "1590", "amount": -500_000},
    ),
    Fault(
        "a month without entries that nobody has closed",
        (
            "delete from ledger.journal_lines"
            " where tenant_id = 't0004' and posted_on >= '2025-04-01'",
            "delete from ledger.journal_entries"
            " where tenant_id = 't0004' and posted_on >= '2025-04-01'",
            "delete from ledger.month_closings where tenant_id = 't0004' and month = '2025-04-01'",
            REFRESH,
        ),
        FailureCode.MONTH_EMPTY,
        {"month": "2025-04"},
    ),
    Fault(
        # An amount in dollars must not be added to yen as if it were one (erpnext 27772).
        "an entry in another currency",
        (
            """
            update ledger.journal_entries set currency = 'USD' where (tenant_id, entry_id) = (
                select tenant_id, entry_id from ledger.journal_entries
                where tenant_id = 't0004' and posted_on >= '2025-04-01' and status = 'posted'
                order by posted_on, entry_id limit 1)
            """,
        ),
        FailureCode.CURRENCY_MISMATCH,
        {"currency": "USD", "company_currency": "JPY"},
    ),
    Fault(
        "an entry that came after the month's balances were taken",
        (
            "insert into ledger.journal_entries values ('t0004', '2025-04-30', 900001, '', 'JPY')",
            "insert into ledger.journal_lines values"
            " ('t0004', '2025-04-30', 900001, 1, '1120', 5000, 0),"
            " ('t0004', '2025-04-30', 900001, 2, '4110', 0, 5000)",
        ),
        FailureCode.SNAPSHOT_MISMATCH,
        {"account_code": "1120"},
    ),
    Fault(
        "an earlier month whose cash flow does not explain its cash",
        (
            "update ledger.balance_snapshots set inflow = inflow + 11"
            " where tenant_id = 't0004' and month = '2025-03-01' and account_code = '1210'",
            # Without the mark nobody compares the snapshot with its lines.
            "delete from ledger.stale_snapshots where tenant_id = 't0004'",
        ),
        FailureCode.IDENTITY_VIOLATED,
        {"control": "cash_change_equals_cash_flow"},
        stage="statements",
    ),
    Fault(
        "a company name that reads backwards",
        (r"update ledger.companies set name = E'大和\u202Eソフト' where tenant_id = 't0004'",),
        FailureCode.BAD_TEXT,
        {"table": "companies", "row": SPOILT, "field": "name", "code_point": "U+202E"},
    ),
    Fault(
        "a bell in the name of an account",
        (
            r"update ledger.accounts set name = E'売上\u0007高'"
            " where tenant_id = 't0004' and account_code = '4110'",
        ),
        FailureCode.BAD_TEXT,
        {"table": "accounts", "row": "4110", "field": "name", "code_point": "U+0007"},
    ),
    Fault(
        "an escape character in a claim",
        (
            r"update ledger.expense_claims set payee = E'\u001B[2J'"
            " where tenant_id = 't0004' and incurred_on >= '2025-04-01'",
        ),
        FailureCode.BAD_TEXT,
        {"table": "claims", "field": "payee", "code_point": "U+001B"},
    ),
    Fault(
        "an emoji in the company name",
        ("update ledger.companies set name = '大和ソフト🍣' where tenant_id = 't0004'",),
        FailureCode.MISSING_GLYPH,
        {"field": "company_name", "text": "大和ソフト🍣", "code_point": "U+1F363"},
    ),
    Fault(
        "an emoji in the name of an account",
        (
            "update ledger.accounts set name = '売上高🍣'"
            " where tenant_id = 't0004' and account_code = '4110'",
        ),
        FailureCode.MISSING_GLYPH,
        {"field": "account_name", "row": "4110", "code_point": "U+1F363"},
    ),
    Fault(
        "a line break in the company name",
        (r"update ledger.companies set name = E'大和\nソフト' where tenant_id = 't0004'",),
        FailureCode.MISSING_GLYPH,
        {"field": "company_name", "code_point": "U+000A"},
    ),
    Fault(
        "a claim longer than a cell of a workbook",
        (
            "update ledger.expense_claims set description = repeat('出', 40000)"
            " where tenant_id = 't0004' and incurred_on >= '2025-04-01'",
        ),
        FailureCode.TOO_LARGE,
        {"report": "expense_claims", "length": 40_000, "limit": 32_767},
        stage="report_workbooks",
    ),
    Fault(
        "nobody to send to",
        ("delete from ledger.contacts where tenant_id = 't0004'",),
        FailureCode.NO_RECIPIENT,
        stage="report_deliveries",
    ),
    Fault(
        "two addresses in one",
        ("update ledger.contacts set email = 'a@b, evil@y' where tenant_id = 't0004'",),
        FailureCode.ADDRESS_REFUSED,
        {"recipient_nos": "1"},
        stage="report_deliveries",
    ),
    Fault(
        "a company whose mails a person holds",
        (
            "insert into reporting.delivery_decisions (decision, tenant_id, reason, decided_by)"
            " values ('hold', 't0004', 'wrong bank data', 'sato')",
        ),
        FailureCode.DELIVERY_HELD,
        {"reason": "held by sato: wrong bank data"},
        stage="report_deliveries",
    ),
    Fault(
        "contacts whose mails of an earlier month came back",
        (
            """
            insert into reporting.report_revisions
                (tenant_id, month, revision, numbers_hash, closed, statements_key, run_id)
            values ('t0004', '2025-03-01', 1, repeat('a', 64), true, 'statements', 'run')
            """,
            """
            insert into reporting.deliveries
                (tenant_id, month, revision, delivery_id, numbers_hash, letter, documents)
            values ('t0004', '2025-03-01', 1, repeat('a', 64), repeat('a', 64), '{}', '[]')
            """,
            """
            insert into reporting.delivery_messages
                (delivery_id, recipient_no, name, email, state, provider_id)
            select repeat('a', 64), row_number() over (), name, email, 'BOUNCED', 'ses'
            from ledger.contacts where tenant_id = 't0004'
            """,
            """
            insert into reporting.suppressed_addresses (address, reason, delivery_id, recipient_no)
            select lower(email), 'Bounce Permanent', delivery_id, recipient_no
            from reporting.delivery_messages where delivery_id = repeat('a', 64)
            """,
        ),
        FailureCode.ADDRESS_SUPPRESSED,
        {"recipient_nos": "1, 2"},
        stage="report_deliveries",
    ),
    Fault(
        "an address with a header of its own",
        (
            r"update ledger.contacts set email = E'a@example.com\r\nBcc: evil@example.com'"
            " where tenant_id = 't0004'",
        ),
        FailureCode.ADDRESS_REFUSED,
        {"recipient_nos": "1"},
        stage="report_deliveries",
    ),
    Fault(
        "contacts' names with a header of their own",
        (
            r"update ledger.contacts set name = E'経理\r\nBcc: evil@example.com'"
            " where tenant_id = 't0004'",
        ),
        FailureCode.ADDRESS_REFUSED,
        {"recipient_nos": "1, 2"},
        stage="report_deliveries",
    ),
    Fault(
        "contacts' names that read backwards",
        (r"update ledger.contacts set name = E'経理\u202E' where tenant_id = 't0004'",),
        FailureCode.ADDRESS_REFUSED,
        {"recipient_nos": "1, 2"},
        stage="report_deliveries",
    ),
]


@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.name) for fault in FAULTS])
def test_a_fault_stops_its_own_tenant_alone(
    fault: Fault, sound: AprilRun, url: str, tmp_path: Path
) -> None:
    change_ledger(url, *fault.statements)
    april = run_april(url, tmp_path)

    assert list(april.failures) == [SPOILT]
    stage, failure = april.failures[SPOILT]
    assert (failure.code, stage) == (fault.code, fault.stage)
    assert failure.details == {**failure.details, **fault.facts}
    assert sorted(april.left[SPOILT].documents) == sorted(
        f"r1/{name}" for name in DOCUMENTS[fault.stage]
    )
    assert april.left[SPOILT].mails == []

    for language, script in {"ja": "[ぁ-ん]", "en": "[a-z]{3}"}.items():
        text = failure_text(failure, language)
        assert SPOILT in text
        assert re.search(script, text)
        for name, value in fault.facts.items():
            assert f"{name}={value}" in text
        # On an operator's screen it is one line that reads as it is stored.
        assert text.isprintable()

    for tenant_id in OTHERS:
        assert april.left[tenant_id] == sound.left[tenant_id]


def test_the_command_in_its_text_mends_an_account_without_a_class(
    sound: AprilRun, url: str, tmp_path: Path
) -> None:
    change_ledger(url, NO_CLASS)
    _, failure = run_april(url, tmp_path).failures[SPOILT]
    list_accounts = f"reports accounts list --tenant {SPOILT} --month "
    assert f"{list_accounts}対象月 --unmapped" in failure_text(failure, "ja")
    assert f"{list_accounts}MONTH --unmapped" in failure_text(failure, "en")
    listed = run_command(accounts, f"{list_accounts}2025-04 --unmapped", url)
    run_command(accounts, listed.splitlines()[-1].replace("CLASS", "net_sales"), url)
    mended = run_april(url, tmp_path)
    assert mended.failures == {}
    assert mended.left == sound.left


@pytest.mark.parametrize("day", ["2025-03-31", "2025-04-30"])
def test_the_commands_in_their_texts_mend_what_came_late_and_what_closes_the_year(
    day: str, url: str, tmp_path: Path
) -> None:
    change_ledger(url, *closing_entry(day))
    _, late = run_april(url, tmp_path / "late").failures[SPOILT]
    assert late.code is FailureCode.SNAPSHOT_MISMATCH
    refresh = f"reports ledger refresh --tenant {SPOILT}"
    assert all(refresh in failure_text(late, language) for language in ("ja", "en"))
    run_command(ledger, refresh, url)
    _, closing = run_april(url, tmp_path / "refreshed").failures[SPOILT]
    assert closing.code is FailureCode.UNFLAGGED_CLOSING_ENTRY
    mark = f"reports ledger mark-closing --tenant {SPOILT} --date {day} --entry 900001"
    assert all(mark in failure_text(closing, language) for language in ("ja", "en"))
    run_command(ledger, mark, url)
    assert run_april(url, tmp_path / "marked").failures == {}


@pytest.mark.parametrize("day", ["2025-03-31", "2025-04-30"])
def test_the_command_in_its_text_mends_an_adjustment_that_is_marked_as_closing(
    day: str, url: str, tmp_path: Path
) -> None:
    change_ledger(url, *depreciation_marked_as_closing(day))
    run_command(ledger, f"reports ledger refresh --tenant {SPOILT}", url)
    _, failure = run_april(url, tmp_path / "marked").failures[SPOILT]
    assert failure.code is FailureCode.CLOSING_ENTRY_ON_BALANCE_SHEET
    unmark = f"reports ledger mark-closing --tenant {SPOILT} --date {{}} --entry {{}} --undo"
    assert unmark.format("日付", "仕訳番号") in failure_text(failure, "ja")
    assert unmark.format("DATE", "ENTRY") in failure_text(failure, "en")
    run_command(ledger, unmark.format(day, 900_001), url)
    assert run_april(url, tmp_path / "normal").failures == {}


def run_command(group: click.Group, command: str, url: str) -> str:
    """Type what a text says, without `reports` and the name of the group."""
    _, _, *arguments = command.split()
    environment = LocalEnvironment(Settings.from_environment({"REPORTS_LEDGER_URL": url}))
    result = CliRunner().invoke(group, arguments, obj=environment)
    assert result.exit_code == 0, result.output
    return result.output


def test_every_code_that_a_ledger_can_cause_is_caused_here() -> None:
    caused_elsewhere = {
        FailureCode.UNKNOWN_TENANT,
        FailureCode.MAIL_REFUSED,
        FailureCode.TEMPLATE_UNUSABLE,
        FailureCode.DOCUMENT_MISMATCH,
        FailureCode.CORRECTION_PENDING,
        FailureCode.DELIVERY_UNKNOWN,
        FailureCode.INPUT_MISSING,
        FailureCode.VERIFICATION_FAILED,
        FailureCode.BUDGET_EXCEEDED,
        FailureCode.INTERNAL_ERROR,
    }
    assert {fault.code for fault in FAULTS} == set(FailureCode) - caused_elsewhere
