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
from reports_pipeline.delivery.deliveries import (
    ChangedFigure,
    Delivery,
    Letter,
    Recipient,
    RegisteredDelivery,
)
from reports_pipeline.delivery.states import DeliveryState
from reports_pipeline.documents.changes import change_text
from resources.delivery_decisions import DeliveryDecisions
from resources.delivery_register import PostgresDeliveryRegister
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


def test_the_first_mail_of_a_month_is_an_ordinary_one_whatever_its_documents_correct(
    stages: MonthlyStages,
) -> None:
    set_closed(stages, closed=True)
    with psycopg.connect(stages.url) as connection:
        connection.execute("delete from ledger.contacts where tenant_id = %s", [TENANT])
    stages.run_all(UP_TO_DOCUMENTS, [TENANT])
    [failure] = stages.run("report_deliveries", [TENANT]).failures
    assert failure.code is FailureCode.NO_RECIPIENT
    set_closed(stages, closed=False)
    post_late_sale(stages)
    set_closed(stages, closed=True)
    with psycopg.connect(stages.url) as connection:
        connection.execute(
            "insert into ledger.contacts values (%s, 1, '新任', 'new@example.jp')", [TENANT]
        )
    stages.run_all([*UP_TO_DOCUMENTS, "report_deliveries"], [TENANT], "run-2")

    assert editions(stages, "r2") == {"第2版（訂正版）"}
    [path] = stages.mails()
    mail = BytesParser(EmailMessage, policy=policy.default).parsebytes(path.read_bytes())
    assert isinstance(mail, EmailMessage)
    assert "訂正版" not in mail["Subject"]
    body = mail.get_body(("plain",))
    assert body is not None
    assert "訂正版" not in body.get_content()
    assert " → " not in body.get_content()


def test_a_closed_month_corrects_the_provisional_one_that_was_mailed(
    stages: MonthlyStages,
) -> None:
    with psycopg.connect(stages.url) as connection:
        connection.execute("delete from ledger.month_closings where tenant_id = %s", [TENANT])
    stages.run_all([*UP_TO_DOCUMENTS, "report_deliveries"], [TENANT])
    post_late_sale(stages)
    with psycopg.connect(stages.url) as connection:
        connection.execute(
            "insert into ledger.month_closings (tenant_id, month) values (%s, %s)",
            [TENANT, APRIL.start],
        )
    stages.run_all(UP_TO_DOCUMENTS, [TENANT], "run-2")
    [failure] = stages.run("report_deliveries", [TENANT], "run-2").failures
    assert failure.code is FailureCode.CORRECTION_PENDING
    assert editions(stages, "r2") == {"第2版（訂正版）"}
    correction = newest(stages)
    assert (correction.number, correction.corrects) == (2, 1)
    assert correction.changes is not None
    assert correction.changes[0] == LineChange("company", "closed", "", "", "provisional", "closed")
    income = current(correction.changes, StatementKind.INCOME_STATEMENT)
    assert income["total_net_sales"] == AMOUNT


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch) -> list[Letter]:
    """Every letter that a delivery would have, also of those that wait for a person."""
    found: list[Letter] = []
    register = PostgresDeliveryRegister.register

    def note(self: PostgresDeliveryRegister, delivery: Delivery) -> RegisteredDelivery:
        found.append(delivery.letter)
        return register(self, delivery)

    monkeypatch.setattr(PostgresDeliveryRegister, "register", note)
    return found


def test_the_mail_of_a_correction_lists_what_changed_since_the_last_mail(
    delivered: MonthlyStages, letters: list[Letter]
) -> None:
    set_closed(delivered, closed=False)
    post_late_sale(delivered)
    set_closed(delivered, closed=True)
    delivered.run_all(UP_TO_DOCUMENTS, [TENANT], "run-2")
    delivered.run("report_deliveries", [TENANT], "run-2")
    correction, changes = letters[-1].correction, newest(delivered).changes
    assert correction is not None
    assert changes is not None
    assert (correction.corrects, correction.revision) == (1, 2)
    # nothing but amounts has changed
    assert correction.changes == len(changes)
    assert len(correction.figures) == 10
    [sales] = [
        change_text(change, language="ja", currency="JPY")
        for change in changes
        if (change.key, change.column) == ("total_net_sales", "current")
    ]
    label = "月次損益計算書 売上高合計（当月）"
    assert ChangedFigure(label, sales.before, sales.after) in correction.figures

    # nobody was sent the second one, which the documents of the third correct
    with psycopg.connect(delivered.url) as connection:
        connection.execute(
            "update ledger.companies set name = name || '新社' where tenant_id = %s", [TENANT]
        )
    delivered.run_all(UP_TO_DOCUMENTS, [TENANT], "run-3")
    delivered.run("report_deliveries", [TENANT], "run-3")
    assert newest(delivered).corrects == 2
    later = letters[-1].correction
    assert later is not None
    assert (later.corrects, later.revision) == (1, 3)
    assert later.changes == correction.changes
    assert later.figures[1:] == correction.figures[:-1]


def test_who_was_mailed_in_place_of_another_gets_the_correction_too(
    delivered: MonthlyStages,
) -> None:
    address = "accountant@tax.example"
    with psycopg.connect(delivered.url) as connection:
        connection.execute(
            "insert into ledger.contacts values (%s, 99, '税理士', %s, 'alternative')",
            [TENANT, address],
        )
    decisions = DeliveryDecisions(delivered.url, actor="suzuki")
    decisions.resend(TENANT, APRIL, 1, "不達", to=Recipient("税理士", address))
    delivered.run("report_deliveries", [TENANT])
    set_closed(delivered, closed=False)
    post_late_sale(delivered)
    set_closed(delivered, closed=True)
    delivered.run_all(UP_TO_DOCUMENTS, [TENANT], "run-2")
    decisions.approve(TENANT, APRIL, 2, "計上漏れ")
    delivered.run("report_deliveries", [TENANT], "run-2")
    with PostgresDeliveryRegister(delivered.url, actor="test") as register:
        first, second = register.read(APRIL, [TENANT])[TENANT]
    readers = {message.recipient.email for message in first.messages}
    assert address in readers
    assert {message.recipient.email for message in second.messages} == readers
    assert {message.state for message in second.messages} == {DeliveryState.ACCEPTED}


@pytest.mark.parametrize(
    ("state", "corrects"), [(DeliveryState.UNKNOWN, 1), (DeliveryState.POSTING, None)]
)
def test_a_mail_that_may_have_gone_out_is_corrected_once_its_post_is_over(
    delivered: MonthlyStages,
    letters: list[Letter],
    state: DeliveryState,
    corrects: int | None,
) -> None:
    with psycopg.connect(delivered.url) as connection:
        connection.execute(
            "update reporting.delivery_messages set state = %(state)s, provider_id = null,"
            " lease_until = case %(state)s when 'POSTING' then now() + interval '1 hour' end",
            {"state": state},
        )
    post_late_sale(delivered)
    delivered.run_all(UP_TO_DOCUMENTS, [TENANT], "run-2")
    [failure] = delivered.run("report_deliveries", [TENANT], "run-2").failures
    assert failure.code is FailureCode.CORRECTION_PENDING
    correction = letters[-1].correction
    assert (correction and correction.corrects) == corrects


def test_a_new_revision_of_a_month_that_was_neither_closed_nor_mailed_corrects_nothing(
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
