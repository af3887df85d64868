"""A closed month that changes becomes a correction, and everybody can see what it changed."""

from __future__ import annotations

import datetime
import io
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser

import openpyxl
import psycopg
import pytest

from assets.tenant_batch import Artefact
from reports_pipeline.accounting.failures import FailureCode
from reports_pipeline.accounting.reports import LineChange, StatementKind
from reports_pipeline.documents.changes import change_text
from resources.month_closings import MonthClosings
from resources.report_register import Revision
from tests.assets.monthly_stages import UP_TO_DOCUMENTS, MonthlyStages
from tests.sample_ledgers import APRIL

TENANT = "t0003"
AMOUNT = 123_456
MAY_2 = datetime.datetime(2025, 5, 2, tzinfo=datetime.UTC)


@pytest.fixture
def delivered(stages: MonthlyStages) -> MonthlyStages:
    """A tenant with a closed April that was mailed."""
    set_closed(stages, closed=True)
    stages.run_all([*UP_TO_DOCUMENTS, "report_deliveries"], [TENANT])
    return stages


def set_closed(stages: MonthlyStages, *, closed: bool) -> None:
    closings = MonthClosings(stages.url)
    if closed:
        closings.close(APRIL, [TENANT], closed_by="sato", now=MAY_2)
    else:
        closings.reopen(APRIL, [TENANT], reopened_by="suzuki", reason="請求書の計上漏れ")
    standing = any(c.stands for c in closings.history(APRIL, [TENANT]).get(TENANT, ()))
    assert standing is closed


def post_late_sale(stages: MonthlyStages, amount: int = AMOUNT) -> None:
    """Sales on credit on the last day of April, in the snapshot too."""
    with psycopg.connect(stages.url) as connection:
        connection.execute(
            """
            insert into ledger.journal_entries (tenant_id, posted_on, entry_id, memo, currency)
            values (%s, '2025-04-30', 999999, '計上漏れ', 'JPY')
            """,
            [TENANT],
        )
        connection.execute(
            """
            insert into ledger.journal_lines
                (tenant_id, posted_on, entry_id, line_no, account_code, debit, credit)
            select tenant_id, '2025-04-30', 999999, row_number() over (), min(account_code),
                   case account_class when 'trade_receivables' then %(amount)s else 0 end,
                   case account_class when 'net_sales' then %(amount)s else 0 end
            from ledger.accounts
            where tenant_id = %(tenant)s and account_class in ('trade_receivables', 'net_sales')
            group by tenant_id, account_class
            """,
            {"tenant": TENANT, "amount": amount},
        )
        refresh(connection)


def take_back(stages: MonthlyStages) -> None:
    with psycopg.connect(stages.url) as connection:
        connection.execute(
            "update ledger.journal_entries set status = 'cancelled' where entry_id = 999999"
        )
        refresh(connection)


def refresh(connection: psycopg.Connection) -> None:
    connection.execute(
        "call ledger.refresh_snapshots(array[%s::text], %s::date)", [TENANT, APRIL.start]
    )


def state(stages: MonthlyStages, run_id: str) -> Artefact:
    """Take the tenant through extracts and statements."""
    stages.run_all(["ledger_extracts"], [TENANT], run_id)
    result = stages.run("statements", [TENANT], run_id)
    assert result.failures == []
    return result.artefacts[TENANT]


def revision(artefact: Artefact) -> object:
    return artefact.metadata["revision"].value


def newest(stages: MonthlyStages) -> Revision:
    return stages.register.corrections(APRIL, [TENANT])[-1].revision


def current(changes: tuple[LineChange, ...], kind: StatementKind) -> dict[str, int]:
    """By how much the month's figures of a statement changed."""
    grown = {}
    for change in changes:
        if change.statement == kind and change.column == "current":
            before, after = change.before or 0, change.after or 0
            assert isinstance(before, int)
            assert isinstance(after, int)
            grown[change.key] = after - before
    return grown


def test_a_late_entry_in_a_month_that_was_opened_again_is_a_correction(
    delivered: MonthlyStages,
) -> None:
    set_closed(delivered, closed=False)
    post_late_sale(delivered)
    artefact = state(delivered, "run-2")

    correction = newest(delivered)
    assert (correction.number, correction.corrects) == (2, 1)
    assert correction.changes is not None
    assert correction.changes[0] == LineChange("company", "closed", "", "", "closed", "provisional")
    income = current(correction.changes, StatementKind.INCOME_STATEMENT)
    [sales] = [key for key in income if key.startswith("account:")]
    assert income[sales] == income["total_net_sales"] == income["net_profit"] == AMOUNT
    balances = current(correction.changes, StatementKind.BALANCE_SHEET)
    [receivables] = [key for key in balances if key.startswith("account:")]
    assert balances[receivables] == balances["total_assets"] == AMOUNT
    assert balances["net_profit_for_year"] == AMOUNT

    assert revision(artefact) == 2
    assert artefact.metadata["corrects_revision"].value == 1
    assert artefact.metadata["changes"].value == len(correction.changes)
    table = str(artefact.metadata["changed_lines"].value).splitlines()
    assert len(table) == 2 + 20
    assert table[2] == "| 会社・期間 | 月次締め |  | 締め済み | 未締め・暫定 |"
    assert "| 月次損益計算書 | 売上高合計 | 当月 |" in "\n".join(table)


def editions(stages: MonthlyStages, folder: str) -> set[str]:
    """What the head of each workbook in the folder says of its edition."""
    heads = set()
    for name, content in stages.documents(TENANT).items():
        if name.startswith(f"{folder}/") and name.endswith(".xlsx"):
            sheet = openpyxl.load_workbook(io.BytesIO(content)).worksheets[0]
            [head] = [str(row[0]) for row in sheet.values if str(row[0]).startswith("管理番号")]
            heads.add(head.split("　")[1])
    return heads


def test_documents_of_a_correction_say_so_and_its_mail_waits_for_a_person(
    delivered: MonthlyStages,
) -> None:
    set_closed(delivered, closed=False)
    post_late_sale(delivered)
    set_closed(delivered, closed=True)
    delivered.run_all(UP_TO_DOCUMENTS, [TENANT], "run-2")
    result = delivered.run("report_deliveries", [TENANT], "run-2")
    [failure] = result.failures
    assert failure.code is FailureCode.CORRECTION_PENDING
    assert editions(delivered, "r1") == {"第1版"}
    assert editions(delivered, "r2") == {"第2版（訂正版）"}


def test_a_correction_of_what_nobody_received_goes_out_and_lists_what_changed(
    stages: MonthlyStages,
) -> None:
    set_closed(stages, closed=True)
    stages.run_all(UP_TO_DOCUMENTS, [TENANT])
    set_closed(stages, closed=False)
    post_late_sale(stages)
    set_closed(stages, closed=True)
    stages.run_all([*UP_TO_DOCUMENTS, "report_deliveries"], [TENANT], "run-2")

    [path, *_] = stages.mails()
    mail = BytesParser(EmailMessage, policy=policy.default).parsebytes(path.read_bytes())
    assert isinstance(mail, EmailMessage)
    assert "【訂正版 第2版】" in mail["Subject"]
    assert "【暫定】" not in mail["Subject"]
    body = mail.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    changes = newest(stages).changes
    assert changes is not None
    assert f"全部で{len(changes)}件" in text
    assert text.count(" → ") == 10
    [sales] = [
        change_text(change, language="ja", currency="JPY")
        for change in changes
        if (change.key, change.column) == ("total_net_sales", "current")
    ]
    assert f"  月次損益計算書 売上高合計（当月）: {sales.before} → {sales.after}" in text


def test_a_new_revision_of_a_month_that_was_never_closed_corrects_nothing(
    stages: MonthlyStages,
) -> None:
    with psycopg.connect(stages.url) as connection:
        connection.execute("delete from ledger.month_closings where tenant_id = %s", [TENANT])
    assert revision(state(stages, "run-1")) == 1
    post_late_sale(stages)
    stages.run_all(UP_TO_DOCUMENTS, [TENANT], "run-2")
    assert editions(stages, "r2") == {"第2版"}
    artefact = state(stages, "run-2")
    assert {name: value.value for name, value in artefact.metadata.items()} == {"revision": 2}
    # nor does the first one of the closed month
    with psycopg.connect(stages.url) as connection:
        connection.execute(
            "insert into ledger.month_closings (tenant_id, month) values (%s, %s)",
            [TENANT, APRIL.start],
        )
    assert revision(state(stages, "run-3")) == 3
    assert stages.register.corrections(APRIL) == []


def test_figures_that_return_to_those_of_the_closed_month_correct_nothing(
    delivered: MonthlyStages,
) -> None:
    set_closed(delivered, closed=False)
    post_late_sale(delivered)
    assert revision(state(delivered, "run-2")) == 2
    take_back(delivered)
    set_closed(delivered, closed=True)
    artefact = state(delivered, "run-3")
    assert {name: value.value for name, value in artefact.metadata.items()} == {"revision": 1}
    # their mail went out, and nothing is sent again
    mails = delivered.mails()
    delivered.run_all([*UP_TO_DOCUMENTS, "report_deliveries"], [TENANT], "run-4")
    assert delivered.mails() == mails


def test_a_correction_of_a_correction_names_what_changed_since(delivered: MonthlyStages) -> None:
    set_closed(delivered, closed=False)
    post_late_sale(delivered)
    set_closed(delivered, closed=True)
    assert revision(state(delivered, "run-2")) == 2
    with psycopg.connect(delivered.url) as connection:
        connection.execute(
            "update ledger.companies set name = name || '新社' where tenant_id = %s", [TENANT]
        )
    state(delivered, "run-3")
    correction = newest(delivered)
    assert (correction.number, correction.corrects) == (3, 2)
    assert correction.changes is not None
    assert [(c.statement, c.key) for c in correction.changes] == [("company", "name")]


def test_a_run_that_died_before_it_compared_is_made_good(delivered: MonthlyStages) -> None:
    set_closed(delivered, closed=False)
    post_late_sale(delivered)
    state(delivered, "run-2")
    told = newest(delivered)
    with psycopg.connect(delivered.url) as connection:
        connection.execute("update reporting.report_revisions set changes = null")
    assert newest(delivered).changes is None
    state(delivered, "run-3")
    assert newest(delivered) == told


def test_text_of_tenants_is_no_markup_in_dagsters_table(delivered: MonthlyStages) -> None:
    with psycopg.connect(delivered.url) as connection:
        connection.execute(
            "update ledger.companies set name = %s where tenant_id = %s",
            ["A | B [x](http://evil.example) <img src=x>", TENANT],
        )
    artefact = state(delivered, "run-2")
    [row] = str(artefact.metadata["changed_lines"].value).splitlines()[2:]
    shown = r"A \| B \[x\]\(http://evil.example\) \<img src=x\> |"
    assert row.endswith(shown)


def test_people_in_claims_stay_out_of_dagster(delivered: MonthlyStages) -> None:
    with psycopg.connect(delivered.url) as connection:
        changed = connection.execute(
            """
            update ledger.expense_claims set employee = '山田花子'
            where (tenant_id, claim_id) in (
                select tenant_id, claim_id from ledger.expense_claims
                where tenant_id = %s and incurred_on >= %s and incurred_on < %s
                order by claim_id limit 1
            )
            """,
            [TENANT, APRIL.start, APRIL.end],
        )
        assert changed.rowcount == 1
    artefact = state(delivered, "run-2")
    assert "山田花子" not in str(artefact.metadata["changed_lines"].value)
    [change] = newest(delivered).changes or ()
    assert (change.column, change.after) == ("employee", "山田花子")
